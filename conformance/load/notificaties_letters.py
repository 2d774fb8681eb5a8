"""The letters of ``load notificaties``, as messages on the adapter face: of each the BerichtID tells its number, so that nobody keeps a list."""

from collections.abc import Mapping
from typing import Any, Final

from conformance.berichtenbox.population import citizens
from conformance.load.notificaties import BATCH
from conformance.load.notificaties_reading import batch_id, bericht_id
from conformance.load.validatie import CITIZENS
from conformance.messages.batch import Batch, Bericht
from conformance.messages.bsns import bsn_text
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope, Part
from conformance.messages.identities import flat_party
from conformance.transport.adapter import REST_PATH, write_message_request

PATH: Final = f"{REST_PATH}/ebms/messages"
HEADERS: Final = {"content-type": "application/json"}
_TEXT: Final = "Wij hebben uw aanvraag ontvangen en delen u mee dat wij daarop hebben beslist. "


class Letters:
    """The messages of a run under one connection, which began as ``began`` tells; to the reserved test BSNs."""

    def __init__(self, connection: Mapping[str, str], began: Mapping[str, Any]) -> None:
        self._connection, self._run, self._made = connection, str(began["run"]), str(began["begin"])
        self._bsns = [bsn_text(number) for number, _ in citizens(CITIZENS, 0)]

    def body(self, number: int) -> bytes:
        """Return the request that offers one batch."""
        own, bericht_type = batch_id(self._run, number), self._connection["bericht_type"]
        letters = range(number * BATCH, (number + 1) * BATCH)
        berichten = [Bericht(own, bericht_id(self._run, letter), bericht_type, "Belastproef", self._to(letter), _TEXT) for letter in letters]
        return write_message_request(self._envelope(Batch(own, self._made, self._connection["oin"], tuple(berichten))))

    def _to(self, letter: int) -> str:
        return self._bsns[letter % len(self._bsns)]

    def _envelope(self, batch: Batch) -> Envelope:
        told = self._connection
        return Envelope(
            told["cpa_id"],
            flat_party(told["oin"]),
            ROLE_AFNEMER,
            SERVICE,
            Action.BV_REQUEST,
            to_party=flat_party(told["logius_oin"]),
            to_role=ROLE_LOGIUS,
            parts=(Part(batch.to_xml()),),
        )
