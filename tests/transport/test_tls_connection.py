"""One TLS connection between a loop and a protocol, on both loops, with a client that is fed by hand."""

import asyncio
import contextlib
import socket
import ssl
import struct

import pytest
import uvloop

from conformance.transport import pki, tls
from conformance.transport.tls_connection import TlsConnection, TlsTransport


class Echo(asyncio.Protocol):
    """Says back what it hears, and remembers what happened."""

    def __init__(self):
        self.heard, self.happened, self.done = bytearray(), [], asyncio.get_running_loop().create_future()
        self.answers = True

    def connection_made(self, transport):
        self.transport = transport
        self.happened.append("made")

    def data_received(self, data):
        self.heard += data
        if self.answers:
            self.transport.write(data)

    def eof_received(self):
        self.happened.append("eof")

    def pause_writing(self):
        self.happened.append("pause")

    def resume_writing(self):
        self.happened.append("resume")

    def connection_lost(self, exc):
        self.happened.append("lost")
        self.done.set_result(exc)


class Stage:
    """A server on loopback whose protocols and failures can be seen."""

    def __init__(self, certificates, **options):
        self.certificates, self.options = certificates, options
        self.failures, self.among, self.inner, self.connections = [], set(), [], []
        self.told = asyncio.Event()

    async def on_failure(self, failure):
        self.failures.append(failure.defect)
        self.told.set()

    def make(self):
        self.inner.append(Echo())
        context = tls.server_context(self.certificates.files_of("server"))
        self.connections.append(TlsConnection(self.inner[-1], context, self.on_failure, among=self.among, **self.options))
        return self.connections[-1]

    async def __aenter__(self):
        self.server = await asyncio.get_running_loop().create_server(self.make, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc):
        self.server.close()
        for inner in self.inner:
            if inner.happened:
                inner.transport.abort()
                await inner.done
        await self.server.wait_closed()

    async def connect(self, name="client"):
        context = tls.client_context(self.certificates.files_of(name))
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname="localhost")


@pytest.fixture(scope="module")
def certificates(pki_directory):
    """The test hierarchy."""
    return pki.load(pki_directory)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request, certificates):
    """Run an act on a stage, on each loop."""

    def call(act, **options):
        async def whole():
            async with asyncio.timeout(20), Stage(certificates, **options) as stage:
                return await act(stage)

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(whole())

    return call


async def until(holds):
    """Let the loop go round until something holds; the stage has its own limit of time."""
    while not holds():  # noqa: ASYNC110  # what is waited for has no event
        await asyncio.sleep(0)


