"""The ways in which the Berichtenbox misbehaves as the real one may: each a named fault.

A fault is scripted (after ``skip`` occasions, ``times`` in a row) or drawn (a seed, a chance and a maximum in a row, so that a correct party always
gets through and a run can be repeated). Chance without a seed does not exist here.
"""

import math
import random
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from conformance.messages.identities import passes_elfproef
from conformance.messages.verwerkingsbericht import VerwerkingsCode

EXTRA_BSN: Final = "999993653"
"""The reserved test BSN that stands in an answer without being asked about, unless a fault names another."""
_LARGEST: Final = 1_000
_LONGEST_TEXT: Final = 1_000
_CODES: Final = frozenset(VerwerkingsCode)
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "what": ("message-id", "cpa", "parties"),
    "shape": ("without-actor", "with-role", "multipart"),
}
_STATUSES: Final = range(200, 600)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # half of a pair cannot be written again


class FaultError(ValueError):
    """A fault that does not exist, or a parameter that it does not take."""


class Point(StrEnum):
    """Where a fault strikes: an operation of the adapter face, the question of the WUS face, the making of a result or answer, a step over ebMS2.

    On the ebMS2 face a message of the Afnemer is ``POST``, and its Acknowledgment of a result stands for ``POLL``, ``FETCH`` and ``PROCESS``.
    """

    POST = "post"
    POLL = "poll"
    FETCH = "fetch"
    PROCESS = "process"
    VALIDATE = "validate"
    RESULT = "result"
    ANSWER = "answer"
    ACK = "ack"
    PUSH = "push"
    CONNECT = "connect"


