"""Runs the cases with pytest, inside this process: selects them, sets their order by the seed, and collects what they judged."""

import random
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from conformance.stage.box_stage import BoxStage
from conformance.stage.drawing import Drawing
from conformance.stage.judging import Judge, UndecidedError
from conformance.stage.receiver import AfnemerReceiver, Receiver
from conformance.stage.scene import Scene
from conformance.stage.transcript import transcript
from conformance.verdicts import CaseResult, Reason, Verdict

_CASES: Final = Path(__file__).parent.parent / "cases"
_RUN_FIRST: Final = "_controle"  # who was never asked about is there only until somebody asks for all
_RUN_LAST: Final = "_regels"
_JUDGE = pytest.StashKey[Judge]()
_STAGES: Final = {"afnemer": "scene", "berichtenbox": "berichtenbox"}
"""Who is tested on the stage of which fixture."""
_PARTIES: Final = frozenset(_STAGES)
_S = TypeVar("_S", Scene, BoxStage)
MARKS: Final = (
    "decides(*ids): requirements",
    "needs(*what): what a run must have",
    "heavy: moves a million BSNs or more than 100 MB",
    "bulk: takes a while",
)
_NO_PLUGINS: Final = (
    "terminal",
    "cacheprovider",
    "junitxml",
    "doctest",
    "nose",
    "faulthandler",
    "logging",
    "warnings",
    "pastebin",
    "stepwise",
    "unraisableexception",
    "threadexception",
    "pact",
    "schemathesis",
    "locust",  # it replaces sockets
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which cases run: those that decide one of ``requirements`` (``None``: all), with or without those that move much.

    ``heavy`` ones move a million BSNs or more than 100 MB, ``bulk`` ones take more than a quarter of a second.
    """

    requirements: frozenset[str] | None = None
    heavy: bool = True
    bulk: bool = True


@dataclass(slots=True)
class CaseRun:
    """What a run of the cases came to: judgements, and a transcript for each case by its evidence name."""

    results: list[CaseResult] = field(default_factory=list)
    transcripts: dict[str, str] = field(default_factory=dict)


def decided_by(item: pytest.Item) -> tuple[str, ...]:
    """Return the requirements that a collected case decides."""
    return tuple(dict.fromkeys(str(name) for mark in item.iter_markers("decides") for name in mark.args))


def needed_by(item: pytest.Item) -> frozenset[str]:
    """Return what a run must have for a collected case: what it is marked with, and who is on the stage that it uses."""
    marked = frozenset(str(name) for mark in item.iter_markers("needs") for name in mark.args)
    return marked | frozenset(party for party, fixture in _STAGES.items() if fixture in getattr(item, "fixturenames", ()))


def case_id(item: pytest.Item) -> str:
    """Return the id of a case: its subject and its sentence, ``verwerkingsberichten/result_is_fetched_and_marked``."""
    return f"{item.path.stem.removeprefix('test_')}/{item.name.removeprefix('test_')}"


class CasePlugin:
    """The pytest plugin of a run: gives the cases their scene and judge, and keeps what they say."""

    def __init__(
        self,
        scene: Scene | BoxStage,
        selection: Selection,
        *,
        seed: int,
        evidence_name: Callable[[str], str] | None,
        started: Callable[[int], None],
        step: Callable[[str, str], None],
    ) -> None:
        self._scene = scene
        self._selection = selection
        self._seed = seed
        self._evidence_name = evidence_name
        self._started = started
        self._step = step
        self.run = CaseRun()

    @property
    def requirements(self) -> frozenset[str] | None:
        """The requirements of which the cases run, ``None`` for all."""
        return self._selection.requirements

    @pytest.fixture(scope="session")
    def scene(self) -> Scene:
        """Give the stage of this run, with an Afnemer."""
        return self._only(Scene)

    @pytest.fixture(scope="session")
    def berichtenbox(self) -> BoxStage:
        """Give the stage of this run, with a Berichtenbox under test."""
        return self._only(BoxStage)

    def _only(self, kind: type[_S]) -> _S:
        if not isinstance(self._scene, kind):
            raise TypeError(f"this run has no {kind.__name__}: its cases should have been left out")
        return self._scene

    @pytest.fixture
    def judge(self, request: pytest.FixtureRequest) -> Judge:
        """Give the judge of this case."""
        return self._judge_of(request.node)

    @pytest.fixture(scope="session")
    def receiver(self) -> Receiver:
        """Give the party under test as the receiver of ebMS messages."""
        return self._scene.receiver if isinstance(self._scene, BoxStage) else AfnemerReceiver(self._scene)

    @pytest.fixture(scope="session")
    def drawing(self) -> Drawing:
        """Give how much is generated for an Afnemer in this run, and with which seed."""
        return Drawing.of(self._seed, is_quick=not self._selection.heavy)

    def _judge_of(self, item: pytest.Item) -> Judge:
        if _JUDGE not in item.stash:
            item.stash[_JUDGE] = Judge(case_id(item), decided_by(item))
        return item.stash[_JUDGE]

    def pytest_configure(self, config: pytest.Config) -> None:
        """Have tracebacks written the short way: nobody reads them, and the long one takes a tenth of a second a case."""
        config.option.tbstyle = "native"

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the selected cases, in an order that the seed decides: those that must be first before it, the rules over everything offered after."""
        kept = [item for item in items if self._is_selected(item)]
        random.Random(self._seed).shuffle(kept)  # noqa: S311  # a repeatable order, no secret
        kept.sort(key=lambda item: item.path.stem.endswith(_RUN_LAST) - item.path.stem.endswith(_RUN_FIRST))
        items[:] = [item for item in kept if not self._leave_out(item)]
        self._forget_other_party(items)
        self._started(len(items))

    def _leave_out(self, item: pytest.Item) -> bool:
        """Tell whether a case is about something that this run does not have; its requirements do not apply then."""
        missing = sorted(needed_by(item) - self._scene.has)
        reason = Reason.OTHER_PARTY if _PARTIES.intersection(missing) else Reason.FACE_NOT_USED
        if missing:
            judge = self._judge_of(item)
            text = f"this run has no {' and no '.join(missing)}"
            for requirement in judge.requirements:
                if self._selection.requirements is None or requirement in self._selection.requirements:
                    self.run.results.append(CaseResult(requirement, judge.case, Verdict.NOT_APPLICABLE, text, reason))
        return bool(missing)

    def _forget_other_party(self, items: Iterable[pytest.Item]) -> None:
        """Forget what was left out as about the other party, where this party has a case of its own."""
        own = {requirement for item in items for requirement in decided_by(item)}
        own |= {result.requirement for result in self.run.results if result.reason is not Reason.OTHER_PARTY}
        self.run.results[:] = [result for result in self.run.results if result.reason is not Reason.OTHER_PARTY or result.requirement not in own]

    def _is_selected(self, item: pytest.Item) -> bool:
        if not self._selection.heavy and item.get_closest_marker("heavy"):
            return False
        if not self._selection.bulk and item.get_closest_marker("bulk"):
            return False
        wanted = self._selection.requirements
        return wanted is None or bool(wanted.intersection(decided_by(item)))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_setup(self) -> None:
        """Begin each case on a clean stage, after what it looks at was delivered."""
        self._scene.begin()

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Settle what a case left undecided; nothing that it raises goes further."""
        error: BaseException | None = None
        try:
            yield
        except (Exception, pytest.fail.Exception) as raised:  # noqa: BLE001  # a judgement, or a crash of ours: both are kept
            error = raised
        self._close(pyfuncitem, error)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Keep what goes wrong before a case begins: it is decided by nothing."""
        report = yield
        if call.when == "setup" and call.excinfo is not None:
            self._close(item, call.excinfo.value)
        return report

    def _close(self, item: pytest.Item, error: BaseException | None) -> None:
        judge = self._judge_of(item)
        try:
            judge.close(error)
        except UndecidedError as mistake:
            judge.close(mistake)
        name = self._keep_transcript(judge)
        wanted = self._selection.requirements
        for result in judge.results:
            if wanted is None or result.requirement in wanted:
                self.run.results.append(replace(result, evidence=(name,) if name else ()))
        self._step(judge.case, judge.worst())

    def _keep_transcript(self, judge: Judge) -> str:
        if self._evidence_name is None:
            return ""
        name = self._evidence_name(judge.case)
        if isinstance(self._scene, BoxStage):
            self.run.transcripts[name] = self._scene.told(judge)
            return name
        box, start = self._scene.box, self._scene.start
        offers = [*judge.offers, *box.offers(start)]
        self.run.transcripts[name] = transcript(offers, box.results(start), box.calls(start), [*judge.exchanges, *box.exchanges(start)])
        return name


def run_cases(plugin: CasePlugin) -> CaseRun:
    """Run the cases of ``plugin`` and return what they judged; raises ``RuntimeError`` when pytest itself could not run them."""
    _pytest([], plugin, _modules_of(plugin.requirements))
    return plugin.run


class _Idle:
    """Stands in for the fixtures of a run while the cases are only collected."""

    @pytest.fixture(scope="session")
    def scene(self) -> None:
        """Stand in for the stage: nothing runs."""

    @pytest.fixture(scope="session")
    def berichtenbox(self) -> None:
        """Stand in for the stage: nothing runs."""

    @pytest.fixture
    def judge(self) -> None:
        """Stand in for the judge: nothing runs."""

    @pytest.fixture
    def receiver(self) -> None:
        """Stand in for the party: nothing runs."""


@cache
def collected() -> Sequence[tuple[str, tuple[str, ...], bool]]:
    """Return each case with the requirements that it decides and whether it is heavy, without running any."""
    found: list[tuple[str, tuple[str, ...], bool]] = []

    class Collector(_Idle):
        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            found.extend((case_id(item), decided_by(item), item.get_closest_marker("heavy") is not None) for item in items)
            items.clear()

    _pytest(["--collect-only"], Collector())
    return tuple(found)


@cache
def _needs() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}

    class Collector(_Idle):
        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            for item in items:
                needed = needed_by(item)
                found.update({requirement: found.get(requirement, frozenset()) | needed for requirement in decided_by(item)})
            items.clear()

    _pytest(["--collect-only"], Collector())
    return found


