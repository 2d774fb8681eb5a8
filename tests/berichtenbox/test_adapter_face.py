"""The adapter face over a real socket: what an application of ebms-core sends, polls, fetches and processes."""

import base64
import json
from urllib.parse import quote

import httpx
import pytest

from conformance.berichtenbox.ledger import State

CPA = "MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000"
NO_ANSWER = r"reset by peer|disconnected without sending a response"
AFNEMER, LOGIUS = "urn:osb:oin:00000099000000001000", "urn:osb:oin:00000099000000002000"


@pytest.fixture
def batch(make, live):
    """A valid batch of today."""
    return make.batch(at=live.clock.now())


def properties_of(answer):
    """Return the MessageProperties of a fetched message."""
    assert answer.status_code == 200
    return answer.json()["properties"]


# -- sending -------------------------------------------------------------------------------------------------------------------------------------


def test_a_message_is_sent_and_its_result_is_polled_fetched_and_processed(sender, batch):
    """
    The whole walk: a bare MessageId comes back, one result waits, it answers the batch, and after processing nothing waits.
    """
    sent = sender.post(batch)
    (waiting,) = sender.unprocessed()
    answer = sender.fetch(waiting)
    result = sender.result(waiting)
    processed = sender.process(waiting)

    assert sent.headers["content-type"] == "text/plain; charset=utf-8"
    assert sent.text.endswith("@afnemer.example")
    assert properties_of(answer)["refToMessageId"] == sent.text
    assert (result.batch_id, [item.code for item in result.resultaten]) == (batch.batch_id, ["Verwerkt"])
    assert processed.status_code == 204
    assert sender.unprocessed() == []


def test_a_stored_message_shows_what_was_sent(sender, batch):
    """
    A sent message can be fetched: nested parties, outbound status, its payload, and no nulls.
    """
    sent = sender.send(batch, "mine", conversation_id="talk", ref_to_message_id="other@x")
    sender.unprocessed()
    answer = sender.fetch(sent)
    properties = properties_of(answer)
    (source,) = answer.json()["dataSources"]

    assert properties | {"timestamp": ""} == {
        "cpaId": CPA,
        "fromParty": {"partyId": AFNEMER, "role": "SR"},
        "toParty": {"partyId": LOGIUS, "role": "SP"},
        "service": "urn:osb:services:MIJNOVERHEID.ebMS.BB.2.0",
        "action": "GLOBE-R-BV-Request",
        "timestamp": "",
        "conversationId": "talk",
        "messageId": "mine@afnemer.example",
        "refToMessageId": "other@x",
        "messageStatus": "DELIVERED",
    }
    assert base64.b64decode(source["content"]) == batch.to_xml()
    assert "name" not in source
    assert len(source["contentId"]) == 36


def test_ids_that_are_left_out_are_made(sender, batch):
    """
    Without ids both follow from one new id; the host is appended to a given one, always.
    """
    made = properties_of(sender.fetch(sender.send(batch)))
    given = sender.send(batch, "abc@x")

    assert made["messageId"] == made["conversationId"] + "@afnemer.example"
    assert given == "abc@x@afnemer.example"


def test_the_receiver_may_be_left_to_the_cpa(sender, batch):
    """
    Without toPartyId and toRole the message is taken.
    """
    assert sender.post(batch, to_party=None, to_role=None).status_code == 200


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cpa_id": "CPA-X"}, "No CPA found for message.cpaId=CPA-X"),
        ({"from_party": "00000099000000001000"}, "No CanSend action found for MessageRequestProperties(cpaId="),
        ({"from_role": "SP"}, "No CanSend action found for"),
        ({"service": "urn:osb:services:X"}, "No CanSend action found for"),
        ({"action": "GLOBE-R-BV-Result"}, "No CanSend action found for"),
        ({"to_party": AFNEMER}, "No CanReceive action found for"),
        ({"to_role": "SR"}, "No CanReceive action found for"),
    ],
)
def test_what_the_cpa_forbids_is_a_500_with_the_text_of_the_adapter(sender, live, batch, changes, said):
    """
    Wrong CPA, party, role, service or action: 500 with bare text; it is on record as refused, and never processed.
    """
    answer = sender.post(batch, **changes)
    live.settle()

    assert (answer.status_code, answer.text[: len(said)]) == (500, said)
    assert [offer.state for offer in live.ledger.offers(0)] == [State.REFUSED]
    assert live.ledger.berichten(0) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "the body is not JSON"),
        (b'{"properties": {"cpaId": "x", "extra": 1}}', "Unrecognized field 'extra' in MessageRequestProperties"),
        (b'{"properties": {"cpaId": "x"}}', "properties.fromPartyId is missing"),
        (b'{"properties": {}, "dataSource": []}', "Unrecognized field 'dataSource' in MessageRequest"),
    ],
)
def test_what_is_no_message_request_is_a_500(sender, live, body, said):
    """
    The adapter gives 500 for everything, and so do we; the call is on record.
    """
    answer = sender.client.post("/ebms/messages", content=body)

    assert (answer.status_code, answer.text) == (500, said)
    assert [(call.operation, call.status) for call in live.ledger.calls(0)] == [("post", 500)]


