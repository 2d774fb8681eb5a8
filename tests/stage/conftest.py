"""A stage with the reference Afnemer, or one that is driven otherwise; and what belongs on it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance.afnemer.driver import Driver
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.app import Urls, running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of
from conformance.stage.line import Line
from conformance.stage.scene import Scene

SEED = 7


class Unsure(PythonCaller):
    """Drives an Afnemer that works, and never says that it is idle."""

    rounds = 0

    def settle(self) -> bool:
        self.rounds += 1
        self._party.work()
        return False


class Refusing(PythonCaller):
    """Drives nobody: what is asked raises what it was told to."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def call(self, *_arguments: object, **_more: object) -> None:
        raise self.error

    def settle(self) -> bool:
        return True


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Berichtenbox]:
    """A Berichtenbox that works when it is told to."""
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        yield Berichtenbox(ledger, seed=SEED)


@pytest.fixture
def urls(box: Berichtenbox) -> Iterator[Urls]:
    """Where that Berichtenbox listens."""
    with running(box, works_by_itself=False) as where:
        yield where


@pytest.fixture
def party(box: Berichtenbox, urls: Urls) -> Iterator[ReferenceAfnemer]:
    """The reference Afnemer."""
    made = ReferenceAfnemer(connection_of(box, urls, SEED))
    yield made
    made.close()


@pytest.fixture
def make_scene(box: Berichtenbox, urls: Urls) -> Callable[..., Scene]:
    """Make a stage for a caller."""

    def make(caller: PythonCaller, reaction_s: float = 10.0, line: Line | None = None) -> Scene:
        return Scene(box, urls, Driver(caller), reaction_s=reaction_s, seed=SEED, line=line)

    return make


@pytest.fixture
def scene(make_scene: Callable[..., Scene], party: ReferenceAfnemer) -> Scene:
    """The stage with the reference Afnemer."""
    return make_scene(PythonCaller.of(party))


@pytest.fixture(scope="session")
def callers() -> SimpleNamespace:
    """The classes above: tests cannot import them."""
    return SimpleNamespace(unsure=Unsure, refusing=Refusing)
