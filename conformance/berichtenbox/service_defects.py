"""Defective Berichtenboxes, as far as their abonnementservices and their validatieservice show it: each does one thing wrong.

A defect is a small change of the service, or a fault that never ends; the gateway and TLS are right.
"""
# the name of a defect is a sentence, and what it overrides is documented where it is right

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from conformance.berichtenbox.abonnementen import AbonnementService
from conformance.berichtenbox.antwoorden import Antwoord
from conformance.berichtenbox.app import FACES, Faces
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.citizens import Asked, Bevraging, Kept
from conformance.berichtenbox.faults import Fault
from conformance.berichtenbox.ledger import Offer, PlannedResult
from conformance.berichtenbox.usage import Ruling
from conformance.berichtenbox.wire_defects import WireDefect
from conformance.berichtenbox.wus_face import Asked as Question
from conformance.berichtenbox.wus_face import NotAnswered, Outcome, WusFace
from conformance.messages.abonnement import AbonnementAanvraag, names
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import Part
from conformance.messages.identities import passes_elfproef, reserved_test_bsns
from conformance.messages.validatie import MOST_KLANTEN, Abonnement, FaultName, ValidatieAanvraag, ValidatieAntwoord
from conformance.transport.misbehaving import Presenting
from conformance.transport.tls import PeerCertificate

Row = tuple[int, bool]
_Install = Callable[[Berichtenbox, Presenting | None], None]
_NO_BSN: Final = 999_999_999
"""Fails the elfproef."""
_HOURS: Final = 5.0
_SLOWLY: Final = timedelta(seconds=31)
_MANY: Final = 100


def _nothing(_box: Berichtenbox, _presenting: Presenting | None) -> None:
    """Change nothing before it starts."""


def _defect(name: str, does: str, fails: str, also: str = "", *, install: _Install = _nothing, wus: type[WusFace] = WusFace) -> WireDefect:
    faces = FACES if wus is WusFace else Faces(wus=wus)
    return WireDefect(name, does, frozenset(fails.split()), frozenset(also.split()), faces, install)


def _always(fault: str, **parameters: Any) -> _Install:
    def install(box: Berichtenbox, _presenting: Presenting | None) -> None:
        box.fault(fault, times=None, **parameters)

    return install


def _serving(kind: type[AbonnementService]) -> _Install:
    """Return what gives a Berichtenbox other abonnementservices; what processes already knows them as this object."""
    return lambda box, _presenting: object.__setattr__(box.abonnementen, "__class__", kind)


# -- the abonnementservices: whom they answer ----------------------------------------------------------------------------------------------------


class _AnswersEverybody(AbonnementService):
    __slots__ = ()

    def rows(self, asked: Bevraging, until: datetime) -> Iterator[Row]:
        if asked.asked is Asked.BSN_LIJST:
            asked = replace(asked, asked=Asked.ALLES, bsns=None)
        return super().rows(asked, until)


class _ForgetsTheFirst(AbonnementService):
    __slots__ = ()

    def rows(self, asked: Bevraging, until: datetime) -> Iterator[Row]:
        return islice(super().rows(asked, until), 2 if asked.asked is Asked.ALLES else 0, None)


class _ListsWhoSaysNo(AbonnementService):
    __slots__ = ()

    def rows(self, asked: Bevraging, until: datetime) -> Iterator[Row]:
        found = super().rows(asked, until)
        if asked.asked is not Asked.BSN_LIJST:
            yield from found
            return
        yield from ((bsn, number > 0) for number, (bsn, _) in enumerate(found))


class _TellsEveryChange(AbonnementService):
    __slots__ = ()

    def rows(self, asked: Bevraging, until: datetime) -> Iterator[Row]:
        yield from super().rows(asked, until)
        if asked.asked is Asked.ALLES:
            yield from islice(super().rows(asked, until), 1)


class _AddsWhatIsNoBsn(AbonnementService):
    __slots__ = ()

    def rows(self, asked: Bevraging, until: datetime) -> Iterator[Row]:
        yield from super().rows(asked, until)
        if asked.asked is Asked.ALLES:
            yield _NO_BSN, True


