"""Reaches an Afnemer over HTTP: the interface of ``specs/openapi/test-control.yaml``.

Hostile answers cost little: a limit on bytes and on time, no redirects, no proxies, nothing that must be unpacked.
"""

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NoReturn
from urllib.parse import quote as escape

import httpx

from conformance.afnemer.driver import LOOKS_UP, BadAnswer, CannotDo, DriverError, Refused, TimedOut, Unreachable, Verb, quote

LARGEST_ANSWER: Final = 20_000_000  # bytes
LARGEST_ANSWERS: Final = {Verb.ABONNEMENT: 60_000_000}  # a million voorkeuren are some 40 MB
_REFUSED: Final = frozenset({400, 409, 413, 422})
_NOT_OFFERED: Final = frozenset({404, 405, 501})
_NOT_FOUND: Final = 404
_REDIRECTS: Final = range(300, 400)
_HINT_URL: Final = "check [driver] url in the profile: it is the address under which /gezondheid answers"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a verb lives: method, path with ``{subject}``, and the status of success."""

    method: str
    path: str
    status: int


ROUTES: Final = {
    Verb.GEZONDHEID: Route("GET", "/gezondheid", 200),
    Verb.BERICHTEN: Route("POST", "/berichten", 202),
    Verb.BERICHT: Route("GET", "/berichten/{subject}", 200),
    Verb.HERLEVERING: Route("POST", "/herlevering", 202),
    Verb.ABONNEMENTEN: Route("POST", "/abonnementen", 202),
    Verb.ABONNEMENT: Route("GET", "/abonnementen/{subject}", 200),
    Verb.VALIDATIE: Route("POST", "/validatie", 200),
}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content_type: str
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


@cache
def _trusted() -> ssl.SSLContext:
    """Return whom the machine trusts: read once, for that takes longer than a call."""
    return ssl.create_default_context()


class HttpCaller:
    """Calls the test-control interface at ``url``; an answer takes ``timeout_s`` seconds at most."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = url.rstrip("/"), timeout_s
        _check_url(url)
        self._client = httpx.Client(
            timeout=timeout_s,
            trust_env=False,
            verify=_trusted(),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            # A connection that idles may be closed at the very moment that it is used again: the outcome of a delivery would then be unknown.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def __repr__(self) -> str:
        return f"<HttpCaller {self._url}>"

    def call(self, verb: Verb, body: Mapping[str, Any] | None = None, subject: str | None = None) -> Any:
        """Return the JSON value that the Afnemer answers, ``None`` for an unknown bericht or abonnement; raises :class:`DriverError`."""
        answer = self._exchange(verb, body, subject)
        if answer.status == ROUTES[verb].status:
            return read_json(verb, answer.content)
        if answer.status == _NOT_FOUND and verb in LOOKS_UP:
            return None
        raise _error(verb, answer)

    def settle(self) -> bool:
        """Answer that it is not known: the interface has no word for it."""
        return False

    def restart(self) -> bool:
        """Answer that nothing was restarted: the interface has no word for it."""
        return False

    def advance(self, _seconds: float) -> bool:
        """Answer that its clock was not moved: there is no verb for it."""
        return False

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _exchange(self, verb: Verb, body: Mapping[str, Any] | None, subject: str | None) -> _Answer:
        try:
            return self._stream(verb, body, subject)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(f"no connection with {self._url} ({error})", verb=verb, hint="is the Afnemer running? " + _HINT_URL) from None
        except (httpx.TimeoutException, httpx.ReadError, httpx.WriteError) as error:
            raise self._timed_out(verb, type(error).__name__) from None
        except httpx.HTTPError as error:
            if "disconnected" in str(error) or "peer closed" in str(error):
                raise self._timed_out(verb, "the connection was closed before the answer was complete") from None
            raise BadAnswer(verb, "an HTTP answer", quote(str(error)), _HINT_URL) from None

    def _stream(self, verb: Verb, body: Mapping[str, Any] | None, subject: str | None) -> _Answer:
        route = ROUTES[verb]
        url = self._url + route.path.format(subject=escape(subject or "", safe=""))
        deadline = time.monotonic() + self._timeout_s
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        with self._client.stream(route.method, url, content=content, headers=headers) as response:
            return _Answer(response.status_code, response.headers.get("content-type", ""), self._read(verb, response, deadline))

    def _read(self, verb: Verb, response: httpx.Response, deadline: float) -> bytes:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise BadAnswer(verb, "an answer as it is (Accept-Encoding: identity)", f"Content-Encoding: {quote(encoding)}")
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > largest_answer(verb):
                raise BadAnswer(verb, f"at most {largest_answer(verb)} bytes", "more")
            if time.monotonic() > deadline:
                raise self._timed_out(verb, f"{len(content)} bytes came, not the whole answer")
        return bytes(content)

    def _timed_out(self, verb: Verb, what: str) -> TimedOut:
        hint = "whether it was done is unknown; see the log of the Afnemer, or raise [timing] reaction_s in the profile"
        return TimedOut(f"no complete answer from {self._url} within {self._timeout_s:g} s ({what})", verb=verb, hint=hint)


def largest_answer(verb: Verb) -> int:
    """Return how many bytes the answer to a verb may have."""
    return LARGEST_ANSWERS.get(verb, LARGEST_ANSWER)


def _check_url(url: str) -> None:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.query or parsed.fragment:
        raise Unreachable(f"[driver] url = {url!r} is not the start of an http or https address", hint="for example http://127.0.0.1:9001")


def read_json(verb: Verb, content: bytes) -> Any:
    """Return the JSON value of an answer; raises :class:`BadAnswer`."""
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        shown = quote(content[:1_000].decode("utf-8", "replace")) or "nothing"
        raise BadAnswer(verb, "JSON in UTF-8", shown) from None
    if value is None:  # a caller answers None for what is unknown, and that is not said with null
        raise BadAnswer(verb, "a JSON object", "null")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _error(verb: Verb, answer: _Answer) -> DriverError:
    """Say what a status other than the one of success means."""
    route = ROUTES[verb]
    if answer.status in _REFUSED and "html" not in answer.content_type:
        return Refused(_detail(answer), verb=verb)
    if answer.status in _NOT_OFFERED:
        return CannotDo(f"{route.method} {route.path} answers {answer.status}: the Afnemer does not offer this", verb=verb, hint=_HINT_URL)
    hint = "redirects are not followed: put the final address in [driver] url" if answer.status in _REDIRECTS else "see the log of the Afnemer"
    return BadAnswer(verb, f"status {route.status} on {route.method} {route.path}", f"{answer.status} {quote(answer.text)}".strip(), hint)


def _detail(answer: _Answer) -> str:
    """Return the explanation of a refusal: of problem details, or else the text itself."""
    try:
        problem = json.loads(answer.content)
    except (ValueError, RecursionError):
        problem = None
    if isinstance(problem, Mapping):
        for key in ("detail", "title"):
            if isinstance(problem.get(key), str):
                return str(problem[key])
    return answer.text.strip() or f"status {answer.status}, without an explanation"
