"""Ties a profile to Locust's events: options, the plan, the workers' reports, the end of the schedule, and the verdict when it quits.

The same on one process, with workers, headless and with Locust's web page: ``locust -f perf/profiles/validatie.py`` judges as ``berichtenbox load``.
"""

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import gevent
from locust import LoadTestShape, events, runners
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from conformance.load.generator.options import add_options, plan_of
from conformance.load.generator.session import Gathered, Session, lead_s
from conformance.load.generator.user import ScheduledUser
from conformance.load.judging import DONE, Generator, Measured
from conformance.load.plan import VERDICT_FILE, LoadError, LoadPlan
from conformance.load.report import conclude
from conformance.load.telling import so_far
from conformance.load.watching import Watch
from conformance.progress import NowAndThen
from conformance.verdicts import ExitCode

_PLAN: Final = "berichtenbox-plan"
_REPORT: Final = "berichtenbox"
_GRACE_S: Final = 15.0
_LONGEST_ANSWER_S: Final = 300.0
_LOOK_S: Final = 1.0
_HEARTBEATS: Final = 10
_LOG: Final = logging.getLogger(__name__)


def listen(name: str) -> None:
    """Make this locustfile the profile ``name``: called once, when the file is read."""
    # Three seconds, as Locust has it, are what a hundred handshakes take on a busy machine: such a worker is not gone.
    runners.HEARTBEAT_LIVENESS = _HEARTBEATS
    run = _Run(name)
    events.init_command_line_parser.add_listener(lambda parser, **_: add_options(parser, name))
    events.init.add_listener(run.on_init)
    events.test_start.add_listener(run.on_start)
    events.request.add_listener(run.on_request)
    events.report_to_master.add_listener(run.on_report)
    events.worker_report.add_listener(run.on_worker_report)
    events.quitting.add_listener(run.on_quitting)


