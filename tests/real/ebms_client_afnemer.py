"""An Afnemer around the published client library ``ebms-adapter-client``, unchanged: it builds, sends, polls and parses with that library alone.

It sends one bericht a batch and uses one GUID for both, as the live Afnemer does whose library this is, and tries again what the library calls a
server error. What it keeps is a dict.
"""

import base64
import uuid

from ebms_adapter_client import EbmsAdapterClient, EbmsAdapterClientConfig, EbmsAdapterError, EbmsBadRequestError, MessageFilter
from ebms_adapter_client.berichtenbox import (
    BerichtenboxAttachment,
    BerichtenboxContractConfig,
    BerichtenboxValidationError,
    build_berichten_xml,
    build_message_request,
    parse_berichten_verwerk_response,
)

_REST = "/service/rest/v19"
_RESULTS = MessageFilter(action="GLOBE-R-BV-Result")
_MOST_TRIES = 5


class EbmsClientAfnemer:
    """The verbs that a sender of single letters needs."""

    def __init__(self, connection):
        self._connection = connection
        self._client = EbmsAdapterClient(EbmsAdapterClientConfig(base_url=connection["BERICHTENBOX_ADAPTER"].removesuffix(_REST)))
        self._letters = {}
        self._outbox = {}
        self._unreadable = set()

    def gezondheid(self):
        connection = self._connection
        parties = (f"urn:osb:oin:{connection[name]}" for name in ("BERICHTENBOX_OIN", "BERICHTENBOX_LOGIUS_OIN"))
        self._client.ping(connection["BERICHTENBOX_CPA_ID"], *parties)
        return {"status": "ok"}

    def berichten(self, verzoek):
        if any("publicatieDatum" in letter for letter in verzoek["berichten"]):
            raise ValueError("the library has no PublicatieDatum")
        return {"berichten": [self._deliver(letter) for letter in verzoek["berichten"]]}

    def _deliver(self, letter):
        guid = str(uuid.uuid4())
        self._letters[guid] = {"berichtId": guid, "batchId": guid, "status": "aangeboden", "verwerkingsCode": None, "verwerkt": 0}
        try:
            self._outbox[guid] = [self._build(guid, letter), _MOST_TRIES]
        except BerichtenboxValidationError:
            self._letters[guid]["status"] = "handmatig"
        self._send_waiting()
        return {"berichtId": guid, "batchId": guid}

    def _build(self, guid, letter):
        bijlagen = letter.get("bijlagen") or ()
        return build_berichten_xml(
            batch_id=guid,
            bericht_id=guid,
            bsn=letter["bsn"],
            message=letter.get("tekst") or "",
            subject=letter.get("onderwerp") or "Bericht",
            deliverer_id=self._connection["BERICHTENBOX_OIN"],
            message_type=letter["berichtType"],
            attachments=[BerichtenboxAttachment(item["omschrijving"], base64.b64decode(item["bytes"])) for item in bijlagen],
        )

    def _send_waiting(self):
        for guid, waiting in list(self._outbox.items()):
            try:
                self._send(guid, waiting[0])
            except EbmsBadRequestError:
                self._give_up(guid)
            except EbmsAdapterError:
                waiting[1] -= 1
                if not waiting[1]:
                    self._give_up(guid)
            else:
                del self._outbox[guid]

    def _give_up(self, guid):
        del self._outbox[guid]
        self._letters[guid]["status"] = "handmatig"

    def _send(self, guid, document):
        connection = self._connection
        request = build_message_request(
            contract=BerichtenboxContractConfig(cpa_id=connection["BERICHTENBOX_CPA_ID"]),
            from_party_id=f"urn:osb:oin:{connection['BERICHTENBOX_OIN']}",
            to_party_id=f"urn:osb:oin:{connection['BERICHTENBOX_LOGIUS_OIN']}",
            bericht_id=guid,
            xml_content=document,
        )
        self._client.send_message(request)

    def bericht(self, bericht_id):
        return self._letters.get(bericht_id)

    def settle(self):
        """Send what waits and poll, as its tasks do each minute, until nothing is left."""
        for _ in range(20):
            self._send_waiting()
            try:
                ids = [guid for guid in self._client.list_unprocessed_message_ids(_RESULTS) if guid not in self._unreadable]
                for message_id in ids:
                    self._book(message_id)
            except EbmsAdapterError:
                continue
            if not ids and not self._outbox:
                return True
        return False

    def _book(self, message_id):
        message = self._client.get_message(message_id)
        try:
            batch = parse_berichten_verwerk_response(message.data_sources[0].content)
        except (ValueError, SyntaxError):
            self._unreadable.add(message_id)
            return
        letter = self._letters.get(batch.batch_id)
        if letter is not None and letter["status"] != "verwerkt":
            letter["status"] = "verwerkt" if batch.batch_success else "afgewezen"
            letter["verwerkingsCode"] = batch.messages[0].process_code if batch.messages else None
            letter["verwerkt"] += 1
        self._client.process_message(message_id)

    def close(self):
        self._client.close()
