"""What many citizens cost: a list of a million with its answer over ebMS2, alles over ten million accounts, and the validatieservice for 250.

The Berichtenbox and the Afnemer are processes of their own, with two-way TLS; their peak memory is that of the operating system. Nothing here asserts
a speed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from large import memory

from conformance.afnemer.reference.validating import content_of
from conformance.berichtenbox.population import citizens
from conformance.messages.bsns import bsn_text
from conformance.messages.validatie import ACTION, Klant, ValidatieAanvraag, read_antwoord
from conformance.transport import pki, soap
from conformance.transport.tls import client_context

_SEED: Final = 1
_LIST: Final = 1_000_000
_KLANTEN: Final = 250

_SERVER: Final = """
import json, sys, threading
from pathlib import Path
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.population import citizens
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of, set_up
from conformance.profile import Profile
from conformance.wiring import wire
directory, count = Path(sys.argv[1]), int(sys.argv[2])
profile = Profile.default("ebms")
wiring = wire(profile, directory, is_movable=True)
with SqlLedger(f"sqlite:///{directory / 'ledger.db'}") as ledger:
    if count:
        ledger.write([lambda writing: writing.citizens.add_accounts(citizens(count, 1))])
    box = Berichtenbox(ledger, profile.connection_config(), seed=1)
    with set_up(box, profile, wiring, works_by_itself=True) as urls:
        print(json.dumps(connection_of(box, urls, 1) | dict(wiring.variables())), flush=True)
        sys.stdin.read()
"""

_AFNEMER: Final = """
import json, sys, time
from pathlib import Path
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.population import citizens
from conformance.messages.bsns import bsn_text
def peak():
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
variables = json.loads(sys.argv[1])
party = ReferenceAfnemer(variables)
before = peak()
for line in sys.stdin:
    soort, count = line.split()
    body = {"soort": soort}
    if soort == "bsn-lijst":
        body["bsn"] = [bsn_text(number) for number, _ in citizens(int(count), 1)]
    begin = time.perf_counter()
    verzoek = party.abonnementen(body)["verzoekId"]
    del body
    sent = time.perf_counter()
    while party.store.verzoek(verzoek).answered_at is None:
        party.work()
        time.sleep(0.01)
    print(json.dumps({"sent": sent - begin, "answered": time.perf_counter() - begin, "before": before, "peak": peak()}), flush=True)