@dataclass(slots=True)
class _Run:
    """What this process knows of the run: a session when it has users, what is gathered when it leads them."""

    name: str
    environment: Environment | None = None
    session: Session | None = None
    gathered: Gathered | None = None
    plan: LoadPlan | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    workers: int = 1
    watch: Watch | None = None
    is_over: bool = False
    is_judged: bool = False
    is_cpu_full: bool = False
    workers_lost: int = 0

    # -- before the users ------------------------------------------------------------------------------------------------------------------

    def on_init(self, environment: Environment, **_rest: Any) -> None:
        """Make the plan; who leads the run gets the shape that ends it."""
        self.environment = environment
        if isinstance(environment.runner, WorkerRunner):
            environment.runner.register_message(_PLAN, self.on_plan)
            return
        try:
            self.plan = plan_of(self.name, environment.parsed_options, environment.host or "")  # type: ignore[arg-type]  # it is there by now
        except LoadError as error:
            click.echo(str(error), err=True)
            sys.exit(ExitCode.USAGE)
        environment.shape_class = _Shape(self)
        environment.events.cpu_warning.add_listener(self.on_cpu_warning)

    def on_start(self, environment: Environment, **_rest: Any) -> None:
        """Prepare, and give everybody a part of the schedule; a worker has its part already."""
        runner = environment.runner
        if isinstance(runner, WorkerRunner) or self.plan is None:
            return
        self.started, self.is_over, self.is_judged = datetime.now(UTC), False, False
        self.plan = replace(self.plan, target=environment.host or self.plan.target)
        facts = self._prepared(self.plan)
        if facts is None:
            self.is_over = True
            return
        if isinstance(runner, MasterRunner):
            self._divide(runner, self.plan, facts)
        else:
            self._begin(Session(self.plan, facts=facts))
        self.watch = Watch.of(self.plan.connection)
        gevent.spawn(self._tell, self.plan)

    def _tell(self, plan: LoadPlan) -> None:
        """Tell how far the run is, as long as it goes on."""
        progress, parent = NowAndThen(sys.stderr, plan.window_s), os.getppid()
        while not self.is_over:
            gevent.sleep(_LOOK_S)
            if VERDICT_FILE in plan.connection and os.getppid() != parent:
                self._quit()  # the command was killed, and with it went what it had started
                return
            progress.tell(lambda: self._so_far(plan))

    def _quit(self) -> None:
        runner = None if self.environment is None else self.environment.runner
        if runner is not None:
            runner.quit()

    def _so_far(self, plan: LoadPlan) -> str:
        state = self.gathered or self.session
        return "" if state is None else so_far(state.tally.counts[DONE], plan.volume, state.samples.total().failures)

    def _prepared(self, plan: LoadPlan) -> dict[str, Any] | None:
        """Return what was made ready; ``None`` when that failed, and then the run is over before it began."""
        session = Session(plan)
        try:
            for user in self._users():
                user.session = session
                user.prepare(session)
        except Exception as error:  # noqa: BLE001  # whatever it is, the run must end, and say so
            self.session = session
            session.unprepared(error)
            return None
        return session.facts

    def _users(self) -> list[type[ScheduledUser]]:
        return [] if self.environment is None else [user for user in self.environment.user_classes if issubclass(user, ScheduledUser)]

    def _divide(self, runner: MasterRunner, plan: LoadPlan, facts: Mapping[str, Any]) -> None:
        clients = sorted(runner.clients)
        self.workers = len(clients)
        self.gathered = Gathered(plan, len(clients))
        self.gathered.facts.update(facts)
        for index, client in enumerate(clients):
            runner.send_message(_PLAN, {"plan": plan.to_json(), "index": index, "parts": len(clients), "facts": dict(facts)}, client)

    def on_plan(self, msg: Any, **_rest: Any) -> None:
        """Take a part of the schedule, in a worker."""
        told = msg.data
        self.plan = LoadPlan.from_json(told["plan"])
        self._begin(Session(self.plan, told["index"], told["parts"], told["facts"]))

    def _begin(self, session: Session) -> None:
        self.session = session
        for user in self._users():
            user.session = session
        if session.index == 0:
            session.is_accompanied = True
            gevent.spawn(self._accompany, session)

    def _accompany(self, session: Session) -> None:
        try:
            for user in self._users():
                user.accompany(session)
        except Exception as error:  # noqa: BLE001  # whatever it is, the run must end, and say so
            _LOG.exception("what goes on beside the users failed")
            session.crash(error)
        finally:
            session.is_accompanied = False

    # -- during the run --------------------------------------------------------------------------------------------------------------------

    def on_request(self, name: str, response_time: float, **rest: Any) -> None:
        """Keep a request of one of our users."""
        if self.session is not None:
            self.session.on_request(name, response_time, rest.get("exception"), rest.get("start_time"))

    def on_report(self, data: dict[str, Any], **_rest: Any) -> None:
        """Tell the master what was measured, in a worker."""
        if self.session is not None:
            data[_REPORT] = self.session.report()

    def on_worker_report(self, data: Mapping[str, Any], **_rest: Any) -> None:
        """Hear what a worker measured, in the master."""
        if self.gathered is not None and _REPORT in data:
            self.gathered.hear(data[_REPORT])

    def on_cpu_warning(self, **_rest: Any) -> None:
        """Remember that the processor of this process was full."""
        self.is_cpu_full = self.is_cpu_full or not self.is_over

    def check_end(self) -> bool:
        """Tell whether the run is over: all is done, a worker went away, or it takes longer than it can."""
        state = self.gathered or self.session
        if self.is_over:
            return True
        if self.plan is None or state is None:
            return False
        self.workers_lost = max(self.workers_lost, self._lost())
        if self.workers_lost or state.is_done or self._elapsed_s() > self._longest_s(self.plan):
            self.is_over = True
        return self.is_over

    def _elapsed_s(self) -> float:
        return (datetime.now(UTC) - self.started).total_seconds()

    @staticmethod
    def _longest_s(plan: LoadPlan) -> float:
        answer_s = min(_LONGEST_ANSWER_S, 2 * plan.demand.patience.total_seconds())
        return lead_s(plan) + plan.window_s + answer_s + plan.profile.afterwards_s(plan) + _GRACE_S

    def _lost(self) -> int:
        runner = None if self.environment is None else self.environment.runner
        if not isinstance(runner, MasterRunner) or self.gathered is None:
            return 0
        present = sum(1 for client in runner.clients.all if client.state != STATE_MISSING)
        return max(0, self.workers - present)

    # -- at the end ------------------------------------------------------------------------------------------------------------------------

    def on_quitting(self, environment: Environment, **_rest: Any) -> None:
        """Judge, tell the outcome, write the report, and set the exit code; in who leads the run."""
        if isinstance(environment.runner, WorkerRunner) or self.plan is None or self.is_judged:
            return
        self.is_judged = True
        # Locust goes on after a crash in a listener, and would end with a code of its own.
        environment.process_exit_code = int(ExitCode.KIT_ERROR)
        options = environment.parsed_options
        measured = self._measured(environment)
        concluded = conclude(
            measured,
            self.started,
            out=Path(options.out) if options is not None and options.out else None,
            lang="nl" if options is None else options.lang,
            accepts_scaled=options is not None and options.accept_scaled,
        )
        click.echo(concluded.text)
        environment.process_exit_code = int(concluded.exit_code)
        if VERDICT_FILE in self.plan.connection:
            Path(self.plan.connection[VERDICT_FILE]).write_text(str(int(concluded.exit_code)), encoding="ascii")

    def _measured(self, environment: Environment) -> Measured:
        if self.plan is None:
            raise LoadError("nothing ran.")
        state = self.gathered or self.session or Session(self.plan)
        runner = environment.runner
        if not self.is_over:  # Locust itself stops when the last worker is silent
            self.workers_lost = max(self.workers_lost, self._lost())
        is_full = self.is_cpu_full or (runner is not None and (runner.cpu_warning_emitted or runner.worker_cpu_warning_emitted))
        generator = Generator(
            workers=self.workers,
            workers_lost=self.workers_lost,
            is_cpu_full=is_full,
            party_cpu={} if self.watch is None else self.watch.shares(),
            waited_s=self._waited(),
            is_interrupted=not self.is_over,
        )
        return Measured(self.plan, state.samples, state.tally, generator, state.facts)

    def _waited(self) -> dict[str, float]:
        """Return how long the load generator waited for a processor, with the parties that the kit started."""
        parties = {} if self.watch is None else self.watch.waited()
        own = self.gathered.waited if self.gathered is not None else {} if self.session is None else {0: self.session.waited_s()}
        return parties | {"the load generator": sum(own.values())}


class _Shape(LoadTestShape):
    """All users at once, until the run is over."""

    use_common_options = True

    def __init__(self, run: _Run) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Locust has no types there
        self._run = run

    def tick(self) -> tuple[int, float] | None:
        """Return how many users there are; ``None`` at the end."""
        plan = self._run.plan
        if plan is None or self._run.check_end():
            return None
        return plan.users, float(min(plan.users, 100 * max(1, self._run.workers)))
