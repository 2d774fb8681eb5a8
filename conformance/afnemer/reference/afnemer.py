"""The reference Afnemer as one party: it sends, receives, and can be driven through the test-control verbs."""

import logging
import ssl
import tempfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from conformance.afnemer.reference.abonnementen import Abonnees
from conformance.afnemer.reference.ebms_gateway import EbmsGateway, EbmsSettings
from conformance.afnemer.reference.gateway import Gateway, MessageService, trusted
from conformance.afnemer.reference.receiving import Receiver
from conformance.afnemer.reference.sending import Connection, Sender
from conformance.afnemer.reference.store import Store
from conformance.afnemer.reference.validating import Validator
from conformance.limits import limits
from conformance.messages.abonnement import Soort
from conformance.messages.moments import read_moment
from conformance.transport import pki
from conformance.transport.ebms2.posting import Poster
from conformance.transport.tls import client_context

_MOST_ROUNDS: Final = 60
_LOG: Final = logging.getLogger(__name__)


class ReferenceAfnemer:
    """An Afnemer that does it right.

    ``connection`` holds the ``BERICHTENBOX_*`` variables that every driver gives: ``ADAPTER`` (the REST API), ``CPA_ID``, ``OIN``, ``LOGIUS_OIN``,
    ``BERICHT_TYPES`` (separated by commas) and ``SEED``; ``AFNEMER_MAP`` says where its databases go. ``TLS`` is the directory of its certificates.
    With ``FACE=ebms`` it is its own gateway, and instead of ``ADAPTER`` there are ``CPA`` (a path) and ``GATEWAY`` (the URL at which it listens).
    ``WUS`` is the validatieservice; without it nobody is asked whether they take a letter. Subclasses replace one part of it.
    """

    sender_class: type[Sender] = Sender
    receiver_class: type[Receiver] = Receiver
    abonnees_class: type[Abonnees] = Abonnees
    validator_class: type[Validator] = Validator
    gateway_class: type[Gateway] = Gateway
    ebms_gateway_class: type[EbmsGateway] = EbmsGateway

    def __init__(self, connection: Mapping[str, str]) -> None:
        self._settings = EbmsSettings.of(connection) if connection.get("BERICHTENBOX_FACE") == "ebms" else None
        self._certificates = connection.get("BERICHTENBOX_TLS", "")
        self._connection = Connection(
            adapter=connection["BERICHTENBOX_ADAPTER"] if self._settings is None else "",
            cpa_id=connection["BERICHTENBOX_CPA_ID"],
            oin=connection["BERICHTENBOX_OIN"],
            logius_oin=connection["BERICHTENBOX_LOGIUS_OIN"],
            bericht_types=tuple(connection["BERICHTENBOX_BERICHT_TYPES"].split(",")),
        )
        self._wus = connection.get("BERICHTENBOX_WUS", "")
        self._own_directory = None if connection.get("AFNEMER_MAP") else tempfile.TemporaryDirectory(prefix="afnemer-")
        self._directory = Path(connection.get("AFNEMER_MAP") or self._own_directory.name)  # type: ignore[union-attr]  # one of the two is there
        self._is_durable = self._own_directory is None  # what is thrown away at the end need not wait for the disk
        self._seed = int(connection.get("BERICHTENBOX_SEED", "0"))
        self._working = threading.RLock()
        self._stopping = threading.Event()
        self._worker: threading.Thread | None = None
        self._open()

    def _open(self) -> None:
        self.store = Store(self._directory / "afnemer.db", is_durable=self._is_durable)
        self.gateway = self._new_gateway()
        self.validator = self._new_validator() if self._wus else None
        self.sender = self.sender_class(self._connection, self.store, self.gateway, self.now, self._seed, self.validator)
        self.receiver = self.receiver_class(self._connection, self.store, self.gateway, self.sender.offer_again)
        self.abonnees = self.abonnees_class(self._connection, self.store, self.gateway, self.now, self.sender.new_guid)
        self._seed += 1  # after a restart other ids, and still the same ones for the same seed

    def _new_gateway(self) -> MessageService:
        if self._settings is None:
            return self.gateway_class(self._connection.adapter, context=self._context())
        return self.ebms_gateway_class(self._settings, self._directory / "ebms.db", self.now, is_durable=self._is_durable)

    def _new_validator(self) -> Validator:
        poster = Poster(self._context(), timeout_s=limits().validatie_within.total_seconds())
        return self.validator_class(self._connection.oin, self.store, self._wus, poster, self.now)

    def _context(self) -> ssl.SSLContext:
        """Return who it is, and whom it trusts."""
        return client_context(pki.load(Path(self._certificates)).files_of("client")) if self._certificates else trusted()

    def now(self) -> datetime:
        """Return the moment on this Afnemer's clock."""
        return datetime.now(UTC)

    # -- working ---------------------------------------------------------------------------------------------------------------------------

    def work(self) -> bool:
        """Send what waits and handle what came; return whether anything happened."""
        with self._working:
            has_pumped = self.gateway.pump()
            has_heard = self.sender.hear_failures()
            has_sent = self.sender.send_waiting()
            has_answers = self.abonnees.receive()  # first, for a request that is answered need not go again
            has_asked = self.abonnees.send_waiting()
            return self.receiver.receive() or has_pumped or has_heard or has_sent or has_answers or has_asked

    def settle(self) -> bool:
        """Work until there is nothing left to do, and tell whether that is so."""
        return any(self._is_idle() for _ in range(_MOST_ROUNDS))

    def _is_idle(self) -> bool:
        """Tell whether there is nothing to do; an answer that is waited for is no work, for it may take four hours."""
        has_nothing_left = not self.work() and not self.store.outbox() and not self.store.verzoeken_to_send()
        return has_nothing_left and not self.receiver.is_troubled and not self.abonnees.is_troubled

    def start(self, every_s: float) -> None:
        """Work in the background from now on, each ``every_s`` seconds."""

        def run() -> None:
            while not self._stopping.wait(every_s):
                self._work_or_tell()

        self._worker = threading.Thread(target=run, name="afnemer", daemon=True)
        self._worker.start()

    def _work_or_tell(self) -> None:
        """Work; a failure of ours is logged, for whatever waits must still be handled in the next round."""
        try:
            self.work()
        except Exception:  # noqa: BLE001  # whatever it is, the next message is not to blame
            _LOG.exception("working failed, and will be tried again; please report this")

    def restart(self) -> bool:
        """Forget everything that is not on disk, and begin again."""
        with self._working:
            self._close_parts()
            self._open()
        return True

    def advance(self, seconds: float) -> bool:
        """Move the clock by which its own gateway repeats messages, and tell whether it has one."""
        with self._working:
            return self.gateway.advance(seconds)

    def _close_parts(self) -> None:
        if self.validator is not None:
            self.validator.close()
        self.gateway.close()
        self.store.close()

    def close(self) -> None:
        """Stop."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.join()
        self._close_parts()
        if self._own_directory is not None:
            self._own_directory.cleanup()

    # -- being driven ----------------------------------------------------------------------------------------------------------------------

    def gezondheid(self) -> dict[str, Any]:
        """Tell that this Afnemer is there."""
        return {"status": "ok"}

    def berichten(self, verzoek: Mapping[str, Any]) -> dict[str, Any]:
        """Deliver letters now; letters that fail the own checks are kept for a person, and do not leave."""
        with self._working:
            ids = self.sender.deliver(verzoek["berichten"], verzoek.get("perBatch"))
        return {"berichten": [{"berichtId": bericht_id, "batchId": batch_id} for bericht_id, batch_id in ids]}

    def bericht(self, bericht_id: str) -> dict[str, Any] | None:
        """Tell where a bericht stands, or ``None``."""
        stored = self.store.bericht(bericht_id)
        if stored is None:
            return None
        return {
            "berichtId": stored.bericht_id,
            "batchId": stored.batch_id,
            "status": stored.status,
            "verwerkingsCode": stored.code,
            "verwerkt": stored.verwerkt,
        }

    def herlevering(self, verzoek: Mapping[str, Any]) -> dict[str, Any]:
        """Deliver again everything that was offered from ``vanaf`` to ``tot``."""
        with self._working:
            count = self.sender.redeliver(_moment(verzoek, "vanaf"), _moment(verzoek, "tot"))
        while self._send_more():  # between two rounds others get their turn: a day that comes again must not hold up the letters of today
            pass
        return {"aantal": count}

    def _send_more(self) -> bool:
        with self._working:
            return self.sender.send_waiting()

    def abonnementen(self, verzoek: Mapping[str, Any]) -> dict[str, Any]:
        """Request abonnementen now; raises ``ValueError`` for what cannot be asked."""
        with self._working:
            return {"verzoekId": self.abonnees.request(Soort(verzoek["soort"]), verzoek.get("bsn") or (), verzoek.get("vanaf"))}

    def abonnement(self, verzoek_id: str) -> dict[str, Any] | None:
        """Tell what was recorded from the answer to a request, or ``None`` for an unknown one."""
        found = self.abonnees.preferences(verzoek_id)
        if found is None:
            return None
        is_answered, voorkeuren = found
        told = [{"bsn": bsn, "actief": is_actief} for bsn, is_actief in voorkeuren.items()]
        return {"status": "ontvangen" if is_answered else "open", "voorkeuren": told}

    def validatie(self, verzoek: Mapping[str, Any]) -> dict[str, Any]:
        """Ask who takes letters of a BerichtType; who is left out of the answer has no outcome. Raises ``ValueError`` when the service refuses."""
        if self.validator is None:
            raise NotImplementedError("it was told of no validatieservice; give BERICHTENBOX_WUS")  # test-control: this verb is not offered
        with self._working:
            outcomes = self.validator.validate(verzoek["berichtType"], verzoek["bsn"])
        return {"uitkomsten": [{"bsn": bsn, "berichtSturen": takes} for bsn, takes in outcomes.items()]}


def _moment(verzoek: Mapping[str, Any], key: str) -> datetime:
    moment = read_moment(str(verzoek.get(key)))
    if moment is None:
        raise ValueError(f"{key} is no RFC 3339 time")
    return moment.at
