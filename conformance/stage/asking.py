"""How cases have an Afnemer ask about citizens, and wait for what it makes of the answer."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from conformance.afnemer.driver import DriverError, Preference
from conformance.berichtenbox.box import Mark
from conformance.berichtenbox.citizens import EVERY_TYPE, Asked, Bevraging, Voorkeur
from conformance.berichtenbox.ledger import Offer, OfferedResult
from conformance.messages.envelope import Action
from conformance.messages.identities import same_guid
from conformance.sno.nights import next_night_start, night_of
from conformance.stage.judging import NotTestedError
from conformance.stage.scene import Scene, yes_no
from conformance.verdicts import Reason

RECEIVED: Final = "ontvangen"
OPEN: Final = "open"
NEVER_TAKEN: Final = "the answer was never taken"
_INTO_THE_NIGHT: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Verzoek:
    """A request that the Afnemer was asked to make: its id by test-control, and what arrived of it."""

    id: str
    asked: Bevraging


def at_night(scene: Scene) -> None:
    """Move the business clock into the night in which abonnementen are asked for; the Afnemer keeps to its own clock."""
    now = scene.box.clock.now()
    if night_of(now) is None:
        scene.box.advance(seconds=(next_night_start(now) + _INTO_THE_NIGHT - now).total_seconds())


def at_noon(scene: Scene) -> None:
    """Move the business clock to the middle of a day."""
    now = scene.box.clock.now()
    begin = next_night_start(now) if night_of(now) is None else now
    night = night_of(begin)
    if night is not None:
        scene.box.advance(seconds=(night.end + timedelta(hours=5) - now).total_seconds())


def ask(scene: Scene, soort: Asked, bsns: Sequence[str] = (), vanaf: datetime | None = None) -> Verzoek:
    """Have the Afnemer ask, and wait until the Berichtenbox has its request.

    Raises :class:`NotTestedError` when nothing comes, or nothing that can be read.
    """
    mark = scene.box.mark()
    verzoek_id = request(scene, soort, bsns, vanaf)
    scene.wait(lambda: _arrived(scene, mark, verzoek_id) is not None)
    found = _arrived(scene, mark, verzoek_id)
    if found is None:
        raise NotTestedError(Reason.NO_TRAFFIC, why_not(scene, mark, soort))
    scene.asked_ids.append(found.verzoek_id)  # the id by test-control need not be the one in the message
    return Verzoek(verzoek_id, found)


def request(scene: Scene, soort: Asked, bsns: Sequence[str] = (), vanaf: datetime | None = None) -> str:
    """Have the Afnemer ask, and return the id by test-control without waiting; what the kit asked for is remembered for the whole run."""
    verzoek_id = scene.driver.request_abonnementen(soort, bsns, vanaf)
    scene.asked_ids.append(verzoek_id)
    return verzoek_id


def arrived(scene: Scene, since: Mark) -> list[Bevraging]:
    """Return the requests for abonnementen that arrived since a mark and could be read, oldest first."""
    return [asked for asked in scene.box.bevragingen(since) if asked.asked is not Asked.VALIDATIE]


def caused(scene: Scene, since: Mark) -> list[Bevraging]:
    """Return what :func:`arrived` returns, and remember it as what the kit asked for: who asks again does so because of it."""
    found = arrived(scene, since)
    scene.asked_ids.extend(asked.verzoek_id for asked in found)
    return found


def _arrived(scene: Scene, mark: Mark, verzoek_id: str) -> Bevraging | None:
    """Return the request that arrived: that of the id when it is there, else the newest one."""
    found = arrived(scene, mark)
    named = [asked for asked in found if same_guid(asked.verzoek_id, verzoek_id)]
    return next(iter(named[-1:] or found[-1:]), None)


def why_not(scene: Scene, mark: Mark, soort: Asked) -> str:
    """Return why nothing is known of a request that was to come since a mark: it never came, or it cannot be read."""
    offers = requests(scene, mark)
    if not offers:
        return f"the request for {soort} never reached the Berichtenbox: does POST /abonnementen send it at once, by day too?"
    broken = sorted({finding.requirement for offer in offers if offer.grading for finding in offer.grading.findings})
    return f"the Berichtenbox cannot read the request for {soort}; mend {', '.join(broken) or 'its form'} first"


def requests(scene: Scene, since: Mark | None = None) -> list[Offer]:
    """Return the requests for abonnementen that came in since a mark, or since the case began."""
    offers = scene.box.offers(since or scene.start)
    return [offer for offer in offers if offer.envelope.action == Action.A_REQUEST]


def answers(scene: Scene) -> list[OfferedResult]:
    """Return the answers that were offered since the case began."""
    return [result for result in scene.results() if result.envelope.action == Action.A_RESULT]


def is_received(scene: Scene, verzoek: Verzoek) -> bool:
    """Wait until the Afnemer has the answer, and tell whether it has."""
    return scene.wait(lambda: status(scene, verzoek) == RECEIVED)


def status(scene: Scene, verzoek: Verzoek) -> str:
    """Return ``open`` or ``ontvangen``."""
    return scene.driver.abonnementen(verzoek.id)[0]


def recorded(scene: Scene, verzoek: Verzoek) -> Mapping[str, bool] | None:
    """Return what the Afnemer made of the answer: whether it may write, for each citizen; ``None`` when it did not take the answer."""
    told: Sequence[Preference] = ()

    def is_there() -> bool:
        nonlocal told
        found, told = scene.driver.abonnementen(verzoek.id)  # once: it may tell of a million citizens
        return found == RECEIVED

    return of(told) if scene.wait(is_there) else None


def preferences(scene: Scene, verzoek: Verzoek) -> Mapping[str, bool]:
    """Return what :func:`recorded` returns. Raises :class:`NotTestedError` when the Afnemer did not take the answer."""
    found = recorded(scene, verzoek)
    if found is None:
        raise NotTestedError(Reason.TIMEOUT, "the Afnemer did not take the answer within its time; see ABO-020 to ABO-022")
    return found


def of(told: Sequence[Preference]) -> Mapping[str, bool]:
    """Return preferences by BSN."""
    return {preference.bsn: preference.actief for preference in told}


def may_write(known: Mapping[str, bool], bsn: str) -> bool:
    """Tell whether the Afnemer may write to a citizen, who is a no when nothing is recorded."""
    return known.get(bsn, False)


def outcome(known: Mapping[str, bool] | None, bsns: Sequence[str]) -> str:
    """Return as people read it whether the Afnemer may write to each of these citizens."""
    return NEVER_TAKEN if known is None else yes_no(may_write(known, bsn) for bsn in bsns)


# -- citizens ----------------------------------------------------------------------------------------------------------------------------------

_MOST_CHANGED: Final = 100_000


@contextmanager
def citizens(scene: Scene, *, takers: int, others: int = 0) -> Iterator[tuple[str, ...]]:
    """Give citizens who take letters, then others who do not: they said so, or have no active Berichtenbox. All of them take letters afterwards."""
    bsns = tuple(scene.citizen() for _ in range(takers + others))
    _all_take(scene, bsns)
    try:
        for place, bsn in enumerate(bsns[takers:]):
            (scene.box.set_burger if place % 2 else scene.box.set_voorkeur)(bsn, wants=False)
        yield bsns
    finally:
        _all_take(scene, bsns)


def _all_take(scene: Scene, bsns: Sequence[str]) -> None:
    """Have citizens take letters; who does already says nothing, for that would take time."""
    wanting = scene.box.register.wanting(scene.box.config.oin, EVERY_TYPE, bsns)
    for bsn in bsns:
        if bsn not in wanting:
            says(scene, bsn, wants=True)


def says(scene: Scene, bsn: str, *, wants: bool) -> None:
    """Have a citizen with an active Berichtenbox say whether they take letters of this Afnemer."""
    scene.box.set_burger(bsn, wants=True)
    scene.box.set_voorkeur(bsn, wants=wants)


@contextmanager
def nobody(scene: Scene) -> Iterator[None]:
    """Let nobody take letters of this Afnemer meanwhile, and have it ask anew afterwards.

    Raises :class:`NotTestedError` for a population that is too large for that.
    """
    known, oin = scene.box.ledger.citizens, scene.box.config.oin
    if known.accounts() > _MOST_CHANGED:
        raise NotTestedError(Reason.KIT_LIMIT, f"more than {_MOST_CHANGED} citizens would have to change; use a smaller population")
    takers = list(known.all_wanting(oin))
    _say_at_once(scene, [Voorkeur(bsn, oin, EVERY_TYPE, wants=False) for bsn in takers])
    try:
        yield
    finally:
        _say_at_once(scene, [Voorkeur(bsn, oin, EVERY_TYPE, wants=True) for bsn in takers])
        with suppress(DriverError, NotTestedError):  # else it would rightly write to nobody for the rest of the run
            preferences(scene, ask(scene, Asked.ALLES))


def _say_at_once(scene: Scene, voorkeuren: Sequence[Voorkeur]) -> None:
    """Change voorkeuren without a history: no mutatie comes of it."""
    scene.box.ledger.write([lambda writing: writing.citizens.add_voorkeuren(voorkeuren)])
