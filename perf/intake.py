"""How many berichten a second the Berichtenbox takes in, decides and has on disk, on one machine.

One process serves (SQLite, a full sync on each commit), this one sends: one bericht a message, over keep-alive connections. Nothing here asserts a
speed: the figure is for people, the counts are checked.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvloop

from conformance.berichtenbox.register import DEFAULT_OIN, default_cpa_id
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action
from conformance.messages.identities import LOGIUS_TEST_OIN, flat_party
from conformance.messages.moments import write_moment

CONNECTIONS: Final = 50
_POLL_S: Final = 0.1  # counting costs the server something too
_PATIENCE_S: Final = 120.0
_ID: Final = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
_SERVER: Final = """
import sys
from conformance.berichtenbox.app import serve
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger

with SqlLedger(sys.argv[1]) as ledger:
    serve(Berichtenbox(ledger), "127.0.0.1", 0, lambda urls: print(urls.url, flush=True))
"""


class WrongCount(RuntimeError):  # noqa: N818  # the sentence reads "wrong count"
    """The ledger does not hold what was acknowledged."""


def start_server(database: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a server process on a SQLite file; return it with its URL once it accepts traffic."""
    command = [sys.executable, "-c", _SERVER, f"sqlite:///{database}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
    url = process.stdout.readline().strip() if process.stdout else ""
    if not url:
        process.kill()
        raise WrongCount(f"the server ended with code {process.wait()} before it accepted traffic")
    return process, url


@contextlib.contextmanager
def serving(database: Path) -> Iterator[str]:
    """Run a server process for as long as the block takes."""
    process, url = start_server(database)
    try:
        yield url
    finally:
        process.terminate()
        process.wait()


def offer_maker(host: str) -> Callable[[], tuple[str, bytes]]:
    """Return a function that makes one offer: its BerichtID, and the bytes of an HTTP request with one valid bericht of about 1.5 KB."""
    text = "Wij hebben uw aanvraag ontvangen en delen u mee dat wij daarop hebben beslist. " * 9
    bericht = Bericht(_ID, _ID, "BELAST", "Uw aanslag", "999990019", text, referentie="2026-000123")
    document = Batch(_ID, write_moment(datetime.now(UTC)), DEFAULT_OIN, (bericht,)).to_xml()
    properties = {"cpaId": default_cpa_id(DEFAULT_OIN), "fromPartyId": flat_party(DEFAULT_OIN), "fromRole": ROLE_AFNEMER}
    properties |= {"toPartyId": flat_party(LOGIUS_TEST_OIN), "toRole": ROLE_LOGIUS, "service": SERVICE, "action": Action.BV_REQUEST}
    head, tail = json.dumps({"properties": properties, "dataSources": [{"contentType": "text/xml", "content": "@"}]}).encode().split(b"@")

    def make() -> tuple[str, bytes]:
        unique = str(uuid.uuid4())
        body = head + base64.b64encode(document.replace(_ID.encode(), unique.encode())) + tail
        return unique, request("POST", "/service/rest/v19/ebms/messages", host, body)

    return make


def request(method: str, path: str, host: str, body: bytes = b"") -> bytes:
    """Return the bytes of an HTTP request."""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection: sends what ``next_request`` gives, one after another, and tells ``answered`` each status."""

    def __init__(self, next_request: Callable[[], tuple[str, bytes] | None], answered: Callable[[str, int], None]) -> None:
        self._next, self._answered = next_request, answered
        self._buffer, self._sent = b"", ""
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # TCP gives a Transport
        self._send()

    def _send(self) -> None:
        following = self._next()
        if following is None:
            self._transport.close()
            return
        self._sent, data = following
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Read an answer once it is whole, and send the next request."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not found or len(body) < int(length or 0):
            return
        self._buffer = b""
        self._answered(self._sent, int(head[9:12]))
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        """Remember that it ended: an answer that never came is no acknowledgment."""
        if not self.ended.done():
            self.ended.set_result(None)


async def send_all(
    url: str, next_request: Callable[[], tuple[str, bytes] | None], answered: Callable[[str, int], None], connections: int = CONNECTIONS
) -> None:
    """Send over several connections at once until ``next_request`` gives ``None`` or the server is gone."""
    host, _, port = urlsplit(url).netloc.partition(":")
    loop = asyncio.get_running_loop()
    made = [loop.create_connection(lambda: Connection(next_request, answered), host, int(port)) for _ in range(connections)]
    opened = [outcome for outcome in await asyncio.gather(*made, return_exceptions=True) if not isinstance(outcome, BaseException)]
    await asyncio.gather(*(protocol.ended for _, protocol in opened))


def counts(url: str) -> dict[str, int]:
    """Return what the ledger counts: offers by state, berichten by code."""
    with urllib.request.urlopen(f"{url}/besturing/v1/stand") as answer:  # noqa: S310  # our own server
        counted: dict[str, int] = json.load(answer)
    return counted


def wait_for(url: str, stored: int) -> None:
    """Return once so many berichten are stored; raises :class:`WrongCount` when there are other ones, or it takes too long."""
    deadline, expected = time.perf_counter() + _PATIENCE_S, {"processed": stored, "Verwerkt": stored}
    while (counted := counts(url)).get("Verwerkt", 0) <= stored and counted != expected and time.perf_counter() < deadline:
        time.sleep(_POLL_S)
    if counted != expected:
        raise WrongCount(f"{stored} berichten were acknowledged, the ledger counts {counted}")


def measure_berichten(url: str, seconds: float) -> tuple[int, float, float]:
    """Send berichten for so many seconds; return how many, how long it took to acknowledge them, and until all were processed."""
    make, acknowledged = offer_maker(urlsplit(url).netloc), 0

    def answered(_bericht_id: str, status: int) -> None:
        nonlocal acknowledged
        if status != 200:  # noqa: PLR2004  # HTTP
            raise WrongCount(f"a bericht was answered with status {status}")
        acknowledged += 1

    start = time.perf_counter()
    asyncio.run(send_all(url, lambda: make() if time.perf_counter() - start < seconds else None, answered))
    sent = time.perf_counter()
    wait_for(url, acknowledged)
    return acknowledged, sent - start, time.perf_counter() - start


def measure_nothing(url: str, seconds: float) -> float:
    """Return how many empty POSTs a second the same server answers: to /urlMappings, which refuses them without any work."""
    data, answers = request("POST", "/service/rest/v19/urlMappings", urlsplit(url).netloc), 0

    def answered(_subject: str, _status: int) -> None:
        nonlocal answers
        answers += 1

    start = time.perf_counter()
    asyncio.run(send_all(url, lambda: ("", data) if time.perf_counter() - start < seconds else None, answered))
    return answers / (time.perf_counter() - start)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to send (5)")
    seconds = parser.parse_args().seconds
    uvloop.install()
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory) / "ledger.db") as url:
        empty = measure_nothing(url, min(seconds, 2.0))
        stored, sent_s, done_s = measure_berichten(url, seconds)
    print(f"berichten sent, acknowledged and processed: {stored}")
    print(f"acknowledged: {stored / sent_s:.0f} a second, from the first POST until the last answer ({sent_s:.1f} s)")
    print(f"processed:    {stored / done_s:.0f} a second, from the first POST until all are processed ({done_s:.1f} s)")
    print(f"empty POST:   {empty:.0f} a second, an empty POST to /urlMappings on the same server")
    print(f"ratio:        {stored / done_s / empty:.2f} berichten for each empty POST")
    return 0


if __name__ == "__main__":
    sys.exit(main())
