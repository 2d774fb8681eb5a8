"""The three abonnementservices: who takes letters of an Afnemer, all of them, those of a list, or those whose status changed.

A request is answered as it stood when it came in, in a message of its own, packed; what the answer says never stands in memory as a whole.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from conformance.berichtenbox.antwoorden import Antwoord, antwoorden_of
from conformance.berichtenbox.citizens import Asked, Bevraging, CitizenLedger, Kept
from conformance.berichtenbox.faults import FaultPlan, Point
from conformance.berichtenbox.ledger import Offer, PlannedResult
from conformance.berichtenbox.usage import Usage
from conformance.limits import limits
from conformance.messages.abonnement import AbonnementAanvraag, Soort
from conformance.messages.envelope import Action, Part, answering, payload_of
from conformance.messages.moments import read_moment
from conformance.rules.abonnement import grade_aanvraag
from conformance.rules.findings import Connection, Grading, Knowledge

NOT_OF_THIS_CONNECTION: Final = "the OIN is not one of this connection: not answered"
TOO_MANY: Final = "more BSNs than a list may have: not answered"
UNKNOWN_MOMENT: Final = "MutatieDatum is no moment: not answered"


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one request: what the rules say, what goes on the record, and the answers that are to be offered."""

    grading: Grading
    bevragingen: Sequence[Bevraging] = ()
    results: Sequence[PlannedResult] = ()


@dataclass(frozen=True, slots=True)
class AbonnementService:
    """Answers requests from what the ledger knows of citizens; ``now`` is the business clock."""

    connection: Connection
    citizens: CitizenLedger
    faults: FaultPlan
    now: Callable[[], datetime]
    usage: Usage = field(default_factory=Usage)

    def answer(self, offer: Offer, before: Sequence[Bevraging] = ()) -> Answered:
        """Return what becomes of a request; ``before`` holds the questions of the same round, which the ledger does not know yet."""
        known = Knowledge(received=offer.business, connection=self.connection, verzoeken=_Seen(self.citizens, before))
        grading, aanvraag = grade_aanvraag(payload_of(offer.envelope), known, offer.envelope)
        if aanvraag is None:
            return Answered(grading)
        objection = self._objection(aanvraag)
        ruling = self.usage.rule(Asked(aanvraag.soort), aanvraag.oin, offer.business)
        note = objection or ruling.note
        is_answered = not objection and not ruling.is_refused
        asked = _bevraging(offer, aanvraag, note, is_answered=is_answered)
        if not is_answered:
            return Answered(grading, [asked])
        due = max(self.now(), ruling.waits_until or self.now())
        return Answered(grading, [asked], list(self._planned(offer, aanvraag, asked, due)))

    def _objection(self, aanvraag: AbonnementAanvraag) -> str:
        """Return why a request that can be read is not answered all the same; empty when it is."""
        if aanvraag.oin not in self.connection.oins:
            return NOT_OF_THIS_CONNECTION
        if aanvraag.bsns is not None and len(aanvraag.bsns) > limits().abonnement_bsns_max:
            return TOO_MANY
        return UNKNOWN_MOMENT if aanvraag.soort is Soort.MUTATIES and _vanaf(aanvraag) is None else ""

    def rows(self, asked: Bevraging, until: datetime) -> Iterator[tuple[int, bool]]:
        """Yield each citizen that belongs in the answer, with whether the Afnemer may write."""
        if asked.asked is Asked.MUTATIES:
            yield from self.citizens.changed(asked.oin, asked.vanaf or until, until)
        elif asked.bsns is not None:
            yield from ((bsn, True) for bsn in self.citizens.listed_wanting(asked.oin, asked.bsns))
        else:
            yield from ((bsn, True) for bsn in self.citizens.all_wanting(asked.oin))

    def _planned(self, offer: Offer, aanvraag: AbonnementAanvraag, asked: Bevraging, due: datetime) -> Iterator[PlannedResult]:
        plain = Antwoord(aanvraag.oin, aanvraag.verzoek_id, lambda: self.rows(asked, offer.business))
        for antwoord in antwoorden_of(plain, asked, self.faults.striking(Point.ANSWER)):
            part, kept = self._part(antwoord)
            yield PlannedResult(
                answering(offer.envelope, self.connection.logius_party, Action.A_RESULT, offer.envelope.message_id, (part,)),
                aanvraag.oin,
                antwoord.verzoek_id,
                due + antwoord.delay,
                antwoord.again_same_id,
                antwoord.again_new_id,
                timedelta().total_seconds(),
                face=offer.face,
                kept=kept,
            )

    def _part(self, antwoord: Antwoord) -> tuple[Part, Kept | None]:
        """Return the payload of an answer: carried along when it is one piece, kept in the ledger when it is more."""
        pieces = iter(antwoord.pieces())
        first, second = next(pieces, b""), next(pieces, None)
        part = Part(first, antwoord.content_type, antwoord.name, f"{antwoord.verzoek_id}-antwoord")
        if second is None:
            return part, None
        kept = self.citizens.keep(chain((first, second), pieces))
        return Part(b"", part.content_type, part.name, part.content_id), kept


class _Seen:
    """The VerzoekIds that were used before: those of this round, and those of the ledger."""

    def __init__(self, citizens: CitizenLedger, before: Iterable[Bevraging]) -> None:
        self._citizens = citizens
        self._round = {asked.verzoek_id for asked in before}

    def __contains__(self, verzoek_id: object) -> bool:
        return verzoek_id in self._round or bool(self._citizens.verzoek_ids([str(verzoek_id)]))


def _vanaf(aanvraag: AbonnementAanvraag) -> datetime | None:
    """Return the moment of a request for mutaties in UTC; one without a zone is read as UTC."""
    moment = None if aanvraag.mutatie_datum is None else read_moment(aanvraag.mutatie_datum)
    return None if moment is None else moment.at


def _bevraging(offer: Offer, aanvraag: AbonnementAanvraag, note: str, *, is_answered: bool) -> Bevraging:
    bsns = None if aanvraag.bsns is None else aanvraag.bsns.unique()
    return Bevraging(
        asked=Asked(aanvraag.soort),
        oin=aanvraag.oin,
        moment=offer.business,
        wall=offer.wall,
        verzoek_id=aanvraag.verzoek_id,
        vanaf=_vanaf(aanvraag),
        bsns=bsns,
        count=0 if aanvraag.bsns is None else len(aanvraag.bsns),
        note=note,
        is_answered=is_answered,
        offer_seq=offer.seq,
    )
