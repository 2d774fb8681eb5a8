"""One batch as one request: over the adapter and over ebMS2, each as the other side reads it, and what accepts it."""

from datetime import UTC, datetime, timedelta

import pytest

from conformance.load.leveringen import Batches, Ids
from conformance.load.sending import AdapterWire, EbmsWire, Joined, wire_of
from conformance.messages.batch import read_batch
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS
from conformance.messages.guard import Limits, parse
from conformance.transport.adapter import read_message_request
from conformance.transport.cpa import Terms, new_cpa
from conformance.transport.ebms2.reading import read_message

CONNECTION = {
    "oin": "00000099000000001000",
    "logius_oin": "00000099000000002000",
    "cpa_id": "MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000",
    "bericht_type": "BELAST",
}
IDS = Ids("0123456789ab")
LIMITS = Limits(size=10_000_000)


@pytest.fixture
def batches():
    return Batches(CONNECTION, IDS, 2, ["999990007"], (0, 3_000))


@pytest.fixture
def connection(tmp_path):
    now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    oins = {ROLE_AFNEMER: CONNECTION["oin"], ROLE_LOGIUS: CONNECTION["logius_oin"]}
    endpoints = dict.fromkeys(oins, "http://127.0.0.1:9/ebms")
    terms = Terms(CONNECTION["cpa_id"], oins, endpoints, now, now + timedelta(days=9), 3, timedelta(hours=1), timedelta(days=1), {}, "mshSignalsOnly")
    (tmp_path / "cpa.xml").write_bytes(new_cpa(terms))
    return CONNECTION | {"cpa": str(tmp_path / "cpa.xml")}


def test_adapter_reads_the_batch(batches):
    """
    The body is a MessageRequest with one batch in it, and each number is another batch.
    """
    wire = wire_of(CONNECTION, batches, "adapter")

    read = [read_batch(parse(read_message_request(b"" + wire.posting(number).body).parts[0].content, LIMITS)) for number in (0, 1)]

    assert [IDS.batch_number_of(batch.batch_id) for batch in read] == [0, 1]
    assert [len(batch.berichten) for batch in read] == [2, 2]
    assert isinstance(wire, AdapterWire)


def test_ebms_face_reads_the_batch(connection, batches):
    """
    The body is an ebMS2 message under the CPA with the batch as its payload, and a MessageId of its own.
    """
    wire = wire_of(connection, batches, "ebms")
    postings = [wire.posting(number) for number in (0, 1)]

    messages = [read_message(posting.headers["content-type"], b"" + posting.body).message for posting in postings]

    assert [IDS.batch_number_of(read_batch(parse(message.payloads[0].content, LIMITS)).batch_id) for message in messages] == [0, 1]
    assert len({message.message_id for message in messages}) == 2
    assert {message.cpa_id for message in messages} == {CONNECTION["cpa_id"]}
    assert isinstance(wire, EbmsWire)


@pytest.mark.parametrize(("status", "content", "objection"), [(200, b"id", ""), (500, b"No CPA", "status 500: No CPA"), (204, b"", "status 204: ")])
def test_adapter_accepts_with_200(batches, status, content, objection):
    """
    Anything but a 200 is no acceptance.
    """
    assert wire_of(CONNECTION, batches, "adapter").objection(status, content) == objection


@pytest.mark.parametrize(
    ("status", "content", "objection"),
    [
        (200, b"<eb:Acknowledgment/>", ""),
        (200, b"<eb:ErrorList/>", "status 200 with an ErrorList"),
        (204, b"", "status 204"),
        (200, b"", "no Acknowledgment in the HTTP answer: the CPA must ask for it there"),
    ],
)
def test_ebms_face_accepts_with_an_acknowledgment(connection, batches, status, content, objection):
    """
    Only an Acknowledgment says that a message is kept.
    """
    assert wire_of(connection, batches, "ebms").objection(status, content) == objection


def test_body_in_pieces_is_joined_behind_the_head_of_a_request():
    """
    It has the length of all its pieces, is joined with what stands before it, as often as it is sent, and is a yes where somebody asks for one.
    """
    body = Joined(iter([b"ab", b"", b"c"]))

    assert (len(body), bool(body), isinstance(body, bytes)) == (3, True, True)
    assert [b"head " + body for _ in range(2)] == [b"head abc"] * 2
    assert not Joined([])
