"""How many berichten a second the Berichtenbox takes in over ebMS2 with two-way TLS, and where the time goes.

One process serves (SQLite, a full sync on each commit), this one sends: one bericht a message, over keep-alive connections, with the Acknowledgment
in the HTTP answer. MIME, the schema of the header and of the payload, and every rule are done; no result is pushed back. Nothing here asserts a
speed: the figures are for people, the counts are checked.
"""

import argparse
import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import timeit
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvloop
from intake import CONNECTIONS, Connection, WrongCount

from conformance.berichtenbox.ledger import Offer
from conformance.berichtenbox.register import DEFAULT_OIN, default_cpa_id
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope, Part
from conformance.messages.identities import LOGIUS_TEST_OIN, flat_party
from conformance.messages.moments import write_moment
from conformance.rules.grading import grade_reading, read_offer
from conformance.transport import pki
from conformance.transport.cpa import Terms, new_cpa, read_cpa
from conformance.transport.ebms2.mime import read_mime
from conformance.transport.ebms2.reading import read_message
from conformance.transport.ebms2.receiving import MessageHandler
from conformance.transport.ebms2.writing import Outgoing, write_message
from conformance.transport.tls import client_context

_ID: Final = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
_MESSAGE_ID: Final = "6ba7b811-9dad-11d1-80b4-00c04fd430c8@afnemer.example"
_PATIENCE_S: Final = 120.0
_POLL_S: Final = 0.1
_GROUP: Final = 20
_SERVER: Final = """
import cProfile, sys, threading
from pathlib import Path
from conformance.berichtenbox.app import serve
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.rules.grading import grade_reading, read_offer
from conformance.transport import pki
from conformance.transport.cpa import read_cpa
from conformance.transport.tls import client_context

database, cpa, certificates, port = sys.argv[1:5]
files = pki.load(Path(certificates)).files_of("server")
with SqlLedger(database) as ledger:
    box = Berichtenbox(ledger)
    box.connect(read_cpa(Path(cpa).read_bytes()), client_context(files))
    box.fault("no-result", times=None)
    serve(box, "127.0.0.1", int(port), lambda urls: print(urls.url, flush=True), files)
"""


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[tuple[str, int]]:
    """Run a server process with test certificates and a CPA of its own for as long as the block takes; give its URL and process id."""
    place, cpa = directory / "pki", directory / "cpa.xml"
    pki.write(place, pki.make(pki.Plan(DEFAULT_OIN, datetime.now(UTC), logius_oin=LOGIUS_TEST_OIN)))
    cpa.write_bytes(new_cpa(_terms()))
    command = [sys.executable, "-c", _SERVER, f"sqlite:///{directory / 'ledger.db'}", str(cpa), str(place), "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
    url = process.stdout.readline().strip() if process.stdout else ""
    if not url:
        raise WrongCount(f"the server ended with code {process.wait()} before it accepted traffic")
    try:
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def _terms() -> Terms:
    """Return what the CPA says. Nothing is pushed, so nobody listens at the endpoint of the Afnemer."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    oins = {ROLE_AFNEMER: DEFAULT_OIN, ROLE_LOGIUS: LOGIUS_TEST_OIN}
    endpoints = dict.fromkeys(oins, "https://127.0.0.1:1/ebms")
    interval = timedelta(hours=3)
    return Terms(
        default_cpa_id(DEFAULT_OIN), oins, endpoints, start, start + timedelta(days=365), 8, interval, timedelta(days=2), {}, "mshSignalsOnly"
    )


def outgoing_of(document: bytes, message_id: str) -> Outgoing:
    """Return the body of a POST that offers a batch, with its Content-Type."""
    cpa = read_cpa(new_cpa(_terms()))
    handler = MessageHandler({flat_party(DEFAULT_OIN)}, {cpa.cpa_id: cpa}.get, now=lambda: datetime.now(UTC), new_message_id=lambda: message_id)
    parts = (Part(document, "text/xml", "batch.xml", f"payload.{message_id}"),)
    envelope = Envelope(cpa.cpa_id, flat_party(DEFAULT_OIN), ROLE_AFNEMER, SERVICE, Action.BV_REQUEST, message_id=message_id, parts=parts)
    return write_message(handler.new_message(envelope))


def message_maker(host: str) -> Callable[[], tuple[str, bytes]]:
    """Return a function that makes one offer: its BerichtID, and the bytes of an HTTP request with one valid bericht of about 1.5 KB."""
    text = "Wij hebben uw aanvraag ontvangen en delen u mee dat wij daarop hebben beslist. " * 9
    bericht = Bericht(_ID, _ID, "BELAST", "Uw aanslag", "999990019", text, referentie="2026-000123")
    document = Batch(_ID, write_moment(datetime.now(UTC)), DEFAULT_OIN, (bericht,)).to_xml()
    outgoing = outgoing_of(document, _MESSAGE_ID)
    old_message, old_id = _MESSAGE_ID.partition("@")[0].encode(), _ID.encode()
    content_type = outgoing.content_type

    def make() -> tuple[str, bytes]:
        unique, message = str(uuid.uuid4()), str(uuid.uuid4())
        body = outgoing.body.replace(old_id, unique.encode()).replace(old_message, message.encode())
        head = (
            f'POST /ebms HTTP/1.1\r\nHost: {host}\r\nSOAPAction: "ebXML"\r\nContent-Type: {content_type.replace(old_message.decode(), message)}\r\n'
        )
        return unique, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    return make


def cpu_seconds(pid: int) -> float:
    """Return how long a process has been on a CPU."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def empty_request(host: str) -> bytes:
    """Return an empty POST to an address that nothing is done for."""
    return f"POST /nothing HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode()


async def send_all(
    url: str, context: ssl.SSLContext, next_request: Callable[[], tuple[str, bytes] | None], answered: Callable[[str, int], None]
) -> None:
    """Send over several TLS connections at once until ``next_request`` gives ``None``."""
    host, _, port = urlsplit(url).netloc.partition(":")
    loop = asyncio.get_running_loop()
    made = [loop.create_connection(lambda: Connection(next_request, answered), host, int(port), ssl=context) for _ in range(CONNECTIONS)]
    opened = await asyncio.gather(*made)
    await asyncio.gather(*(protocol.ended for _, protocol in opened))


def _run(url: str, context: ssl.SSLContext, make: Callable[[], tuple[str, bytes]], seconds: float, expected: int) -> tuple[int, float, float]:
    """Send for so many seconds; return how many were answered as they should, the moment of the first and of the last answer."""
    count, begin = 0, time.perf_counter()

    def answered(_subject: str, status: int) -> None:
        nonlocal count
        if status != expected:
            raise WrongCount(f"status {status}, expected {expected}")
        count += 1

    asyncio.run(send_all(url, context, lambda: make() if time.perf_counter() - begin < seconds else None, answered))
    return count, begin, time.perf_counter()


def wait_until_processed(database: Path, stored: int, messages: int | None = None) -> float:
    """Return the moment at which so many berichten are stored, of as many messages; raises :class:`WrongCount` when it takes too long."""
    deadline = time.perf_counter() + _PATIENCE_S
    with SqlLedger(f"sqlite:///{database}") as ledger:
        while (counted := ledger.counts()).get("Verwerkt", 0) < stored and time.perf_counter() < deadline:
            time.sleep(_POLL_S)
    if counted != {"processed": messages or stored, "Verwerkt": stored}:
        raise WrongCount(f"{stored} berichten were acknowledged, the ledger counts {json.dumps(counted)}")
    return time.perf_counter()


def shares() -> dict[str, float]:
    """Return how many microseconds each step of one bericht takes when nothing else goes on: the least of several rounds."""
    raw = message_maker("localhost")()[1]
    head, _, body = raw.partition(b"\r\n\r\n")
    content_type = head.partition(b"Content-Type: ")[2].partition(b"\r\n")[0].decode()
    received = read_message(content_type, body)
    payload = received.message.payloads[0].content
    reading = read_offer(payload)
    with tempfile.TemporaryDirectory() as name, SqlLedger(f"sqlite:///{name}/ledger.db") as ledger:
        offers = [Offer(received.message.envelope(), datetime.now(UTC), datetime.now(UTC))] * _GROUP
        steps: dict[str, Callable[[], object]] = {
            "MIME": lambda: read_mime(content_type, body),
            "MIME and header with its schema": lambda: read_message(content_type, body),
            "payload with its schema": lambda: read_offer(payload),
            "rules": lambda: grade_reading(reading, envelope=received.message.envelope()),
            f"database, {_GROUP} in a commit": lambda: ledger.write([lambda writing: writing.add_offers(offers)]),
        }
        taken = {step: 1e6 * min(timeit.repeat(do, number=20, repeat=5)) / 20 for step, do in steps.items()}
    mime = taken.pop("MIME")
    return {"MIME": mime, "header with its schema": taken.pop("MIME and header with its schema") - mime} | {
        step: each / _GROUP if step.startswith("database") else each for step, each in taken.items()
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to send (5)")
    seconds = parser.parse_args().seconds
    uvloop.install()
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as (url, pid):
        context, host = client_context(pki.load(Path(name) / "pki").files_of("client")), urlsplit(url).netloc
        idle = cpu_seconds(pid)
        empty, begin, end = _run(url, context, lambda: ("", empty_request(host)), min(seconds, 2.0), 404)
        empty_rate, idle = empty / (end - begin), cpu_seconds(pid) - idle
        busy = cpu_seconds(pid)
        count, begin, sent = _run(url, context, message_maker(host), seconds, 200)
        done = wait_until_processed(Path(name) / "ledger.db", count)
        busy = cpu_seconds(pid) - busy
    print(f"berichten sent, acknowledged and processed: {count}")
    print(f"acknowledged: {count / (sent - begin):.0f} a second ({sent - begin:.1f} s)")
    print(f"processed:    {count / (done - begin):.0f} a second, all rules done ({done - begin:.1f} s)")
    print(f"empty POST:   {empty_rate:.0f} a second on the same server over the same TLS")
    print(f"server:       {1e6 * busy / count:.0f} microseconds of CPU for each bericht, of which one core has a million a second")
    print(f"ratio:        {count / (done - begin) / empty_rate:.2f} berichten for each empty POST")
    print("microseconds of one bericht, step by step, on its own:")
    steps = {"HTTP and TLS": 1e6 * idle / empty, **shares()}
    for step, each in steps.items():
        print(f"  {step:<32}{each:7.0f}{each / sum(steps.values()):6.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