# -- the abonnementservices: what they write -----------------------------------------------------------------------------------------------------


class _Rewriting(AbonnementService):
    """Writes each answer otherwise; those of a simulated Berichtenbox are small."""

    __slots__ = ()

    def rewritten(self, document: bytes, _antwoord: Antwoord) -> bytes:
        return document

    def _part(self, antwoord: Antwoord) -> tuple[Part, Kept | None]:
        part, kept = super()._part(antwoord)
        return replace(part, content=gzip.compress(self.rewritten(gzip.decompress(part.content), antwoord))), kept


class _NamesTheRootOtherwise(_Rewriting):
    __slots__ = ()

    def rewritten(self, document: bytes, _antwoord: Antwoord) -> bytes:
        return document.replace(names().antwoord.encode(), b"AbonnementResultaat")


class _LosesLeadingZeros(_Rewriting):
    __slots__ = ()

    def rewritten(self, document: bytes, _antwoord: Antwoord) -> bytes:
        return document.replace(f"<{names().bsn}>9".encode(), f"<{names().bsn}>".encode(), 1)


class _LeavesTheOinOut(_Rewriting):
    __slots__ = ()

    def rewritten(self, document: bytes, antwoord: Antwoord) -> bytes:
        return document.replace(f"<{names().oin}>{antwoord.oin}</{names().oin}>".encode(), b"")


class _AnswersAnotherVerzoek(_Rewriting):
    __slots__ = ()

    def rewritten(self, document: bytes, antwoord: Antwoord) -> bytes:
        return document.replace(antwoord.verzoek_id.encode(), f"{antwoord.verzoek_id[:-1]}x".encode())


class _RefersToAnother(AbonnementService):
    __slots__ = ()

    def _planned(self, offer: Offer, aanvraag: AbonnementAanvraag, asked: Bevraging, due: datetime) -> Iterator[PlannedResult]:
        for planned in super()._planned(offer, aanvraag, asked, due):
            yield replace(planned, envelope=replace(planned.envelope, ref_to_message_id=f"anders.{offer.envelope.message_id}"))


class _NamesAnotherAction(AbonnementService):
    __slots__ = ()

    def _planned(self, offer: Offer, aanvraag: AbonnementAanvraag, asked: Bevraging, due: datetime) -> Iterator[PlannedResult]:
        for planned in super()._planned(offer, aanvraag, asked, due):
            yield replace(planned, envelope=replace(planned.envelope, action="GLOBE-R-A-Response"))


# -- the validatieservice ------------------------------------------------------------------------------------------------------------------------


class _Answering(WusFace):
    """Answers some questions otherwise than the service does."""

    def _answer(self, aanvraag: ValidatieAanvraag, peer: PeerCertificate | None, ruling: Ruling, faults: Mapping[str, Fault]) -> ValidatieAntwoord:
        return self.otherwise(aanvraag) or super()._answer(aanvraag, peer, ruling, faults)

    def otherwise(self, _aanvraag: ValidatieAanvraag) -> ValidatieAntwoord | None:
        return None


class _TakesTooMany(_Answering):
    def otherwise(self, aanvraag: ValidatieAanvraag) -> ValidatieAntwoord | None:
        klanten = aanvraag.klanten or ()
        return ValidatieAntwoord(tuple(Abonnement(klant, is_bericht_sturen=True) for klant in klanten)) if len(klanten) > MOST_KLANTEN else None


class _TakesNothing(_Answering):
    def otherwise(self, aanvraag: ValidatieAanvraag) -> ValidatieAntwoord | None:
        return None if aanvraag.klanten and aanvraag.leverancier_code and aanvraag.bericht_type else ValidatieAntwoord(())


class _FaultsForAStranger(_Answering):
    def otherwise(self, aanvraag: ValidatieAanvraag) -> ValidatieAntwoord | None:
        if _strangers(aanvraag):
            raise NotAnswered(FaultName.APPLICATION, "a BSN is not known here")
        return None