_OPERATIONS: Final = (Point.POST, Point.POLL, Point.FETCH, Point.PROCESS, Point.VALIDATE)


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A named fault: what it does, where it can strike, and its parameters with their defaults."""

    name: str
    does: str
    points: tuple[Point, ...] = (Point.RESULT,)
    parameters: Mapping[str, Any] = field(default_factory=dict)


KINDS: Final = {
    kind.name: kind
    for kind in (
        FaultKind("unavailable", "answers 503", _OPERATIONS, {"retry_after_s": 0}),
        FaultKind("error-500", "answers 500, as the adapter does for permanent faults", _OPERATIONS, {"text": "No CanSend action found"}),
        FaultKind("slow", "waits before it answers", _OPERATIONS, {"delay_s": 0.2}),
        FaultKind("reset-before-work", "drops the connection, and does nothing", _OPERATIONS),
        FaultKind("reset-after-work", "does the work, then drops the connection", _OPERATIONS),
        FaultKind("status", "answers this HTTP status, and does nothing", _OPERATIONS, {"status": 404, "location": ""}),
        FaultKind("truncated-answer", "does the work, then breaks off in the middle of the answer", _OPERATIONS),
        FaultKind("ack-lost", "keeps a message, and does not acknowledge it", (Point.ACK,)),
        FaultKind("ack-twice", "acknowledges a message several times", (Point.ACK,), {"copies": 2}),
        FaultKind("ack-late", "acknowledges a message later, on the business clock", (Point.ACK,), {"delay_s": 1.0}),
        FaultKind("ack-foreign", "acknowledges another: message-id, cpa or parties", (Point.ACK,), {"what": "message-id"}),
        FaultKind("ack-shape", "acknowledges as another product: without-actor, with-role or multipart", (Point.ACK,), {"shape": "without-actor"}),
        FaultKind("ack-in-answer", "acknowledges in the HTTP answer, whatever the CPA says", (Point.ACK,)),
        FaultKind("error-list", "answers an ErrorList, and does not keep the message", (Point.ACK,), {"error": "MimeProblem"}),
        FaultKind("push-twice", "sends a message twice in a row", (Point.PUSH,)),
        FaultKind("push-truncated", "sends a message without its end", (Point.PUSH,)),
        FaultKind("push-wrong-content-type", "sends a message as text/plain", (Point.PUSH,)),
        FaultKind("push-unknown-cpa", "sends a message under a CPA that nobody knows, in front", (Point.PUSH,)),
        FaultKind("push-expired", "sends a message after its time to live, in front", (Point.PUSH,)),
        FaultKind("unreachable", "finds nobody at the gateway, for each copy of a result or answer", (Point.CONNECT,)),
        FaultKind("register-down", "answers DependentServiceFault, as when a register behind it is down", (Point.VALIDATE,)),
        FaultKind("application-fault", "answers ApplicationFault to a good question", (Point.VALIDATE,)),
        FaultKind("klant-missing", "leaves the last citizen out of the answer", (Point.VALIDATE,)),
        FaultKind("klant-order", "answers the citizens in reverse order", (Point.VALIDATE,)),
        FaultKind("klant-twice", "answers each citizen twice", (Point.VALIDATE,)),
        FaultKind("klant-extra", "answers true for a citizen who was not asked about too", (Point.VALIDATE,), {"bsn": EXTRA_BSN}),
        FaultKind("klant-nil", "puts a nil Abonnement and one with a nil klant in front", (Point.VALIDATE,)),
        FaultKind("numeric-booleans", "writes isBerichtSturen as 1 and 0", (Point.VALIDATE,)),
        FaultKind("validatie-doctype", "answers with a DOCTYPE and an external entity", (Point.VALIDATE,), {"url": ""}),
        FaultKind("validatie-unreadable", "answers XML that breaks off", (Point.VALIDATE,)),
        FaultKind("late-answer", "offers the answer to a request for abonnementen hours later", (Point.ANSWER,), {"hours": 1.0}),
        FaultKind("no-answer", "never offers the answer", (Point.ANSWER,)),
        FaultKind("crossed", "offers answers in a row last one first, a minute apart", (Point.ANSWER,)),
        FaultKind("answer-twice", "offers the answer again after it was processed, same MessageId", (Point.ANSWER,)),
        FaultKind("answer-again", "offers the answer again after it was processed, new MessageId", (Point.ANSWER,)),
        FaultKind("answer-order", "answers the citizens in reverse order", (Point.ANSWER,)),
        FaultKind("answer-extra-bsn", "adds an active citizen who was not asked about", (Point.ANSWER,), {"bsn": EXTRA_BSN}),
        FaultKind("answer-bsn-twice", "answers each citizen twice", (Point.ANSWER,)),
        FaultKind("answer-unknown-verzoek", "offers the reverse of the truth under an unknown VerzoekId, in front", (Point.ANSWER,)),
        FaultKind("answer-unreadable", "offers an answer whose XML breaks off, in front", (Point.ANSWER,)),
        FaultKind("answer-doctype", "offers an answer with a DOCTYPE and an external entity, in front", (Point.ANSWER,), {"url": ""}),
        FaultKind("answer-bomb", "offers a broken answer that unpacks to 64 MB, in front", (Point.ANSWER,)),
        FaultKind("answer-cut", "offers the answer with the end of its gzip file missing, in front", (Point.ANSWER,)),
        FaultKind("answer-plain", "offers the answer as XML that is not packed", (Point.ANSWER,)),
        FaultKind("answer-octet-stream", "offers the gzip file as application/octet-stream", (Point.ANSWER,)),
        FaultKind("code", "gives berichten this VerwerkingsCode", parameters={"code": "TechnischProbleem", "berichten": None}),
        FaultKind("no-result", "never offers the result"),
        FaultKind("late", "offers the result days later", parameters={"days": 1.0}),
        FaultKind("reoffer-same-id", "offers the result again after it was processed, same MessageId", parameters={"again": 1}),
        FaultKind("reoffer-new-id", "offers the result again after it was processed, new MessageId", parameters={"again": 1, "days": 0.0}),
        FaultKind("reorder", "offers results in a row last one first, a minute apart"),
        FaultKind("split", "spreads one result over several", parameters={"parts": 2}),
        FaultKind("gzip", "offers the result as a gzip file"),
        FaultKind("stadium-absent", "leaves Stadium out"),
        FaultKind("stadium-nil", "writes Stadium with xsi:nil"),
        FaultKind("stadium-unknown", "writes a Stadium that nobody knows", parameters={"stadium": "NieuwStadium"}),
        FaultKind("nil-bericht-id", "answers with the nil BerichtID", parameters={"code": "XmlValidatieTegenXsdValtNegatiefUit"}),
        FaultKind("refusal-lists-all", "refuses the whole batch on the schema, and lists every BerichtID"),
        FaultKind("unknown-bericht-id", "adds a BerichtID that was never offered"),
        FaultKind("unknown-batch-id", "offers a result of a batch that was never offered, in front"),
        FaultKind("unreadable-before", "offers a result that cannot be read, in front"),
        FaultKind("foreign-message-before", "offers a message of another service, in front"),
        FaultKind("several-parts", "puts another payload part in front"),
        FaultKind("case-changed", "answers the ids in the other case"),
        FaultKind("counters-wrong", "answers counters that do not fit the berichten"),
        FaultKind("foreign-reference", "refers to a MessageId that the Afnemer never had"),
        FaultKind("other-prefixes", "writes the same document with other namespace prefixes"),
        FaultKind("empty", "offers a result without berichten, in front"),
        FaultKind("doctype", "offers a result with a DOCTYPE and an external entity, in front", parameters={"url": ""}),
        FaultKind("gzip-bomb", "offers a result that unpacks to 64 MB"),
    )
}


@dataclass(slots=True)
class Fault:
    """A fault that waits for its moment."""

    kind: FaultKind
    point: Point
    parameters: Mapping[str, Any]
    skip: int = 0
    times: int | None = 1
    chance: float | None = None
    seed: int | None = None
    max_in_a_row: int = 3
    fired: int = 0
    _draw: random.Random | None = None

    def __post_init__(self) -> None:
        if self.chance is not None:
            self._draw = random.Random(self.seed)  # noqa: S311  # a repeatable draw, no secret

    def __repr__(self) -> str:
        return f"<Fault {self.kind.name} on {self.point}: fired {self.fired}x>"

    @property
    def name(self) -> str:
        """The name of the fault."""
        return self.kind.name

    @property
    def is_spent(self) -> bool:
        """Whether it will never strike again."""
        return self.times is not None and self.fired >= self.times

    def strikes(self, in_a_row: int) -> bool:
        """Tell whether it strikes on this occasion, and remember that it did; ``in_a_row`` drawn faults struck just before."""
        if self.is_spent:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self._draw is not None and not self._is_drawn(self._draw, in_a_row):
            return False
        self.fired += 1
        return True

    def _is_drawn(self, draw: random.Random, in_a_row: int) -> bool:
        drawn = draw.random() < (self.chance or 0.0)
        return drawn and in_a_row < self.max_in_a_row


class FaultPlan:
    """The faults that are set; safe to ask from any thread."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._in_a_row = dict.fromkeys(Point, 0)
        self._lock = threading.Lock()

    def script(self, name: str, *, on: str | None = None, skip: int = 0, times: int | None = 1, **parameters: Any) -> Fault:
        """Set a fault that strikes ``times`` in a row (``None``: always) after ``skip`` occasions; raises :class:`FaultError`."""
        _check_count("skip", skip, 0)
        if times is not None:
            _check_count("times", times, 1)
        return self._add(_fault(name, on, parameters, skip=skip, times=times))

    def draw(self, name: str, *, seed: int, chance: float, on: str | None = None, max_in_a_row: int = 3, **parameters: Any) -> Fault:
        """Set a fault that strikes with a chance, at most ``max_in_a_row`` times in a row; raises :class:`FaultError`."""
        if not isinstance(chance, int | float) or not 0 < chance < 1:
            raise FaultError(f"chance = {str(chance)[:40]!r}: expected a number between 0 and 1")
        _check_count("max_in_a_row", max_in_a_row, 1)
        return self._add(_fault(name, on, parameters, times=None, chance=float(chance), seed=seed, max_in_a_row=max_in_a_row))

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def striking(self, point: Point) -> Sequence[Fault]:
        """Return the faults that strike at ``point`` on this occasion, in the order in which they were set."""
        with self._lock:
            if not self._faults:
                return ()
            in_a_row = self._in_a_row[point]
            struck = [fault for fault in self._faults if fault.point is point and fault.strikes(in_a_row)]
            # Drawn faults count together: one that rests while another strikes would keep a correct party out for ever.
            self._in_a_row[point] = in_a_row + 1 if any(fault.chance is not None for fault in struck) else 0
            return struck

    def all(self) -> Sequence[Fault]:
        """Return every fault that was set and not cleared."""
        with self._lock:
            return tuple(self._faults)

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._faults.clear()
            self._in_a_row = dict.fromkeys(Point, 0)


