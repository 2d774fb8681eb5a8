"""What a run sends: the demand of the norms, made smaller by a scale, and an exact schedule of when each message is due.

A scale makes volume and window smaller, never the rate. A shorter window makes the rate higher, which is harder; a longer one is easier.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from conformance.norms import PROFILES
from conformance.report.model import Party
from conformance.verdicts import ExitCode

if TYPE_CHECKING:
    from conformance.load.judging import Measured, Outcome
    from conformance.profile import Profile

FULL: Final = Fraction(1)
_MOST_USERS: Final = 1_000
_LEAST_USERS: Final = 4
VERDICT_FILE: Final = "verdict_file"
"""The name in a connection under which stands where the exit code of the judgement goes: Locust's own codes are no verdicts."""
AGAIN: Final = "again"
"""The name in a connection under which stands the command that started the run."""
Settings = Mapping[str, str]
"""What a profile can be told besides its scale, by name: the phase, the face, the volume."""


class LoadError(ValueError):
    """A run that cannot be planned as it was asked: what is wrong, and what to do."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Demand:
    """What the norms ask at full scale: so many messages in so much time, each answered within ``patience``.

    ``is_rate_norm`` tells whether the rate comes from a norm: then a lower one proves nothing.
    """

    volume: int
    window: timedelta
    patience: timedelta
    is_rate_norm: bool = True

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.volume / self.window.total_seconds()


@dataclass(frozen=True, slots=True)
class Setup:
    """What somebody gave for a run: a profile, test certificates, a target (or none of them), and the seed and settings of the run."""

    profile: "Profile"
    profile_file: Path | None
    seed: int
    settings: Settings
    tls: Path | None = None
    target: str = ""


@dataclass(frozen=True, slots=True)
class Stand:
    """The parties of a run that stand ready: the base URL of the one under test, and all else that the load generator must know, by name."""

    target: str
    connection: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a profile: its choices, the first of which is the default, or any whole number from 1 (``is_count``)."""

    name: str
    choices: tuple[str, ...]
    help: str
    is_count: bool = False

    @property
    def default(self) -> str:
        """What it is when nobody says."""
        return self.choices[0]

    @property
    def expected(self) -> str:
        """What it may be, in words."""
        return "a whole number from 1" if self.is_count else f"one of {', '.join(self.choices)}"

    def takes(self, value: str) -> bool:
        """Tell whether it may be this."""
        return value.isascii() and value.isdecimal() and int(value) > 0 if self.is_count else value in self.choices


ADAPTER, EBMS = "adapter", "ebms"
FACE: Final = Setting("face", (ADAPTER, EBMS), "Over which face of the Berichtenbox.")


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """A load profile: whom it grades, on which norms, what it sends, and how what was measured is judged.

    ``demand`` and ``norms`` get the settings of the run. ``thresholds`` are the latencies in seconds above which answers are counted exactly.
    ``sends`` says in words what one message of the schedule is. ``stand`` starts what a run needs and
    nobody gave, by default a Berichtenbox, run with the words of ``serving`` more: see ``parties``. ``afterwards_s`` is how many
    seconds a run may take at most beyond its schedule and the last answers, for what comes back later.
    """

    name: str
    party: Party
    title_nl: str
    title_en: str
    sends: str
    norms: Callable[[Settings], Sequence[str]]
    demand: Callable[[Settings], Demand]
    judge: "Callable[[Measured], Sequence[Outcome]]"
    thresholds: Callable[[], tuple[float, ...]] = tuple
    settings: tuple[Setting, ...] = ()
    users: Callable[[float], int] | None = None
    serving: tuple[str, ...] = ()
    stand: "Callable[[Setup], AbstractContextManager[Stand]] | None" = None
    afterwards_s: "Callable[[LoadPlan], float]" = lambda _plan: 0.0

    def __repr__(self) -> str:
        return f"<LoadProfile {self.name}>"

    def title(self, lang: str) -> str:
        """Return what it puts to the test, in ``nl`` or ``en``."""
        return self.title_nl if lang == "nl" else self.title_en


