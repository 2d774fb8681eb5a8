"""Afnemers that ask for abonnementen wrongly, or make something else of the answer than it says."""

import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from conformance.afnemer.defects.registry import defect
from conformance.afnemer.reference.abonnementen import Abonnees, Line
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.gateway import TemporaryTroubleError
from conformance.afnemer.reference.voorkeuren import StoredVerzoek, packed
from conformance.messages.abonnement import AbonnementAanvraag, AntwoordStream, Soort, UnreadableAntwoord, names, plain_antwoord
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import Envelope, Part
from conformance.messages.guard import XmlRefused
from conformance.messages.moments import read_moment, write_moment
from conformance.messages.unpack import PackedTooMuch, is_gzip

_LISTS: Final = "ABO-023 ABO-024 ABO-025 ABO-026 ABO-027 ABO-028 ABO-029 ABO-030 ABO-031 ABO-032 ABO-038"
"""What is judged on the answer to a list."""
_LOOKS: Final = 5
_FEW_LOOKS: Final = 3
_MEMORY: Final = 50_000_000
_FEW_BYTES: Final = 10_000
_END_OF_LINE: Final = f"</{names().abonnement}>"
_AGAIN: Final = 3
_A_NIGHT: Final = 151
_UNNUMBERED: Final = "verzoek"


def _changes_aanvraag(name: str, does: str, fails: str, change: Callable[[str], str], *, also: str = "", pitfall: int | None = None) -> None:
    """Register an Afnemer that changes the document of each request after it was built."""

    def payload_of(self: Abonnees, verzoek: StoredVerzoek) -> bytes:
        return change(Abonnees.payload_of(self, verzoek).decode()).encode()

    defect(*fails.split(), also=also, pitfall=pitfall)(type(name, (Abonnees,), {"__doc__": does, "payload_of": payload_of}))


# -- the request -------------------------------------------------------------------------------------------------------------------------------

_changes_aanvraag(
    "starts_a_request_with_a_doctype",
    "Has its XML library write a DOCTYPE.",
    "ABO-001",
    lambda text: text.replace("<ns0:", "<!DOCTYPE aanvraag>\n<ns0:", 1),
)
_changes_aanvraag(
    "asks_in_the_namespace_of_a_batch",
    "Copies the namespace of a batch for a request.",
    "ABO-002",
    lambda text: text.replace(names().namespace, "http://schemas.rdw.nl/GEB/BerichtVerwerkProcessor/2012/10"),
)
_changes_aanvraag(
    "names_itself_after_the_verzoek_id",
    "Writes the VerzoekId before the BerichtLeverancier.",
    "ABO-003",
    lambda text: re.sub(r"(<BerichtLeverancier>.*</BerichtLeverancier>)(<VerzoekId>[^<]*</VerzoekId>)", r"\2\1", text),
)
_changes_aanvraag(
    "asks_mutaties_of_a_list",
    "Writes a MutatieDatum below a BSNLijst, for who changed of these citizens.",
    "ABO-004",
    lambda text: text.replace("</BSNLijst>", "</BSNLijst><MutatieDatum>2026-01-01T00:00:00Z</MutatieDatum>"),
)
_changes_aanvraag(
    "drops_zeros_of_its_oin",
    "Keeps its OIN as a number in a request.",
    "ABO-005",
    lambda text: re.sub(r"<OIN>0*", "<OIN>", text),
    also="ABO-039",
)
_changes_aanvraag(
    "writes_dots_in_a_bsn",
    "Writes each BSN as people do, with dots.",
    "ABO-008",
    lambda text: re.sub(r"<BSN>([0-9]{4})([0-9]{2})([0-9]{3})<", r"<BSN>\1.\2.\3<", text),
    also="ABO-039",
)
_changes_aanvraag(
    "asks_for_all_with_an_empty_list",
    "Leaves the BSNLijst empty to ask for everybody.",
    "ABO-014",
    lambda text: text if "<BSNLijst>" in text or "<MutatieDatum>" in text else text.replace("</ns0:", "<BSNLijst></BSNLijst></ns0:"),
)


