"""Kills the Berichtenbox at random moments while it is sent to, and looks whether all that it acknowledged is there, once.

Each round: a server process, eight connections that send, ``kill -9`` at a drawn moment (the seed is printed, so that a bad run can be repeated as
far as a kill can), and a new server on the same file. At the end the ledger is opened and every acknowledged bericht is looked up.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvloop
from intake import WrongCount, counts, offer_maker, send_all, start_server

from conformance.berichtenbox.ledger import State
from conformance.berichtenbox.sql import SqlLedger

CONNECTIONS: Final = 8
_LONGEST_S: Final = 0.5
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent over all rounds: the BerichtIDs that were acknowledged, and all of them."""

    acknowledged: Sequence[str]
    offered: Sequence[str]


def one_round(database: Path, moment_s: float) -> Sent:
    """Start a server, send to it, kill it after ``moment_s`` seconds; return what was sent."""
    process, url = start_server(database)
    make, acknowledged, offered = offer_maker(urlsplit(url).netloc), list[str](), list[str]()

    def following() -> tuple[str, bytes]:
        bericht_id, data = make()
        offered.append(bericht_id)
        return bericht_id, data

    def answered(bericht_id: str, status: int) -> None:
        if status != 200:  # noqa: PLR2004  # HTTP
            raise WrongCount(f"a bericht was answered with status {status}")
        acknowledged.append(bericht_id)

    killer = threading.Timer(moment_s, process.kill)
    killer.start()
    asyncio.run(send_all(url, following, answered, CONNECTIONS))
    killer.join()
    process.wait()
    return Sent(acknowledged, offered)


def finish(database: Path) -> None:
    """Start a server once more, and let it process what is left."""
    process, url = start_server(database)
    try:
        deadline = time.perf_counter() + _PATIENCE_S
        while counts(url).get(State.ACCEPTED, 0):
            if time.perf_counter() > deadline:
                raise WrongCount("what was accepted is not processed")
            time.sleep(0.02)
    finally:
        process.terminate()
        process.wait()


def faults_of(database: Path, sent: Sent) -> list[str]:
    """Return what is wrong with the ledger after all the kills; nothing is the right answer."""
    with SqlLedger(f"sqlite:///{database}") as ledger:
        berichten, offers, results = ledger.berichten(0), ledger.offers(0), ledger.results(0)
        notified = [item.bericht_id for item in ledger.notificaties.page(0, len(berichten) + 1)]
    rows = Counter(item.bericht_id for item in berichten)
    offer_seqs = Counter(item.offer_seq for item in berichten)
    answers = Counter(item.result_id for item in results)
    references = Counter(item.envelope.ref_to_message_id for item in results)
    wrong = [f"{bericht_id} was acknowledged, and is not there" for bericht_id in sent.acknowledged if not rows[bericht_id]]
    wrong += [f"{bericht_id} is there, and was never sent" for bericht_id in rows.keys() - set(sent.offered)]
    wrong += [f"{bericht_id} is there {count} times" for bericht_id, count in rows.items() if count > 1]
    wrong += [f"{item.bericht_id} became {item.code}" for item in berichten if item.code != "Verwerkt"]
    wrong += [f"offer {item.seq} is {item.state}" for item in offers if item.state is not State.PROCESSED]
    wrong += [f"offer {item.seq} has {offer_seqs[item.seq]} berichten" for item in offers if offer_seqs[item.seq] != 1]
    wrong += [f"offer {item.seq} has no result" for item in offers if not references[item.envelope.message_id]]
    wrong += [f"message {name} has {count} results" for name, count in references.items() if count > 1]
    wrong += [f"result {name} was offered {count} times" for name, count in answers.items() if count > 1]
    # They leave at their own pace, so not all of them did: as far as they are, each left once, in order of arrival.
    arrived = [item.bericht_id for item in berichten if item.published is not None][: len(notified)]
    wrong += [
        f"notification {number} is of {seen}, not of {due}"
        for number, (seen, due) in enumerate(zip(notified, arrived, strict=False), 1)
        if seen != due
    ]
    if len(notified) > len(arrived) or (berichten and not notified):
        wrong.append(f"{len(notified)} notifications left of {len(arrived)} letters")
    return wrong


def main() -> int:
    """Kill so many times, and print what is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="how many kills (100)")
    parser.add_argument("--seed", type=int, default=None, help="seed of the moments; drawn and printed when not given")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    moments, acknowledged, offered = random.Random(seed), list[str](), list[str]()  # noqa: S311  # a repeatable draw, no secret
    print(f"{options.times} kills, seed {seed}", flush=True)
    uvloop.install()
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory) / "ledger.db"
        for _ in range(options.times):
            sent = one_round(database, moments.uniform(0.0, _LONGEST_S))
            acknowledged += sent.acknowledged
            offered += sent.offered
        finish(database)
        wrong = faults_of(database, Sent(acknowledged, offered))
    print(f"{len(offered)} berichten sent, {len(acknowledged)} acknowledged before a kill")
    for line in wrong[:20]:
        print(line)
    print(f"{len(wrong)} faults: all that was acknowledged is there, once" if not wrong else f"{len(wrong)} faults")
    return 1 if wrong or not acknowledged else 0


if __name__ == "__main__":
    sys.exit(main())