def test_a_body_that_is_too_large_is_refused(sender, monkeypatch):
    """
    More bytes than are read: 413, on every operation that takes a body.
    """
    monkeypatch.setattr("conformance.berichtenbox.http.LARGEST_BODY", 1000)
    calls = [("POST", "/ebms/messages"), ("POST", "/cpas"), ("POST", "/cpas/validate"), ("POST", "/urlMappings"), ("DELETE", "/certificateMappings")]

    answers = [sender.client.request(method, path, content=b"x" * 1001) for method, path in calls]

    assert {(answer.status_code, answer.text) for answer in answers} == {(413, "the body has 1001 bytes, at most 1000 are read")}


def test_a_message_may_have_no_or_many_parts(sender):
    """
    Without dataSources it is taken; several come back in their order, with their names.
    """
    request = json.loads(sender.body(b"<a/>"))
    bare = sender.client.post("/ebms/messages", json={"properties": request["properties"]})
    sources = [{"name": "a", "contentId": "c", "contentType": "text/plain", "content": "YQ=="}, {"contentType": "text/xml", "content": ""}]
    many = sender.client.post("/ebms/messages", json=request | {"dataSources": sources})

    shown = sender.fetch(many.text).json()["dataSources"]

    assert (bare.status_code, sender.fetch(bare.text).json()["dataSources"]) == (200, [])
    assert shown[0] == sources[0]
    assert shown[1] == sources[1] | {"contentId": shown[1]["contentId"]}


def test_a_resend_is_a_new_message_with_the_same_payload(sender, live, batch):
    """
    PUT gives a new MessageId in the same conversation; the berichten exist already.
    """
    sent = sender.send(batch)
    live.settle()
    again = sender.client.put(f"/ebms/messages/{quote(sent)}")
    live.settle()
    first, second = sender.fetch(sent).json(), sender.fetch(again.text).json()

    assert again.status_code == 200
    assert again.text != sent
    assert first["dataSources"] == second["dataSources"]
    assert first["properties"]["conversationId"] == second["properties"]["conversationId"]
    assert [item.code for item in live.ledger.berichten(0)] == ["Verwerkt", "BerichtBestaatAl"]


def test_a_result_cannot_be_sent_again(sender, batch):
    """
    The Afnemer may not send a result: the CPA forbids it.
    """
    sender.send(batch)
    (result,) = sender.unprocessed()

    answer = sender.client.put(f"/ebms/messages/{quote(result)}")

    assert (answer.status_code, answer.text.startswith("No CanSend action found")) == (500, True)


def test_one_message_id_twice_is_eaten_by_the_receiver(sender, live, make):
    """
    The adapter sends both; Logius' side takes the second for a duplicate.
    """
    for _ in range(2):
        assert sender.send(make.batch(at=live.clock.now()), "same") == "same@afnemer.example"

    assert len(sender.unprocessed()) == 1
    assert [offer.state for offer in live.ledger.offers(0)] == [State.PROCESSED, State.DUPLICATE]


# -- receiving -----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a%41b", "50%", "a/b", "a?b", "a#b", "é", "a b", "a+b", "urn:x:y", "a//b", "..", "a;b", "unprocessed"])
@pytest.mark.parametrize("safe", ["", "@:"])
def test_ids_are_percent_encoded_in_paths(sender, live, batch, name, safe):
    """
    Whatever stands in an id, encoded once it finds its message, for every operation; @ and : may stay as they are.
    """
    sent = sender.send(batch, name)
    path = quote(sent, safe=safe)
    with httpx.Client(base_url=str(sender.client.base_url)) as client:
        shown = client.get(f"/ebms/messages/{path}")
        status = client.get(f"/ebms/messages/{path}/status")

    assert sent == f"{name}@afnemer.example"
    assert properties_of(shown)["messageId"] == sent
    assert (status.status_code, status.text) == (500, "No valid response received!")
    assert [call.subject for call in live.ledger.calls(0)] == [sent, sent]