party.close()
"""


@dataclass(frozen=True, slots=True)
class Both:
    """The two processes, with what the Berichtenbox tells an Afnemer."""

    server: "subprocess.Popen[str]"
    afnemer: "subprocess.Popen[str]"
    variables: dict[str, str]

    def ask(self, soort: str, count: int = 0) -> dict[str, float]:
        """Have the Afnemer ask, and return its figures once it has applied the answer."""
        if self.afnemer.stdin is None or self.afnemer.stdout is None:
            raise RuntimeError("the Afnemer has no pipes")
        self.afnemer.stdin.write(f"{soort} {count}\n")
        self.afnemer.stdin.flush()
        line = self.afnemer.stdout.readline()
        if not line:
            raise RuntimeError(f"the Afnemer ended with code {self.afnemer.wait()}")
        figures: dict[str, float] = json.loads(line)
        return figures


@contextmanager
def both(directory: Path, accounts: int) -> Iterator[Both]:
    """Run a Berichtenbox with so many accounts (0: the reserved test BSNs) and an Afnemer for as long as the block takes."""
    server = _process(_SERVER, str(directory), str(accounts))
    variables = json.loads(server.stdout.readline() if server.stdout else "{}")
    own = directory / "afnemer"
    own.mkdir()
    afnemer = _process(_AFNEMER, json.dumps(variables | {"AFNEMER_MAP": str(own)}))
    try:
        yield Both(server, afnemer, variables)
    finally:
        for process in (afnemer, server):
            process.communicate(timeout=60)


def _process(program: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  # ours


def listed(accounts: int = _LIST) -> None:
    """Ask about a list of citizens of whom all say yes, and print what it cost both sides."""
    with tempfile.TemporaryDirectory() as place, both(Path(place), accounts) as running:
        before = memory(running.server.pid, "VmHWM")
        figures = running.ask("bsn-lijst", accounts)
        peak = memory(running.server.pid, "VmHWM")
    print(f"BSN-lijst of {accounts:_}, everybody says yes: acknowledged in {figures['sent']:.1f} s, answer applied in {figures['answered']:.1f} s")
    print(f"  Berichtenbox: {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at its peak")
    print(f"  Afnemer: {figures['before'] / 1e6:.0f} MB before, {figures['peak'] / 1e6:.0f} MB at its peak")


def everybody(sizes: Sequence[int]) -> None:
    """Ask alles over registers of several sizes, and print how the memory grows with them."""
    grown: list[tuple[int, int, float]] = []
    for accounts in sizes:
        with tempfile.TemporaryDirectory() as place, both(Path(place), accounts) as running:
            before = memory(running.server.pid, "VmHWM")
            figures = running.ask("alles")
            peak = memory(running.server.pid, "VmHWM")
        grown.append((accounts, peak, figures["peak"]))
        took = figures["answered"]
        print(f"alles over {accounts:_} accounts: answer applied in {took:.1f} s, {accounts / took:_.0f} accounts a second")
        print(f"  Berichtenbox: {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at its peak; Afnemer: {figures['peak'] / 1e6:.0f} MB at its peak")
    (small, *least), (large, *most) = grown[0], grown[-1]
    ratios = [many / few for few, many in zip(least, most, strict=True)]
    print(f"{large / small:.0f} times the accounts: {ratios[0]:.2f} times the peak of the Berichtenbox, {ratios[1]:.2f} times that of the Afnemer")


def validated(rate: float, seconds: float) -> None:
    """Ask the validatieservice about 250 citizens at a steady rate, and print how long it took; beside it a GET that does nothing."""
    with tempfile.TemporaryDirectory() as place, both(Path(place), _LIST) as running:
        context = client_context(pki.load(Path(place) / "pki").files_of("client"))
        keys = [bsn_text(number) for number, _ in citizens(_LIST, _SEED)][:: _LIST // _KLANTEN][:_KLANTEN]
        aanvraag = ValidatieAanvraag(running.variables["BERICHTENBOX_OIN"], "BELAST", tuple(Klant(key) for key in keys))
        body = soap.write_envelope(aanvraag.to_element(), None)
        headers = {"content-type": "text/xml; charset=utf-8", "soapaction": f'"{ACTION}"'}
        with httpx.Client(verify=context, trust_env=False, timeout=30) as client:
            url = running.variables["BERICHTENBOX_WUS"]
            nothing = _timed(client, "GET", f"{url}/nothing", rate, seconds)
            asked = _timed(client, "POST", url, rate, seconds, content=body, headers=headers)
            answer = client.post(url, content=body, headers=headers)
    wanted = len(read_antwoord(content_of(answer.content)).abonnementen)
    print(f"validatie of {wanted} of {_KLANTEN} citizens at {rate:g} a second, {len(asked)} requests:")
    print(f"  p50 {_percentile(asked, 50):.1f} ms, p99 {_percentile(asked, 99):.1f} ms, the longest {max(asked):.1f} ms")
    least = _percentile(nothing, 50)
    print(f"  a GET that is refused at once: p50 {least:.1f} ms; ratio of the medians {_percentile(asked, 50) / least:.1f}")


def _timed(client: httpx.Client, method: str, url: str, rate: float, seconds: float, **rest: Any) -> list[float]:
    """Send requests at a steady rate, and return how long each took in milliseconds, from the moment at which it was due."""
    client.request(method, url, **rest)  # the connection
    begin, waits = time.perf_counter() + 0.1, []
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        client.request(method, url, **rest)
        waits.append((time.perf_counter() - due) * 1e3)
    return waits


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def main() -> int:
    """Measure what is asked, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=["lijst", "alles", "validatie", []], help="what is measured; nothing is everything")
    parser.add_argument("--accounts", type=int, default=10_000_000, help="the largest register for alles")
    parser.add_argument("--seconds", type=float, default=10, help="how long the validatieservice is asked")
    options = parser.parse_args()
    wanted = options.what or ["lijst", "alles", "validatie"]
    if "lijst" in wanted:
        listed()
    if "alles" in wanted:
        everybody([options.accounts // 10, options.accounts])
    if "validatie" in wanted:
        validated(20, options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
