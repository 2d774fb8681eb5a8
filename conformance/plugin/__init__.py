"""The pytest plugin: gives a test a Berichtenbox of its own, ``def test_my_sender(berichtenbox): ...``.

Every pytest run of whoever has the kit loads this module, so it imports nothing: what a Berichtenbox needs comes with the first test that asks
for one.
"""
# ruff: noqa: PLC0415  # see above

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conformance.plugin.box import BerichtenboxInTest

_MARK = (
    "berichtenbox(oin=..., bericht_types=[...], seed=...): the Afnemer whose connection the fixture 'berichtenbox' plays, the BerichtTypes that it "
    "has in the leveranciersportaal, and the number that fixes the ids which the Berichtenbox makes (default: one that follows from the test)."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the Berichtenbox to ``--help``."""
    group = parser.getgroup("berichtenbox", "the simulated Berichtenbox of the fixture 'berichtenbox'")
    group.addoption("--berichtenbox-oin", metavar="OIN", type=_oin, help="OIN of the Afnemer under test (default: 00000099000000001000, a test OIN).")
    group.addoption(
        "--berichtenbox-bericht-types",
        metavar="TYPES",
        type=_bericht_types,
        help="BerichtTypes of the connection, separated by commas (default: BELAST,PASPOORT).",
    )
    group.addoption(
        "--berichtenbox-port",
        metavar="PORT",
        type=_port,
        help="port on which each test finds its Berichtenbox (default: a free one a test); each further worker of pytest-xdist takes the next port.",
    )


def _oin(text: str) -> str:
    from conformance.plugin import wishes

    return wishes.oin_option(text)


def _bericht_types(text: str) -> tuple[str, ...]:
    from conformance.plugin import wishes

    return wishes.bericht_types_option(text)


def _port(text: str) -> int:
    from conformance.plugin import wishes

    return wishes.port_option(text)


def pytest_configure(config: pytest.Config) -> None:
    """Tell ``--markers`` about the mark."""
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def berichtenbox(request: pytest.FixtureRequest) -> "Iterator[BerichtenboxInTest]":
    """Give this test a simulated Berichtenbox of its own, on a port of its own: clock, faults, what it received, and assertions.

    Point your sender at ``berichtenbox.adapter`` (or give it ``berichtenbox.env``), let it send, and ask ``berichtenbox.received()``.
    """
    from conformance.plugin.box import opened
    from conformance.plugin.wishes import CannotGive, wishes_of

    with ExitStack() as opening:
        refusal = ""
        try:
            box = opening.enter_context(opened(wishes_of(request)))
        except CannotGive as error:
            refusal = str(error)
        if refusal:
            pytest.fail(refusal, pytrace=False)
        yield box
