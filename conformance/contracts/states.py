"""The provider states of the simulated Berichtenbox: what a pact may say is so before it asks something.

Each state is reached by what would bring it about: a batch is offered and processed, a citizen changes a voorkeur, a fault is set.
"""

import inspect
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.citizens import CitizenWriting
from conformance.berichtenbox.ledger import OfferedResult, QueueFilter
from conformance.messages.abonnement import AbonnementAanvraag, Soort
from conformance.messages.batch import Batch, Bericht
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope, Part
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.moments import write_moment
from conformance.messages.verwerkingsbericht import VerwerkingsCode

BSNS: Final = ("999990007", "999990019", "999990020", "999990032", "999990044")
"""The citizens that the states need without being told of any: reserved test BSNs."""
BATCH_ID: Final = "5d1f1f0e-7b0f-4d2e-8b1f-2f0c9a4b7a02"
BERICHT_ID: Final = "0b0d5a4e-61a5-4a5c-9df5-0f1f7a4b7a01"
VERZOEK_ID: Final = "7c3a9f42-1c5b-4e0e-9a57-3d2f6b8e1a03"
_Parameters = Mapping[str, Any]


class UnknownStateError(ValueError):
    """A provider state that the simulated Berichtenbox does not have, or with parameters that it does not take."""


class ContractBox(Berichtenbox):
    """A Berichtenbox of which a pact may name the MessageIds."""

    wanted_ids: deque[str] | None = None

    def new_message_id(self) -> str:
        """Return the MessageId that a state asked for, or a new one."""
        return self.wanted_ids.popleft() if self.wanted_ids else super().new_message_id()


@dataclass(frozen=True, slots=True)
class Known:
    """A provider state: what brings it about, and in a sentence what it is."""

    reach: Callable[..., None]
    does: str


