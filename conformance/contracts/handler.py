"""Offers the published messages of the Berichtenbox to an organisation's own handler, and looks at what it does with each.

A handler is a URL, to which a message is POSTed, or a command, which gets it on stdin. It takes a message with 2xx or exit code 0.
"""

import json
import os
import re
import shlex
import ssl
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx

from conformance.contracts.published import Message
from conformance.masking import mask
from conformance.verdicts import ExitCode

STATES_HEADER: Final = "Pact-Provider-States"
"""The header with what is so before a message, as JSON: which berichten it is about, or which request it answers."""
_PREFIX: Final = "BERICHTENBOX_"
_LONGEST_TEXT: Final = 200
_READ_OF_TEXT: Final = 4_000
_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class HandlerError(ValueError):
    """A handler that is no URL and no command."""

    exit_code = ExitCode.USAGE


class HandlerUnreachableError(RuntimeError):
    """A handler that cannot be reached or started: nothing is known of what it does."""

    exit_code = ExitCode.UNREACHABLE


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler did: took the message, refused it, or (``None``) neither; ``told`` says how."""

    has_taken: bool | None
    told: str


@dataclass(frozen=True, slots=True)
class Handled:
    """A message with what the handler did."""

    message: Message
    answer: Answer

    @property
    def is_right(self) -> bool:
        """Whether the handler did what the pact says."""
        return self.answer.has_taken is (not self.message.is_refused)


Handler = Callable[[Message], Answer]


def verify_handler(messages: Sequence[Message], handler: Handler) -> list[Handled]:
    """Offer messages one after another; raises :class:`HandlerUnreachableError` when the first finds nobody."""
    handled: list[Handled] = []
    for message in messages:
        try:
            answer = handler(message)
        except HandlerUnreachableError as error:
            if not handled:
                raise
            answer = Answer(None, f"it was there, and is there no more: {error}")  # something before this was too much for it
        handled.append(Handled(message, answer))
    return handled


def handler_of(text: str, timeout_s: float) -> Handler:
    """Return the handler at a URL or behind a command; raises :class:`HandlerError`."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        url = _url(text)
        context = ssl.create_default_context()
        return lambda message: _post(url, message, timeout_s, context)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise HandlerError(f"--handler: not a command that can be read ({error}).") from None
    if not words:
        raise HandlerError("--handler: expected a URL, or a command.")
    return lambda message: _run(words, message, timeout_s)


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise HandlerError("--handler: expected an http or https URL, such as http://127.0.0.1:9001/resultaat, or a command.")
    return url


def _states(message: Message) -> str:
    return json.dumps([{"name": state.name, "params": dict(state.parameters)} for state in message.states])


def _post(url: httpx.URL, message: Message, timeout_s: float, context: ssl.SSLContext) -> Answer:
    headers = {**message.metadata, "Content-Type": message.content_type, STATES_HEADER: _states(message)}
    try:
        response = httpx.post(url, content=message.content, headers=headers, timeout=timeout_s, trust_env=False, verify=context)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        hint = "start the handler, and give the URL at which it takes messages"
        raise HandlerUnreachableError(f"nobody listens at {url.host}:{url.port or url.scheme} ({error}).\n  Hint: {hint}.") from None
    except httpx.HTTPError as error:
        return Answer(None, f"no answer ({type(error).__name__})")
    told = f"HTTP {response.status_code} {mask(response.text[:_READ_OF_TEXT])[:_LONGEST_TEXT]}".strip()
    if response.is_success:
        return Answer(has_taken=True, told=told)
    return Answer(False if response.status_code >= HTTPStatus.BAD_REQUEST else None, told)


def _run(words: Sequence[str], message: Message, timeout_s: float) -> Answer:
    """Give a command the payload on stdin, and the metadata in its environment: ``messageId`` is ``BERICHTENBOX_MESSAGE_ID``."""
    told = {_PREFIX + _WORD.sub("_", key).upper(): value for key, value in message.metadata.items()}
    own = {_PREFIX + "CONTENT_TYPE": message.content_type, _PREFIX + "PROVIDER_STATES": _states(message)}
    try:
        ended = subprocess.run(  # noqa: S603  # the command is the user's own
            words, input=message.content, env={**os.environ, **told, **own}, capture_output=True, timeout=timeout_s, check=False
        )
    except OSError as error:
        raise HandlerUnreachableError(f"{words[0]}: cannot be started: {error.strerror}.\n  Hint: check --handler.") from None
    except subprocess.TimeoutExpired:
        return Answer(None, f"did not end within {timeout_s:g} s")
    last = mask(ended.stderr[-_READ_OF_TEXT:].decode("utf-8", "replace")).strip().splitlines()[-1:] or [""]
    text = f"exit code {ended.returncode} {last[0][:_LONGEST_TEXT]}".strip()
    if ended.returncode < 0:
        return Answer(None, f"ended by signal {-ended.returncode}")
    return Answer(ended.returncode == 0, text)
