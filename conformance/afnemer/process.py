"""The reference Afnemer as a process of its own: ``python -m conformance.afnemer.process``; right, or with a deliberate defect by name.

It works by itself, and is driven over test-control on the port that it tells on standard output. What must not wait for each other, such as a load
generator, a Berichtenbox and an Afnemer, run as processes of their own.
"""

import argparse
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from conformance.afnemer.defects import DEFECTS
from conformance.afnemer.defects.load import LOAD_DEFECTS
from conformance.afnemer.http_face import test_control_app
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.parent import end_with_parent
from conformance.transport.serving import bind, config_of, serving

VARIABLE: Final = "BERICHTENBOX_VERBINDING"
"""The variable of the environment that holds the connection, when the argument does not."""
_EVERY_S: Final = 0.05
_NEEDED: Final = ("BERICHTENBOX_CPA_ID", "BERICHTENBOX_OIN", "BERICHTENBOX_LOGIUS_OIN", "BERICHTENBOX_BERICHT_TYPES")


def maker(defect: str | None) -> Callable[[Mapping[str, str]], ReferenceAfnemer]:
    """Return what makes the Afnemer with a defect, or the right one; raises ``ValueError`` for an unknown name."""
    if defect is None:
        return ReferenceAfnemer
    known = {name: item.make for name, item in DEFECTS.items()} | {name: item.make for name, item in LOAD_DEFECTS.items()}
    if defect not in known:
        raise ValueError(f"there is no defect {defect[:60]!r}; `berichtenbox selftest` and docs/load.md tell which there are")
    return known[defect]


def connection_from(text: str | None) -> dict[str, str]:
    """Return the connection variables in a JSON text; raises ``ValueError`` when they are not an object of texts, or lack what every driver gives."""
    if not text:
        raise ValueError(f"no connection: give the BERICHTENBOX_* variables as a JSON object, as an argument or in {VARIABLE}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("the connection is no JSON") from None
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("the connection is no JSON object of texts")
    missing = [key for key in _NEEDED if key not in value]
    if missing:
        raise ValueError(f"the connection lacks {missing[0]}")
    return value


def run(connection: Mapping[str, str], defect: str | None, host: str, port: int, every_s: float, stop: threading.Event) -> None:
    """Run the Afnemer until ``stop``; its URL is told on standard output as JSON, once it answers. Raises ``CannotListenError``."""
    bound = bind(host, port)
    with contextlib.closing(maker(defect)(connection)) as party:
        party.start(every_s)
        with serving(config_of(test_control_app(party), None), bound):
            shown = f"[{host}]" if ":" in host else host
            print(json.dumps({"url": f"http://{shown}:{bound.getsockname()[1]}", "pid": os.getpid()}), flush=True)  # noqa: T201  # that is its output
            stop.wait()


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance.afnemer.process", description="The reference Afnemer as a process of its own.")
    parser.add_argument("connection", nargs="?", default=os.environ.get(VARIABLE), help=f"the BERICHTENBOX_* variables as JSON; else {VARIABLE}")
    parser.add_argument("--defect", metavar="NAME", help="the defect that it has")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 is a free one")
    parser.add_argument("--every-s", type=float, default=_EVERY_S, metavar="S", help="the seconds between two looks at the queue")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends, as it does with the parent")
    parsed = parser.parse_args(arguments)
    try:
        parsed.connection = connection_from(parsed.connection)
        maker(parsed.defect)
    except ValueError as error:
        parser.error(str(error))
    return parsed


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT, or until the parent is gone."""
    options, stop = _arguments(arguments), threading.Event()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.with_parent:
        end_with_parent(stop.set)
    run(options.connection, options.defect, options.host, options.port, options.every_s, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