@pytest.mark.parametrize("form", ["raw", "encoded"])
def test_a_result_is_found_under_both_forms_of_its_id(sender, batch, form):
    """
    A client that encodes @ and one that does not both fetch and process.
    """
    sender.send(batch)
    (waiting,) = sender.unprocessed()
    path = waiting if form == "raw" else quote(waiting, safe="")

    assert sender.client.get(f"/ebms/messages/{path}").status_code == 200
    assert sender.client.patch(f"/ebms/messages/{path}").status_code == 204
    assert sender.unprocessed() == []


def test_unknown_ids(sender):
    """
    GET, PUT and status of an unknown id: 404, empty. PATCH: 204 all the same.
    """
    client, path = sender.client, "/ebms/messages/nothing@x"
    answers = [client.get(path), client.put(path), client.get(f"{path}/status")]

    assert [(answer.status_code, answer.text) for answer in answers] == [(404, "")] * 3
    assert [client.patch(path).status_code, client.patch("/ebms/events/nothing@x").status_code] == [204, 204]


def test_processing_is_idempotent_and_leaves_the_message(sender, batch):
    """
    Twice is once; afterwards the message can still be read, as PROCESSED.
    """
    sender.send(batch)
    (waiting,) = sender.unprocessed()

    assert [sender.process(waiting).status_code for _ in range(2)] == [204, 204]
    assert properties_of(sender.fetch(waiting))["messageStatus"] == "PROCESSED"


def test_fetching_leaves_a_message_in_the_queue(sender, live, batch):
    """
    Without process nothing changes, however often it is fetched; each fetch is on record.
    """
    sender.send(batch)
    (waiting,) = sender.unprocessed()
    statuses = [properties_of(sender.fetch(waiting, **query))["messageStatus"] for query in ({}, {"process": "false"})]

    assert (statuses, sender.unprocessed()) == (["RECEIVED"] * 2, [waiting])
    assert [(call.operation, call.subject) for call in live.ledger.calls(0)] == [("fetch", waiting)] * 2


def test_process_true_marks_before_it_reads(sender, live, batch):
    """
    The answer says PROCESSED already, and the message waits no more.
    """
    sender.send(batch)
    (waiting,) = sender.unprocessed()

    assert properties_of(sender.fetch(waiting, process="true"))["messageStatus"] == "PROCESSED"
    assert sender.unprocessed() == []
    assert [call.operation for call in live.ledger.calls(0)] == ["fetch-and-process"]


def test_the_queue_is_oldest_first_and_may_be_cut(sender, make, live):
    """
    maxNr gives the oldest so many; 0, or nothing, is all.
    """
    for _ in range(4):
        sender.send(make.batch(at=live.clock.now()))
        live.settle()
    everything = sender.unprocessed()

    assert sender.unprocessed(maxNr=2) == everything[:2]
    assert sender.unprocessed(maxNr=0) == everything
    assert sender.unprocessed(maxNr=100) == everything


@pytest.mark.parametrize("path", ["/ebms/messages/unprocessed", "/ebms/events/unprocessed"])
@pytest.mark.parametrize("number", ["-1", "x", "1.0", "٣", "9" * 10])
def test_a_max_nr_that_is_no_number_is_refused(sender, path, number):
    """
    500, with what is wrong.
    """
    answer = sender.client.get(path, params={"maxNr": number})

    assert (answer.status_code, answer.text) == (500, "maxNr is a whole number, 0 for all")


def test_every_filter_is_exact_and_all_must_match(sender, batch):
    """
    Each filter with its own value finds the result, with another none, and one that does not match is enough.
    """
    sent = sender.send(batch, conversation_id="talk")
    (waiting,) = sender.unprocessed()
    filters = {
        "cpaId": CPA,
        "fromPartyId": LOGIUS,
        "fromRole": "SP",
        "toPartyId": AFNEMER,
        "toRole": "SR",
        "service": "urn:osb:services:MIJNOVERHEID.ebMS.BB.2.0",
        "action": "GLOBE-R-BV-Result",
        "conversationId": "talk",
        "messageId": waiting,
        "refToMessageId": sent,
    }

    assert sender.unprocessed(**filters) == [waiting]
    for key, value in filters.items():
        assert sender.unprocessed(**{key: value}) == [waiting], key
        assert sender.unprocessed(**filters | {key: value + "x"}) == [], key