def _check_count(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise FaultError(f"{name} = {str(value)[:40]!r}: expected a whole number of at least {least}")


def _fault(name: str, on: str | None, parameters: Mapping[str, Any], **rest: Any) -> Fault:
    kind = KINDS.get(name)
    if kind is None:
        raise FaultError(f"there is no fault {name[:40]!r}; known are: {', '.join(sorted(KINDS))}")
    unknown = sorted(set(parameters) - set(kind.parameters))
    if unknown:
        raise FaultError(f"fault {name} has no parameter {unknown[0][:40]!r}; it takes: {', '.join(sorted(kind.parameters)) or 'none'}")
    for key, value in parameters.items():
        _check_parameter(kind, key, value)
    point = _point(kind, on)
    return Fault(kind, point, {**kind.parameters, **parameters}, **rest)


def _check_parameter(kind: FaultKind, key: str, value: Any) -> None:
    """Refuse a value that would only fail when the fault strikes, which is in the middle of somebody's work."""
    default = kind.parameters[key]
    if key == "berichten":
        fits, expected = value is None or _are_indices(value), "null, or a list of whole numbers from 0"
    elif key == "code":
        fits, expected = isinstance(value, str) and value in _CODES, f"one of {', '.join(sorted(_CODES))}"
    elif key in _CHOICES:
        fits, expected = value in _CHOICES[key], f"one of {', '.join(_CHOICES[key])}"
    elif key == "status":
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        fits, expected = is_whole and value in _STATUSES, f"a status from {_STATUSES[0]} to {_STATUSES[-1]}"
    elif key == "bsn":
        fits, expected = isinstance(value, str) and passes_elfproef(value), "a possible BSN"
    elif isinstance(default, str):
        fits, expected = _is_short_text(value), f"a text of at most {_LONGEST_TEXT} characters"
    else:
        numbers = int if isinstance(default, int) else int | float
        fits = isinstance(value, numbers) and not isinstance(value, bool) and 0 <= value <= _LARGEST and math.isfinite(value)
        expected = f"a {'whole ' if numbers is int else ''}number from 0 to {_LARGEST}"
    if not fits:
        shown = "…" if key == "bsn" else f"{str(value)[:40]!r}"
        raise FaultError(f"fault {kind.name}: {key} = {shown}: expected {expected}")


def _are_indices(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in value)


def _is_short_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT and not _SURROGATE.search(value)


def _point(kind: FaultKind, on: str | None) -> Point:
    if on is None:
        return kind.points[0]
    allowed = {str(point): point for point in kind.points}
    if not isinstance(on, str) or on not in allowed:
        raise FaultError(f"fault {kind.name} cannot strike on {str(on)[:40]!r}, only on: {', '.join(allowed)}")
    return allowed[on]
