"""Two message service handlers under one CPA, with a clock that stands still and a store that says what a test puts in it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from conformance.messages.envelope import SERVICE, Envelope, Part
from conformance.transport import pki
from conformance.transport.cpa import Terms, new_cpa, read_cpa
from conformance.transport.ebms2.http import HttpAnswer, HttpRequest
from conformance.transport.ebms2.knowledge import KnownStatus
from conformance.transport.ebms2.names import SOAP_ACTION, MessageStatus
from conformance.transport.ebms2.receiving import MessageHandler
from conformance.transport.ebms2.writing import write_message

OINS = {"SR": "00000099000000001000", "SP": "00000099000000002000"}
PARTIES = {role: f"urn:osb:oin:{oin}" for role, oin in OINS.items()}
URLS = {"SR": "https://afnemer.example/ebms", "SP": "https://logius.example/ebms"}
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class Store:
    """What a side remembers, by MessageId."""

    answers: dict = field(default_factory=dict)
    sent: dict = field(default_factory=dict)
    statuses: dict = field(default_factory=dict)

    def answer_of(self, message_id):
        return self.answers.get(message_id)

    def sent_under(self, message_id):
        return self.sent.get(message_id)

    def status_of(self, message_id):
        return self.statuses.get(message_id, KnownStatus(MessageStatus.NOT_RECOGNIZED))


class Pair:
    """The Afnemer (``sr``) and Logius (``sp``), each with a store, under one CPA in which a test may replace texts."""

    def __init__(self, *changes, retries=3, certificates=None, **options):
        self.now = NOW
        terms = Terms(
            "CPA_1",
            OINS,
            URLS,
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2027, 1, 1, tzinfo=UTC),
            retries,
            timedelta(minutes=90),
            timedelta(days=1),
            certificates or {},
        )
        data = new_cpa(terms).decode()
        for old, new in changes:
            assert old in data, old
            data = data.replace(old, new)
        self.cpas = {"CPA_1": read_cpa(data.encode())}
        self.ids = count(1)
        self.store = {role: Store() for role in OINS}
        self.sr, self.sp = (self._handler(role, options) for role in OINS)

    def _handler(self, role, options):
        def new_message_id():
            return f"m-{next(self.ids)}@{role.lower()}.example"

        return MessageHandler(frozenset({PARTIES[role]}), self.cpas.get, now=lambda: self.now, new_message_id=new_message_id, **options)

    def request(self, **changes):
        """Return a valid request of the Afnemer, with changed fields."""
        return replace(self.sr.new_message(self.envelope()), **changes)

    def envelope(self, **changes):
        """Return what the Afnemer wants to send."""
        said = {"cpa_id": "CPA_1", "from_party": PARTIES["SR"], "from_role": "SR", "service": SERVICE, "action": "GLOBE-R-BV-Request"}
        return Envelope(**({**said, "parts": (Part(b"<x/>", "application/xml"),)} | changes))

    def result(self, **changes):
        """Return what Logius wants to send."""
        return self.envelope(**({"from_party": PARTIES["SP"], "from_role": "SP", "action": "GLOBE-R-BV-Result"} | changes))

    def send(self, message, *, to="SP", peer=None, spoil=lambda body: body):
        """Return how a side receives a message; ``spoil`` may change its body on the way."""
        outgoing = write_message(message)
        headers = {"soapaction": SOAP_ACTION, "content-type": outgoing.content_type}
        handler = self.sp if to == "SP" else self.sr
        return handler.receive(HttpRequest("POST", "/ebms", headers, spoil(outgoing.body), peer), self.store[to])

    def answer(self, message):
        """Return an HTTP answer that carries a message."""
        outgoing = write_message(message)
        return HttpAnswer(200, {"content-type": outgoing.content_type}, outgoing.body)


@pytest.fixture
def make_pair():
    """Make a pair under a CPA with changes."""
    return Pair


@pytest.fixture
def pair():
    """A pair under an osb-rm CPA, asynchronous."""
    return Pair()


@pytest.fixture
def sync_pair():
    """A pair under a CPA with mshSignalsOnly on all channels."""
    return Pair(('syncReplyMode="none"', 'syncReplyMode="mshSignalsOnly"'))


@pytest.fixture(scope="session")
def box(tmp_path_factory):
    """One directory of certificates for all tests here: making keys takes long."""
    directory = tmp_path_factory.mktemp("ebms2") / "pki"
    pki.write(directory, pki.make(pki.Plan(OINS["SR"], datetime.now(UTC), (), 30)))
    return pki.load(directory)
