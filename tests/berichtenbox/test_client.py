"""The published client of another project, ``ebms_adapter_client``, unchanged against the adapter face."""

import uuid

import pytest
from ebms_adapter_client import (
    CertificateMapping,
    EbmsAdapterClient,
    EbmsAdapterClientConfig,
    EbmsBadRequestError,
    EbmsConnectionError,
    EbMSMessageStatus,
    EbmsNotFoundError,
    EbmsServerError,
    MessageEventType,
    MessageFilter,
    URLMapping,
)
from ebms_adapter_client.berichtenbox import (
    BerichtenboxContractConfig,
    build_berichten_xml,
    build_message_request,
    parse_berichten_verwerk_response,
)

OIN = "00000099000000001000"
CPA = f"MIJNOVERHEID-EBMS-BB-2-0_{OIN}"
AFNEMER, LOGIUS = f"urn:osb:oin:{OIN}", "urn:osb:oin:00000099000000002000"


@pytest.fixture
def client(urls):
    """The client, pointed at the running Berichtenbox."""
    with EbmsAdapterClient(EbmsAdapterClientConfig(base_url=urls.url)) as made:
        yield made


def request_for(bericht_id, cpa_id=CPA):
    """Return the request that the client's own builders make."""
    content = build_berichten_xml(
        batch_id=bericht_id, bericht_id=bericht_id, bsn="999990019", message="Regel 1\nRegel 2 & meer", deliverer_id=OIN, message_type="BELAST"
    )
    return build_message_request(
        contract=BerichtenboxContractConfig(cpa_id=cpa_id), from_party_id=AFNEMER, to_party_id=LOGIUS, bericht_id=bericht_id, xml_content=content
    )


@pytest.fixture
def bericht_id():
    """A BerichtID."""
    return str(uuid.uuid4())


def test_it_sends_polls_parses_and_processes(client, live, bericht_id):
    """
    The loop of a real Afnemer: send, poll without a filter, get, parse, mark; then nothing waits.
    """
    sent = client.send_message(request_for(bericht_id))
    live.settle()
    (waiting,) = client.list_unprocessed_message_ids()
    message = client.get_message(waiting)
    parsed = parse_berichten_verwerk_response(message.data_sources[0].content)
    client.process_message(waiting)

    assert (message.properties.ref_to_message_id, message.properties.message_status) == (sent, EbMSMessageStatus.RECEIVED)
    assert (message.properties.from_party.party_id, message.properties.to_party.party_id) == (LOGIUS, AFNEMER)
    assert message.properties.timestamp.tzinfo is not None
    assert [(item.message_id, item.process_code, item.stadium) for item in parsed.messages] == [(bericht_id, "Verwerkt", "NA")]
    assert parsed.batch_success
    assert client.list_unprocessed_message_ids() == []


def test_it_reads_back_what_it_sent(client, bericht_id):
    """
    Name and Content-ID of its part come back.
    """
    message = client.get_message(client.send_message(request_for(bericht_id)))

    (source,) = message.data_sources
    assert (source.name, source.content_id, source.content_type) == (f"bericht-{bericht_id}.xml", bericht_id, "text/xml")


def test_it_filters_and_cuts_the_queue(client, live):
    """
    Its filter and max_nr work.
    """
    sent = [client.send_message(request_for(str(uuid.uuid4()))) for _ in range(3)]
    live.settle()

    assert len(client.list_unprocessed_message_ids(MessageFilter(cpa_id=CPA, action="GLOBE-R-BV-Result"), max_nr=2)) == 2
    assert len(client.list_unprocessed_message_ids(MessageFilter(ref_to_message_id=sent[1]))) == 1
    assert client.list_unprocessed_message_ids(MessageFilter(cpa_id="X")) == []


def test_it_resends(client, live, bericht_id):
    """
    A new id comes back.
    """
    sent = client.send_message(request_for(bericht_id))

    assert client.resend_message(sent) not in ("", sent)
    live.settle()
    assert len(client.list_unprocessed_message_ids()) == 2


def test_it_marks_while_it_reads(client, live, bericht_id):
    """
    With process the message is PROCESSED in the answer, and waits no more.
    """
    client.send_message(request_for(bericht_id))
    live.settle()
    (waiting,) = client.list_unprocessed_message_ids()

    assert client.get_message(waiting, process=True).properties.message_status is EbMSMessageStatus.PROCESSED
    assert client.list_unprocessed_message_ids() == []


def test_it_pings(client):
    """
    The right parties answer, others do not.
    """
    client.ping(CPA, AFNEMER, LOGIUS)

    with pytest.raises(EbmsServerError, match="No toParty found"):
        client.ping(CPA, AFNEMER, "urn:osb:oin:1")


def test_it_reads_events(client, live, bericht_id):
    """
    By type, and away once marked.
    """
    sent = client.send_message(request_for(bericht_id))
    live.settle()
    (event,) = client.list_unprocessed_message_events(event_types=[MessageEventType.DELIVERED, MessageEventType.FAILED])
    client.process_message_event(sent)

    assert (event.message_id, event.type) == (sent, MessageEventType.DELIVERED)
    assert [item.type for item in client.list_unprocessed_message_events(MessageFilter(cpa_id=CPA))] == [MessageEventType.RECEIVED]


def test_its_status_call_fails_as_it_does_live(client, bericht_id):
    """
    No valid response, ever.
    """
    sent = client.send_message(request_for(bericht_id))

    with pytest.raises(EbmsServerError, match="No valid response received!"):
        client.get_message_status(sent)


def test_it_tells_the_errors_apart(client, live, bericht_id):
    """
    404, 400, 500, and no answer at all, are the client's four errors.
    """
    with pytest.raises(EbmsNotFoundError, match="404"):
        client.get_message("nothing@x")
    with pytest.raises(EbmsServerError, match=r"No CPA found for message\.cpaId=X"):
        client.send_message(request_for(bericht_id, "X"))
    with pytest.raises(EbmsBadRequestError, match="SAXParseException"):
        client.validate_cpa("<a")
    live.fault("reset-after-work")
    with pytest.raises(EbmsConnectionError, match="Could not reach ebms-core"):
        client.send_message(request_for(bericht_id))


def test_it_manages_cpas(client):
    """
    Listed, shown, deleted, validated and inserted again.
    """
    listed, text = client.list_cpa_ids(), client.get_cpa(CPA)
    client.delete_cpa(CPA)
    gone = client.list_cpa_ids()
    client.validate_cpa(text)
    inserted = client.insert_cpa(text)
    client.clear_cpa_cache()

    assert (listed, gone, inserted) == ([CPA], [], CPA)
    assert client.insert_cpa(text, overwrite=True) == CPA


def test_it_manages_url_mappings_with_a_raw_source(client):
    """
    It sends the source of a deletion raw; that is taken.
    """
    mapping = URLMapping("https://logius.example:8443/ebms", "http://127.0.0.1:1/ebms")
    client.create_url_mapping(mapping)
    listed = client.list_url_mappings()
    client.delete_url_mapping(mapping.source)
    client.clear_url_mapping_cache()

    assert (listed, client.list_url_mappings()) == ([mapping], [])


def test_it_manages_certificate_mappings(client):
    """
    Created, listed and deleted, the DELETE with its body.
    """
    mapping = CertificateMapping("MAMCAQE=", "MAMCAQI=", CPA)
    client.create_certificate_mapping(mapping)
    listed = client.list_certificate_mappings()
    client.delete_certificate_mapping(CPA, mapping.source)
    client.clear_certificate_mapping_cache()

    assert (listed, client.list_certificate_mappings()) == ([mapping], [])
