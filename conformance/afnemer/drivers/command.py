"""Reaches an Afnemer by a shell command a verb: JSON on stdin, JSON on stdout, and an exit code.

0: done. 3: there is no such thing. 4: refused, and stdout or stderr says why. Anything else is not test-control.
"""

import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.afnemer.driver import LOOKS_UP, BadAnswer, CannotDo, DriverError, Refused, TimedOut, Unreachable, Verb, quote
from conformance.afnemer.drivers.http import largest_answer, read_json

_DONE: Final = 0
_NOT_FOUND: Final = 3
_REFUSED: Final = 4
_CANNOT_RUN: Final = frozenset({126, 127})  # what a shell answers when it cannot execute, or cannot find, the command
_LAST_LINES: Final = 5
_AT_ONCE: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Finished:
    code: int
    stdout: bytes
    stderr: bytes

    @property
    def last_words(self) -> str:
        lines = (self.stderr.strip() or self.stdout.strip()).decode("utf-8", "replace").splitlines()
        return quote(" | ".join(line.strip()[:200] for line in lines[-_LAST_LINES:]))


class CommandCaller:
    """Runs ``command`` with the verb as last argument, or the command that a mapping has for the verb; each takes ``timeout_s`` seconds at most.

    ``connection`` is added to the environment: the ``BERICHTENBOX_*`` variables that say where the simulated Berichtenbox is.
    """

    def __init__(self, command: str | Mapping[str, str], timeout_s: float, connection: Mapping[str, str] | None = None) -> None:
        self._command, self._timeout_s = command, timeout_s
        self._environment = {**os.environ, **(connection or {})}
        for name in [] if isinstance(command, str) else sorted(set(command) - set(Verb)):
            raise DriverError(f"[driver.commands] has {name!r}, which is no verb", hint="the verbs are " + ", ".join(Verb))

    def __repr__(self) -> str:
        return f"<CommandCaller {self._command}>"

    def call(self, verb: Verb, body: Mapping[str, Any] | None = None, subject: str | None = None) -> Any:
        """Return the JSON value on stdout, ``None`` for an unknown bericht or abonnement; raises :class:`DriverError`."""
        asked = {LOOKS_UP[verb]: subject} if verb in LOOKS_UP else body or {}
        finished = self._run(verb, self._line(verb), json.dumps(asked).encode())
        if finished.code == _DONE:
            return read_json(verb, finished.stdout)
        if finished.code == _NOT_FOUND and verb in LOOKS_UP:
            return None
        raise _error(verb, finished)

    def settle(self) -> bool:
        """Answer that it is not known: there is no verb for it."""
        return False

    def restart(self) -> bool:
        """Answer that nothing was restarted: there is no verb for it."""
        return False

    def advance(self, _seconds: float) -> bool:
        """Answer that its clock was not moved: there is no verb for it."""
        return False

    def close(self) -> None:
        """Hold nothing, so let go of nothing."""

    def _line(self, verb: Verb) -> str:
        if isinstance(self._command, str):
            return f"{self._command} {verb}"
        if verb not in self._command:
            raise CannotDo("[driver.commands] has no command for this verb", verb=verb)
        return self._command[verb]

    def _run(self, verb: Verb, line: str, stdin: bytes) -> _Finished:
        with tempfile.TemporaryFile() as asked:  # a file: a command that never reads its stdin cannot make us wait
            asked.write(stdin)
            asked.seek(0)
            process = subprocess.Popen(  # noqa: S602  # the shell command of the user's own profile is the feature
                line,
                shell=True,
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
        with process:
            try:
                return self._collect(verb, process)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # not waited for yet, so the number is still its own
                raise

    def _collect(self, verb: Verb, process: subprocess.Popen[bytes]) -> _Finished:
        deadline = time.monotonic() + self._timeout_s
        outputs = {process.stdout: bytearray(), process.stderr: bytearray()}
        with selectors.DefaultSelector() as selector:
            for stream in outputs:
                selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]  # both are pipes
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if time.monotonic() > deadline:
                    raise self._timed_out(verb)
                for key, _ in ready:
                    chunk = os.read(key.fd, _AT_ONCE)
                    outputs[key.fileobj] += chunk  # type: ignore[index]  # the key is the stream that was registered
                    if not chunk:
                        selector.unregister(key.fileobj)
                    if len(outputs[key.fileobj]) > largest_answer(verb):  # type: ignore[index]  # idem
                        raise BadAnswer(verb, f"at most {largest_answer(verb)} bytes of output", "more")  # of stdout and of stderr each
        return self._finish(verb, process, deadline, bytes(outputs[process.stdout]), bytes(outputs[process.stderr]))

    def _finish(self, verb: Verb, process: subprocess.Popen[bytes], deadline: float, stdout: bytes, stderr: bytes) -> _Finished:
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._timed_out(verb) from None
        return _Finished(code, stdout, stderr)

    def _timed_out(self, verb: Verb) -> TimedOut:
        hint = "whether it was done is unknown; a background process that keeps stdout or stderr open counts as not ended"
        return TimedOut(f"the command did not end within {self._timeout_s:g} s", verb=verb, hint=hint)


def _error(verb: Verb, finished: _Finished) -> DriverError:
    """Say what an exit code other than 0 means."""
    if finished.code in _CANNOT_RUN:
        return Unreachable(f"the command cannot be run: {finished.last_words}", verb=verb, hint="check [driver] command in the profile")
    if finished.code == _REFUSED:
        return Refused(finished.last_words or "exit code 4, without an explanation", verb=verb)
    if finished.code == _NOT_FOUND:
        return CannotDo("the command ends with exit code 3: it does not offer this", verb=verb)
    hint = "0: done; 3: no such thing; 4: refused; see docs/test-control.md"
    return BadAnswer(verb, "exit code 0, 3 or 4", f"{finished.code} {finished.last_words}".strip(), hint)
