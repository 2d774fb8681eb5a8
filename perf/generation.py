"""How fast `load aanleveren` generates without a schedule, beside a bare Locust fast-HTTP user that posts the same payload: a ratio in one run.

Both are one process with as many users, and post to the same trivial server, which reads a request and answers it. They take turns, so that whatever
else this machine does comes to both; the ratio is that of the medians. Nothing here asserts a speed.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from conformance.load.aanleveren import NAME, size_of
from conformance.load.filling import new_token
from conformance.load.leveringen import CYCLE, Batches, Ids
from conformance.load.parties import defaults
from conformance.load.running import profile_file
from conformance.load.sending import wire_of
from conformance.norms import count

SIZE: Final = size_of({"phase": "burst"})
_USERS: Final = 20
_MOST_S: Final = 120
_SERVER: Final = """
import asyncio, uvloop
ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: 2\\r\\n\\r\\n[]"
class Trivial(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.head, self.left = transport, b"", 0
    def data_received(self, data):
        if self.left:
            self.left -= len(data)
        else:
            self.head += data
            head, found, body = self.head.partition(b"\\r\\n\\r\\n")
            if not found:
                return
            length = head.lower().partition(b"content-length:")[2].partition(b"\\r\\n")[0]
            self.head, self.left = b"", int(length or 0) - len(body)
        if not self.left:
            self.transport.write(ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(Trivial, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
uvloop.run(main())
"""
_BARE: Final = """
import itertools
from pathlib import Path
from locust import FastHttpUser, constant, task
BODIES = itertools.cycle([path.read_bytes() for path in sorted(Path({bodies!r}).iterdir())])
class Bare(FastHttpUser):
    wait_time = constant(0)
    @task
    def post(self):
        self.client.post({path!r}, data=next(BODIES), headers={headers!r}, name={name!r})
"""
_FLAT: Final = """
from conformance.load import aanleveren
aanleveren._BURST_S = {seconds}
exec(compile(open({profile!r}).read(), {profile!r}, "exec"))
"""


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Run the trivial server for as long as the block takes, and give its URL."""
    process = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip() if process.stdout else ''}"
    finally:
        process.terminate()
        process.wait()


def locust(file: Path, url: str, *more: str) -> None:
    """Run Locust in one process of its own; what it says about itself is not told."""
    words = [sys.executable, "-m", "locust", "-f", str(file), "-H", url, "--headless", "--only-summary", "--skip-log-setup", "-u", str(_USERS), *more]
    subprocess.run(words, check=False, timeout=_MOST_S, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  # idem


def bare(directory: Path, url: str, seconds: int) -> float:
    """Return the messages a second of a bare fast-HTTP user, in so many seconds."""
    connection, bodies, file, figures = defaults(), directory / "bodies", directory / "bare.py", directory / "bare"
    bodies.mkdir(exist_ok=True)
    wire = wire_of(connection, Batches(connection, Ids(new_token()), SIZE, ["999990019"]), "adapter")
    postings = [wire.posting(number) for number in range(CYCLE // SIZE)]
    for number, posting in enumerate(postings):
        (bodies / f"{number}").write_bytes(b"" + posting.body)
    file.write_text(_BARE.format(bodies=str(bodies), path=postings[0].path, headers=dict(postings[0].headers), name=NAME))
    locust(file, url, "-r", str(_USERS), "-t", f"{seconds}s", "--json-file", str(figures))
    (row,) = [row for row in json.loads(figures.with_suffix(".json").read_text()) if row["name"] == NAME]
    return float(row["num_requests"] / (row["last_request_timestamp"] - row["start_time"]))


def flat_out(directory: Path, url: str, messages: int) -> float:
    """Return the messages a second of `load aanleveren` when everything is due at once."""
    file, out = directory / "flat.py", directory / "out"
    seconds = messages * SIZE // count("SNO-BER-03", "berichten")
    file.write_text(_FLAT.format(seconds=seconds, profile=str(profile_file("aanleveren"))))
    locust(file, url, "--duration", "0.001s", "--wait", "1s", "--out", str(out))
    told: dict[str, Any] = json.loads((out / "report.json").read_text())["load"]
    (row,) = [row for row in told["requests"] if row["name"] == NAME]
    return float(row["count"] / told["took_s"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2_700, help="batches of five berichten in each turn (2700)")
    parser.add_argument("--seconds", type=int, default=5, help="how long the bare user posts in each turn (5)")
    parser.add_argument("--turns", type=int, default=3, help="how often both are measured (3)")
    options = parser.parse_args(arguments)
    rates: dict[str, list[float]] = {"bare fast-HTTP user": [], "load aanleveren": []}
    with serving() as url, tempfile.TemporaryDirectory() as name:
        for _ in range(options.turns):
            rates["bare fast-HTTP user"].append(bare(Path(name), url, options.seconds))
            rates["load aanleveren"].append(flat_out(Path(name), url, options.messages))
        sizes = [path.stat().st_size for path in (Path(name) / "bodies").iterdir()]
    medians = {label: statistics.median(found) for label, found in rates.items()}
    for label, rate in medians.items():
        print(f"{label}: {rate:.0f} batches a second, {rate * statistics.mean(sizes) / 1e6:.0f} MB/s")
    print(f"ratio: {medians['load aanleveren'] / medians['bare fast-HTTP user']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
