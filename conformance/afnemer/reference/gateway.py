"""The Afnemer's side of the adapter: four calls over HTTP, and two kinds of trouble."""

import ssl
from collections.abc import Sequence
from functools import cache
from typing import Final, Self
from urllib.parse import quote

import httpx

from conformance.messages.envelope import Envelope
from conformance.transport import adapter

_TEMPORARY: Final = frozenset({408, 429, 502, 503, 504})


class TemporaryTroubleError(RuntimeError):
    """The adapter is away, or says that it is: try again later, with the same ids."""


class PermanentTroubleError(RuntimeError):
    """The adapter refuses this message; it will refuse it tomorrow. ebms-core says so with a 500: trying for ever helps nobody."""


@cache
def _trusted() -> ssl.SSLContext:
    """Return whom the machine trusts: read once, for that takes longer than a call."""
    return ssl.create_default_context()


class Gateway:
    """Sends, asks what waits, fetches and marks; ``url`` is the REST API, up to and including ``/v19``."""

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        self._http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False, verify=_trusted())

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