def test_a_filter_that_does_not_exist_filters_nothing(sender, batch):
    """
    Unknown query parameters are ignored.
    """
    sender.send(batch)

    assert len(sender.unprocessed(unknown="x")) == 1


def test_the_hook_before_marking_is_told(sender, live, batch):
    """
    Whoever watches is told before a message is marked.
    """
    sender.send(batch)
    (waiting,) = sender.unprocessed()
    seen = []
    live.before_marking = lambda message_id: seen.append((message_id, live.ledger.message(message_id).status.value))
    sender.process(waiting)

    assert seen == [(waiting, "RECEIVED")]


# -- transport -----------------------------------------------------------------------------------------------------------------------------------


def test_a_ping_fits_the_cpa(sender):
    """
    The right three: 204, encoded or not.
    """
    for path in (f"/ebms/ping/{CPA}/from/{AFNEMER}/to/{LOGIUS}", f"/ebms/ping/{CPA}/from/{quote(AFNEMER, safe='')}/to/{quote(LOGIUS, safe='')}"):
        assert sender.client.post(path).status_code == 204


@pytest.mark.parametrize(
    ("cpa", "one", "other", "said"),
    [
        ("X", AFNEMER, LOGIUS, "No CPA found for cpaId=X"),
        (CPA, "X", LOGIUS, f"No fromParty found for cpaId={CPA}, fromPartyId=X"),
        (CPA, AFNEMER, "X", f"No toParty found for cpaId={CPA}, toPartyId=X"),
    ],
)
def test_a_ping_that_does_not_fit_says_why(sender, cpa, one, other, said):
    """
    500, in the words of the adapter.
    """
    answer = sender.client.post(f"/ebms/ping/{cpa}/from/{one}/to/{other}")

    assert (answer.status_code, answer.text) == (500, said)


def test_the_status_call_never_ends_well_and_is_on_record(sender, live, batch):
    """
    On this flow Logius' side does not answer a StatusRequest.
    """
    sent = sender.send(batch)

    answer = sender.client.get(f"/ebms/messages/{quote(sent)}/status")

    assert (answer.status_code, answer.text) == (500, "No valid response received!")
    assert [(call.operation, call.subject, call.status) for call in live.ledger.calls(0)] == [("status", sent, 500)]


def test_events_come_once_by_type_and_are_marked(sender, live, batch):
    """
    DELIVERED for what was sent, RECEIVED for the result; marking takes an event away, and processes a received message.
    """
    sent = sender.send(batch)
    (waiting,) = sender.unprocessed()
    client = sender.client
    both = client.get("/ebms/events/unprocessed").json()
    delivered = client.get("/ebms/events/unprocessed", params={"eventTypes": ["DELIVERED", "FAILED"]}).json()
    for message_id in (sent, waiting):
        assert client.patch(f"/ebms/events/{quote(message_id, safe='')}").status_code == 204
    live.advance(days=8)

    assert both == [{"messageId": sent, "type": "DELIVERED"}, {"messageId": waiting, "type": "RECEIVED"}]
    assert delivered == both[:1]
    assert client.get("/ebms/events/unprocessed").json() == []
    assert sender.unprocessed() == []


def test_events_are_filtered_and_cut(sender, make, live):
    """
    Filters and maxNr work on events as on messages.
    """
    sent = [sender.send(make.batch(at=live.clock.now())) for _ in range(2)]
    live.settle()
    ask = lambda **query: [event["messageId"] for event in sender.client.get("/ebms/events/unprocessed", params=query).json()]  # noqa: E731

    assert ask(eventTypes="DELIVERED") == sent
    assert ask(eventTypes="DELIVERED", maxNr=1) == sent[:1]
    assert ask(messageId=sent[1]) == sent[1:]
    assert ask(eventTypes="EXPIRED") == []


def test_an_event_type_that_does_not_exist_is_refused(sender):
    """
    500, with the types that there are.
    """
    answer = sender.client.get("/ebms/events/unprocessed", params={"eventTypes": "ARRIVED"})

    assert answer.status_code == 500
    assert answer.text == "unknown event type 'ARRIVED'; known are DELIVERED, EXPIRED, FAILED, RECEIVED"
