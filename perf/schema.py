"""How a batch of 1000 berichten compares with what ``xmllint --schema`` takes for the same file: reading with the schema, and everything.

``xmllint`` is of libxml2-utils. All is measured in one run, the best of several rounds. The yardstick is the command on the file, as one types it;
beside it stands what it takes without its start and its reading of the schema, which a server does once. Nothing here asserts a speed: it
prints ratios.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from large import batch

from conformance import specs
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope, Part
from conformance.messages.guard import parse, schema_errors

_ROUNDS: Final = 15
_REPEATS: Final = 10
_COUNT: Final = 1000


def best(do: Callable[[], object]) -> float:
    """Return the least seconds that something took in some rounds."""
    taken = []
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        do()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def xmllint(file: Path) -> tuple[float, float]:
    """Return what ``xmllint --schema`` takes for one document, and what it takes without its start: many documents in one call, less that of one."""
    program = shutil.which("xmllint")
    if program is None:
        raise SystemExit("xmllint is not here: install libxml2-utils, and run this again")
    command = [program, "--noout", "--schema", str(specs.path("xsd/berichten.xsd"))]

    def run(count: int) -> Callable[[], object]:
        return lambda: subprocess.run([*command, *([str(file)] * count)], check=True, capture_output=True)  # noqa: S603  # our own arguments

    literal = best(run(1))
    return literal, (best(run(1 + _REPEATS)) - literal) / _REPEATS


def read(document: bytes) -> None:
    """Read a batch as the server does, with its schema."""
    if schema_errors(parse(document), "berichten.xsd"):
        raise SystemExit("the batch is not valid")


def whole(box: Berichtenbox, document: bytes) -> float:
    """Return the seconds that a batch takes from its envelope to the ledger: read, every rule, decided, results planned, committed."""
    connection = box.connection
    parties = (connection.afnemer_party, ROLE_AFNEMER, SERVICE, Action.BV_REQUEST, connection.logius_party, ROLE_LOGIUS)
    box.accept(Envelope(connection.cpa_id, *parties, message_id=box.new_message_id(), parts=(Part(document),)))
    begin = time.perf_counter()
    box.settle()
    return time.perf_counter() - begin


def main() -> int:
    """Measure and print."""
    documents = [batch(_COUNT, None) for _ in range(_ROUNDS)]
    with tempfile.TemporaryDirectory() as name, SqlLedger(f"sqlite:///{name}/ledger.db") as ledger:
        file = Path(name) / "batch.xml"
        file.write_bytes(documents[0])
        yardsticks = xmllint(file)
        ours = best(lambda: read(documents[0]))
        box = Berichtenbox(ledger, wall=lambda: datetime.now(UTC))
        everything = min(whole(box, document) for document in documents)
    print(f"{_COUNT} berichten, {len(documents[0]) / 1e6:.1f} MB")
    for name, taken in {"xmllint --schema": yardsticks[0], "the same without its start": yardsticks[1]}.items():
        print(f"{name + ':':<34}{taken * 1e3:6.1f} ms")
    for name, taken in {"parse and schema": ours, "with every rule and the ledger": everything}.items():
        times, without_start = (taken / yardstick for yardstick in yardsticks)
        print(f"{name + ':':<34}{taken * 1e3:6.1f} ms, {times:.2f} times as long as xmllint; without its start {without_start:.2f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
