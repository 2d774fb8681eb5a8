"""What a test asks of its Berichtenbox: by options of the run, and by marks that are nearer."""

import argparse
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from conformance.berichtenbox.register import DEFAULT_OIN, DEFAULT_TYPES
from conformance.profile_keys import SECTIONS, UnfitError, did_you_mean, shown

_MARK: Final = "berichtenbox"
_WORKER: Final = "PYTEST_XDIST_WORKER"
_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "oin": SECTIONS["afnemer"]["oin"].check,
    "bericht_types": SECTIONS["afnemer"]["bericht_types"].check,
}
_EXAMPLES: Final = {
    "oin": f'@pytest.mark.berichtenbox(oin="{DEFAULT_OIN}")',
    "bericht_types": '@pytest.mark.berichtenbox(bericht_types=["BELAST", "PASPOORT"])',
    "seed": "@pytest.mark.berichtenbox(seed=7)",
}


class CannotGive(ValueError):  # noqa: N818  # the sentence reads "cannot give"
    """A Berichtenbox that a test cannot have: the text says why, and what to do next."""


class UnfitWish(CannotGive):
    """A mark that asks for what cannot be: the text says what, what was seen, and what to write instead."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(f"@pytest.mark.{_MARK}: {what}\n  Hint: {hint}")


@dataclass(frozen=True, slots=True)
class Wishes:
    """The connection and the port of one Berichtenbox; port 0 is a free one, ``seed`` fixes the ids that it makes."""

    oin: str = DEFAULT_OIN
    bericht_types: tuple[str, ...] = DEFAULT_TYPES
    seed: int = 0
    port: int = 0


def wishes_of(request: pytest.FixtureRequest) -> Wishes:
    """Return what one test asks for; raises :class:`UnfitWish`."""
    marked, option = _marked(request.node), request.config.getoption
    return Wishes(
        oin=marked.get("oin") or option("berichtenbox_oin") or DEFAULT_OIN,
        bericht_types=marked.get("bericht_types") or option("berichtenbox_bericht_types") or DEFAULT_TYPES,
        # Repeatable, and another one each test: an Afnemer that outlives a test takes a MessageId that comes back for a duplicate.
        seed=marked.get("seed", zlib.crc32(request.node.nodeid.encode())),
        port=port_of_worker(option("berichtenbox_port") or 0, os.environ.get(_WORKER, "")),
    )


def port_of_worker(port: int, worker: str) -> int:
    """Return the port of a worker of pytest-xdist (``gw3``): two of them cannot listen on one."""
    number = worker.removeprefix("gw")
    return port + int(number) if port and number.isdecimal() else port


def _marked(node: pytest.Item) -> dict[str, Any]:
    """Return what the marks of a test say, each checked; the nearest one wins."""
    said: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers(_MARK))):
        if mark.args:
            raise UnfitWish("takes no values without a name.", _EXAMPLES["oin"])
        said.update(mark.kwargs)
    return {name: _checked(name, value) for name, value in said.items()}


def _checked(name: str, value: Any) -> Any:
    if name not in _EXAMPLES:
        near = did_you_mean(name, list(_EXAMPLES))
        raise UnfitWish(f"knows no {name[:40]!r}, only {', '.join(_EXAMPLES)}.", near or _EXAMPLES["oin"])
    try:
        return _number(value) if name == "seed" else _CHECKS[name](list(value) if isinstance(value, tuple) else value)
    except UnfitError as error:
        raise UnfitWish(f"{name} = {shown(value)}: {error.what}", error.hint or _EXAMPLES[name]) from None


def _number(value: Any) -> int:
    if type(value) is not int:
        raise UnfitError("expected a whole number.")
    return value


# -- options -----------------------------------------------------------------------------------------------------------------------------------


def oin_option(text: str) -> str:
    """Return the OIN of an option; raises what argparse tells the user."""
    return str(_option(_CHECKS["oin"], text))


def bericht_types_option(text: str) -> tuple[str, ...]:
    """Return the BerichtTypes of an option; raises what argparse tells the user."""
    found: tuple[str, ...] = _option(_CHECKS["bericht_types"], [item.strip() for item in text.split(",")])
    return found


def port_option(text: str) -> int:
    """Return the port of an option; raises what argparse tells the user."""
    return int(_option(SECTIONS["berichtenbox"]["port"].check, int(text) if text.isascii() and text.isdecimal() else text))


def _option(check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except UnfitError as error:
        hint = f" Hint: {error.hint}" if error.hint else ""
        raise argparse.ArgumentTypeError(f"{shown(value)}: {error.what}{hint}") from None
