"""Lets processes end together: with the one that started them, also when that was killed, and before the one that is asked to stop."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final, NoReturn

_PIECE: Final = 4_096


class Terminated(KeyboardInterrupt):
    """SIGTERM: it ends a command as Ctrl-C does, so that what the command started is stopped."""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Raise :class:`Terminated` on SIGTERM for as long as the block takes; in the main thread, for another one gets no signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminated(number: int, _frame: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # once will do: what is being stopped now must not be left halfway
    raise Terminated


def terminate() -> None:
    """Send this process SIGTERM."""
    os.kill(os.getpid(), signal.SIGTERM)


def end_with_parent(stop: Callable[[], object] = terminate) -> None:
    """Call ``stop`` when standard input ends: the pipe that the parent holds open for as long as it lives."""
    # Not through sys.stdin: a thread that waits in it holds its lock, and the interpreter aborts when it closes the stream at the end.
    descriptor = sys.stdin.fileno()

    def wait() -> None:
        while os.read(descriptor, _PIECE):
            pass
        stop()

    threading.Thread(target=wait, daemon=True).start()
