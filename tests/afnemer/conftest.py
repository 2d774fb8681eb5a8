"""A line between the Afnemer's own gateway and Logius, played by a message service handler of the same kind over real sockets."""

import secrets
import socket
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from conformance.afnemer.reference.ebms_gateway import EbmsGateway, EbmsSettings
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, Action, Part
from conformance.transport.cpa import Terms, new_cpa, read_cpa
from conformance.transport.ebms2.http import HttpAnswer
from conformance.transport.ebms2.model import EbmsError
from conformance.transport.ebms2.names import SOAP_ACTION, ErrorCode
from conformance.transport.ebms2.signals import error_of
from conformance.transport.ebms2.writing import write_message

OINS = {ROLE_AFNEMER: "00000099000000001000", ROLE_LOGIUS: "00000099000000002000"}
CPA_ID = "CPA-1"
INTERVAL_S, RETRIES = 600, 2


def free_port():
    """Return a port that nobody listens on, below those that the system gives to whoever asks for any."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def now():
    """Return the wall clock."""
    return datetime.now(UTC)


def write_cpa(urls, *, is_sync):
    """Return a CPA between both sides."""
    terms = Terms(
        cpa_id=CPA_ID,
        oins=OINS,
        endpoints=urls,
        start=now() - timedelta(days=1),
        end=now() + timedelta(days=1),
        retries=RETRIES,
        retry_interval=timedelta(seconds=INTERVAL_S),
        persist=timedelta(days=1),
    )
    data = new_cpa(terms)
    return data.replace(b'syncReplyMode="none"', b'syncReplyMode="mshSignalsOnly"') if is_sync else data


def answering(envelope, *parts):
    """Return a message of Logius to the sender of another one, with these parts."""
    sides = {"from_party": envelope.to_party, "from_role": ROLE_LOGIUS, "to_party": envelope.from_party, "to_role": ROLE_AFNEMER}
    return replace(envelope, action=Action.BV_RESULT, message_id=None, parts=parts, **sides)


class Logius(EbmsGateway):
    """The other side: ``instead`` holds what it does with the next requests, instead of doing it right."""

    certificate = "server"

    def __init__(self, settings, file, clock):
        self.requests, self.instead = [], []
        super().__init__(settings, file, clock)

    def answer_to(self, request):
        self.requests.append(request)
        return self.instead.pop(0)(request) if self.instead else super().answer_to(request)

    def answer_next(self, *statuses, body=b""):
        """Answer the next requests with these statuses, and forget them."""
        self.instead += [lambda _request, status=status: HttpAnswer(status, {}, body) for status in statuses]

    def reject(self, request):
        """Take a message, and say in a MessageError that it is refused."""
        message = self.handler.read(request).message
        signal = error_of(message, EbmsError(ErrorCode.SECURITY_FAILURE), self.new_message_id(), now())
        outgoing = self.outgoing_of(signal)
        self.store.add_outgoing(self.handler.delivery_of(signal, outgoing, self.ticks()), outgoing, signal.action, is_signal=True)
        return HttpAnswer(204)

    @property
    def bodies(self):
        """What was posted to it, oldest first."""
        return [request.body for request in self.requests]


class Line:
    """Both sides, each of which can be opened again with what it kept."""

    answering = staticmethod(answering)
    cpa_id, oins, interval_s, retries = CPA_ID, OINS, INTERVAL_S, RETRIES

    def __init__(self, directory, *, is_sync=False, certificates=None):
        scheme = "http" if certificates is None else "https"
        self.directory, self.certificates = directory, certificates
        self.urls = {role: f"{scheme}://127.0.0.1:{free_port()}/ebms" for role in OINS}
        self.cpa_file = directory / "cpa.xml"
        self.cpa_file.write_bytes(write_cpa(self.urls, is_sync=is_sync))
        self.cpa = read_cpa(self.cpa_file.read_bytes())
        self._open = ExitStack()
        self.afnemer = self.open(EbmsGateway, ROLE_AFNEMER)
        self.logius = self.open(Logius, ROLE_LOGIUS)

    def settings(self, role):
        return EbmsSettings(self.cpa, f"urn:osb:oin:{OINS[role]}", self.urls[role], self.certificates)

    def open(self, kind, role):
        return self._open.enter_context(kind(self.settings(role), self.directory / f"{role}.db", now))

    def restart_afnemer(self, kind=EbmsGateway):
        """Close the gateway of the Afnemer without another word, and open it with what it kept."""
        self.afnemer.close()
        self.afnemer = self.open(kind, ROLE_AFNEMER)

    def restart_logius(self):
        """Open Logius again."""
        self.logius.close()
        self.logius = self.open(Logius, ROLE_LOGIUS)

    def close(self):
        self._open.close()

    def settle(self):
        """Let both sides work until neither has anything due."""
        while any([self.afnemer.pump(), self.logius.pump()]):
            pass

    def delivery(self, message_id):
        """Return how far a message of the Afnemer is."""
        return self.afnemer.store.delivery(message_id)

    def post(self, body, headers=None):
        """Post a request to the Afnemer as Logius would."""
        default = {"content-type": "text/xml", "soapaction": SOAP_ACTION}
        return httpx.post(self.urls[ROLE_AFNEMER], content=body, headers=headers or default, trust_env=False)

    def post_result(self, envelope, **changes):
        """Post a message of Logius under the MessageId r-1@logius.example, however often."""
        message = self.logius.handler.new_message(replace(envelope, message_id="r-1@logius.example"))
        outgoing = write_message(replace(message, **changes))
        return self.post(outgoing.body, {"content-type": outgoing.content_type, "soapaction": SOAP_ACTION})


@pytest.fixture
def make_line(tmp_path):
    """Open a line, asynchronous and over plain http unless it is told otherwise."""
    with ExitStack() as opened:
        yield lambda **how: opened.enter_context(closing(Line(tmp_path, **how)))


@pytest.fixture
def line(make_line):
    """An asynchronous line over plain http."""
    return make_line()


@pytest.fixture
def sync_line(make_line):
    """A line on which signals come in the HTTP answer."""
    return make_line(is_sync=True)


@pytest.fixture
def request_message(envelope):
    """A batch, as the application hands it over."""
    return replace(envelope, cpa_id=CPA_ID, to_party=f"urn:osb:oin:{OINS[ROLE_LOGIUS]}", message_id=None, conversation_id=None)


@pytest.fixture
def result_message(request_message):
    """A message the other way, with two parts."""
    parts = (Part(b"<first/>\r\n\x00", "text/xml", "a.xml"), Part(b"\x1f\x8b", "application/gzip"))
    return answering(request_message, *parts)
