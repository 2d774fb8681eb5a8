"""The options that a profile adds to Locust's own, and the plan that they come to."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.load.durations import scale_of, seconds_of
from conformance.load.parties import defaults
from conformance.load.plan import LoadError, LoadPlan, plan, profile

_GROUP = "berichtenbox"


def add_options(parser: Any, name: str) -> None:
    """Add the options of a profile to the parser of Locust."""
    group = parser.add_argument_group(_GROUP, profile(name).title_en)
    group.add_argument("--scale", default="1", help="Volume and window times this much, such as 0.01; the rate stays.")
    group.add_argument("--duration", default="", help="Another window, such as 90s, 10m or 1h: shorter is harder, longer claims nothing.")
    group.add_argument("--wait", default="", help="How long to wait for what comes back later; the term of the norm without it.")
    group.add_argument("--seed", type=int, default=1, help="Fixes what is sent.")
    group.add_argument("--out", default="", help="The directory for report.json, report.html and junit.xml.")
    group.add_argument("--lang", choices=["nl", "en"], default="nl", help="The language of report.html.")
    group.add_argument("--accept-scaled", action="store_true", help="Exit code 0 when every norm was met, though only at a scale.")
    group.add_argument("--connection", default="", help="A JSON file with who is played, and where the parties are.")
    group.add_argument("--tls", default="", help="The test certificates of `berichtenbox pki new`, when the host has https.")
    for setting in profile(name).settings:
        group.add_argument(f"--{setting.name}", choices=None if setting.is_count else setting.choices, default=setting.default, help=setting.help)


def plan_of(name: str, options: argparse.Namespace, host: str) -> LoadPlan:
    """Return the plan that the options come to; raises :class:`LoadError`."""
    connection = defaults() | dict(_read(options.connection)) | ({"tls": options.tls} if options.tls else {})
    return plan(
        name,
        scale=scale_of(options.scale),
        window_s=seconds_of(options.duration, "--duration") if options.duration else None,
        users=options.num_users,
        workers=max(1, getattr(options, "expect_workers", 1)),
        target=host,
        seed=options.seed,
        settings={setting.name: getattr(options, setting.name.replace("-", "_")) for setting in profile(name).settings},
        connection=connection,
        wait_s=seconds_of(options.wait, "--wait") if options.wait else None,
    )


def _read(file: str) -> Mapping[str, str]:
    if not file:
        return {}
    try:
        read = json.loads(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise LoadError(f"--connection {file}: cannot be read: {error}.\n  Hint: `berichtenbox load` makes such a file itself.") from None
    if not isinstance(read, dict):
        raise LoadError(f"--connection {file}: expected a JSON object.\n  Hint: `berichtenbox load` makes such a file itself.")
    return {str(key): str(value) for key, value in read.items()}
