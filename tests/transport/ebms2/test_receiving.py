"""What a side does with a request: the shapes of HTTP, who connects, duplicates, signals, and what its own messages look like."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from conformance.messages.envelope import Part
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.agreements import AgreementError
from conformance.transport.ebms2.http import HttpAnswer, HttpRequest
from conformance.transport.ebms2.knowledge import KnownStatus, StoredAnswer
from conformance.transport.ebms2.mime import MimeFault, MimeRefused
from conformance.transport.ebms2.model import AckRequested, EbmsError, ErrorList, Side, SyncReply
from conformance.transport.ebms2.names import SOAP_ACTION, MessageStatus
from conformance.transport.ebms2.reading import read_message
from conformance.transport.ebms2.receiving import Outcome
from conformance.transport.ebms2.writing import Outgoing, write_message
from conformance.transport.tls import PeerCertificate

SR, SP = "urn:osb:oin:00000099000000001000", "urn:osb:oin:00000099000000002000"
SR_URL, SP_URL = "https://afnemer.example/ebms", "https://logius.example/ebms"
STRANGER = Side((PartyId("urn:osb:oin", "00000099000000009000"),), "SR")
STORED = Outgoing("text/xml; charset=UTF-8", b"<as it was/>", b"<as it was/>")


def fault(answer):
    """Return the code and the text of a SOAP Fault."""
    found = re.search(r"<faultcode>soap:(\w+)</faultcode><faultstring>(.*)</faultstring>", answer.body.decode(), re.DOTALL)
    assert (answer.status, answer.headers["content-type"]) == (500, "text/xml; charset=UTF-8")
    return found[1], found[2].replace("&#34;", '"')


def carried(answer):
    """Return the message that an answer carries."""
    assert (answer.status, answer.headers["soapaction"]) == (200, SOAP_ACTION)
    assert answer.headers["content-type"].startswith("text/xml")
    return read_message(answer.headers["content-type"], answer.body).message


def is_empty(answer):
    return (answer.status, answer.body) == (204, b"")


# -- user messages -------------------------------------------------------------------------------------------------------------------------------


def test_accepted_message_is_acknowledged_in_a_post_of_its_own(pair):
    """
    The answer is empty, and the Acknowledgment goes to the endpoint of who sent it.
    """
    reception = pair.send(message := pair.request())

    assert (reception.outcome, reception.send_to, reception.error, reception.note) == (Outcome.ACCEPTED, SR_URL, None, "")
    assert is_empty(reception.answer)
    assert reception.received.message == message
    assert (reception.signal.action, reception.signal.ref_to_message_id) == ("Acknowledgment", message.message_id)
    assert reception.signal_bytes == write_message(reception.signal)
    assert repr(reception) == f"<Reception accepted {message.message_id}: HTTP 204>"


def test_acknowledgment_comes_at_once_when_the_cpa_says_so(sync_pair):
    """
    With mshSignalsOnly the Acknowledgment is the body of status 200, and goes nowhere else.
    """
    reception = sync_pair.send(sync_pair.request())

    assert (reception.outcome, reception.send_to) == (Outcome.ACCEPTED, None)
    assert carried(reception.answer) == reception.signal


@pytest.mark.parametrize("mode", ["none", "mshSignalsOnly"])
def test_message_that_asks_no_acknowledgment_gets_none(make_pair, mode):
    """
    Without AckRequested there is no signal, in both modes.
    """
    pair = make_pair(('ackRequested="always"', 'ackRequested="never"'), ('syncReplyMode="none"', f'syncReplyMode="{mode}"'))

    reception = pair.send(pair.request())

    assert (reception.outcome, reception.signal, reception.send_to) == (Outcome.ACCEPTED, None, None)
    assert is_empty(reception.answer)


def test_error_is_reported_in_a_post_of_its_own(pair):
    """
    A message that fails a check is rejected: a MessageError goes to who sent it.
    """
    reception = pair.send(message := pair.request(version="1.0"))

    assert (reception.outcome, reception.send_to) == (Outcome.REJECTED, SR_URL)
    assert is_empty(reception.answer)
    assert reception.error == reception.signal.error_list.errors[0]
    assert (reception.signal.action, reception.signal.ref_to_message_id) == ("MessageError", message.message_id)
    assert reception.note == "Inconsistent at //Header/MessageHeader/@version: Invalid value."


def test_error_comes_at_once_when_the_cpa_says_so(sync_pair):
    """
    A MessageError too is status 200.
    """
    reception = sync_pair.send(sync_pair.request(time_to_live="2026-11-23T12:00:00Z"))

    assert (reception.outcome, reception.note) == (Outcome.REJECTED, "TimeToLiveExpired at //Header/MessageHeader/MessageData/TimeToLive")
    assert carried(reception.answer).error_list == ErrorList((EbmsError("TimeToLiveExpired", "//Header/MessageHeader/MessageData/TimeToLive"),))


@pytest.mark.parametrize(("mode", "reply"), [("none", SyncReply()), ("mshSignalsOnly", None)])
def test_header_does_not_decide_how_the_answer_comes(make_pair, mode, reply):
    """
    A wrong SyncReply is reported as the CPA has it.
    """
    pair = make_pair(('syncReplyMode="none"', f'syncReplyMode="{mode}"'))

    reception = pair.send(pair.request(sync_reply=reply))

    assert (reception.outcome, reception.error.location) == (Outcome.REJECTED, "//Header/SyncReply")
    assert (reception.send_to is None) == (mode == "mshSignalsOnly")


def test_action_without_a_route_follows_the_channel_for_signals(sync_pair):
    """
    An action that the CPA does not have has no channel; that of signals decides.
    """
    reception = sync_pair.send(sync_pair.request(action="Unknown"))

    assert carried(reception.answer).error_list.errors[0].code == "ValueNotRecognized"


def test_unknown_sender_is_told_on_the_same_connection(pair):
    """
    There is no endpoint for somebody whom the CPA does not have: a SOAP Fault says it, and nothing is kept.
    """
    reception = pair.send(pair.request(sender=STRANGER))

    assert (reception.outcome, reception.signal) == (Outcome.REFUSED, None)
    assert reception.error.location == "//Header/MessageHeader/From/PartyId"
    code, text = fault(reception.answer)
    assert (code, text.startswith(f"{reception.error.code} at {reception.error.location}: Value not found. ")) == ("Client", True)
    assert text.endswith("urn:osb:oin:00000099000000009000 is no party of CPA CPA_1 that sends to this side.")


def test_unknown_sender_is_told_in_the_answer_of_a_synchronous_cpa(sync_pair):
    """
    In the answer an ErrorList needs no endpoint.
    """
    reception = sync_pair.send(sync_pair.request(sender=STRANGER))

    assert reception.outcome is Outcome.REJECTED
    assert carried(reception.answer).receiver.flat_ids == ("urn:osb:oin:00000099000000009000",)


def test_no_error_about_an_error(pair):
    """
    A message with an ErrorList of its own never causes another, unless that only warns.
    """
    errors = ErrorList((EbmsError("Unknown"),))

    fatal = pair.send(pair.request(version="1.0", error_list=errors))
    warning = pair.send(pair.request(version="1.0", error_list=replace(errors, highest_severity="Warning")))

    assert (fatal.outcome, fatal.signal, fatal.send_to) == (Outcome.REJECTED, None, None)
    assert is_empty(fatal.answer)
    assert fatal.note.endswith("(not told: it carries an ErrorList itself, MSG 4.2.4.1)")
    assert warning.signal.action == "MessageError"


# -- what does not get so far --------------------------------------------------------------------------------------------------------------------


def http(pair, method="POST", *, content_type="text/xml", body=b"", **headers):
    """Return what Logius does with a request by hand."""
    return pair.sp.receive(HttpRequest(method, "/ebms", {"soapaction": SOAP_ACTION, "content-type": content_type} | headers, body), pair.store["SP"])


@pytest.mark.parametrize("method", ["GET", "PUT", "post"])
def test_only_post_is_for_messages(pair, method):
    """
    Another method gets 405, with what is allowed and a sentence for who looks with a browser.
    """
    reception = http(pair, method)

    assert (reception.outcome, reception.answer.status, reception.answer.headers["allow"]) == (Outcome.REFUSED, 405, "POST")
    assert reception.answer.body == b"An ebMS message is sent with POST; this address has nothing to read.\n"
    assert repr(reception) == "<Reception refused: HTTP 405>"


@pytest.mark.parametrize("value", ["ebXML", '"x"', '""', '"ebxml"'])
def test_soap_action_is_exact(pair, value):
    """
    SOAPAction has its quotes, and the answer shows what came.
    """
    reception = http(pair, soapaction=value)

    assert reception.outcome is Outcome.REFUSED
    assert fault(reception.answer)[1].startswith(f"Unable to process message! SOAPAction={value}. ")


def test_soap_action_must_be_there(pair):
    """
    Without the header the text is that of ebms-core.
    """
    reception = pair.sp.receive(HttpRequest("POST", "/", {}, b""), pair.store["SP"])

    assert fault(reception.answer)[1].startswith("Unable to process message! SOAPAction=null. ")


def test_soap_action_with_a_control_character_is_shown_without_it(pair):
    """
    What XML cannot hold does not spoil the Fault.
    """
    assert "SOAPAction=?x" in fault(http(pair, soapaction="\x01x").answer)[1]


@pytest.mark.parametrize(
    "body",
    [b"<soap:Env", b"", b'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>', b"<x/>"],
    ids=["broken", "empty", "hostile", "no-soap"],
)
def test_what_is_no_soap_gets_a_fault(pair, body):
    """
    Broken, hostile and foreign XML is answered with a SOAP Fault that says what is wrong.
    """
    reception = http(pair, body=body)

    assert (reception.outcome, reception.received) == (Outcome.REFUSED, None)
    assert fault(reception.answer)[0] == "Client"
    assert reception.note.startswith("The SOAP envelope cannot be processed: ")


def test_broken_mime_gets_a_fault(pair):
    """
    A multipart without its boundary is answered with a SOAP Fault.
    """
    reception = http(pair, content_type="multipart/related", body=b"x")

    assert fault(reception.answer)[1].startswith("The body cannot be read as SOAP with attachments: ")


def test_header_that_is_not_valid_names_its_message(pair):
    """
    Children in another order are refused; the Fault names the MessageId, so that a person finds the message.
    """

    def exchange_from_and_to(body):
        text = body.decode()
        sender, receiver = (re.search(f"<eb:{name}>.*?</eb:{name}>", text, re.DOTALL)[0] for name in ("From", "To"))
        return text.replace(sender, "\0").replace(receiver, sender).replace("\0", receiver).encode()

    reception = pair.send(message := pair.request(), spoil=exchange_from_and_to)

    assert fault(reception.answer)[1].startswith(f"The SOAP envelope cannot be processed (MessageId {message.message_id}): ")


def test_block_that_must_be_understood_has_its_own_fault(pair):
    """
    An unknown header block with mustUnderstand is a MustUnderstand Fault; without, it is ignored.
    """
    block = b'<x:y xmlns:x="urn:x" soap:mustUnderstand="%d"/></soap:Header>'

    must = pair.send(pair.request(), spoil=lambda body: body.replace(b"</soap:Header>", block % 1))
    may = pair.send(pair.request(), spoil=lambda body: body.replace(b"</soap:Header>", block % 0))

    assert fault(must.answer)[0] == "MustUnderstand"
    assert may.outcome is Outcome.ACCEPTED


def test_too_large_is_413(pair, monkeypatch):
    """
    A body above the limit is a failure of the transport.
    """

    def refuses(*_):
        raise MimeRefused(MimeFault.TOO_LARGE, "the body has 9 bytes, at most 8 are read")

    monkeypatch.setattr("conformance.transport.ebms2.receiving.read_message", refuses)

    assert http(pair).answer.status == 413


def test_unknown_cpa_is_told_in_a_fault(pair):
    """
    Without a CPA there is nobody to post to; the text begins as that of ebms-core.
    """
    reception = pair.send(pair.request(cpa_id="CPA_9"))

    assert (reception.outcome, reception.received.message.cpa_id) == (Outcome.REFUSED, "CPA_9")
    assert fault(reception.answer) == ("Client", "CPA CPA_9 not found! Compare eb:CPAId with the cpaid of the CPA that both sides loaded.")


def test_cpa_that_is_replaced_counts_from_then_on(pair, make_pair):
    """
    A CPA may be loaded again with other values, and may disappear.
    """
    before = pair.sp.agreement("CPA_1")
    assert pair.sp.agreement("CPA_1") is before

    pair.cpas["CPA_1"] = make_pair(retries=7).cpas["CPA_1"]
    assert pair.sp.agreement("CPA_1") is not before

    del pair.cpas["CPA_1"]
    with pytest.raises(AgreementError, match="CPA CPA_1 not found!"):
        pair.sp.agreement("CPA_1")


# -- who connects --------------------------------------------------------------------------------------------------------------------------------


def peer(now, oin, **changes):
    """Return a good certificate of an OIN, with changed fields."""
    day = timedelta(days=1)
    return replace(PeerCertificate(oin, "gateway.example", "Org", now - day, now + day, "RSA", 2048, is_signed_well=True, der=b""), **changes)


def test_certificate_of_the_sender_is_welcome(pair):
    """
    The OIN of the certificate is that of the other party of the CPA.
    """
    assert pair.send(pair.request(), peer=peer(pair.now, SR[-20:])).outcome is Outcome.ACCEPTED


def test_suffix_of_an_oin_does_not_count(make_pair):
    """
    Outside production a PartyId may have a suffix, which no certificate has.
    """
    pair = make_pair((SR[-20:], f"{SR[-20:]}_T"))
    pair.sr._own_parties = {f"{SR}_T"}

    message = pair.sr.new_message(pair.envelope(from_party=f"{SR}_T"))

    assert pair.send(message, peer=peer(pair.now, SR[-20:])).outcome is Outcome.ACCEPTED


def test_certificate_of_another_is_refused(pair):
    """
    Another OIN gets 403, and the text names both; nothing is kept, and a duplicate is not answered either.
    """
    message = pair.request()
    pair.store["SP"].answers[message.message_id] = StoredAnswer("CPA_1", STORED)

    reception = pair.send(message, peer=peer(pair.now, SP[-20:]))

    assert (reception.outcome, reception.answer.status, reception.signal_bytes) == (Outcome.REFUSED, 403, None)
    assert (
        reception.answer.body.decode().strip()
        == reception.note
        == (
            f"The TLS client certificate of gateway.example is refused: its OIN {SP[-20:]} does not belong to this connection."
            f" CPA CPA_1 expects OIN {SR[-20:]} in the serialNumber of its subject."
        )
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [({"bits": 1024}, "weak"), ({"oin": "", "common_name": ""}, "the client is refused"), ({"not_after": None}, "it expired on")],
)
def test_bad_certificate_is_refused(pair, changes, text):
    """
    Term, strength and OIN are looked at again, for a terminator in front may be milder.
    """
    if "not_after" in changes:
        changes = {"not_after": pair.now - timedelta(seconds=1)}

    reception = pair.send(pair.request(), peer=peer(pair.now, **({"oin": SR[-20:]} | changes)))

    assert (reception.answer.status, text in reception.note) == (403, True)


# -- duplicates ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "expected"), [("Acknowledgment", SR_URL), ("MessageError", "https://errors.example/")])
def test_duplicate_gets_the_stored_answer(pair, action, expected):
    """
    The same bytes go out again, to the channel of that signal, and nothing is checked: a late copy of an expired message too.
    """
    pair.cpas["CPA_1"] = _with_an_endpoint_for_errors(pair.cpas["CPA_1"])
    message = pair.request(time_to_live="2026-11-23T11:00:00Z")
    pair.store["SP"].answers[message.message_id] = StoredAnswer("CPA_1", STORED, action)

    reception = pair.send(message)

    assert (reception.outcome, reception.send_to, reception.signal_bytes, reception.signal) == (Outcome.DUPLICATE, expected, STORED, None)
    assert is_empty(reception.answer)


def _with_an_endpoint_for_errors(cpa):
    """Return the CPA with another endpoint for the errors that the Afnemer gets."""
    afnemer = cpa.parties[0]
    elsewhere = replace(afnemer.channels["SR_Channel_Messages"], endpoint="https://errors.example/")
    channels = {**afnemer.channels, "SR_Channel_Errors": elsewhere}
    return replace(cpa, parties=(replace(afnemer, channels=channels, overrides={"MessageError": "SR_Channel_Errors"}), cpa.parties[1]))


def test_duplicate_gets_the_stored_answer_at_once_when_the_cpa_says_so(sync_pair):
    """
    In a synchronous CPA the same bytes are the body.
    """
    message = sync_pair.request()
    sync_pair.store["SP"].answers[message.message_id] = StoredAnswer("CPA_1", STORED)

    reception = sync_pair.send(message)

    assert (reception.outcome, reception.send_to, reception.answer.body) == (Outcome.DUPLICATE, None, STORED.body)


def test_duplicate_of_a_message_that_is_being_handled(sync_pair):
    """
    While there is no answer yet, the answer is empty.
    """
    message = sync_pair.request()
    sync_pair.store["SP"].answers[message.message_id] = StoredAnswer("CPA_1", None)

    reception = sync_pair.send(message)

    assert (reception.outcome, reception.signal_bytes) == (Outcome.DUPLICATE, None)
    assert is_empty(reception.answer)


def test_same_message_id_under_another_cpa_is_refused(pair):
    """
    A MessageId belongs to one CPA: 500, empty, as ebms-core has it.
    """
    message = pair.request()
    pair.store["SP"].answers[message.message_id] = StoredAnswer("CPA_0", STORED)

    reception = pair.send(message)

    assert (reception.outcome, reception.answer.status, reception.answer.body) == (Outcome.REFUSED, 500, b"")
    assert reception.note == "its MessageId came before under CPA CPA_0"


# -- signals, Ping and StatusRequest -------------------------------------------------------------------------------------------------------------


def test_acknowledgment_that_counts_is_taken(pair):
    """
    The answer of the other side comes in: 204, and no note.
    """
    signal = pair.send(message := pair.request()).signal
    pair.store["SR"].sent[message.message_id] = "CPA_1"

    reception = pair.send(signal, to="SR")

    assert (reception.outcome, reception.note, reception.signal_bytes) == (Outcome.SIGNAL, "", None)
    assert is_empty(reception.answer)


def test_acknowledgment_that_came_before_is_taken_and_does_not_count(pair):
    """
    A second copy is answered with 2xx too.
    """
    signal = pair.send(message := pair.request()).signal
    pair.store["SR"].sent[message.message_id] = "CPA_1"
    pair.store["SR"].answers[signal.message_id] = StoredAnswer("CPA_1", None)

    reception = pair.send(signal, to="SR")

    assert (reception.outcome, reception.note) == (Outcome.SIGNAL, "its MessageId came before")
    assert is_empty(reception.answer)


def test_signal_about_nothing_is_never_answered_with_a_message(pair):
    """
    An Acknowledgment and a MessageError about an unknown message get 204, and a note.
    """
    for message in (pair.request(), pair.request(version="1.0")):
        reception = pair.send(pair.send(message).signal, to="SR")

        assert (reception.outcome, reception.signal, reception.send_to) == (Outcome.SIGNAL, None, None)
        assert is_empty(reception.answer)
        assert reception.note == f"its RefToMessageId {message.message_id} names no message that was sent"


def test_ping_gets_a_pong(pair):
    """
    A Ping is answered in a POST of its own.
    """
    reception = pair.send(ping := pair.sr.new_ping("CPA_1"))

    assert (reception.outcome, reception.send_to, reception.signal.action) == (Outcome.ANSWERED, SR_URL, "Pong")
    assert (reception.signal.ref_to_message_id, reception.signal.conversation_id) == (ping.message_id, ping.conversation_id)
    assert (reception.signal.sender, reception.signal.receiver) == (ping.receiver, ping.sender)
    assert is_empty(reception.answer)


def test_ping_gets_a_pong_at_once_when_the_cpa_says_so(sync_pair):
    """
    The default channel of who asks decides.
    """
    assert carried(sync_pair.send(sync_pair.sr.new_ping("CPA_1")).answer).action == "Pong"


def test_ping_that_is_wrong_gets_a_fault(pair):
    """
    Who pings is waiting, so the error comes on the same connection.
    """
    reception = pair.send(replace(pair.sr.new_ping("CPA_1"), version="1.0"))

    assert (reception.outcome, reception.error.code) == (Outcome.REFUSED, "Inconsistent")
    assert fault(reception.answer) == ("Client", "Inconsistent at //Header/MessageHeader/@version: Invalid value.")


@pytest.mark.parametrize(
    ("known", "status", "has_moment"),
    [
        (None, "NotRecognized", False),
        (MessageStatus.RECEIVED, "Received", True),
        (MessageStatus.PROCESSED, "Processed", True),
    ],
)
def test_status_request_is_answered(pair, known, status, has_moment):
    """
    The status is what the store says, with the moment of receipt when the message is known.
    """
    if known:
        pair.store["SP"].statuses["some@where"] = KnownStatus(known, pair.now, "CPA_1")

    reception = pair.send(pair.sr.new_status_request("CPA_1", "some@where"))

    response = reception.signal.status_response
    assert (reception.outcome, reception.signal.action, reception.send_to) == (Outcome.ANSWERED, "StatusResponse", SR_URL)
    assert (response.status, response.ref_to_message_id) == (status, "some@where")
    assert response.timestamp == ("2026-11-23T12:00:00.000Z" if has_moment else None)


def test_status_of_another_cpa_is_not_told(pair):
    """
    Who asks about a message of another CPA may not know.
    """
    pair.store["SP"].statuses["some@where"] = KnownStatus(MessageStatus.PROCESSED, pair.now, "CPA_0")

    response = pair.send(pair.sr.new_status_request("CPA_1", "some@where")).signal.status_response

    assert (response.status, response.timestamp) == ("UnAuthorized", None)


def test_status_request_may_be_not_supported(make_pair):
    """
    As users see of Logius: a MessageError in the answer, though the CPA is asynchronous.
    """
    pair = make_pair(accepts_status_requests=False)

    reception = pair.send(pair.sr.new_status_request("CPA_1", "some@where"))

    assert (reception.outcome, reception.send_to) == (Outcome.ANSWERED, None)
    assert carried(reception.answer).error_list.errors == (EbmsError("NotSupported", "//Body/StatusRequest", "StatusRequest not supported."),)
    assert reception.error.code == "NotSupported"


# -- the answer on the same connection -----------------------------------------------------------------------------------------------------------


def test_signal_in_an_answer_is_read(sync_pair):
    """
    The body of a 200 is the Acknowledgment of what was sent.
    """
    answer = sync_pair.send(message := sync_pair.request()).answer
    sync_pair.store["SR"].sent[message.message_id] = "CPA_1"

    reception = sync_pair.sr.read_answer(answer, sync_pair.store["SR"])

    assert (reception.outcome, reception.note, reception.received.message.action) == (Outcome.SIGNAL, "", "Acknowledgment")


def test_answer_without_a_signal_is_no_signal(pair):
    """
    HTML, a business message and another CPA are not taken for one.
    """
    store = pair.store["SR"]
    html = pair.sr.read_answer(HttpAnswer(200, {"content-type": "text/html"}, b"<html/>"), store)
    business = pair.sr.read_answer(pair.answer(pair.sp.new_message(pair.result())), store)
    foreign = pair.sr.read_answer(pair.answer(replace(pair.send(pair.request()).signal, cpa_id="CPA_9")), store)
    mime = pair.sr.read_answer(HttpAnswer(200, {}, b""), store)

    assert {one.outcome for one in (html, business, foreign, mime)} == {Outcome.REFUSED}
    assert html.note.startswith("the body of the answer is no signal: ")
    assert "message of another kind" in business.note
    assert "CPA CPA_9 not found!" in foreign.note
    assert mime.note.startswith("the body of the answer is no signal: ")


# -- own messages --------------------------------------------------------------------------------------------------------------------------------


def test_new_message_has_all_that_the_cpa_asks(pair):
    """
    What the envelope leaves out comes from the CPA and the clock: an osb-rm message that the other side accepts.
    """
    message = pair.sr.new_message(pair.envelope(ref_to_message_id="ref@x"))

    assert message.sender == Side((PartyId("urn:osb:oin", SR[-20:]),), "SR")
    assert message.receiver == Side((PartyId("urn:osb:oin", SP[-20:]),), "SP")
    assert (message.service.kind, message.service.value) == ("urn:osb:services", "MIJNOVERHEID.ebMS.BB.2.0")
    assert (message.message_id, message.conversation_id, message.ref_to_message_id) == ("m-1@sr.example", "m-1", "ref@x")
    assert (message.timestamp, message.time_to_live) == ("2026-11-23T12:00:00.000Z", "2026-11-23T18:00:00.000Z")
    assert (message.duplicate_elimination, message.ack_requested, message.sync_reply) == (True, AckRequested(), None)
    assert message.references == tuple(f"cid:{part.content_id}" for part in message.payloads)


def test_new_message_takes_what_the_envelope_says(pair):
    """
    Ids, party and role that are given are kept; a Content-ID loses its brackets, and one that would need encoding is replaced.
    """
    parts = (Part(b"1", content_id="<a@b>"), Part(b"2", content_id="a b"), Part(b"3", content_id="x%20y"))
    said = {"message_id": "m@x", "conversation_id": "c", "to_party": SP, "to_role": "SP", "parts": parts}

    message = pair.sr.new_message(pair.envelope(**said))

    assert (message.message_id, message.conversation_id) == ("m@x", "c")
    assert message.payloads[0].content_id == "a@b"
    assert all(re.fullmatch(r"[^%\s<>]+", part.content_id) for part in message.payloads)
    assert pair.send(message).outcome is Outcome.ACCEPTED


def test_new_message_of_best_effort_asks_nothing(make_pair):
    """
    With never there is no TimeToLive, no AckRequested and no DuplicateElimination; without parts there is no Manifest.
    """
    pair = make_pair(*((f'{name}="always"', f'{name}="never"') for name in ("ackRequested", "duplicateElimination")))

    message = pair.sr.new_message(pair.envelope(parts=()))

    assert (message.time_to_live, message.ack_requested, message.duplicate_elimination, message.references) == (None, None, False, None)


def test_new_message_may_have_to_ask_for_a_signature(make_pair):
    """
    What the CPA wants is written, though nobody here can sign.
    """
    pair = make_pair(('ackSignatureRequested="never"', 'ackSignatureRequested="always"'))

    assert pair.request().ack_requested == AckRequested("true")


def test_new_message_of_a_synchronous_cpa_has_sync_reply(sync_pair):
    """
    SyncReply is there exactly when the CPA says so.
    """
    assert sync_pair.request().sync_reply == SyncReply()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"cpa_id": "CPA_9"}, "CPA CPA_9 not found!"),
        ({"action": "GLOBE-R-BV-Result"}, "does not let Afnemer .test. send GLOBE-R-BV-Result"),
        ({"from_role": "SP"}, "as SP to the other party"),
        ({"to_role": "SR"}, "to SR"),
        ({"from_party": SP}, f"{SP} is no PartyId of Afnemer"),
        ({"to_party": SR}, f"{SR} is no PartyId of Logius"),
    ],
)
def test_message_that_is_not_agreed_is_not_made(pair, changes, text):
    """
    The text says what the CPA does not have.
    """
    with pytest.raises(AgreementError, match=text):
        pair.sr.new_message(pair.envelope(**changes))


def test_delivery_of_a_reliable_message(pair):
    """
    Its schedule is that of the CPA, and begins at the clock of the caller, which is another than that of the message.
    """
    message = pair.request()
    now = pair.now + timedelta(days=100)

    delivery = pair.sr.delivery_of(message, write_message(message), now)

    assert (delivery.url, delivery.retries, delivery.interval) == (SP_URL, 3, timedelta(minutes=90))
    assert (delivery.next_at, delivery.give_up_at) == (now, now + timedelta(hours=6))
    assert (delivery.is_reliable, delivery.is_sync, delivery.content_type[:17]) == (True, False, "multipart/related")


def test_delivery_lasts_as_long_as_time_to_live_says(pair):
    """
    A message with a TimeToLive of its own is given up then; one without lasts as the CPA says.
    """
    short, without = pair.request(time_to_live="2026-11-23T12:10:00Z"), pair.request(time_to_live=None)

    ends = [pair.sr.delivery_of(one, write_message(one), pair.now).give_up_at for one in (short, without)]

    assert ends == [pair.now + timedelta(minutes=10), pair.now + timedelta(hours=6)]


def test_delivery_of_a_signal_is_best_effort(pair):
    """
    A signal goes once, or as often as the caller wants, and never has an answer to wait for.
    """
    signal = pair.send(pair.request()).signal

    delivery = pair.sp.delivery_of(signal, write_message(signal), pair.now, repeats=2)

    assert (delivery.url, delivery.retries, delivery.interval) == (SR_URL, 2, timedelta(minutes=90))
    assert (delivery.is_reliable, delivery.is_sync, delivery.give_up_at) == (False, False, None)


def test_delivery_of_a_ping_knows_whether_the_pong_comes_at_once(sync_pair):
    """
    A Ping is best effort too, and its answer comes as the CPA says.
    """
    ping = sync_pair.sr.new_ping("CPA_1")

    assert sync_pair.sr.delivery_of(ping, write_message(ping), sync_pair.now).is_sync


def test_delivery_of_a_message_that_asks_nothing_is_best_effort(make_pair):
    """
    Without AckRequested nothing is repeated.
    """
    pair = make_pair(('ackRequested="always"', 'ackRequested="never"'))
    message = pair.request()

    delivery = pair.sr.delivery_of(message, write_message(message), pair.now)

    assert (delivery.retries, delivery.is_reliable, delivery.give_up_at) == (0, False, None)
