"""Puts the test-control interface over HTTP on an object with a method a verb: how the reference Afnemer runs as a process of its own.

Requests are strict (an unknown key is a typing error of the asker), answers are passed on as the object gives them. The object has the methods that
``drivers/python.py`` calls, with the same errors.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from conformance.afnemer.driver import LOOKS_UP, CannotDo, DriverError, Refused, Verb
from conformance.afnemer.drivers.http import ROUTES
from conformance.afnemer.drivers.python import PythonCaller
from conformance.masking import mask
from conformance.messages.abonnement import Soort
from conformance.messages.moments import Zone, read_moment

LARGEST_BODY: Final = 200_000_000  # bytes; a batch of 100 MB of XML is 134 MB of base64
_Check = Callable[[Any], str | None]


class _ProblemError(Exception):
    """A request that is answered with problem details."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def test_control_app(party: object, largest_body: int = LARGEST_BODY) -> Starlette:  # noqa: PT028  # no test, but the name of the interface
    """Return an application that offers test-control on ``party``; a body has ``largest_body`` bytes at most."""
    caller = PythonCaller.of(party)
    routes = [Route(_path(verb), _endpoint(verb, caller, largest_body), methods=[ROUTES[verb].method]) for verb in Verb]
    return Starlette(routes=routes, exception_handlers={HTTPException: _http_error})


test_control_app.__test__ = False  # type: ignore[attr-defined]  # its name would make pytest collect it


def _path(verb: Verb) -> str:
    """Return the path as Starlette writes it; an id may hold an escaped slash."""
    return ROUTES[verb].path.replace("{subject}", "{subject:path}")


def _endpoint(verb: Verb, caller: PythonCaller, largest_body: int) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = _checked(verb, await _read_body(request, largest_body)) if verb in _BODIES else None
            answer = await run_in_threadpool(caller.call, verb, body, request.path_params.get("subject"))
        except _ProblemError as error:
            return _problem(error.status, str(error))
        except DriverError as error:
            return _problem(_status_of(error), error.detail if isinstance(error, Refused) else error.what)
        if answer is None and verb in LOOKS_UP:
            return _problem(404, f"this {verb} is not known")
        return _answer(verb, answer)

    return endpoint


def _answer(verb: Verb, answer: Any) -> Response:
    try:
        return _json(answer, ROUTES[verb].status)
    except (TypeError, ValueError, RecursionError) as error:
        return _problem(500, f"{verb} returned what cannot be written as JSON: {error}")


def _status_of(error: DriverError) -> int:
    if isinstance(error, Refused):
        return 422
    return 501 if isinstance(error, CannotDo) else 500


async def _http_error(_request: Request, error: Exception) -> Response:
    """Answer an unknown path or method as problem details too."""
    status = getattr(error, "status_code", 500)
    return _problem(status, str(getattr(error, "detail", "")))


def _problem(status: int, detail: str) -> Response:
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": mask(detail)}
    return _json(content, status, "application/problem+json")


def _json(value: Any, status: int, media_type: str = "application/json") -> Response:
    return Response(json.dumps(value), status, media_type=media_type)


# -- what a request must look like -----------------------------------------------------------------------------------------------------------


async def _read_body(request: Request, largest: int) -> Any:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > largest:
            raise _ProblemError(413, f"the body has more than {largest} bytes")
    try:
        return json.loads(content.decode())
    except (ValueError, RecursionError):
        raise _ProblemError(400, "the body is not JSON in UTF-8") from None


def _checked(verb: Verb, value: Any) -> dict[str, Any]:
    problem = _BODIES[verb](value)
    if problem:
        raise _ProblemError(400, problem)
    _refuse_made_up_bytes(value)
    return dict(value)


def _refuse_made_up_bytes(value: Mapping[str, Any]) -> None:
    for letter in value.get("berichten", ()):
        if any(not isinstance(bijlage["bytes"], str) for bijlage in letter.get("bijlagen", ())):
            raise _ProblemError(422, "bytes: give the octets of the PDF as base64 text; a number of bytes to make up is not supported")


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "is a text"


def _bsn(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "is a text that is not empty"


def _moment(value: Any) -> str | None:
    moment = read_moment(value) if isinstance(value, str) else None
    return "is a time of RFC 3339, such as 2026-01-31T12:00:00Z" if moment is None or moment.zone is Zone.NONE else None


def _positive(value: Any) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) and value > 0 else "is a whole number from 1"


def _octets(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return None  # a right body that we cannot do: refused afterwards, with its own status
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        return "is base64 text"
    return None


def _one_of(*choices: str) -> _Check:
    return lambda value: None if value in choices else "is one of " + ", ".join(choices)


def _array(check: _Check, at_least: int = 0) -> _Check:
    def checked(value: Any) -> str | None:
        if not isinstance(value, list) or len(value) < at_least:
            return f"is an array of at least {at_least}" if at_least else "is an array"
        return next((f"[{position}] {problem}" for position, item in enumerate(value) if (problem := check(item))), None)

    return checked


def _record(required: Mapping[str, _Check], optional: Mapping[str, _Check] | None = None) -> _Check:
    known = {**required, **(optional or {})}

    def checked(value: Any) -> str | None:
        if not isinstance(value, dict):
            return "is an object"
        if missing := sorted(required.keys() - value.keys()):
            return f"lacks {missing[0]}"
        if unknown := sorted(value.keys() - known.keys()):
            return f"has the unknown key {unknown[0][:40]!r}; known are {', '.join(known)}"
        return next((f"{key} {problem}" for key, item in value.items() if (problem := known[key](item))), None)

    return checked


_BIJLAGE: Final = _record({"omschrijving": _text, "bytes": _octets})
_BERICHT: Final = _record(
    {"bsn": _text, "berichtType": _text},
    {"onderwerp": _text, "tekst": _text, "bijlagen": _array(_BIJLAGE), "publicatieDatum": _moment},
)
_BODIES: Final[Mapping[Verb, _Check]] = {
    Verb.BERICHTEN: _record({"berichten": _array(_BERICHT, at_least=1)}, {"perBatch": _positive}),
    Verb.HERLEVERING: _record({"vanaf": _moment, "tot": _moment}),
    Verb.ABONNEMENTEN: _record({"soort": _one_of(*Soort)}, {"bsn": _array(_bsn), "vanaf": _moment}),
    Verb.VALIDATIE: _record({"berichtType": _text, "bsn": _array(_bsn, at_least=1)}),
}
