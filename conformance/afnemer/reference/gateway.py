"""How the Afnemer sends and receives: what it asks of any gateway, two kinds of trouble, and the adapter, which is four calls over HTTP."""

import ssl
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Final, Protocol, Self, TypeVar
from urllib.parse import quote

import httpx

from conformance.messages.envelope import Envelope
from conformance.transport import adapter

_Waiting = TypeVar("_Waiting")
_TEMPORARY: Final = frozenset({408, 429, 502, 503, 504})


class TemporaryTroubleError(RuntimeError):
    """The adapter is away, or says that it is: try again later, with the same ids."""


class PermanentTroubleError(RuntimeError):
    """The adapter refuses this message; it will refuse it tomorrow. ebms-core says so with a 500: trying for ever helps nobody."""


def send_each(waiting: Iterable[_Waiting], send: Callable[[_Waiting], None], failed: Callable[[_Waiting], None]) -> bool:
    """Send what waits, oldest first, until the gateway is away; return whether something left. What it refuses is ``failed``."""
    has_sent = False
    for item in waiting:
        try:
            send(item)
        except TemporaryTroubleError:
            return has_sent
        except PermanentTroubleError:
            failed(item)
        else:
            has_sent = True
    return has_sent


class MessageService(Protocol):
    """What the Afnemer asks of its gateway, whether that is an adapter of somebody else or its own."""

    def send(self, envelope: Envelope) -> str:
        """Take a message and return its MessageId: it is queued then, not delivered."""
        ...

    def waiting(self, cpa_id: str, action: str) -> Sequence[str]:
        """Return the MessageIds of received messages of one action that are not processed yet, oldest first."""
        ...

    def fetch(self, message_id: str) -> Envelope:
        """Return a message without marking it: that comes after it is stored."""
        ...

    def mark(self, message_id: str) -> None:
        """Mark a message as processed."""
        ...

    def pump(self) -> bool:
        """Do what is due now, and return whether there was anything."""
        ...

    def failures(self) -> Sequence[tuple[str, str]]:
        """Return the MessageIds of what was sent in vain, each with the reason, until :meth:`mark_told`."""
        ...

    def mark_told(self, message_id: str) -> None:
        """Note that the application knows of a failure."""
        ...

    def advance(self, seconds: float) -> bool:
        """Move the clock by which messages are repeated, and tell whether it was moved."""
        ...

    def close(self) -> None:
        """Let go of whatever is held."""
        ...


@cache
def trusted() -> ssl.SSLContext:
    """Return whom the machine trusts: read once, for that takes longer than a call."""
    return ssl.create_default_context()


class Gateway:
    """Sends, asks what waits, fetches and marks; ``url`` is the REST API, up to and including ``/v19``.

    ``context`` says whom it trusts and who it is; without one it trusts whom the machine trusts.
    """

    def __init__(self, url: str, timeout_s: float = 30.0, context: ssl.SSLContext | None = None) -> None:
        self._http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False, verify=context or trusted())

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, envelope: Envelope) -> str:
        """Hand a message to the adapter and return its MessageId: it is queued then, not delivered."""
        body = adapter.write_message_request(envelope)
        return self._ask("POST", "/ebms/messages", content=body, headers={"content-type": "application/json"}).text

    def waiting(self, cpa_id: str, action: str) -> Sequence[str]:
        """Return the MessageIds of received messages of one action that are not processed yet, oldest first."""
        answer = self._ask("GET", "/ebms/messages/unprocessed", params={"cpaId": cpa_id, "action": action})
        ids = _json(answer)
        if not isinstance(ids, list):
            raise TemporaryTroubleError("GET: the answer is no list of ids")  # the page of a proxy in between, say
        return [str(message_id) for message_id in ids]

    def fetch(self, message_id: str) -> Envelope:
        """Return a message without marking it: that comes after it is stored."""
        return adapter.read_message(self._ask("GET", f"/ebms/messages/{quote(message_id, safe='')}").content)

    def mark(self, message_id: str) -> None:
        """Mark a message as processed."""
        self._ask("PATCH", f"/ebms/messages/{quote(message_id, safe='')}")

    def pump(self) -> bool:
        """Do nothing: the adapter repeats by itself."""
        return False

    def failures(self) -> Sequence[tuple[str, str]]:
        """Return nothing: what the adapter could not deliver, it tells in events, which are not asked for here."""
        return ()

    def mark_told(self, message_id: str) -> None:
        """Remember nothing, for nothing was told."""

    def advance(self, _seconds: float) -> bool:
        """Answer that the clock of the adapter is not ours to move."""
        return False

    def _ask(self, method: str, path: str, **rest: object) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **rest)  # type: ignore[arg-type]  # passed on as it came
        except httpx.HTTPError as error:
            raise TemporaryTroubleError(f"{method} {path.partition('?')[0]}: {type(error).__name__}") from None
        if answer.status_code in _TEMPORARY:
            raise TemporaryTroubleError(f"{method}: {answer.status_code}")
        if not answer.is_success:
            raise PermanentTroubleError(f"{method}: {answer.status_code} {answer.text[:200]}")
        return answer


def _json(answer: httpx.Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return None
