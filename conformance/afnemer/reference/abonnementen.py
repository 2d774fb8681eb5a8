"""Asks who has an abonnement, and applies the answers: each once, all of it or nothing, whatever came before or between.

What is asked is kept first and goes until it is there. An answer is found back by its VerzoekId and by nothing else; it is read as a stream, for it
may be about a million citizens. Each method does one thing, for a defect to do it wrong.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from conformance.afnemer.reference.gateway import MessageService, send_each
from conformance.afnemer.reference.inbox import Inbox
from conformance.afnemer.reference.sending import PERMANENT_TRIES, Connection
from conformance.afnemer.reference.store import Store
from conformance.afnemer.reference.voorkeuren import StoredVerzoek, packed, unpacked
from conformance.limits import limits
from conformance.messages.abonnement import AbonnementAanvraag, AntwoordRegel, AntwoordStream, Soort, UnreadableAntwoord, read_antwoord
from conformance.messages.bsns import BsnList, bsn_text
from conformance.messages.envelope import Action, Envelope, Part
from conformance.messages.identities import is_bsn_shaped
from conformance.messages.moments import read_moment, write_moment

OVERLAP: Final = timedelta(minutes=5)
"""How much mutaties reach back before the previous request: its answer was made later than it was asked, by another clock."""
_PIECE: Final = 65_536
_PAGE: Final = 10_000  # lines
Line = tuple[int, bool]
"""A BSN, and whether its abonnement is active."""


class UnknownVerzoekError(ValueError):
    """An answer to what was never asked here."""


class Abonnees(Inbox):
    """Requests abonnementen and applies what is answered."""

    action = Action.A_RESULT
    unusable = (*Inbox.unusable, UnreadableAntwoord, UnknownVerzoekError)

    def __init__(
        self, connection: Connection, store: Store, gateway: MessageService, now: Callable[[], datetime], new_guid: Callable[[], str]
    ) -> None:
        super().__init__(connection, store, gateway)
        self.now = now
        self.new_guid = new_guid

    # -- asking ----------------------------------------------------------------------------------------------------------------------------

    def request(self, soort: Soort, bsns: Sequence[str] = (), vanaf: str | None = None) -> str:
        """Keep a request, send it, and return its VerzoekId; raises ``ValueError`` for what cannot be asked."""
        verzoek = self.verzoek_of(soort, bsns, vanaf)
        with self.store.transaction():
            self.store.add_verzoek(verzoek)
            if soort is Soort.BSN_LIJST and not verzoek.bsns:
                self.store.mark_answered(verzoek, verzoek.made_at, b"")  # nobody is left to ask about
        self.send_waiting()
        return verzoek.verzoek_id

    def verzoek_of(self, soort: Soort, bsns: Sequence[str], vanaf: str | None) -> StoredVerzoek:
        """Return what is kept of a request."""
        asked, not_asked = self.split(bsns) if soort is Soort.BSN_LIJST else (BsnList(), ())
        if soort is Soort.BSN_LIJST and not bsns:
            raise ValueError("a request of soort bsn-lijst needs at least one bsn")
        if len(asked) > limits().abonnement_bsns_max:
            raise ValueError(f"the list has {len(asked)} BSNs; one request takes at most {limits().abonnement_bsns_max}: split it")
        basis, datum = self.basis(), self.mutatie_datum(vanaf) if soort is Soort.MUTATIES else None
        is_basis = soort is Soort.ALLES or (datum is not None and (basis is None or _read(datum) <= basis))
        return StoredVerzoek(self.new_guid(), soort, asked.to_bytes(), not_asked, datum, is_basis, self.now().timestamp())

    def split(self, bsns: Sequence[str]) -> tuple[BsnList, tuple[str, ...]]:
        """Return who is asked about, each once, and what cannot be a BSN: no answer would ever name it, so it is not active."""
        shapeless = dict.fromkeys(bsn for bsn in bsns if not is_bsn_shaped(bsn))
        asked = BsnList.of(bsn for bsn in bsns if bsn not in shapeless).unique()
        failing = self.failing(asked)
        possible = BsnList(number for place, number in enumerate(asked.numbers) if place not in failing) if failing else asked
        return possible, (*shapeless, *(asked[place] for place in sorted(failing)))

    def failing(self, asked: BsnList) -> Collection[int]:
        """Return the places of those that cannot be a BSN, though they have nine digits."""
        return set(asked.failing_elfproef())

    def mutatie_datum(self, vanaf: str | None) -> str:
        """Return the moment from which mutaties are asked: the one given, or that of the previous request with an overlap."""
        if vanaf is not None:
            return write_moment(_read(vanaf))
        basis = self.basis()
        if basis is None:
            raise ValueError("mutaties without vanaf need a request before them: ask alles first, or give vanaf")
        return write_moment(basis - self.overlap())

    def basis(self) -> datetime | None:
        """Return the moment of the request on which mutaties can build, or ``None``.

        That is the last one that was answered and left no gap. Without any, it is the first that was sent: reaching back too far costs little.
        """
        sent = self.store.sent_verzoeken()
        answered = [verzoek for verzoek in sent if verzoek.is_basis and verzoek.answered_at is not None]
        found = answered[-1] if answered else sent[0] if sent else None
        return None if found is None else datetime.fromtimestamp(found.made_at, UTC)

    def overlap(self) -> timedelta:
        """Return how much mutaties reach back before the previous request."""
        return OVERLAP

    def aanvraag_of(self, verzoek: StoredVerzoek) -> AbonnementAanvraag:
        """Return the message of a request, with the VerzoekId that it keeps however often it goes."""
        bsns = BsnList.from_bytes(verzoek.bsns) if verzoek.soort == Soort.BSN_LIJST else None
        return AbonnementAanvraag(self.connection.oin, verzoek.verzoek_id, bsns, verzoek.mutatie_datum)

    def payload_of(self, verzoek: StoredVerzoek) -> bytes:
        """Return the document of a request."""
        return self.aanvraag_of(verzoek).to_xml()

    def envelope_of(self, verzoek: StoredVerzoek) -> Envelope:
        """Return the message around a request."""
        part = Part(self.payload_of(verzoek), "text/xml", f"aanvraag-{verzoek.verzoek_id}.xml", verzoek.verzoek_id)
        return self.connection.envelope(Action.A_REQUEST, part)

    def send_waiting(self) -> bool:
        """Send the requests that wait, oldest first; return whether one left."""
        return send_each(self.store.verzoeken_to_send(), self.send, self.failed_for_good)

    def send(self, verzoek: StoredVerzoek) -> None:
        """Send one request."""
        self.gateway.send(self.envelope_of(verzoek))
        self.store.mark_verzoek_sent(verzoek, self.now().timestamp())

    def failed_for_good(self, verzoek: StoredVerzoek) -> None:
        """Note that a request was refused; after some times it is not tried any more, and stays open."""
        self.store.mark_verzoek_tried(verzoek, is_given_up=verzoek.tries + 1 >= PERMANENT_TRIES)

    # -- receiving -------------------------------------------------------------------------------------------------------------------------

    def waiting(self) -> Sequence[str]:
        """Return the ids that wait and were not set aside; who never asked anything has no answers to wait for."""
        return super().waiting() if self.store.has_verzoeken() else []

    def take(self, _message_id: str, envelope: Envelope) -> None:
        """Apply the answer in the first payload part that holds one; of a part that turns out to be broken nothing is kept."""
        trouble: Exception = UnreadableAntwoord("the message has no payload part")
        for part in envelope.parts:
            try:
                with self.store.transaction():
                    self.take_part(part)
            except self.unusable as error:
                trouble = error
            else:
                return
        raise trouble

    def take_part(self, part: Part) -> None:
        """Apply the answer in a part, unless its request was answered before."""
        antwoord = self.read(part)
        verzoek = self.verzoek_for(antwoord)
        if verzoek is None:
            raise UnknownVerzoekError("an answer to a VerzoekId that is not known here")
        if verzoek.answered_at is None:
            at = self.now().timestamp()
            self.store.mark_answered(verzoek, at, self.apply(verzoek, self.lines(antwoord), at))

    def read(self, part: Part) -> AntwoordStream:
        """Return the answer in a part, packed or not, as a stream."""
        content = part.content
        return read_antwoord(content[start : start + _PIECE] for start in range(0, len(content), _PIECE))

    def verzoek_for(self, antwoord: AntwoordStream) -> StoredVerzoek | None:
        """Return the request that an answer belongs to, or ``None``."""
        return self.store.verzoek(antwoord.verzoek_id.strip())

    def lines(self, antwoord: AntwoordStream) -> Iterator[Line]:
        """Yield what an answer says, line by line; raises when it turns out to be broken, at the end for one that is cut off."""
        for regel in antwoord:
            yield self.line_of(regel)

    def line_of(self, regel: AntwoordRegel) -> Line:
        """Return what one line says."""
        return regel.number, regel.is_actief

    def apply(self, verzoek: StoredVerzoek, lines: Iterable[Line], at: float) -> bytes:
        """Apply an answer, and return what it says of each citizen."""
        if verzoek.soort == Soort.ALLES:
            return self.apply_alles(lines, at)
        return self.apply_lijst(BsnList.from_bytes(verzoek.bsns), lines, at) if verzoek.soort == Soort.BSN_LIJST else self.apply_mutaties(lines, at)

    def apply_alles(self, lines: Iterable[Line], at: float) -> bytes:
        """Who is in the answer is active, and everybody else who is known is not."""
        self.store.refuse_all(at)
        return self.keep(lines, at)

    def apply_lijst(self, asked: BsnList, lines: Iterable[Line], at: float) -> bytes:
        """Who was asked about and is in the answer is active; who is absent is not, and who was not asked about is ignored."""
        numbers = asked.numbers
        outcomes = bytearray(len(numbers))  # absent is a no
        for bsn, is_actief in lines:
            place = bisect_left(numbers, bsn)
            if place < len(numbers) and numbers[place] == bsn:
                outcomes[place] = is_actief
        return self.keep(((bsn, bool(is_actief)) for bsn, is_actief in zip(numbers, outcomes, strict=True)), at)

    def apply_mutaties(self, lines: Iterable[Line], at: float) -> bytes:
        """Take the status of each line as the last one; who is absent has not changed."""
        return self.keep(lines, at)

    def keep(self, lines: Iterable[Line], at: float) -> bytes:
        """Keep voorkeuren, and return them as they are kept with the request."""
        told, waiting = array("I"), iter(lines)
        while page := list(islice(waiting, _PAGE)):
            told.extend(packed(page))
            self.store.keep_voorkeuren(page, at)
        return told.tobytes()

    # -- being asked -----------------------------------------------------------------------------------------------------------------------

    def preferences(self, verzoek_id: str) -> tuple[bool, dict[str, bool]] | None:
        """Return whether a request is answered, and what was recorded from that answer by BSN; ``None`` for an unknown one."""
        verzoek = self.store.verzoek(verzoek_id)
        if verzoek is None:
            return None
        if verzoek.answered_at is None:
            return False, {}
        told = {bsn_text(bsn): is_actief for bsn, is_actief in unpacked(self.store.answer(verzoek_id)).items()}
        return True, told | dict.fromkeys(verzoek.not_asked, False)


def _read(text: str) -> datetime:
    moment = read_moment(text)
    if moment is None:
        raise ValueError("vanaf is no RFC 3339 time")
    return moment.at
