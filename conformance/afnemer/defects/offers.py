"""Afnemers that offer wrongly: around the batch, against their own checks, and when the adapter is in trouble."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from conformance.afnemer.defects.registry import changes_envelope, defect
from conformance.afnemer.reference.gateway import Gateway, PermanentTroubleError, TemporaryTroubleError
from conformance.afnemer.reference.sending import ADVICE, NotSendableError, Sender
from conformance.afnemer.reference.store import StoredBericht, StoredOffer
from conformance.limits import limits
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import Envelope, Part

changes_envelope(
    "names_another_cpa", "Uses the CPA of another environment.", "AANL-001", lambda envelope, _: replace(envelope, cpa_id="PREPROD-CPA"), pitfall=21
)
changes_envelope(
    "sends_a_bare_oin_as_party",
    "Leaves urn:osb:oin: out.",
    "AANL-002",
    lambda envelope, _: replace(envelope, from_party=envelope.from_party.rpartition(":")[2]),
    pitfall=22,
)
changes_envelope("sends_to_itself", "Names itself as receiver.", "AANL-003", lambda envelope, _: replace(envelope, to_party=envelope.from_party))
changes_envelope("sends_as_logius", "Swaps the roles.", "AANL-004", lambda envelope, _: replace(envelope, from_role="SP"))
changes_envelope(
    "names_a_bare_service", "Leaves urn:osb:services: out.", "AANL-005", lambda envelope, _: replace(envelope, service="MIJNOVERHEID.ebMS.BB.2.0")
)
changes_envelope(
    "misspells_the_action", "Writes the action in capitals.", "AANL-006", lambda envelope, _: replace(envelope, action="GLOBE-R-BV-REQUEST")
)
changes_envelope(
    "adds_a_readme",
    "Adds a payload part that nobody asked for.",
    "AANL-007",
    lambda envelope, _: replace(envelope, parts=(*envelope.parts, Part(b"Bijgevoegd de batch.", "text/plain", "leesmij.txt"))),
)
changes_envelope(
    "calls_it_octet_stream",
    "Does not say that it is XML.",
    "AANL-008",
    lambda envelope, _: replace(envelope, parts=tuple(replace(part, content_type="application/octet-stream") for part in envelope.parts)),
)
changes_envelope(
    "derives_the_message_id_from_the_batch",
    "Uses the BatchID as MessageId, also when it offers again.",
    "AANL-009",
    lambda envelope, batch: replace(envelope, message_id=batch.batch_id),
    also="AFW-015 AFW-017 AFW-018 HERL-006 HERL-012",
    pitfall=18,
)
changes_envelope(
    "puts_the_bsn_in_the_file_name",
    "Names the file after the citizen.",
    "AANL-010",
    lambda envelope, batch: replace(
        envelope, parts=tuple(replace(part, name=f"brief-{batch.berichten[0].gebruiker_id}.xml") for part in envelope.parts)
    ),
    pitfall=39,
)


@defect("AANL-011", pitfall=19)
class asks_by_status_request(Gateway):  # the name says what is wrong with it
    """Asks Logius by StatusRequest what became of each message."""

    def send(self, envelope: Envelope) -> str:
        message_id = super().send(envelope)
        try:
            self._ask("GET", f"/ebms/messages/{message_id}/status")
        except PermanentTroubleError:
            return message_id
        return message_id


@defect("AANL-012", pitfall=21)
class retries_permanent_trouble_for_ever(Sender):
    """Takes a 500 for something that passes."""

    def _failed_for_good(self, offer: StoredOffer) -> None:
        self.store.mark_tried(offer, is_given_up=False)


@defect("AANL-013")
class drops_what_meets_a_503(Sender):
    """Gives up at the first trouble, and tells nobody."""

    def send(self, offer: StoredOffer) -> None:
        try:
            super().send(offer)
        except TemporaryTroubleError:
            self.store.mark_tried(offer, is_given_up=True)


@defect("AANL-014", also="AANL-013")
class tries_again_under_a_new_id(Sender):
    """Makes a new bericht of a letter whose answer got lost."""

    def send(self, offer: StoredOffer) -> None:
        try:
            super().send(offer)
        except TemporaryTroubleError:
            letters = [stored.letter for bericht_id in offer.bericht_ids if (stored := self.store.bericht(bericht_id)) is not None]
            self.store.mark_tried(offer, is_given_up=True)
            self._keep(letters)
            raise


@defect("AANL-015")
class forgets_the_last_of_a_batch(Sender):
    """Loses the last letter of a batch of three."""

    def send(self, offer: StoredOffer) -> None:
        super().send(replace(offer, bericht_ids=offer.bericht_ids[:2]) if len(offer.bericht_ids) == 3 else offer)


@defect("AANL-015", also="AANL-* AFW-* VERW-* HERL-005")
class offers_everything_twice(Sender):
    """Sends each offer two times, to be sure."""

    def send(self, offer: StoredOffer) -> None:
        super().send(offer)
        super().send(offer)


@defect("AANL-065", "AANL-063", pitfall=25)
class finds_a_long_onderwerp_at_logius(Sender):
    """Does not look at the length of Onderwerp."""

    not_checked = ADVICE | frozenset({"AANL-063"})


@defect("AANL-067", "AANL-068", pitfall=3)
class counts_text_before_writing_line_breaks(Sender):
    """Counts 4000 characters before a line break becomes four."""

    not_checked = ADVICE | frozenset({"AANL-067"})


@defect("AANL-076")
class believes_every_bsn(Sender):
    """Does not do the elfproef."""

    not_checked = ADVICE | frozenset({"AANL-076"})


@defect("AANL-096", also="AANL-075 AANL-076", pitfall=24)
class takes_eight_digits_for_a_bsn(Sender):
    """Does not count the digits of a BSN."""

    not_checked = ADVICE | frozenset({"AANL-075"})


@defect("AANL-082", "AANL-083", pitfall=27)
class measures_bijlagen_one_by_one(Sender):
    """Allows 500 kB for each bijlage."""

    not_checked = ADVICE | frozenset({"AANL-082"})


@defect("AANL-065", pitfall=26)
class cuts_a_long_onderwerp(Sender):
    """Cuts Onderwerp at 50 characters, silently."""

    def bericht_of(self, stored: StoredBericht) -> Bericht:
        bericht = super().bericht_of(stored)
        return replace(bericht, onderwerp=bericht.onderwerp[: limits().onderwerp_max])


@defect("AANL-068", pitfall=26)
class cuts_a_long_text(Sender):
    """Cuts BerichtTekst at 4000 characters, silently."""

    def bericht_of(self, stored: StoredBericht) -> Bericht:
        bericht = super().bericht_of(stored)
        return replace(bericht, bericht_tekst=(bericht.bericht_tekst or "")[: limits().berichttekst_max])


@defect("AANL-066")
class counts_onderwerp_in_bytes(Sender):
    """Refuses an Onderwerp of more than 50 bytes."""

    def check(self, stored: StoredBericht) -> None:
        super().check(stored)
        if len((stored.letter.get("onderwerp") or "").encode()) > limits().onderwerp_max:
            raise NotSendableError("too much, by a count of its own")


@defect("AANL-084", pitfall=27)
class measures_bijlagen_after_base64(Sender):
    """Refuses bijlagen of more than 500 kB of base64."""

    def check(self, stored: StoredBericht) -> None:
        super().check(stored)
        if sum(len(item["bytes"]) for item in stored.letter.get("bijlagen") or ()) > limits().bijlagen_bytes_accepted:
            raise NotSendableError("too much, by a count of its own")


@defect("AANL-069", "AANL-070", also="AANL-068", pitfall=2)
class sends_real_line_breaks(Sender):
    """Leaves line breaks as they are: the letter arrives as one line."""

    not_checked = ADVICE | frozenset({"AANL-069"})

    def write_text(self, text: str) -> str:
        return text.replace("\r\n", "\n")


@defect("AANL-070", also="AANL-068")
class writes_line_breaks_as_blanks(Sender):
    """Loses the lines."""

    def write_text(self, text: str) -> str:
        return text.replace("\r\n", " ").replace("\n", " ")


@defect("AANL-097", "AANL-020", pitfall=30)
class lets_control_characters_through(Sender):
    """Builds XML by hand, control characters included."""

    def check(self, stored: StoredBericht) -> None:
        letter = {**stored.letter, "tekst": (stored.letter.get("tekst") or "").replace("\x0b", " ")}
        super().check(replace(stored, letter=letter))

    def payload_of(self, batch: Batch) -> bytes:
        marked = tuple(replace(bericht, bericht_tekst=(bericht.bericht_tekst or "").replace("\x0b", "@VT@")) for bericht in batch.berichten)
        return super().payload_of(replace(batch, berichten=marked)).replace(b"@VT@", b"\x0b")


@defect("AANL-094", "AANL-041", bulk=True)
class sends_as_many_as_are_asked(Sender):
    """Puts everything that was asked in one batch."""

    def groups(self, letters: Sequence[dict[str, Any]], per_batch: int | None) -> Iterator[list[dict[str, Any]]]:
        if per_batch is not None:
            yield from super().groups(letters, per_batch)
        else:
            yield list(letters)


@defect("AANL-095", "AANL-026", also="AANL-027", pitfall=28, bulk=True)
class counts_berichten_and_not_bytes(Sender):
    """Splits at 1000 berichten, whatever they weigh."""

    def groups(self, letters: Sequence[dict[str, Any]], per_batch: int | None) -> Iterator[list[dict[str, Any]]]:
        most = per_batch or limits().berichten_per_batch_max
        for start in range(0, len(letters), most):
            yield list(letters[start : start + most])


@defect("AANL-083")
class drops_a_third_bijlage(Sender):
    """Sends two of three bijlagen, and says nothing."""

    def _keep(self, letters: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
        return super()._keep([{**letter, "bijlagen": (letter.get("bijlagen") or [])[:2]} for letter in letters])
