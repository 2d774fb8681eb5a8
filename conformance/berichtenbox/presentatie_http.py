"""What the operations of the berichtpresentatie share: the headers of every answer, problem details, and a request that is checked as a whole.

Nothing here quotes a request: what somebody sends in the wrong place may be a BSN.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conformance.berichtenbox.http import BodyTooLarge, read_body
from conformance.messages.identities import is_guid

VERSION: Final = "1.0.0"
"""Of the interface: the description says it too."""
HEADERS: Final = {
    "API-Version": VERSION,
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What the NL API Design Rules ask of every answer."""
MERGE_PATCH: Final = "application/merge-patch+json"
_ONTVANGER: Final = re.compile(r"BSN:([0-9]{9})")
_WHOLE: Final = re.compile(r"[1-9][0-9]{0,6}")
_MOST_BYTES: Final = 10_000
_TITLES: Final = {
    400: "Onjuist verzoek",
    403: "Niet toegestaan",
    404: "Niet gevonden",
    405: "Methode niet toegestaan",
    413: "Te groot",
    415: "Ander soort inhoud",
    500: "Interne fout",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a request: in its header, path, query or body, and where there."""

    place: str
    location: str
    detail: str


class Problem(Exception):  # noqa: N818  # the name of RFC 9457
    """A request that is not done: becomes problem details with this status."""

    def __init__(self, status: int, detail: str, mistakes: Sequence[Mistake] = ()) -> None:
        super().__init__(detail)
        self.status, self.mistakes = status, tuple(mistakes)


class Adorned:
    """An application with :data:`HEADERS` on everything that it answers, errors and crashes included."""

    def __init__(self, app: Starlette) -> None:
        self._app: ASGIApp = app
        self.routes: list[BaseRoute] = app.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""

        async def adorned(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, adorned)


def problem(status: int, detail: str, mistakes: Sequence[Mistake] = ()) -> Response:
    """Return problem details (RFC 9457)."""
    content: dict[str, Any] = {"type": "about:blank", "title": _TITLES.get(status, "Fout"), "status": status, "detail": detail}
    if mistakes:
        content["errors"] = [{"in": item.place, "location": item.location, "detail": item.detail} for item in mistakes]
    return JSONResponse(content, status, media_type="application/problem+json")


async def refused(_request: Request, error: Exception) -> Response:
    """Answer a request that is not done."""
    if isinstance(error, HTTPException):
        answer = problem(error.status_code, "there is no such resource, or not with this method")
        answer.headers.update(error.headers or {})
        return answer
    if isinstance(error, BodyTooLarge):
        return problem(413, str(error))
    assert isinstance(error, Problem)  # noqa: S101  # nothing else is sent here
    return problem(error.status, str(error), error.mistakes)


async def crashed(_request: Request, error: Exception) -> Response:
    """Answer a crash of ours without its details."""
    return problem(500, f"internal error ({type(error).__name__}); the log of the Berichtenbox has the rest")


class Checked:
    """One request, of which every mistake is noted; ``done`` raises them together."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._mistakes: list[Mistake] = []

    def note(self, place: str, location: str, detail: str) -> None:
        """Note a mistake."""
        self._mistakes.append(Mistake(place, location, detail))

    def done(self) -> None:
        """Raise :class:`Problem` when anything is wrong."""
        if self._mistakes:
            raise Problem(400, "the request does not fit the description; errors says where", self._mistakes)

    def citizen(self) -> str:
        """Return the BSN of the header ``X-Ontvanger``."""
        given = self._request.headers.getlist("x-ontvanger")
        found = _ONTVANGER.fullmatch(given[0]) if len(given) == 1 else None
        if found is None:
            self.note("header", "X-Ontvanger", "give it once: BSN: and nine digits")
        return "" if found is None else found[1]

    def bericht_id(self) -> str:
        """Return the BerichtID of the path, in lower case."""
        given: str = self._request.path_params["bericht_id"]
        if not is_guid(given):
            self.note("path", "berichtId", "a UUID")
        return given.lower()

    def bijlage_id(self) -> int:
        """Return the number of a bijlage in the path."""
        given: str = self._request.path_params["bijlage_id"]
        if _WHOLE.fullmatch(given) is None:
            self.note("path", "bijlageId", "a whole number from 1")
            return 0
        return int(given)

    def query(self, **known: tuple[int, int]) -> list[int]:
        """Return the whole numbers of the query, each known by its name with its default and its most; nothing else may stand there."""
        if not self._request.query_params.keys() <= known.keys():
            self.note("query", "", f"another name than {' and '.join(known)}" if known else "this operation takes no query")
        return [self._number(name, default, most) for name, (default, most) in known.items()]

    def _number(self, name: str, default: int, most: int) -> int:
        given = self._request.query_params.getlist(name)
        if not given:
            return default
        if len(given) > 1 or _WHOLE.fullmatch(given[0]) is None or int(given[0]) > most:
            self.note("query", name, f"give it once: a whole number from 1 to {most}")
            return default
        return int(given[0])

    async def patch(self) -> dict[str, Any]:
        """Return the members of a merge patch, a JSON object. Raises :class:`Problem` for another kind of content."""
        if self._request.headers.get("content-type", "").partition(";")[0].strip().lower() != MERGE_PATCH:
            raise Problem(415, f"send {MERGE_PATCH}")
        content = await read_body(self._request, _MOST_BYTES)
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            self.note("body", "#", "a JSON object")
            return {}
        return value
