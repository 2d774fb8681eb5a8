"""The berichtpresentatie, ``/presentatie/v1``: what the Berichtenbox app would ask of the REST interface behind the SNO's 200 ms.

Nothing public describes that interface: this one is ours, in the shape of the Federatief Berichtenstelsel. It decides no requirement.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import yaml
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from conformance import specs
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.cutting import bericht_in
from conformance.berichtenbox.http import BodyTooLarge, no_content
from conformance.berichtenbox.ledger import Writing
from conformance.berichtenbox.presentatie import Inzage, Letter
from conformance.berichtenbox.presentatie_http import Adorned, Checked, Problem, crashed, refused
from conformance.messages.batch import Bericht, Bijlage, InvalidBase64
from conformance.messages.envelope import payload_of
from conformance.messages.moments import read_moment, write_moment

PATH: Final = "/presentatie/v1"
MOST_ON_PAGE: Final = 100
_ON_PAGE: Final = 25
_MOST_PAGES: Final = 1_000_000
_FOLDER: Final = re.compile(r"[0-9A-Za-zÀ-ÿ][0-9A-Za-zÀ-ÿ _.-]{0,39}")
_NO_LETTER: Final = "there is no such bericht, or it was deleted"
_Answering = Callable[[Request], Awaitable[Response]]


class PresentatieFace:
    """The operations of the berichtpresentatie, on one Berichtenbox."""

    def __init__(self, box: Berichtenbox, committer: GroupCommitter) -> None:
        self._box, self._letters = box, box.ledger.presentatie
        self._committer = committer

    def routes(self) -> list[BaseRoute]:
        """Return the routes below ``/presentatie/v1``."""
        operations: dict[str, dict[str, _Answering]] = {
            "/berichten": {"GET": self.page},
            "/berichten/{bericht_id}": {"GET": self.read, "PATCH": self.change, "DELETE": self.delete},
            "/berichten/{bericht_id}/bijlagen/{bijlage_id}": {"GET": self.bijlage},
            "/openapi.json": {"GET": self.openapi},
        }
        routes = [Route(path, partial(_dispatched, by_method), methods=list(by_method)) for path, by_method in operations.items()]
        handlers = {Problem: refused, HTTPException: refused, BodyTooLarge: refused, Exception: crashed}
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False  # a trailing slash is another resource, which is not there
        return [Mount(PATH, app=Adorned(app))]

    async def page(self, request: Request) -> Response:
        """Return a page of the letters of a citizen, newest first."""
        checked = Checked(request)
        bsn = checked.citizen()
        page, size = checked.query(page=(1, _MOST_PAGES), pageSize=(_ON_PAGE, MOST_ON_PAGE))
        checked.done()
        return JSONResponse(await run_in_threadpool(self._page, bsn, page, size))

    def _page(self, bsn: str, page: int, size: int) -> dict[str, Any]:
        now = self._box.clock.now()
        total = self._letters.count(bsn, now)
        letters = self._letters.page(bsn, now, (page - 1) * size, size)
        return {
            "berichten": [_summary(letter) for letter in letters],
            "page": page,
            "pageSize": size,
            "totalElements": total,
            "totalPages": -(-total // size),
        }

    async def read(self, request: Request) -> Response:
        """Return a letter; reading does not mark it as read."""
        letter = await self._asked(Checked(request))
        return JSONResponse(await run_in_threadpool(self._shown, letter))

    async def change(self, request: Request) -> Response:
        """Mark a letter as read or not, or move it to a map; ``null`` moves it back to the inbox."""
        checked = Checked(request)
        said = _change_of(await checked.patch(), checked)
        letter = await self._asked(checked)
        await self._keep(letter, lambda inzage: replace(inzage, **said))
        return JSONResponse(await run_in_threadpool(self._shown, self._find(letter.gebruiker_id, letter.bericht_id)))

    async def delete(self, request: Request) -> Response:
        """Delete a letter from the Berichtenbox of its citizen; the ledger keeps it as evidence."""
        letter = await self._asked(Checked(request))
        await self._keep(letter, lambda inzage: replace(inzage, is_deleted=True))
        return no_content()

    async def bijlage(self, request: Request) -> Response:
        """Return a bijlage as a download."""
        checked = Checked(request)
        number = checked.bijlage_id()
        letter = await self._asked(checked)
        content = await run_in_threadpool(self._octets, letter, number)
        # What it is called goes into logs and histories: nothing of the letter stands in it.
        named = {"Content-Disposition": f'attachment; filename="bijlage-{number}.pdf"'}
        return Response(content, media_type="application/pdf", headers=named)

    async def openapi(self, _request: Request) -> Response:
        """Return the OpenAPI of this face."""
        return JSONResponse(yaml.safe_load(specs.path("openapi/berichtpresentatie.yaml").read_text(encoding="utf-8")))

    async def _asked(self, checked: Checked) -> Letter:
        """Return the letter that a request is about; raises :class:`Problem` with all that is wrong with the request."""
        bsn, bericht_id = checked.citizen(), checked.bericht_id()
        checked.query()
        checked.done()
        return await run_in_threadpool(self._find, bsn, bericht_id)

    def _find(self, bsn: str, bericht_id: str) -> Letter:
        letter = self._letters.letter(bericht_id, self._box.clock.now())
        if letter is not None and letter.gebruiker_id != bsn:
            raise Problem(403, "this bericht is somebody else's")
        if letter is None or letter.inzage.is_deleted:
            raise Problem(404, _NO_LETTER)
        return letter

    async def _keep(self, letter: Letter, change: Callable[[Inzage], Inzage]) -> None:
        def work(writing: Writing) -> None:
            writing.presentatie.change(letter, change)

        await self._committer.do(work)

    def _shown(self, letter: Letter) -> dict[str, Any]:
        bericht = self._bericht(letter)
        return {
            **_summary(letter),
            "tekst": as_shown(bericht.bericht_tekst or ""),
            "referentie": bericht.referentie,
            "eindeHandelingstermijn": _moment_of(bericht.eind_datum_handelings_termijn),
            "bijlagen": [{"bijlageId": number, "omschrijving": bijlage.omschrijving} for number, bijlage in enumerate(_in_order(bericht), start=1)],
        }

    def _bericht(self, letter: Letter) -> Bericht:
        payload = payload_of(self._letters.envelope(letter))
        return bericht_in(payload, letter.bericht_id, letter.position, letter.digest)

    def _octets(self, letter: Letter, number: int) -> bytes:
        bijlagen = _in_order(self._bericht(letter))
        if number > len(bijlagen):
            raise Problem(404, "this bericht has no such bijlage")
        try:
            return bijlagen[number - 1].octets()
        except InvalidBase64:
            raise Problem(404, "this bijlage cannot be read: it is not base64") from None


async def _dispatched(by_method: dict[str, _Answering], request: Request) -> Response:
    """Answer by the method, so that one route knows every method of its path; HEAD is a GET of which the server leaves out the body."""
    return await by_method["GET" if request.method == "HEAD" else request.method](request)


def _summary(letter: Letter) -> dict[str, Any]:
    return {
        "berichtId": letter.bericht_id,
        "afzender": letter.afzender,
        "berichtType": letter.bericht_type,
        "onderwerp": letter.onderwerp,
        "publicatietijdstip": write_moment(letter.published),
        "gelezen": letter.inzage.is_read,
        "map": letter.inzage.folder,
    }


def _in_order(bericht: Bericht) -> list[Bijlage]:
    return sorted(bericht.bijlagen, key=lambda bijlage: bijlage.volgorde)


def as_shown(text: str) -> str:
    r"""Return a BerichtTekst as its citizen sees it: only the four characters ``\r\n`` break a line, a real line break is a blank."""
    return re.sub(r"[\r\n]+", " ", text).replace("\\r\\n", "\n")


def _moment_of(text: str | None) -> str | None:
    said = None if text is None else read_moment(text)
    return None if said is None else write_moment(said.at)


def _change_of(body: dict[str, Any], checked: Checked) -> dict[str, Any]:
    """Return what a merge patch changes of an inzage; what is wrong with it is noted."""
    if not body.keys() <= {"gelezen", "map"}:
        checked.note("body", "#", "another name than gelezen and map")
    said: dict[str, Any] = {}
    if "gelezen" in body:
        said["is_read"] = body["gelezen"]
        if not isinstance(body["gelezen"], bool):
            checked.note("body", "#/gelezen", "true or false")
    if "map" in body:
        said["folder"] = folder = body["map"]
        if folder is not None and (not isinstance(folder, str) or _FOLDER.fullmatch(folder) is None):
            checked.note("body", "#/map", "a name of 1 to 40 letters, digits, blanks, dots, hyphens and underscores, or null for the inbox")
    return said
