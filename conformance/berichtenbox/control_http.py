"""What the operations of the control face share: problem details, bodies in JSON, and parameters."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from conformance.berichtenbox.faults import FaultError
from conformance.berichtenbox.http import BodyTooLarge, read_body
from conformance.masking import mask

_LARGEST_NUMBER: Final = 1e9
_LONGEST_NUMBER: Final = 15
MOST_AT_ONCE: Final = 10_000
_USUAL: Final = "1000"
Handler = Callable[[Request], Awaitable[Response]]
Operation = tuple[str, str, Handler]
"""A method, a path below that of the face, and what answers it."""


class ProblemError(ValueError):
    """A request that cannot be done: becomes problem details with this status."""

    def __init__(self, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.status = status


def guarded(handler: Handler) -> Handler:
    """Return a handler of which every mistake of a request becomes problem details."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except ProblemError as error:
            return problem(error.status, str(error))
        except FaultError as error:
            return problem(400, str(error))
        except BodyTooLarge as error:
            return problem(413, str(error))

    return answered


def problem(status: int, detail: str) -> Response:
    """Return problem details."""
    titles = {400: "Onjuist verzoek", 404: "Niet gevonden", 413: "Te groot", 415: "Ander soort inhoud"}
    content = {"type": "about:blank", "title": titles.get(status, "Fout"), "status": status, "detail": mask(detail)}
    return JSONResponse(content, status, media_type="application/problem+json")


async def json_body(request: Request, keys: set[str]) -> dict[str, Any]:
    """Return the body, an object with no other keys than these; nothing at all is an empty one. Raises :class:`ProblemError`."""
    content = await read_body(request) or b"{}"
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise ProblemError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise ProblemError("the body is a JSON object")
    unknown = sorted(set(value) - keys)
    if unknown:
        raise ProblemError(f"unknown key {unknown[0][:40]!r}; known are {', '.join(sorted(keys))}")
    return value


def number(body: dict[str, Any], key: str) -> float:
    """Return the number under a key, 0 when there is none; raises :class:`ProblemError`."""
    value = body.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST_NUMBER:  # NaN is not
        raise ProblemError(f"{key} is a number")
    return float(value)


def after(request: Request) -> int:
    """Return the sequence number ``na`` of a request, 0 when it names none; raises :class:`ProblemError`."""
    text = request.query_params.get("na", "0")
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_NUMBER:
        raise ProblemError("na is a sequence number, a whole number from 0")
    return int(text)


def most(request: Request) -> int:
    """Return how many are asked for, ``aantal``, 1000 when a request does not say; raises :class:`ProblemError`."""
    text = request.query_params.get("aantal", _USUAL)
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_NUMBER or not 1 <= int(text) <= MOST_AT_ONCE:
        raise ProblemError(f"aantal is a whole number from 1 to {MOST_AT_ONCE}")
    return int(text)


def masked(value: Any) -> Response:
    """Return JSON without BSNs."""
    return Response(mask(json.dumps(value, ensure_ascii=False)), media_type="application/json")
