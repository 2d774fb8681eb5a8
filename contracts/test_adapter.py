"""The REST adapter as an HTTP pact: the calls of the reference Afnemer, and what it makes of each answer."""

import base64
import contextlib
import uuid
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from pact import match

from conformance.afnemer.reference.gateway import Gateway, PermanentTroubleError, TemporaryTroubleError
from conformance.berichtenbox.register import DEFAULT_OIN, default_cpa_id
from conformance.contracts.matching import BASE64, regex
from conformance.contracts.published import AFNEMER, BERICHTENBOX
from conformance.contracts.states import BATCH_ID, BERICHT_ID, BSNS, VERZOEK_ID
from conformance.messages.abonnement import AbonnementAanvraag
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action
from conformance.messages.identities import LOGIUS_TEST_OIN, flat_party
from conformance.messages.verwerkingsbericht import Resultaat, Verwerkingsbericht, VerwerkingsCode
from conformance.transport.adapter import REST_PATH

MESSAGES = f"{REST_PATH}/ebms/messages"
CPA_ID = default_cpa_id(DEFAULT_OIN)
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PROPERTIES = {
    "cpaId": CPA_ID,
    "fromPartyId": flat_party(DEFAULT_OIN),
    "fromRole": ROLE_AFNEMER,
    "toPartyId": flat_party(LOGIUS_TEST_OIN),
    "toRole": ROLE_LOGIUS,
    "service": SERVICE,
}
BATCH = Batch(
    BATCH_ID, "2026-11-24T12:00:00Z", DEFAULT_OIN, (Bericht(BATCH_ID, BERICHT_ID, "BELAST", "Bericht van uw gemeente", BSNS[0], "Een bericht."),)
)
AANVRAAG = AbonnementAanvraag(DEFAULT_OIN, VERZOEK_ID)
MESSAGE_ID = "6f7f5d0e-3f7a-4f0e-8f53-6c1c0a5b2d11@afnemer.example"
LETTER = {"bsn": BSNS[0], "berichtType": "BELAST", "tekst": "Een bericht."}


def request(action: str, content: bytes, name: str, content_id: str) -> dict[str, object]:
    source = {
        "name": match.regex(name, regex=r"^[\w.-]+\.xml$"),
        "contentId": match.regex(content_id, regex=r"^\S+$"),
        "contentType": "text/xml",
        "content": match.regex(base64.b64encode(content).decode(), regex=f"^{BASE64}$"),
    }
    return {"properties": {**PROPERTIES, "action": action}, "dataSources": [source]}


def answered_id(description: str) -> str:
    return f"{uuid.uuid5(uuid.NAMESPACE_URL, description)}@berichtenbox.example"


@pytest.fixture
def adapter(contract):
    """Begin an interaction with the adapter, and give a mock of it."""
    pact = contract(AFNEMER, BERICHTENBOX)

    @contextlib.contextmanager
    def serve():
        with pact.serve(addr="127.0.0.1") as server:
            yield f"{server.url}{REST_PATH}"

    return pact, serve


def test_batch_is_accepted(adapter, afnemer_at):
    """
    A batch is POSTed with what the CPA says around it, and its MessageId is the answer.
    """
    pact, serve = adapter
    body = request(Action.BV_REQUEST.value, BATCH.to_xml(), f"batch-{BATCH_ID}.xml", BATCH_ID)
    accepted = pact.upon_receiving("adapter: a batch").given("the connection works").with_request("POST", MESSAGES)
    accepted.with_body(body, "application/json").will_respond_with(200)
    accepted.with_body(MESSAGE_ID, "text/plain").with_matching_rules({"body": {"$": regex(r"[^@\s]+@[^@\s]+")}})

    with serve() as url:
        afnemer = afnemer_at(url)
        (bericht,) = afnemer.berichten({"berichten": [LETTER]})["berichten"]

    assert afnemer.store.outbox() == ()
    assert afnemer.bericht(bericht["berichtId"])["status"] == "aangeboden"


def test_request_for_abonnementen_is_accepted(adapter, afnemer_at):
    """
    A request for abonnementen goes the same way, as another action.
    """
    pact, serve = adapter
    body = request(Action.A_REQUEST.value, AANVRAAG.to_xml(), f"aanvraag-{VERZOEK_ID}.xml", VERZOEK_ID)
    accepted = pact.upon_receiving("adapter: a request for abonnementen").given("the connection works").with_request("POST", MESSAGES)
    accepted.with_body(body, "application/json").will_respond_with(200)
    accepted.with_body(MESSAGE_ID, "text/plain").with_matching_rules({"body": {"$": regex(r"[^@\s]+@[^@\s]+")}})

    with serve() as url:
        afnemer = afnemer_at(url)
        afnemer.abonnementen({"soort": "alles"})

    assert afnemer.store.verzoeken_to_send() == []


def test_unknown_cpa_is_refused(adapter, afnemer_at):
    """
    What the CPA does not allow is refused with a 500 and a text: it stays in the outbox, for a person.
    """
    pact, serve = adapter
    body = request(Action.BV_REQUEST.value, BATCH.to_xml(), f"batch-{BATCH_ID}.xml", BATCH_ID)
    body["properties"]["cpaId"] = "ONBEKEND"
    refused = pact.upon_receiving("adapter: a batch under a CPA that nobody knows").given("the connection works").with_request("POST", MESSAGES)
    refused.with_body(body, "application/json").will_respond_with(500)
    refused.with_body("No CPA found for message.cpaId=ONBEKEND", "text/plain").with_matching_rules({"body": {"$": regex("No CPA found .*")}})

    with serve() as url:
        afnemer = afnemer_at(url, cpa_id="ONBEKEND")
        afnemer.berichten({"berichten": [LETTER]})

    (offer,) = afnemer.store.outbox()
    assert offer.tries == 1