@defect("ABO-006", also=f"{_LISTS} ABO-020 ABO-021 ABO-022 ABO-033 ABO-035 ABO-036 ABO-045")
class uses_one_verzoek_id(Abonnees):
    """Has one VerzoekId for all its requests, and takes an answer for that of the last one."""

    def aanvraag_of(self, verzoek: StoredVerzoek) -> AbonnementAanvraag:
        return replace(super().aanvraag_of(verzoek), verzoek_id="0b0d5a4e-61a5-4a5c-9df5-0f1f7a4b7a01")

    def verzoek_for(self, antwoord: AntwoordStream) -> StoredVerzoek | None:
        last = self.store.sent_verzoeken()[-1]
        return super().verzoek_for(antwoord) or self.store.verzoek(last.verzoek_id)


@defect("ABO-007")
class numbers_its_requests(Abonnees):
    """Uses a serial number for a VerzoekId."""

    def verzoek_of(self, soort: Soort, bsns: Sequence[str], vanaf: str | None) -> StoredVerzoek:
        self._number = getattr(self, "_number", 0) + 1
        return replace(super().verzoek_of(soort, bsns, vanaf), verzoek_id=f"{_UNNUMBERED}-{self._number}")


@defect("ABO-009", "ABO-039", pitfall=24)
class asks_about_impossible_citizens(Abonnees):
    """Leaves the elfproef to the Berichtenbox."""

    def failing(self, _asked: BsnList) -> Collection[int]:
        return ()


@defect("ABO-010", also="ABO-037")
class names_citizens_twice(Abonnees):
    """Joins lists of several departments without looking for doubles."""

    def aanvraag_of(self, verzoek: StoredVerzoek) -> AbonnementAanvraag:
        aanvraag = super().aanvraag_of(verzoek)
        return aanvraag if aanvraag.bsns is None else replace(aanvraag, bsns=BsnList([*aanvraag.bsns.numbers] * 2))


@defect("ABO-011", also="ABO-009 ABO-035 ABO-036 ABO-043 ABO-045")
class asks_about_everybody_by_name(Abonnees):
    """Makes one list of its whole administration, which has more than a million citizens."""

    _has_asked = False

    def send(self, verzoek: StoredVerzoek) -> None:
        super().send(verzoek)
        if not self._has_asked:
            self._has_asked = True
            everybody = AbonnementAanvraag(self.connection.oin, self.new_guid(), BsnList(range(900_000_000, 901_000_001)))
            envelope = self.envelope_of(verzoek)
            self.gateway.send(replace(envelope, parts=(Part(everybody.to_xml(), "text/xml", "aanvraag.xml", "iedereen"),)))


@defect("ABO-012")
class writes_moments_without_a_zone(Abonnees):
    """Leaves the Z out of a MutatieDatum."""

    def mutatie_datum(self, vanaf: str | None) -> str:
        return super().mutatie_datum(vanaf).removesuffix("Z")


@defect("ABO-013", pitfall=22)
class asks_under_another_action(Abonnees):
    """Sends its requests under an action that the CPA does not have."""

    def envelope_of(self, verzoek: StoredVerzoek) -> Envelope:
        return replace(super().envelope_of(verzoek), action="GLOBE-A-Request")


@defect("ABO-033", pitfall=35)
class asks_mutaties_from_now(Abonnees):
    """Asks what changed since it began to ask: what changed before that, since its last request, it never hears."""

    def mutatie_datum(self, vanaf: str | None) -> str:
        return super().mutatie_datum(vanaf or write_moment(self.now()))


@defect("ABO-034")
class asks_mutaties_from_its_last_request(Abonnees):
    """Knows better than who asks since when the changes are wanted."""

    def mutatie_datum(self, vanaf: str | None) -> str:
        return super().mutatie_datum(vanaf if self.basis() is None else None)