def needs_of(requirements: Iterable[str]) -> frozenset[str]:
    """Return what a run must have for the cases that decide these requirements."""
    return frozenset().union(*(_needs().get(requirement, frozenset()) for requirement in requirements))


@cache
def _decided() -> Mapping[str, frozenset[str]]:
    """Return the modules of the cases that decide a requirement."""
    found: dict[str, frozenset[str]] = {}
    for case, decided, _is_heavy in collected():
        module = f"test_{case.partition('/')[0]}.py"
        found.update({requirement: found.get(requirement, frozenset()) | {module} for requirement in decided})
    return found


def _modules_of(requirements: frozenset[str] | None) -> Sequence[Path]:
    """Return where the cases on these requirements are: collecting the others takes as long as running a few."""
    if requirements is None:
        return [_CASES]
    names = frozenset[str]().union(*(_decided().get(one, frozenset()) for one in requirements))
    return [_CASES / name for name in sorted(names)] or [_CASES]


class _Interrupts:
    """Keeps what interrupted pytest: it makes an exit code of that, which an error while collecting has too."""

    caught: KeyboardInterrupt | None = None

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep Ctrl-C."""
        self.caught = excinfo.value if isinstance(excinfo.value, KeyboardInterrupt) else None


def _pytest(more: Sequence[str], plugin: object, places: Sequence[Path] = (_CASES,)) -> None:
    """Let pytest run or collect the cases; raises ``RuntimeError`` when it could not, and the ``KeyboardInterrupt`` that pytest caught."""
    interrupts = _Interrupts()
    options = [
        "--import-mode=importlib",
        "--capture=no",
        "--strict-markers",
        f"--rootdir={_CASES}",
        "-c",
        "/dev/null",
        "--disable-plugin-autoload",
        "--noconftest",
    ]
    options += [part for name in _NO_PLUGINS for part in ("-p", f"no:{name}")]
    marks = ["-o", "markers=" + "\n".join(MARKS)]
    code = pytest.main([*more, *options, *marks, *map(str, places)], plugins=[plugin, interrupts])
    if interrupts.caught is not None:
        raise interrupts.caught
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise RuntimeError(f"the cases could not be run: pytest ended with {code!r}")