async def closed(writer):
    """Close the side of the client."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
def test_bytes_come_back_whole(run, size):
    """
    What is said is heard, and what is answered arrives, in more records than one.
    """

    async def act(stage):
        reader, writer = await stage.connect()
        sent = bytes(range(256)) * (size // 256 + 1)
        writer.write(sent)
        answer = await reader.readexactly(len(sent))
        await closed(writer)
        await stage.inner[0].done
        return answer == sent, stage.inner[0].happened[0], stage.failures, stage.among

    assert run(act) == (True, "made", [], set())


def test_transport_tells_what_it_is(run):
    """
    The TLS of the connection can be seen, and what the plain connection knows.
    """

    async def act(stage):
        reader, writer = await stage.connect()
        writer.write(b"x")
        await reader.readexactly(1)
        transport = stage.inner[0].transport
        transport.set_write_buffer_limits(high=10, low=5)
        seen = (
            isinstance(transport, TlsTransport),
            transport.get_extra_info("ssl_object").version(),
            transport.get_extra_info("sslcontext") is stage.connections[0].context,
            transport.get_extra_info("peername") == writer.get_extra_info("sockname"),
            transport.get_extra_info("nothing", 7),
            transport.can_write_eof(),
            transport.is_reading(),
            transport.get_write_buffer_size(),
            transport.is_closing(),
        )
        await closed(writer)
        return seen

    assert run(act) == (True, "TLSv1.3", True, True, 7, False, True, 0, False)


def test_another_protocol_can_take_over(run):
    """
    After set_protocol the other one hears what comes.
    """

    async def act(stage):
        reader, writer = await stage.connect()
        writer.write(b"one")
        await reader.readexactly(3)
        other = Echo()
        transport = stage.inner[0].transport
        other.connection_made(transport)
        transport.set_protocol(other)
        writer.write(b"two")
        await reader.readexactly(3)
        await closed(writer)
        await other.done
        stage.inner = [other]
        return transport.get_protocol() is other, bytes(other.heard)

    assert run(act) == (True, b"two")


def test_reading_can_pause(run):
    """
    While it is paused nothing is heard; afterwards all of it, in order.
    """

    async def act(stage):
        reader, writer = await stage.connect()
        writer.write(b"first")
        await reader.readexactly(5)
        inner = stage.inner[0]
        inner.transport.pause_reading()
        writer.write(b"-second")
        await writer.drain()
        for _ in range(20):
            await asyncio.sleep(0)
        before = bytes(inner.heard)
        inner.transport.resume_reading()
        await reader.readexactly(7)
        await closed(writer)
        return before, bytes(inner.heard)

    assert run(act) == (b"first", b"first-second")


def test_what_was_decrypted_waits_too(run):
    """
    A protocol that pauses in the middle of a chunk gets the rest of that chunk when it resumes.
    """

    async def act(stage):
        reader, writer = await stage.connect()
        writer.write(b"x")
        await reader.readexactly(1)
        inner, real = stage.inner[0], stage.inner[0].data_received

        def pausing(data):
            inner.transport.pause_reading()
            real(data)
            asyncio.get_running_loop().call_soon(inner.transport.resume_reading)

        inner.data_received = pausing
        sent = bytes(300_000)
        writer.write(sent)
        await reader.readexactly(len(sent))
        await closed(writer)
        return len(inner.heard)

    assert run(act) == 300_001


def test_slow_reader_pauses_the_writer(run):
    """
    When the peer does not read, the protocol is told to wait, and told again when it may go on.
    """

    async def act(stage):
        reader, writer = await stage.connect()
        inner = stage.inner[0]
        writer.write(b"x")
        await reader.readexactly(1)
        writer.transport.pause_reading()
        inner.transport.write(bytes(12_000_000))
        paused = list(inner.happened)
        writer.transport.resume_reading()
        await reader.readexactly(12_000_000)
        await closed(writer)
        return paused, inner.happened[:3]

    paused, all_of_it = run(act)
    assert paused == ["made", "pause"]
    assert all_of_it == ["made", "pause", "resume"]


def test_closing_says_goodbye_once(run):
    """
    Everything written before the end arrives, the client sees a proper end, and what is written later reaches nobody.
    """

    async def act(stage):
        reader, writer = await stage.connect()
        inner = stage.inner[0]
        inner.answers = False
        writer.write(b"x")
        await until(lambda: inner.heard)
        inner.transport.write(b"goodbye")
        inner.transport.close()
        inner.transport.write(b"too late")
        inner.transport.close()
        is_closing = inner.transport.is_closing()
        answer = await reader.read()
        await closed(writer)
        await inner.done
        return answer, is_closing, stage.failures, inner.happened

    assert run(act) == (b"goodbye", True, [], ["made", "lost"])


def test_peer_that_says_goodbye_is_heard(run):
    """
    The protocol hears the end before the connection is lost.
    """

    async def act(stage):
        reader, writer = await stage.connect()
        writer.write(b"x")
        await reader.readexactly(1)
        await closed(writer)
        await stage.inner[0].done
        return stage.inner[0].happened[:2], stage.inner[0].happened[-1], stage.failures

    assert run(act) == (["made", "eof"], "lost", [])


def test_reset_is_no_goodbye(run):
    """
    A connection that breaks is lost at once, and nothing is said of the handshake when something was heard before.
    """

    async def act(stage):
        _reader, writer = await stage.connect()
        writer.write(b"x")
        await _reader.readexactly(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await stage.inner[0].done
        return stage.failures

    assert run(act) == []


def test_garbage_after_the_handshake_ends_the_connection(run):
    """
    A record that nobody encrypted is not for the protocol; after real traffic it is no failed handshake.
    """

    async def act(stage, speaks_first):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = tls.client_context(stage.certificates.files_of("client"))
        client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        if speaks_first:
            client.write(b"x")
        writer.write(outgoing.read() + b"\x17\x03\x03\x00\x20" + bytes(32))
        with contextlib.suppress(OSError):
            await reader.read()
        await stage.inner[0].done
        await closed(writer)
        return bytes(stage.inner[0].heard), stage.failures

    assert run(lambda stage: act(stage, speaks_first=True)) == (b"x", [])
    assert run(lambda stage: act(stage, speaks_first=False)) == (b"", ["other"])


def test_failure_is_told_before_the_alert(run):
    """
    When the client hears why, it is on the record already; its protocol never hears of the connection.
    """

    async def act(stage):
        reader, writer = await stage.connect("client-revoked")
        with pytest.raises(ssl.SSLError) as refused:
            await reader.read()
        await closed(writer)
        return refused.value.reason, stage.failures, stage.inner[0].happened

    assert run(act) == ("SSLV3_ALERT_CERTIFICATE_REVOKED", ["certificate-revoked"], [])


def test_failure_that_cannot_be_told_is_logged(run, caplog):
    """
    The peer is refused all the same.
    """

    async def act(stage):
        async def breaks(_failure):
            raise ZeroDivisionError

        stage.on_failure = breaks
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        answer = await reader.read()
        await closed(writer)
        return answer[:1]

    assert run(act) in (b"\x15", b"")
    assert "a failed handshake could not be recorded" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_peer_that_lingers_is_dropped(run, monkeypatch):
    """
    Who was refused and does not leave, whatever it keeps sending, is dropped after a while.
    """
    monkeypatch.setattr("conformance.transport.tls_connection._LINGER_S", 0.05)

    async def act(stage):
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(b"hello, is anybody there?\r\n")
        await stage.told.wait()
        writer.write(b"and more")
        await reader.read()
        await until(lambda: not stage.among)
        await closed(writer)
        return stage.failures

    assert run(act) == ["not-tls"]


@pytest.mark.parametrize(("sent", "defect"), [(b"\x16", "timed-out"), (b"", "timed-out")])
def test_time_is_up(run, sent, defect):
    """
    A peer that says nothing, or half of it, is given up.
    """

    async def act(stage):
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(sent)
        await reader.read()
        await closed(writer)
        return stage.failures

    assert run(act, timeout_s=0.02) == [defect]


@pytest.mark.parametrize("is_reset", [False, True])
def test_peer_that_leaves_in_the_middle_is_told(run, is_reset):
    """
    The end of the stream and a reset are both a dropped connection.
    """

    async def act(stage):
        _reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(b"\x16")
        if is_reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await stage.told.wait()
        return stage.failures

    assert run(act) == ["connection-dropped"]


def test_shutdown_gives_up_a_handshake(run):
    """
    Who stops the server finds the connection among the others, and nothing is told of it.
    """

    async def act(stage):
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(b"\x16")
        await until(lambda: stage.among)
        for connection in list(stage.among):
            connection.shutdown()
        with contextlib.suppress(OSError):
            await reader.read()
        await until(lambda: not stage.among)
        await closed(writer)
        return stage.failures, stage.inner[0].happened

    assert run(act) == ([], [])