def test_adapter_that_is_away_costs_nothing(adapter, afnemer_at):
    """
    A 503 is no refusal: the batch stays in the outbox, and no try is counted.
    """
    pact, serve = adapter
    body = request(Action.BV_REQUEST.value, BATCH.to_xml(), f"batch-{BATCH_ID}.xml", BATCH_ID)
    away = pact.upon_receiving("adapter: a batch while it is away").given("a fault", naam="unavailable", op="post")
    away.with_request("POST", MESSAGES).with_body(body, "application/json").will_respond_with(503)

    with serve() as url:
        afnemer = afnemer_at(url)
        afnemer.berichten({"berichten": [LETTER]})

    (offer,) = afnemer.store.outbox()
    assert offer.tries == 0


def poll(pact, description: str, action: str, ids: list[str]):
    asked = pact.upon_receiving(description)
    if ids:
        name = "a verwerkingsbericht waits" if action == Action.BV_RESULT else "an answer on abonnementen waits"
        asked.given(name, messageId=ids[0])
    else:
        asked.given("no message waits")
    asked.with_request("GET", f"{MESSAGES}/unprocessed").with_query_parameter("cpaId", CPA_ID).with_query_parameter("action", action)
    asked.will_respond_with(200).with_body(ids, "application/json")


@pytest.mark.parametrize("action", [Action.BV_RESULT, Action.A_RESULT])
def test_what_waits_is_listed(adapter, action):
    """
    The MessageIds of what waits are asked for an action at a time.
    """
    pact, serve = adapter
    description = f"adapter: which {action} waits"
    ids = [answered_id(description)]
    poll(pact, description, action.value, ids)

    with serve() as url, Gateway(url) as gateway:
        waiting = gateway.waiting(CPA_ID, action)

    assert waiting == ids


def test_nothing_waits(adapter):
    """
    Where nothing waits the list is empty.
    """
    pact, serve = adapter
    poll(pact, "adapter: nothing waits", Action.BV_RESULT.value, [])

    with serve() as url, Gateway(url) as gateway:
        waiting = gateway.waiting(CPA_ID, Action.BV_RESULT)

    assert waiting == []


def test_result_is_fetched(adapter):
    """
    A message is fetched with its properties, and its payload as base64.
    """
    pact, serve = adapter
    message_id = answered_id("adapter: fetch")
    document = Verwerkingsbericht.about(DEFAULT_OIN, BATCH_ID, AT, AT, [Resultaat(BERICHT_ID, "BELAST", VerwerkingsCode.VERWERKT)]).to_xml()
    text = match.regex("c0a5f4a2", regex=r"^\S+$")
    properties = {
        "cpaId": CPA_ID,
        "fromParty": {"partyId": flat_party(LOGIUS_TEST_OIN), "role": ROLE_LOGIUS},
        "toParty": {"partyId": flat_party(DEFAULT_OIN), "role": ROLE_AFNEMER},
        "service": SERVICE,
        "action": Action.BV_RESULT.value,
        "timestamp": match.regex("2026-11-24T12:00:00Z", regex=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"),
        "conversationId": text,
        "messageId": message_id,
        "messageStatus": "RECEIVED",
    }
    content = match.regex(base64.b64encode(document).decode(), regex=f"^{BASE64}$")
    fetched = pact.upon_receiving("adapter: fetch a verwerkingsbericht").given("a verwerkingsbericht waits", messageId=message_id)
    fetched.with_request("GET", f"{MESSAGES}/{quote(message_id)}").will_respond_with(200)
    fetched.with_body({"properties": properties, "dataSources": [{"contentType": "text/xml", "content": content}]}, "application/json")

    with serve() as url, Gateway(url) as gateway:
        envelope = gateway.fetch(message_id)

    assert envelope.message_id == message_id
    assert [part.content for part in envelope.parts] == [document]


def test_unknown_message_is_not_there(adapter):
    """
    A MessageId that nobody has is answered with 404.
    """
    pact, serve = adapter
    asked = pact.upon_receiving("adapter: fetch what nobody has").given("no message waits")
    asked.with_request("GET", f"{MESSAGES}/onbekend%40berichtenbox.example").will_respond_with(404)

    with serve() as url, Gateway(url) as gateway, pytest.raises(PermanentTroubleError, match="404"):
        gateway.fetch("onbekend@berichtenbox.example")


def test_result_is_marked(adapter):
    """
    After it is stored a message is marked as processed, which is answered with 204.
    """
    pact, serve = adapter
    message_id = answered_id("adapter: mark")
    marked = pact.upon_receiving("adapter: mark a verwerkingsbericht as processed").given("a verwerkingsbericht waits", messageId=message_id)
    marked.with_request("PATCH", f"{MESSAGES}/{quote(message_id)}").will_respond_with(204)

    with serve() as url, Gateway(url) as gateway:
        assert gateway.mark(message_id) is None


def test_polling_while_it_is_away_is_tried_again(adapter):
    """
    A 503 on a poll is trouble that passes.
    """
    pact, serve = adapter
    asked = pact.upon_receiving("adapter: poll while it is away").given("a fault", naam="unavailable", op="poll")
    asked.with_request("GET", f"{MESSAGES}/unprocessed").with_query_parameter("cpaId", CPA_ID)
    asked.with_query_parameter("action", Action.BV_RESULT.value).will_respond_with(503)

    with serve() as url, Gateway(url) as gateway, pytest.raises(TemporaryTroubleError, match="503"):
        gateway.waiting(CPA_ID, Action.BV_RESULT)