def profile(name: str) -> LoadProfile:
    """Return a load profile by name: that of the module of its name here; raises :class:`LoadError`."""
    if name not in PROFILES:
        raise LoadError(f"there is no load profile {name[:40]!r}.\n  Hint: {', '.join(sorted(PROFILES))}.")
    module = f"conformance.load.{name}"
    if find_spec(module) is None:
        raise LoadError(f"load {name}: this version of the kit does not have it yet.\n  Hint: `berichtenbox load --help` names the others.")
    found: LoadProfile = import_module(module).PROFILE
    return found


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One run of a profile: ``volume`` messages, evenly over ``window_s`` seconds, over ``users`` connections in ``workers`` processes.

    ``connection`` tells where the parties are and who is played, by name; ``settings`` holds a value for each setting of the profile. ``wait_s`` is
    how long it waits for what comes back later, when that is not the term of the norm.
    """

    name: str
    scale: Fraction
    volume: int
    window_s: float
    users: int
    workers: int
    target: str
    seed: int
    settings: Settings = field(default_factory=dict)
    connection: Mapping[str, str] = field(default_factory=dict)
    wait_s: float | None = None

    def __repr__(self) -> str:
        return f"<LoadPlan {self.name} {self.shown_scale}: {self.volume} in {self.window_s:g} s>"

    @property
    def profile(self) -> LoadProfile:
        """The profile that it runs."""
        return profile(self.name)

    @property
    def demand(self) -> Demand:
        """What the norms ask at full scale."""
        return self.profile.demand(self.settings)

    @property
    def norms(self) -> tuple[str, ...]:
        """The norms that it is judged on."""
        return tuple(self.profile.norms(self.settings))

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.volume / self.window_s

    @property
    def shown_scale(self) -> str:
        """The scale as people write it: ``1:100``."""
        return f"1:{float(1 / self.scale):g}"

    @property
    def is_slower(self) -> bool:
        """Whether it sends less in a second than the norm says."""
        return self.rate < self.demand.rate * (1 - 1e-9)

    @property
    def can_claim(self) -> bool:
        """Whether a norm that is met in this run is met indeed."""
        return self.scale >= FULL and not (self.is_slower and self.demand.is_rate_norm)

    def due(self, number: int) -> float:
        """Return when message ``number`` (from 0) is due, in seconds from the start."""
        return number / self.rate

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON value, for the workers."""
        return asdict(self) | {"scale": str(self.scale), "settings": dict(self.settings), "connection": dict(self.connection)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(**{**value, "scale": Fraction(value["scale"])})


def plan(
    name: str,
    *,
    scale: Fraction = FULL,
    window_s: float | None = None,
    users: int | None = None,
    workers: int = 1,
    target: str = "",
    seed: int = 1,
    settings: Settings | None = None,
    connection: Mapping[str, str] | None = None,
    wait_s: float | None = None,
) -> LoadPlan:
    """Return the plan of a run; raises :class:`LoadError`. Without ``window_s`` the window is that of the norm, made smaller by the scale."""
    if not 0 < scale <= FULL:
        raise LoadError(f"--scale {float(scale):g}: a scale lies above 0, and is at most 1.\n  Hint: 0.01 runs a hundredth.")
    kind = profile(name)
    chosen = _settings(kind, settings or {})
    demand = kind.demand(chosen)
    volume = max(1, math.ceil(demand.volume * scale))
    window = float(demand.window.total_seconds() * scale) if window_s is None else window_s
    if window <= 0:
        raise LoadError("--duration: a run takes more than 0 seconds.\n  Hint: such as 90s, 10m or 1h.")
    rate = volume / window
    wanted = users or _users(kind, demand, rate, volume)
    return LoadPlan(name, scale, volume, window, max(wanted, workers), workers, target, seed, chosen, dict(connection or {}), wait_s)


def _settings(kind: LoadProfile, given: Settings) -> dict[str, str]:
    known = {item.name: item for item in kind.settings}
    for name, value in given.items():
        if name not in known:
            raise LoadError(
                f"--{name}: load {kind.name} does not take it.\n  Hint: it takes {', '.join(f'--{one}' for one in known) or 'no settings'}."
            )
        if not known[name].takes(value):
            raise LoadError(f"--{name} {value[:40]}: expected {known[name].expected}.\n  Hint: `berichtenbox load --help` tells what it is.")
    return {name: given.get(name, item.default) for name, item in known.items()}


def _users(kind: LoadProfile, demand: Demand, rate: float, volume: int) -> int:
    """Return as many users as are busy when every answer takes all the time that it may: then who is late is the party, and not the kit."""
    enough = kind.users(rate) if kind.users is not None else math.ceil(rate * demand.patience.total_seconds()) + _LEAST_USERS
    return max(1, min(enough, volume, _MOST_USERS))