@defect("ABO-034", also="ABO-033 ABO-012")
class rounds_moments_up(Abonnees):
    """Writes a MutatieDatum in whole seconds, and rounds up."""

    def mutatie_datum(self, vanaf: str | None) -> str:
        moment = read_moment(super().mutatie_datum(vanaf))
        if moment is None:
            raise ValueError("vanaf is no RFC 3339 time")
        whole = moment.at.replace(microsecond=0)
        return write_moment(whole + timedelta(seconds=math.ceil(moment.at.microsecond / 1_000_000)))


@defect("ABO-035")
class drops_requests_that_fail(Abonnees):
    """Tries to send a request once."""

    def send(self, verzoek: StoredVerzoek) -> None:
        try:
            super().send(verzoek)
        except TemporaryTroubleError:
            self.store.mark_verzoek_tried(verzoek, is_given_up=True)


@defect("ABO-006", "ABO-035", "ABO-036")
class sends_every_request_twice(Abonnees):
    """Repeats a request at once, under the same VerzoekId, to be sure that it arrives."""

    def send(self, verzoek: StoredVerzoek) -> None:
        super().send(verzoek)
        super().send(verzoek)


class _Looking(Abonnees):
    """Knows how often it looked for the answer to each open request in vain."""

    looks: Counter[str]

    def waiting(self) -> Sequence[str]:
        if not hasattr(self, "looks"):
            self.looks = Counter()
        ids = super().waiting()
        if not ids:
            self.looks.update(verzoek.verzoek_id for verzoek in self.store.sent_verzoeken() if verzoek.answered_at is None)
        return ids


@defect("ABO-027", also="ABO-023 ABO-035 ABO-045")
class gives_up_after_a_few_looks(_Looking):
    """Looks three times for an answer, and does not know it any more when it comes."""

    def verzoek_for(self, antwoord: AntwoordStream) -> StoredVerzoek | None:
        verzoek = super().verzoek_for(antwoord)
        return None if verzoek is None or self.looks[verzoek.verzoek_id] > _FEW_LOOKS else verzoek


@defect("ABO-036", "ABO-045", also="ABO-023 ABO-027 ABO-035 ABO-043 ABO-044")
class asks_again_while_it_waits(_Looking):
    """Asks again when the answer is not there soon, and again."""

    def receive(self) -> bool:
        has_received = super().receive()
        late = [verzoek_id for verzoek_id, looks in self.looks.items() if _LOOKS <= looks < _LOOKS + _AGAIN] if hasattr(self, "looks") else []
        made: set[str] = self.__dict__.setdefault("_made", set())
        for verzoek_id in late:
            verzoek = self.store.verzoek(verzoek_id)
            if verzoek is not None and verzoek.answered_at is None and verzoek_id not in made:
                made.add(self.request(Soort(verzoek.soort), list(BsnList.from_bytes(verzoek.bsns)), verzoek.mutatie_datum))
        return has_received


@defect("ABO-037", bulk=True)
class asks_about_the_first_of_a_long_list(Abonnees):
    """Takes 100,000 citizens for as many as there can be."""

    def aanvraag_of(self, verzoek: StoredVerzoek) -> AbonnementAanvraag:
        aanvraag = super().aanvraag_of(verzoek)
        return aanvraag if aanvraag.bsns is None else replace(aanvraag, bsns=aanvraag.bsns[:100_000])


@defect("ABO-044", also="ABO-035 ABO-036 ABO-043 ABO-045")
class asks_about_citizens_one_by_one(Abonnees):
    """Looks up each citizen of an answer for all once more, in a list of one."""

    _has_asked = False

    def receive(self) -> bool:
        has_received = super().receive()
        if has_received and not self._has_asked and (bsns := self._known()):
            self._has_asked = True
            for bsn in bsns:
                self.request(Soort.BSN_LIJST, [bsn])
        return has_received

    def _known(self) -> Sequence[str]:
        numbers = [row[0] for row in self.store._rows("SELECT DISTINCT bsn FROM voorkeur LIMIT ?", _A_NIGHT)]  # noqa: SLF001
        return list(BsnList(numbers)) if len(numbers) == _A_NIGHT else []


