"""Which Afnemer and which Berichtenbox a pytest run of the conformance cases talks to: ``pytest conformance/cases``.

One case at a time, with ``-k``, ``--pdb`` and all else that pytest has. It writes no report: ``berichtenbox certify`` and ``berichtenbox verify`` do.
"""

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from conformance.profile import Profile
    from conformance.stage.judging import Judge

CASES: Final = Path(__file__).parent / "conformance" / "cases"
JUDGE: Final = pytest.StashKey["Judge"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that name both parties."""
    group = parser.getgroup("cases", "the conformance cases: whom `pytest conformance/cases` talks to")
    group.addoption("--afnemer", metavar="PROFILE", help="profile of the Afnemer under test (default: the reference Afnemer).")
    group.addoption("--face", choices=["adapter", "ebms"], help="face of the Berichtenbox (default: what the profile says).")
    group.addoption("--box", metavar="URL", help="grade the Berichtenbox at URL instead of an Afnemer.")
    group.addoption("--box-tls", metavar="DIR", help="certificates of `berichtenbox pki new`, with --box.")


def pytest_configure(config: pytest.Config) -> None:
    """Give the cases their stage, when they are what pytest is asked to run."""
    if any(_is_case(config, argument) for argument in config.args):
        from conformance.stage.running import MARKS  # noqa: PLC0415  # only a run of the cases needs it

        for mark in MARKS:
            config.addinivalue_line("markers", mark)
        config.pluginmanager.register(Stage(config), "conformance-cases")


def _is_case(config: pytest.Config, argument: str) -> bool:
    return (config.invocation_params.dir / argument.partition("::")[0]).resolve().is_relative_to(CASES)


class Stage:
    """Puts the party under test before the cases, and turns their judgements into outcomes of pytest."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.fixture(scope="session")
    def scene(self) -> Iterator[object]:
        """Give the stage with an Afnemer."""
        from conformance.afnemer.smoke import smoke_check  # noqa: PLC0415  # only a run of the cases needs it
        from conformance.certification import stage  # noqa: PLC0415  # idem

        with tempfile.TemporaryDirectory(prefix="berichtenbox-") as directory, stage(self._profile(), 0, Path(directory)) as scene:
            smoke_check(scene.driver, scene.citizen(), scene.bericht_type)
            yield scene

    @pytest.fixture(scope="session")
    def berichtenbox(self) -> Iterator[object]:
        """Give the stage with the Berichtenbox at ``--box``."""
        with self._berichtenbox() as stage:
            yield stage

    @contextmanager
    def _berichtenbox(self) -> Iterator[object]:
        from conformance.profile import Profile  # noqa: PLC0415  # see scene
        from conformance.stage.box_receiver import Reach  # noqa: PLC0415  # idem
        from conformance.verification import standing_before, target_of  # noqa: PLC0415  # idem

        url, tls = self._config.getoption("box"), self._config.getoption("box_tls")
        with tempfile.TemporaryDirectory(prefix="berichtenbox-") as directory:
            target = target_of(url, Profile.default("ebms"), None, Path(tls) if tls else None, Path(directory))
            with standing_before(target, Reach(), 0) as stage:
                yield stage

    @pytest.fixture
    def judge(self, request: pytest.FixtureRequest) -> "Judge":
        """Give the judge of this case, on a clean stage."""
        from conformance.stage.judging import Judge  # noqa: PLC0415  # see scene
        from conformance.stage.running import case_id, decided_by, needed_by  # noqa: PLC0415  # idem

        stage = request.getfixturevalue("scene" if "scene" in request.fixturenames else "berichtenbox")
        if missing := sorted(needed_by(request.node) - stage.has):
            pytest.skip(f"this run has no {' and no '.join(missing)}")
        stage.begin()
        judge = request.node.stash[JUDGE] = Judge(case_id(request.node), decided_by(request.node))
        return judge

    @pytest.fixture(scope="session")
    def receiver(self, request: pytest.FixtureRequest) -> object:
        """Give the party under test as the receiver of ebMS messages."""
        from conformance.stage.receiver import AfnemerReceiver  # noqa: PLC0415  # see scene

        if self._config.getoption("box"):
            return request.getfixturevalue("berichtenbox").receiver
        return AfnemerReceiver(request.getfixturevalue("scene"))

    @pytest.fixture(scope="session")
    def drawing(self) -> object:
        """Give how much is generated for an Afnemer."""
        from conformance.stage.drawing import Drawing  # noqa: PLC0415  # see scene

        return Drawing(0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a case about the other party, or about a face that this run does not have, before anything is made for it."""
        from conformance.stage.running import needed_by  # noqa: PLC0415  # see scene

        party = "berichtenbox" if self._config.getoption("box") else "afnemer"
        missing = (needed_by(item) & {"afnemer", "berichtenbox", "ebms"}) - {party, *self._faces(party)}
        if missing:
            pytest.skip(f"this run has no {' and no '.join(sorted(missing))}")

    def _faces(self, party: str) -> set[str]:
        return {"ebms"} if party == "berichtenbox" or self._profile().berichtenbox.face == "ebms" else set()

    def _profile(self) -> "Profile":
        from conformance.commands.certify import on_face  # noqa: PLC0415  # see scene
        from conformance.profile import Profile, load  # noqa: PLC0415  # idem

        file, face = self._config.getoption("afnemer"), self._config.getoption("face")
        return on_face(load(Path(file)), face) if file else Profile.default(face or "adapter")

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self) -> Generator[None, object, object]:
        """Skip a case for which the run has nothing to begin with."""
        from conformance.stage.judging import NotTestedError  # noqa: PLC0415  # see scene

        try:
            return (yield)
        except NotTestedError as undecided:
            pytest.skip(str(undecided))

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Fail a case that judged something failed, and skip one that could decide nothing."""
        from conformance.afnemer.driver import DriverError  # noqa: PLC0415  # see scene
        from conformance.stage.judging import NotTestedError  # noqa: PLC0415  # idem
        from conformance.verdicts import Verdict  # noqa: PLC0415  # idem

        error: BaseException | None = None
        try:
            yield
        except (NotTestedError, DriverError) as undecided:
            error = undecided
        judge = pyfuncitem.stash.get(JUDGE, None)
        if judge is not None:
            judge.close(error)
            told = [f"{result.requirement}: {result.message}" for result in judge.results if result.verdict is judge.worst()]
            if judge.worst() is Verdict.FAILED:
                pytest.fail("\n".join(told), pytrace=False)
            if judge.worst() in {Verdict.NOT_TESTED, Verdict.NOT_APPLICABLE}:
                pytest.skip("; ".join(told))
        return True