class _KnowsEverybody(_Answering):
    def otherwise(self, aanvraag: ValidatieAanvraag) -> ValidatieAntwoord | None:
        if not _strangers(aanvraag):
            return None
        return ValidatieAntwoord(tuple(Abonnement(klant, is_bericht_sturen=True) for klant in aanvraag.klanten or ()))


def _strangers(aanvraag: ValidatieAanvraag) -> bool:
    known = BsnList.of(reserved_test_bsns())
    return any(passes_elfproef(klant.key or "") and not known.has(klant.key or "") for klant in aanvraag.klanten or ())


class _LosesTheLast(WusFace):
    def _answer(self, aanvraag: ValidatieAanvraag, peer: PeerCertificate | None, ruling: Ruling, faults: Mapping[str, Fault]) -> ValidatieAntwoord:
        answer = super()._answer(aanvraag, peer, ruling, faults)
        return replace(answer, abonnementen=answer.abonnementen[:-1]) if len(answer.abonnementen) > _MANY else answer


class _TakesItsTime(WusFace):
    def outcome(self, asked: Question, faults: Mapping[str, Fault]) -> Outcome:
        outcome = super().outcome(asked, faults)
        if outcome.bevraging is not None and outcome.bevraging.count > _MANY:
            self._let_pass(_SLOWLY)
        return outcome

    def _let_pass(self, time: timedelta) -> None:
        """Move its wall clock: nobody has to wait for that."""
        before = self._box.wall
        self._box.wall = lambda: before() + time


SERVICE_DEFECTS: Final = (
    _defect("answers_after_five_hours", "takes five hours for an abonnementantwoord", "ABO-060", install=_always("late-answer", hours=_HOURS)),
    _defect("answers_no_request", "never answers a request for abonnementen", "ABO-060", install=_always("no-answer")),
    _defect("packs_nothing", "sends its abonnementantwoord as plain XML", "ABO-061", install=_always("answer-plain")),
    _defect("names_the_root_otherwise", "writes another root", "ABO-062", install=_serving(_NamesTheRootOtherwise)),
    _defect("leaves_the_oin_out", "answers without an OIN", "ABO-063", "ABO-062", install=_serving(_LeavesTheOinOut)),
    _defect("answers_another_verzoek", "changes the VerzoekId", "ABO-063", install=_serving(_AnswersAnotherVerzoek)),
    _defect("forgets_the_first", "leaves two citizens out of alles", "ABO-064", install=_serving(_ForgetsTheFirst)),
    _defect("answers_everybody", "answers a list with everybody", "ABO-065", install=_serving(_AnswersEverybody)),
    _defect("tells_every_change", "has two lines for one account", "ABO-066", install=_serving(_TellsEveryChange)),
    _defect("lists_who_says_no", "has an Inactief in a list", "ABO-067", install=_serving(_ListsWhoSaysNo)),
    _defect("adds_what_is_no_bsn", "answers a number that fails the elfproef", "ABO-068", install=_serving(_AddsWhatIsNoBsn)),
    _defect("loses_a_digit", "answers a BSN of eight digits", "ABO-068", install=_serving(_LosesLeadingZeros)),
    _defect("names_another_action", "answers with GLOBE-R-A-Response", "ABO-069", install=_serving(_NamesAnotherAction)),
    _defect("refers_to_another", "refers to a message that nobody sent", "ABO-069", install=_serving(_RefersToAnother)),
    _defect("takes_too_many_klanten", "answers about 251 klanten", "VAL-060", wus=_TakesTooMany),
    _defect("takes_its_time", "takes 31 seconds for many klanten", "VAL-061", wus=_TakesItsTime),
    _defect("loses_the_last", "leaves the last of many klanten out", "VAL-062", wus=_LosesTheLast),
    _defect("faults_for_a_stranger", "answers a Fault for a BSN that it does not know", "VAL-063", wus=_FaultsForAStranger),
    _defect("knows_everybody", "answers true for a BSN that it does not know", "VAL-063", wus=_KnowsEverybody),
    _defect("takes_nothing", "answers a question that asks nothing", "VAL-064", wus=_TakesNothing),
)
