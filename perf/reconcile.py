"""What it costs to judge a national day: every bericht of it offered, and every one delivered again.

The ledger is filled first, with as many batches of 1000 as it takes; then one process reads the rows and does nothing with them, and another one
reconciles them. Their peak memory is that of the operating system. Nothing here asserts a speed; that nothing is lost or made up is checked.
"""

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from large import memory

from conformance.berichtenbox.ledger import Offer, State
from conformance.berichtenbox.register import ConnectionConfig
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.envelope import ROLE_AFNEMER, SERVICE, Action, Envelope
from conformance.messages.verwerkingsbericht import VerwerkingsCode

_DAY: Final = 2_500_000
_PER_BATCH: Final = 1_000
_BEGIN: Final = datetime(2026, 1, 31, 0, 0, tzinfo=UTC)
_DAY_S: Final = 86_400.0
_BSN: Final = "999990019"
_COLUMNS: Final = (
    "offer_seq, position, batch_id, bericht_id, gebruiker_id, bericht_type, digest, code, business, is_lost, afzender, onderwerp, published"
)
_INSERT: Final = f"INSERT INTO bericht ({_COLUMNS}) VALUES ({', '.join('?' * 13)})"  # noqa: S608  # our own names

_CHILD: Final = """
import json, sys, time
from pathlib import Path
from conformance.berichtenbox.sql_leveringen import Leveringen
from conformance.load.reconcile import Window, reconcile
what, url, middle, start, end = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])
with Leveringen(url) as ledger:
    last = ledger.last_bericht()
    begin = time.perf_counter()
    first, again = ledger.leveringen(0, middle), ledger.leveringen(middle, last)
    if what == "plain":
        told = {"rows": sum(1 for _ in first) + sum(1 for _ in again)}
    else:
        found = reconcile(first, again, Window(start, end))
        told = {"wanted": found.wanted, "complete": found.complete, "wrong": {name: trouble.count for name, trouble in found.troubles() if trouble}}
    print(json.dumps(told | {"seconds": time.perf_counter() - begin}), flush=True)
    sys.stdin.read()
"""


def _guid(draw: random.Random) -> str:
    digits = f"{draw.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def fill(file: Path, count: int, seed: int) -> int:
    """Make a ledger in which ``count`` berichten are offered in a day, and delivered again after it; return the number of the last first offer."""
    with SqlLedger(f"sqlite:///{file}") as ledger:
        config = ConnectionConfig()
        batches = -(-count // _PER_BATCH)
        moments = [_BEGIN.timestamp() + number * _DAY_S / batches for number in range(batches)]
        moments += [_BEGIN.timestamp() + _DAY_S + 3_600 + number for number in range(batches)]
        for start in range(0, len(moments), _PER_BATCH):
            offers = [_offer(config, number, moments[number]) for number in range(start, min(start + _PER_BATCH, len(moments)))]
            ledger.write([lambda writing, offers=offers: writing.add_offers(offers)])  # type: ignore[misc]  # each round its own
    database = sqlite3.connect(file, isolation_level=None)
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'bericht' AND sql IS NOT NULL").fetchall():
        database.execute(f"DROP INDEX {name}")  # nobody who reads everything needs it, and random ids make it slow to fill
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    for half in (0, 1):
        database.executemany(_INSERT, _rows(count, seed, first_offer=1 + half * batches))
    database.execute("COMMIT")
    database.close()
    return count


def _offer(config: ConnectionConfig, number: int, at: float) -> Offer:
    moment = datetime.fromtimestamp(at, UTC)
    connection = config.connection()
    envelope = Envelope(connection.cpa_id, connection.afnemer_party, ROLE_AFNEMER, SERVICE, Action.BV_REQUEST, message_id=f"{number}@afnemer.example")
    return Offer(envelope, moment, moment, State.PROCESSED)


def _rows(count: int, seed: int, first_offer: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a day; with the same seed the same berichten."""
    draw, batch_id = random.Random(seed), ""  # noqa: S311  # repeatable ids, no secret
    for number in range(count):
        batch, position = divmod(number, _PER_BATCH)
        if position == 0:
            batch_id = _guid(draw)
        bericht_id, digest = _guid(draw), f"{draw.getrandbits(256):064x}"
        code = VerwerkingsCode.VERWERKT
        yield first_offer + batch, position, batch_id, bericht_id, _BSN, "BELAST", digest, code, _BEGIN.timestamp(), 0, "", "Uw aanslag", None


def ask(what: str, file: Path, middle: int) -> tuple[dict[str, Any], int]:
    """Have a process of its own read the ledger, and return what it tells with its peak memory in bytes."""
    begin = _BEGIN.timestamp()
    arguments = [what, f"sqlite:///{file}", str(middle), str(begin), str(begin + _DAY_S)]
    with subprocess.Popen([sys.executable, "-c", _CHILD, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603  # ours
        line = child.stdout.readline() if child.stdout else ""
        if not line:
            raise RuntimeError(f"the reading process ended with code {child.wait()}")
        peak = memory(child.pid, "VmHWM")
        child.communicate()
    told: dict[str, Any] = json.loads(line)
    return told, peak


def main() -> int:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--berichten", type=int, default=_DAY, help="how many are offered, and delivered again")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        file, begin = Path(place) / "ledger.db", time.perf_counter()
        middle = fill(file, options.berichten, options.seed)
        print(f"{2 * middle:_} rows made in {time.perf_counter() - begin:.0f} s: {file.stat().st_size / 1e6:.0f} MB")
        plain, plain_peak = ask("plain", file, middle)
        found, peak = ask("reconcile", file, middle)
    as_it_should = {"wanted": middle, "complete": middle, "wrong": {}}
    if plain["rows"] != 2 * middle or any(found[name] != value for name, value in as_it_should.items()):
        print(f"not what was put in: {plain}, {found}")
        return 1
    print(f"read, and nothing else: {plain['seconds']:.1f} s, {plain_peak / 1e6:.0f} MB at its peak")
    print(f"reconciled: {found['seconds']:.1f} s, {peak / 1e6:.0f} MB at its peak")
    print(f"ratio {found['seconds'] / plain['seconds']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
