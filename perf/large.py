"""What the largest batches cost: 1000 berichten, and 100 MB, over ebMS2 with two-way TLS.

It prints the peak memory of the server as a multiple of the body, and how long another request waited meanwhile. Nothing here asserts a speed.
"""

import statistics
import sys
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
from ebms_intake import outgoing_of, serving, wait_until_processed

from conformance.berichtenbox.register import DEFAULT_OIN
from conformance.messages.batch import Batch, Bericht, Bijlage
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.moments import write_moment
from conformance.stage.pdfs import pdf
from conformance.transport import pki
from conformance.transport.ebms2.names import SOAP_ACTION
from conformance.transport.tls import client_context

_FULL: Final = 500_000  # bytes of a bijlage


def batch(count: int, bijlage: bytes | None) -> bytes:
    """Return a batch of so many berichten, each to a citizen of its own as long as there are, with or without a bijlage."""
    batch_id, bsns = str(uuid.uuid4()), reserved_test_bsns()
    attached = () if bijlage is None else (Bijlage.from_octets(bijlage, "Besluit", 1),)
    text = "Wij hebben uw aanvraag ontvangen en delen u mee dat wij daarop hebben beslist. " * 9
    berichten = [
        Bericht(batch_id, str(uuid.uuid4()), "BELAST", "Uw aanslag", bsns[number % len(bsns)], text, bijlagen=attached) for number in range(count)
    ]
    return Batch(batch_id, write_moment(datetime.now(UTC)), DEFAULT_OIN, tuple(berichten)).to_xml()


def memory(pid: int, what: str) -> int:
    """Return a figure of a process in bytes: ``VmHWM`` is its peak, ``VmRSS`` what it holds now."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(what)


def measure(name: str, document: bytes, berichten: int) -> None:
    """Offer one batch to a server of its own, and print what it cost."""
    outgoing = outgoing_of(document, f"{uuid.uuid4()}@afnemer.example")
    with tempfile.TemporaryDirectory() as place, serving(Path(place)) as (url, pid):
        context = client_context(pki.load(Path(place) / "pki").files_of("client"))
        with httpx.Client(verify=context, timeout=120, trust_env=False) as sender, httpx.Client(verify=context, trust_env=False) as other:
            other.get(f"{url}/nothing")
            before, is_done = memory(pid, "VmRSS"), threading.Event()
            waits: list[float] = []
            thread = threading.Thread(target=_ask, args=(other, f"{url}/nothing", waits, is_done))
            thread.start()
            begin = time.perf_counter()
            headers = {"content-type": outgoing.content_type, "soapaction": SOAP_ACTION}
            answer = sender.post(f"{url}/ebms", content=outgoing.body, headers=headers)
            acknowledged = time.perf_counter()
            wait_until_processed(Path(place) / "ledger.db", berichten, 1)
            processed = time.perf_counter()
            is_done.set()
            thread.join()
        peak = memory(pid, "VmHWM")
    size = len(outgoing.body)
    print(f"{name}: {size / 1e6:.1f} MB, HTTP {answer.status_code}")
    print(f"  acknowledged in {acknowledged - begin:.2f} s, processed in {processed - begin:.2f} s")
    print(f"  server: {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at its peak")
    print(f"  that is {peak / size:.2f} times the body, and {(peak - before) / size:.2f} times more than before")
    print(f"  {len(waits)} other requests meanwhile, median {statistics.median(waits) * 1e3:.1f} ms, the longest {max(waits) * 1e3:.0f} ms")


def _ask(client: httpx.Client, url: str, waits: list[float], is_done: threading.Event) -> None:
    while not is_done.wait(0.01):
        begin = time.perf_counter()
        client.get(url)
        waits.append(time.perf_counter() - begin)


def main() -> int:
    """Measure and print."""
    measure("1000 berichten", batch(1000, None), 1000)
    measure("100 MB", batch(149, pdf(_FULL)), 149)
    return 0


if __name__ == "__main__":
    sys.exit(main())