# -- what the answer says ----------------------------------------------------------------------------------------------------------------------


def _active(self: Abonnees, bsns: Iterable[int] | None = None) -> bytes:
    """Return everybody (of ``bsns``) who is active in the whole administration, as they are kept with a request."""
    rows = self.store._rows("SELECT bsn FROM voorkeur WHERE bericht_type = '' AND is_actief")  # noqa: SLF001
    known = {row[0] for row in rows}
    return packed((bsn, bsn in known) for bsn in (known if bsns is None else bsns)).tobytes()


@defect("ABO-020", also="ABO-024")
class adds_to_what_it_knows(Abonnees):
    """Adds who is in the answer for all, and removes nobody."""

    def apply_alles(self, lines: Iterable[Line], at: float) -> bytes:
        self.keep(lines, at)
        return _active(self)


@defect("ABO-021", also=_LISTS, pitfall=34)
class leaves_the_absent_as_they_were(Abonnees):
    """Looks only at who is in the answer to a list."""

    def apply_lijst(self, asked: BsnList, lines: Iterable[Line], at: float) -> bytes:
        self.keep((line for line in lines if line[0] in asked.numbers), at)
        return _active(self, asked.numbers)


@defect("ABO-022")
class skips_who_is_inactief(Abonnees):
    """Reads a line of mutaties as somebody who became active, and leaves the others out."""

    def apply_mutaties(self, lines: Iterable[Line], at: float) -> bytes:
        return self.keep((line for line in lines if line[1]), at)


@defect("ABO-022", also="ABO-033")
class takes_every_mutatie_for_a_yes(Abonnees):
    """Does not look at the Status of a line."""

    def apply_mutaties(self, lines: Iterable[Line], at: float) -> bytes:
        return self.keep(((bsn, True) for bsn, _ in lines), at)


@defect("ABO-023", "ABO-031")
class matches_answers_by_their_order(Abonnees):
    """Takes each answer for that of its oldest open request."""

    def verzoek_for(self, antwoord: AntwoordStream) -> StoredVerzoek | None:
        still_open = [verzoek for verzoek in self.store.sent_verzoeken() if verzoek.answered_at is None]
        return self.store.verzoek(still_open[0].verzoek_id) if still_open else super().verzoek_for(antwoord)


@defect("ABO-024", pitfall=34)
class takes_an_empty_answer_for_an_error(Abonnees):
    """Expects somebody in every answer."""

    def lines(self, antwoord: AntwoordStream) -> Iterator[Line]:
        is_empty = True
        for line in super().lines(antwoord):
            is_empty = False
            yield line
        if is_empty:
            raise UnreadableAntwoord("nobody is in the answer")


@defect("ABO-025", also="ABO-038")
class walks_through_lists_in_step(Abonnees):
    """Goes through what was asked and what was answered side by side, as if both ascend."""

    def apply_lijst(self, asked: BsnList, lines: Iterable[Line], at: float) -> bytes:
        told = iter(lines)
        bsn, is_actief = next(told, (0, False))
        outcomes = []
        for number in asked.numbers:
            outcomes.append((number, number == bsn and is_actief))
            while bsn and bsn <= number:
                bsn, is_actief = next(told, (0, False))
        for _ in told:
            pass  # a break at the end is still to be found
        return self.keep(outcomes, at)


@defect("ABO-026", pitfall=13)
class reopens_a_request_that_is_answered_again(Abonnees):
    """Takes a second answer for an error, and undoes the first."""

    def take_part(self, part: Part) -> None:
        verzoek = self.verzoek_for(self.read(part))
        if verzoek is not None and verzoek.answered_at is not None:
            self.store._do("UPDATE verzoek SET answered_at = NULL, answer = NULL WHERE verzoek_id = ?", verzoek.verzoek_id)  # noqa: SLF001
        else:
            super().take_part(part)