class States:
    """Brings a new Berichtenbox into a state."""

    def __init__(self, box: ContractBox) -> None:
        self._box = box
        self._known = {
            "the connection works": Known(self.works, "nothing is out of order, and nothing waits"),
            "no message waits": Known(self.works, "the same"),
            "a verwerkingsbericht waits": Known(
                self.verwerkingsbericht, "batchId, berichten (a list of berichtId and code), messageId, faults, isProcessed"
            ),
            "an answer on abonnementen waits": Known(self.antwoord, "soort, verzoekId, bsn, inactief, messageId, faults"),
            "citizens": Known(self.citizens, "actief and inactief: lists of BSNs who take letters, and who do not"),
            "a fault": Known(self.fault, "naam, op and waarden: as on the control face"),
        }

    def names(self) -> Mapping[str, str]:
        """Return the states that a pact may name, each with its parameters."""
        return {name: known.does for name, known in self._known.items()}

    def setup(self, name: str, parameters: _Parameters) -> None:
        """Reach a state; raises :class:`UnknownStateError`, and ``ValueError`` for a parameter with a value that cannot be."""
        known = self._known.get(name)
        if known is None:
            raise UnknownStateError(f"the state {name[:80]!r} is not known; known are {', '.join(map(repr, self._known))}")
        taken = inspect.signature(known.reach).parameters
        unknown = sorted(set(parameters) - set(taken))
        if unknown:
            raise UnknownStateError(f"the state {name!r} takes no {unknown[0][:40]!r}; it takes {', '.join(taken) or 'nothing'}")
        known.reach(**parameters)

    # -- the states ------------------------------------------------------------------------------------------------------------------------

    def works(self) -> None:
        """Leave it as it is: nothing is out of order, and nothing waits."""

    def fault(self, naam: str, op: str | None = None, waarden: _Parameters | None = None) -> None:
        """Put something out of order: a fault of the control face, once."""
        self._box.fault(str(naam), on=op, **(waarden or {}))

    def citizens(self, actief: Sequence[str] = (), inactief: Sequence[str] = ()) -> None:
        """Let citizens take the letters of this Afnemer, or not."""
        for bsn in actief:
            self._box.set_voorkeur(bsn, wants=True)
        for bsn in inactief:
            self._box.set_voorkeur(bsn, wants=False)

    def verwerkingsbericht(
        self,
        batchId: str = BATCH_ID,  # noqa: N803  # as it stands in a pact
        berichten: Sequence[Mapping[str, str]] = ({"berichtId": BERICHT_ID, "code": "Verwerkt"},),
        messageId: str = "",  # noqa: N803  # idem
        faults: Sequence[_Parameters] = (),
        isProcessed: bool = False,  # noqa: FBT001, FBT002, N803  # idem
    ) -> None:
        """Offer a batch, of which the result waits then; with ``isProcessed`` it waits again after the Afnemer marked it as processed."""
        letters = []
        for bsn, told in zip(reserved_test_bsns(), berichten, strict=False):
            self._box.answer(bsn, VerwerkingsCode(told.get("code", "Verwerkt")))
            letters.append(Bericht(batchId, told["berichtId"], "BELAST", "Bericht van uw gemeente", bsn, "Een bericht."))
        batch = Batch(batchId, write_moment(self._box.clock.now()), self._box.config.oin, tuple(letters))
        self._offer(Action.BV_REQUEST, batch.to_xml(), messageId, faults)
        if isProcessed:
            self._mark_first()

    def antwoord(
        self,
        soort: str = "alles",
        verzoekId: str = VERZOEK_ID,  # noqa: N803  # as it stands in a pact
        bsn: Sequence[str] = BSNS,
        inactief: Sequence[str] = (),
        messageId: str = "",  # noqa: N803  # idem
        faults: Sequence[_Parameters] = (),
    ) -> None:
        """Ask for abonnementen, of which the answer waits then. ``bsn`` are the only citizens there are, and who is asked about."""
        box, is_about_changes = self._box, Soort(soort) is Soort.MUTATIES
        box.replace_citizens(lambda writing: _only(writing, bsn))
        others = [number for number in bsn if number not in inactief] if is_about_changes else []
        self.citizens(inactief=others)
        box.advance(seconds=1)
        since = box.clock.now()
        box.advance(seconds=1)
        self.citizens(actief=others, inactief=inactief)
        asked = AbonnementAanvraag(
            box.config.oin,
            verzoekId,
            BsnList.of(bsn) if Soort(soort) is Soort.BSN_LIJST else None,
            write_moment(since) if is_about_changes else None,
        )
        box.advance(seconds=1)
        self._offer(Action.A_REQUEST, asked.to_xml(), messageId, faults)

    def _offer(self, action: str, payload: bytes, message_id: str, faults: Sequence[_Parameters]) -> None:
        """Let the Afnemer offer something, and process it."""
        box = self._box
        for fault in faults:
            self.fault(**fault)
        box.wanted_ids = deque([message_id]) if message_id else None
        connection = box.connection
        box.accept(
            Envelope(
                cpa_id=connection.cpa_id,
                from_party=connection.afnemer_party,
                from_role=ROLE_AFNEMER,
                to_party=connection.logius_party,
                to_role=ROLE_LOGIUS,
                service=SERVICE,
                action=action,
                conversation_id=box.new_guid(),
                message_id=f"{box.new_guid()}@afnemer.example",
                parts=(Part(payload),),
            )
        )
        box.settle()

    def _mark_first(self) -> None:
        box = self._box
        first = self.waiting()[0]
        box.ledger.write([lambda writing: writing.mark_processed(first, box.clock.now())])
        box.settle()

    # -- what came of it -------------------------------------------------------------------------------------------------------------------

    def waiting(self) -> Sequence[str]:
        """Return the MessageIds that wait for the Afnemer, oldest first."""
        return self._box.ledger.unprocessed(QueueFilter(), 0)

    def first(self) -> tuple[OfferedResult, bytes] | None:
        """Return the message that waits longest with its payload, or ``None``."""
        for message_id in self.waiting():
            found = self._box.ledger.message(message_id)
            if isinstance(found, OfferedResult):
                kept = found.kept
                content = found.envelope.parts[0].content if kept is None else b"".join(self._box.ledger.citizens.content(kept))
                return found, content
        return None


def _only(writing: CitizenWriting, bsns: Sequence[str]) -> None:
    writing.clear()
    writing.add_accounts([(int(bsn), True) for bsn in bsns])
