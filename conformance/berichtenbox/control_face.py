"""The control face, ``/besturing/v1``: what cases and testers use to move the clock, set faults, change citizens and read the ledger.

Errors are problem details (RFC 9457); BSNs that come from the ledger are masked.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import yaml
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from conformance import specs
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.control_citizens import ControlCitizens
from conformance.berichtenbox.control_http import Operation, ProblemError, after, guarded, json_body, masked, most, number
from conformance.berichtenbox.faults import KINDS, Fault
from conformance.berichtenbox.http import no_content
from conformance.berichtenbox.ledger import Offer, OfferedResult
from conformance.berichtenbox.notificaties import Notificatie
from conformance.limits import limits
from conformance.messages.moments import write_moment
from conformance.rules.findings import Finding

PATH: Final = "/besturing/v1"
_LONGEST_STEP: Final = timedelta(days=366)


class ControlFace:
    """The operations of the control face, on one Berichtenbox."""

    def __init__(self, box: Berichtenbox) -> None:
        self._box = box

    def routes(self) -> list[BaseRoute]:
        """Return the routes below ``/besturing/v1``."""
        routes: list[Operation] = [
            ("GET", "/klok", self.clock),
            ("POST", "/klok", self.advance),
            ("DELETE", "/klok", self.reset_clock),
            ("GET", "/fouten", self.faults),
            ("POST", "/fouten", self.set_fault),
            ("DELETE", "/fouten", self.clear_faults),
            ("GET", "/foutsoorten", self.fault_kinds),
            ("GET", "/berichttypes", self.bericht_types),
            ("PUT", "/berichttypes/{naam}", self.set_bericht_type),
            ("POST", "/calamiteit", self.calamity),
            ("GET", "/stand", self.counts),
            ("GET", "/aanleveringen", self.offers),
            ("GET", "/verwerkingsberichten", self.results),
            ("GET", "/berichten/{bericht_id}", self.bericht),
            ("GET", "/notificaties", self.notificaties),
            ("GET", "/cpa", self.cpa),
            ("GET", "/openapi.json", self.openapi),
            *ControlCitizens(self._box).operations(),
        ]
        return [Mount(PATH, routes=[Route(path, guarded(handler), methods=[method]) for method, path, handler in routes])]

    # -- clock -----------------------------------------------------------------------------------------------------------------------------

    async def clock(self, _request: Request) -> Response:
        """Return the moment on the business clock, and how far it is ahead."""
        clock = self._box.clock
        return JSONResponse({"nu": write_moment(clock.now()), "voorSeconden": clock.ahead.total_seconds()})

    async def advance(self, request: Request) -> Response:
        """Move the clock ahead by ``dagen``, ``uren`` and ``seconden``."""
        body = await json_body(request, {"dagen", "uren", "seconden"})
        by = timedelta(days=number(body, "dagen"), hours=number(body, "uren"), seconds=number(body, "seconden"))
        if not timedelta() < by <= _LONGEST_STEP:
            raise ProblemError(f"the clock moves ahead by more than 0 and at most {_LONGEST_STEP.days} days; give dagen, uren or seconden")
        await run_in_threadpool(self._box.advance, seconds=by.total_seconds())
        return await self.clock(request)

    async def reset_clock(self, request: Request) -> Response:
        """Let the business clock run with the wall clock again."""
        self._box.clock.reset()
        return await self.clock(request)

    # -- faults ----------------------------------------------------------------------------------------------------------------------------

    async def faults(self, _request: Request) -> Response:
        """Return the faults that are set."""
        return JSONResponse({"fouten": [_shown_fault(fault) for fault in self._box.faults.all()]})

    async def set_fault(self, request: Request) -> Response:
        """Set a fault: ``naam``, and ``op``, ``overslaan``, ``keren`` or ``kans`` with ``seed``; ``waarden`` holds its own parameters."""
        body = await json_body(request, {"naam", "op", "overslaan", "keren", "kans", "seed", "maximaalOpRij", "waarden"})
        values = body.get("waarden", {})
        if not isinstance(values, dict):
            raise ProblemError("waarden is an object with the parameters of the fault")
        name, on = str(body.get("naam", ""))[:80], body.get("op")
        if "kans" in body:
            if not isinstance(body.get("seed"), int):
                raise ProblemError("kans needs a seed (a whole number), so that the run can be repeated")
            fault = self._box.faults.draw(name, on=on, seed=body["seed"], chance=body["kans"], max_in_a_row=body.get("maximaalOpRij", 3), **values)
        else:
            fault = self._box.faults.script(name, on=on, skip=body.get("overslaan", 0), times=body.get("keren", 1), **values)
        return JSONResponse(_shown_fault(fault), 201)

    async def clear_faults(self, _request: Request) -> Response:
        """Forget every fault."""
        self._box.faults.clear()
        return no_content()

    async def fault_kinds(self, _request: Request) -> Response:
        """Return every fault there is, with what it does and its parameters."""
        shown = [
            {"naam": kind.name, "doet": kind.does, "op": [str(point) for point in kind.points], "waarden": dict(kind.parameters)}
            for kind in KINDS.values()
        ]
        return JSONResponse({"foutsoorten": shown})

    # -- register --------------------------------------------------------------------------------------------------------------------------

    async def bericht_types(self, _request: Request) -> Response:
        """Return the BerichtTypes of the portal, and whether each is active."""
        return JSONResponse({"berichtTypes": [{"naam": name, "actief": active} for name, active in sorted(self._box.register.bericht_types.items())]})

    async def set_bericht_type(self, request: Request) -> Response:
        """Make, activate or deactivate a BerichtType."""
        body = await json_body(request, {"actief"})
        name, longest = request.path_params["naam"], limits().bericht_type_max
        if len(name) > longest:
            raise ProblemError(f"a BerichtType has at most {longest} characters")
        if not isinstance(body.get("actief"), bool):
            raise ProblemError("give actief, true or false")
        await run_in_threadpool(self._box.set_bericht_type, name, is_active=body["actief"])
        return no_content()

    async def calamity(self, request: Request) -> Response:
        """Lose everything received in the last ``uren``."""
        hours = number(await json_body(request, {"uren"}), "uren")
        if not 0 < hours <= 24 * 366:
            raise ProblemError("give uren, more than 0")
        lost = await run_in_threadpool(self._box.lose, hours=hours)
        return JSONResponse({"aanleveringen": lost})

    # -- ledger ----------------------------------------------------------------------------------------------------------------------------

    async def counts(self, _request: Request) -> Response:
        """Return how many offers there are by state, and berichten by code."""
        return JSONResponse(self._box.ledger.counts())

    async def offers(self, request: Request) -> Response:
        """Return the offers after sequence number ``na``, with what the rules say of them."""
        return masked({"aanleveringen": [_shown_offer(offer) for offer in self._box.ledger.offers(after(request))]})

    async def results(self, request: Request) -> Response:
        """Return the offered results after sequence number ``na``."""
        return masked({"verwerkingsberichten": [_shown_result(item) for item in self._box.ledger.results(after(request))]})

    async def bericht(self, request: Request) -> Response:
        """Return what became of a bericht, each time that it was offered."""
        wanted = request.path_params["bericht_id"].lower()
        found = [item for item in self._box.ledger.berichten(0) if item.bericht_id == wanted]
        if not found:
            raise ProblemError("no bericht with this id was offered", 404)
        shown = [{"batchId": item.batch_id, "verwerkingsCode": item.code, "moment": write_moment(item.business)} for item in found]
        return JSONResponse({"berichtId": wanted, "aanbiedingen": shown})

    async def notificaties(self, request: Request) -> Response:
        """Return at most ``aantal`` notifications after sequence number ``na``, in the order in which they left."""
        found = await run_in_threadpool(self._box.ledger.notificaties.page, after(request), most(request))
        return masked({"notificaties": [_shown_notificatie(item) for item in found]})

    async def cpa(self, _request: Request) -> Response:
        """Return the CPA of the ebMS2 face, as the other side must load it."""
        if not self._box.cpa_document:
            raise ProblemError("there is no CPA: this Berichtenbox does not speak ebMS2", 404)
        return Response(self._box.cpa_document, media_type="application/xml")

    async def openapi(self, _request: Request) -> Response:
        """Return the OpenAPI of this face."""
        return JSONResponse(yaml.safe_load(specs.path("openapi/control.yaml").read_text(encoding="utf-8")))


def _shown_fault(fault: Fault) -> dict[str, Any]:
    return {
        "naam": fault.name,
        "op": str(fault.point),
        "overslaan": fault.skip,
        "keren": fault.times,
        "kans": fault.chance,
        "seed": fault.seed,
        "gedaan": fault.fired,
        "waarden": dict(fault.parameters),
    }


def _shown_offer(offer: Offer) -> dict[str, Any]:
    findings: Sequence[Finding] = offer.grading.findings if offer.grading else ()
    return {
        "nummer": offer.seq,
        "messageId": offer.envelope.message_id,
        "action": offer.envelope.action,
        "staat": offer.state,
        "reden": offer.note,
        "ontvangen": write_moment(offer.business),
        "bevindingen": [
            {"eis": item.requirement, "waar": item.where, "verwacht": item.expected, "gezien": item.seen, "notitie": item.is_note}
            for item in findings
        ],
    }


def _shown_result(result: OfferedResult) -> dict[str, Any]:
    return {
        "nummer": result.seq,
        "messageId": result.envelope.message_id,
        "status": result.status,
        "aangeboden": write_moment(result.business),
        "bytes": sum(len(part.content) for part in result.envelope.parts),
    }


def _shown_notificatie(notificatie: Notificatie) -> dict[str, Any]:
    moments = {"aangekomen": write_moment(notificatie.arrived), "verzonden": write_moment(notificatie.sent)}
    return {"volgnummer": notificatie.seq, "berichtId": notificatie.bericht_id} | moments