@defect("ABO-028", pitfall=36)
class trusts_the_content_type(Abonnees):
    """Unpacks what is called gzip, and nothing else."""

    def read(self, part: Part) -> AntwoordStream:
        if is_gzip(part.content) and part.content_type != "application/gzip":
            raise UnreadableAntwoord("this is no XML")
        return super().read(part)


@defect("ABO-028", pitfall=36)
class unpacks_whatever_comes(Abonnees):
    """Takes every answer for gzip."""

    def read(self, part: Part) -> AntwoordStream:
        if not is_gzip(part.content):
            raise UnreadableAntwoord("this is no gzip file")
        return super().read(part)


@defect("ABO-029", pitfall=36, bulk=True)
class falls_over_a_gzip_bomb(Abonnees):
    """Unpacks an answer as far as its memory goes."""

    def read(self, part: Part) -> AntwoordStream:
        if is_gzip(part.content) and len(zlib.decompressobj(wbits=31).decompress(part.content, _MEMORY)) == _MEMORY:
            raise MemoryError("an answer does not fit")
        return super().read(part)


@defect("ABO-030", also="ABO-029")
class stops_at_an_unreadable_answer(Abonnees):
    """Tries an answer that it cannot read again and again, and gets no further."""

    def receive(self) -> bool:
        has_received, self.is_troubled = False, False
        for message_id in self.waiting():
            if self._is_unreadable(message_id):
                break
            has_received = self.handle(message_id) or has_received
        return has_received

    def _is_unreadable(self, message_id: str) -> bool:
        try:
            for part in self.gateway.fetch(message_id).parts:
                for _ in self.read(part):
                    pass
        except (XmlRefused, UnreadableAntwoord):
            return True
        except (PackedTooMuch, TemporaryTroubleError):
            return False
        return False


@defect("ABO-031")
class takes_every_answer_for_its_own(Abonnees):
    """Takes an answer to a VerzoekId that it does not know for that of an open request."""

    def verzoek_for(self, antwoord: AntwoordStream) -> StoredVerzoek | None:
        still_open = [verzoek.verzoek_id for verzoek in self.store.sent_verzoeken() if verzoek.answered_at is None]
        return super().verzoek_for(antwoord) or (self.store.verzoek(still_open[-1]) if still_open else None)


@defect("ABO-032")
class keeps_the_half_that_it_could_read(Abonnees):
    """Mends an answer that breaks off: it leaves out what is missing."""

    def read(self, part: Part) -> AntwoordStream:
        engine = zlib.decompressobj(wbits=31)
        if not is_gzip(part.content) or len(part.content) > _FEW_BYTES:
            return super().read(part)
        rows, last, _ = engine.decompress(part.content).decode().rpartition(_END_OF_LINE)
        if engine.eof or not last:
            return super().read(part)
        tail = plain_antwoord("", "", [(0, False)]).decode().rpartition(_END_OF_LINE)[2]
        return super().read(replace(part, content=f"{rows}{last}{tail}".encode()))


@defect("ABO-038")
class believes_in_citizens_it_did_not_ask_about(Abonnees):
    """Adds the citizens of an answer to those that it asked about."""

    def apply_lijst(self, asked: BsnList, lines: Iterable[Line], at: float) -> bytes:
        told = dict(lines)
        return self.keep((dict.fromkeys(asked.numbers, False) | told).items(), at)


@defect("ABO-043", also="ABO-036 ABO-045")
class asks_about_each_letter(ReferenceAfnemer):
    """Asks for a list with each letter that it delivers, at whatever hour."""

    def berichten(self, verzoek: Mapping[str, Any]) -> dict[str, Any]:
        self.abonnees.request(Soort.BSN_LIJST, [letter["bsn"] for letter in verzoek["berichten"]])
        return super().berichten(verzoek)
