"""The operations of the control face about citizens: who there are, what was asked about them, and what happens when that is too much.

A BSN only comes in, in a body: nothing here answers one.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.checks import unchecked
from conformance.berichtenbox.citizens import EVERY_TYPE, Asked, Bevraging, CitizenWriting
from conformance.berichtenbox.control_http import Operation, ProblemError, after, json_body, masked, number
from conformance.berichtenbox.http import no_content, read_body
from conformance.berichtenbox.population import PopulationError, fill
from conformance.berichtenbox.register_file import RegisterError, load_from
from conformance.berichtenbox.usage import Excess
from conformance.limits import limits
from conformance.messages.identities import is_bsn_shaped, is_oin
from conformance.messages.moments import write_moment
from conformance.sno.quotas import VALIDATIE, Count, HourUse, NightUse, Shares, outside, per_hour, per_night, quota_of

_CSV: Final = "text/csv"
_BODY: Final = "body"  # what errors call a register that comes in


@dataclass(frozen=True, slots=True)
class _Change:
    """What is said of one citizen: of the account, of a voorkeur, or of both."""

    bsn: str
    is_active: bool | None
    wants: bool | None
    oin: str | None
    bericht_type: str


class ControlCitizens:
    """The operations about citizens, on one Berichtenbox."""

    def __init__(self, box: Berichtenbox) -> None:
        self._box = box

    def operations(self) -> list[Operation]:
        """Return the operations."""
        return [
            ("GET", "/burgers", self.count),
            ("POST", "/burgers", self.change),
            ("PUT", "/burgers", self.replace),
            ("POST", "/burgers/maken", self.make),
            ("GET", "/bevragingen", self.bevragingen),
            ("GET", "/controles", self.checks),
            ("GET", "/gebruik", self.usage),
            ("GET", "/beleid", self.policy),
            ("PUT", "/beleid", self.set_policy),
        ]

    # -- who there are ---------------------------------------------------------------------------------------------------------------------

    async def count(self, _request: Request) -> Response:
        """Return how many citizens have an account; who they are is answered to nobody."""
        return JSONResponse({"burgers": await run_in_threadpool(self._box.ledger.citizens.accounts)})

    async def change(self, request: Request) -> Response:
        """Change one citizen, by ``bsn`` in the body and never in a URL: ``actief`` the account, ``wil`` what it wants of an Afnemer."""
        change = _change_of(await json_body(request, {"bsn", "actief", "wil", "oin", "berichtType"}))
        await run_in_threadpool(self._change, change)
        return no_content()

    def _change(self, change: _Change) -> None:
        if change.is_active is not None:
            self._box.set_burger(change.bsn, wants=change.is_active)
        if change.wants is not None:
            self._box.set_voorkeur(change.bsn, wants=change.wants, bericht_type=change.bericht_type, oin=change.oin)

    async def replace(self, request: Request) -> Response:
        """Replace every citizen by those of a register in CSV; of one that is wrong nothing is kept."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _CSV:
            raise ProblemError(f"the body is a register: send it as {_CSV}", 415)
        body = io.BytesIO(await read_body(request))
        try:
            await run_in_threadpool(self._box.replace_citizens, partial(_load, body))
        except RegisterError as error:
            raise ProblemError(str(error).partition("\n")[0]) from None
        return await self.count(request)

    async def make(self, request: Request) -> Response:
        """Replace every citizen by ``aantal`` made ones, of whom the part ``inactief`` has no active Berichtenbox."""
        body = await json_body(request, {"aantal", "seed", "inactief"})
        count, seed, share = body.get("aantal"), body.get("seed"), number(body, "inactief")
        if type(count) is not int or type(seed) is not int:
            raise ProblemError("give aantal and seed, whole numbers; a seed, so that it can be repeated")
        try:
            await run_in_threadpool(self._box.replace_citizens, lambda writing: fill(writing, count, seed, inactive_share=share))
        except PopulationError as error:
            raise ProblemError(str(error)) from None
        return await self.count(request)

    # -- what was asked --------------------------------------------------------------------------------------------------------------------

    async def bevragingen(self, request: Request) -> Response:
        """Return the questions about citizens after sequence number ``na``, without whom they were about."""
        asked = await run_in_threadpool(self._box.ledger.citizens.bevragingen, after(request))
        return masked({"bevragingen": [_shown_bevraging(item) for item in asked]})

    async def checks(self, request: Request) -> Response:
        """Return the berichten after sequence number ``na`` of an offer that were sent without a check of seven days, or to who refused."""
        return masked({"controles": await run_in_threadpool(self._unchecked, after(request))})

    def _unchecked(self, seq: int) -> list[dict[str, Any]]:
        found = unchecked(self._box.ledger, seq)
        return [
            {"nummer": offer.seq, "eis": item.requirement, "waar": item.where, "verwacht": item.expected, "gezien": item.seen}
            for offer, item in found
        ]

    async def usage(self, _request: Request) -> Response:
        """Return what was asked in each night and each hour beside the norms of the SNO, and what was asked by day."""
        counts, oin = self._box.abonnementen.usage.counts(), self._box.config.oin
        return masked(await run_in_threadpool(_shown_usage, counts, oin))

    async def policy(self, _request: Request) -> Response:
        """Return what happens above the norm, and how often other Afnemers asked."""
        usage = self._box.abonnementen.usage
        return JSONResponse({"bovenNorm": usage.excess, "anderen": dict(usage.others)})

    async def set_policy(self, request: Request) -> Response:
        """Say what happens above the norm, and how often other Afnemers asked; what is left out becomes what it was at first."""
        body = await json_body(request, {"bovenNorm", "anderen"})
        excess, others = _excess_of(body.get("bovenNorm", Excess.ACCEPT)), _others_of(body.get("anderen", {}))
        usage = self._box.abonnementen.usage
        usage.excess, usage.others = excess, others
        return await self.policy(request)


def _load(body: io.BytesIO, writing: CitizenWriting) -> None:
    body.seek(0)
    load_from(body, _BODY, writing)


def _change_of(body: Mapping[str, Any]) -> _Change:
    bsn, active, wants = body.get("bsn"), body.get("actief"), body.get("wil")
    flags = [flag for name, flag in (("actief", active), ("wil", wants)) if name in body]
    if not isinstance(bsn, str) or not is_bsn_shaped(bsn) or not flags or not all(isinstance(flag, bool) for flag in flags):
        raise ProblemError("give bsn, a text of 9 digits, and actief or wil, true or false")
    if wants is None and ("oin" in body or "berichtType" in body):
        raise ProblemError("oin and berichtType go with wil, true or false")
    return _Change(bsn, active, wants, _oin_of(body), _bericht_type_of(body))


def _oin_of(body: Mapping[str, Any]) -> str | None:
    oin = body.get("oin")
    if oin is not None and (not isinstance(oin, str) or not is_oin(oin)):
        raise ProblemError("oin is a text of 20 digits; without it, that of this connection")
    return oin


def _bericht_type_of(body: Mapping[str, Any]) -> str:
    kind, longest = body.get("berichtType", EVERY_TYPE), limits().bericht_type_max
    if not isinstance(kind, str) or len(kind) > longest:
        raise ProblemError(f"berichtType is a text of at most {longest} characters; without it, every one")
    return kind


def _excess_of(value: Any) -> Excess:
    if value not in list(Excess):
        raise ProblemError(f"bovenNorm is one of {', '.join(Excess)}")
    return Excess(value)


def _others_of(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not value.keys() <= set(Asked):
        raise ProblemError(f"anderen is an object with numbers for {', '.join(Asked)}")
    others = {name: number(value, name) for name in value}
    if any(count < 0 or not count.is_integer() for count in others.values()):
        raise ProblemError("anderen has whole numbers from 0")
    return {name: int(count) for name, count in others.items()}


def _shown_bevraging(asked: Bevraging) -> dict[str, Any]:
    return {
        "nummer": asked.seq,
        "soort": asked.asked,
        "oin": asked.oin,
        "verzoekId": asked.verzoek_id,
        "moment": write_moment(asked.moment),
        "vanaf": None if asked.vanaf is None else write_moment(asked.vanaf),
        "aantal": asked.count,
        "opmerking": asked.note,
        "beantwoord": asked.is_answered,
    }


def _shown_usage(counts: Sequence[Count], oin: str) -> dict[str, Any]:
    return {
        "nachten": [_shown_night(night, oin) for night in per_night(counts).values()],
        "uren": [_shown_hour(hour, oin) for hour in per_hour(counts).values()],
        "overdag": [{"soort": count.soort, "oin": count.oin, "moment": write_moment(count.moment)} for count in outside(counts)],
    }


def _shown_night(use: NightUse, oin: str) -> dict[str, Any]:
    return {
        "nacht": use.night.date.isoformat(),
        "van": write_moment(use.night.start),
        "tot": write_moment(use.night.end),
        "soorten": [_shown_use(soort, shares, is_exceeded=soort in use.exceeded) for soort, shares in use.shares.items()],
        "overschrijdingen": list(use.told(oin)),
    }


def _shown_hour(use: HourUse, oin: str) -> dict[str, Any]:
    return {
        "van": write_moment(use.start),
        **_shown_use(VALIDATIE, use.shares, is_exceeded=use.is_exceeded),
        "meesteIn60Minuten": use.sliding_max,
        "overschrijdingen": list(use.told(oin)),
        "opmerkingen": list(use.noted()),
    }


def _shown_use(soort: str, shares: Shares, *, is_exceeded: bool) -> dict[str, Any]:
    """Return the total of a soort beside its norm, and the share of each Afnemer: the norm is one of all together."""
    return {
        "soort": soort,
        "totaal": sum(shares.values()),
        "norm": quota_of(soort),
        "overschreden": is_exceeded,
        "aandelen": [{"oin": oin, "aantal": count} for oin, count in sorted(shares.items())],
    }
