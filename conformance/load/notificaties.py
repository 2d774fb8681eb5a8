"""``load notificaties``: letters are offered, and their notifications must leave in order of arrival, each once, as fast as the hour allows.

Nothing is public about how notifications leave MijnOverheid. The Berichtenbox of the kit lists them on its control face; of one that does not list
them nothing can be judged here.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from conformance.berichtenbox.notificaties import DAILY, HOURLY
from conformance.load.judging import Measured, Outcome, texts_of_failures
from conformance.load.plan import Demand, LoadPlan, LoadProfile, Setting, Settings
from conformance.norms import count
from conformance.verdicts import Reason

IN_ORDER: Final = "SNO-BES-02"
HOUR, DAY, MOVED_HOUR, MOVED_DAY = "hour", "day", "moved-hour", "moved-day"
BATCH: Final = 50
"""The berichten of one message: it divides the norms of the hour and the day."""
FACT: Final = "notificaties"
"""Under which the facts of a run hold what was read."""
ABSENT: Final = "absent"
ACCEPTED: Final = "accepted"
"""The list of what was accepted: number, index of the process that sent it, when it was sent and when accepted, by the clock of that process."""
TOLERANCE_S: Final = 1.0
"""How far behind a Berichtenbox at exactly the norm notifications may be: moments are written in milliseconds."""
QUIET_S: Final = 5.0
"""A Berichtenbox that sent nothing for so long while letters have none is not slow: it has lost them."""
_PERIODS: Final = {HOUR: timedelta(hours=1), DAY: timedelta(days=1)}
_FILLING: Final = {MOVED_HOUR: timedelta(minutes=5), MOVED_DAY: timedelta(hours=2)}
_PATIENCE: Final = timedelta(seconds=5)
_AFTERWARDS_S: Final = 120.0
_READ_A_SECOND: Final = 2_000
_WHAT_TO_DO: Final = "export how many left each hour and day, in their order, and give that to `berichtenbox sno counts`"


def is_moved(settings: Settings) -> bool:
    """Tell whether the business clock is moved once all is offered, where otherwise an hour or a day would be waited for."""
    return settings["phase"] in _FILLING


def is_day(settings: Settings) -> bool:
    """Tell whether a day is asked, and not an hour."""
    return settings["phase"] in (DAY, MOVED_DAY)


def period(settings: Settings) -> timedelta:
    """Return within which time all notifications of a run at full scale are to leave."""
    return _PERIODS[DAY if is_day(settings) else HOUR]


def rate() -> float:
    """Return how many notifications a second the norm of the hour comes to."""
    return count(*HOURLY) / _PERIODS[HOUR].total_seconds()


def demand(settings: Settings) -> Demand:
    """Return what is offered: as many berichten as notifications may leave, at that rate; sooner when the clock is moved afterwards."""
    letters = count(*(DAILY if is_day(settings) else HOURLY))
    window = _FILLING.get(settings["phase"], period(settings))
    return Demand(letters // BATCH, window, _PATIENCE, is_rate_norm=not is_moved(settings))


def norms_of(settings: Settings) -> Sequence[str]:
    """Return the norms on which a phase is judged: an hour says nothing of the norm of a day."""
    return (IN_ORDER, HOURLY[0], DAILY[0]) if is_day(settings) else (IN_ORDER, HOURLY[0])


def afterwards_s(plan: LoadPlan) -> float:
    """Return how long reading may go on after the schedule."""
    return _AFTERWARDS_S + 0.1 * plan.window_s + plan.volume * BATCH / _READ_A_SECOND


# -- judging -----------------------------------------------------------------------------------------------------------------------------------


def judge(measured: Measured) -> Sequence[Outcome]:
    """Return what came of each norm of the phase."""
    undecided = _undecided(measured)
    if undecided is not None:
        reason, text = undecided
        return [Outcome(norm, None, text, "a list of what left", "none", reason=reason) for norm in measured.plan.norms]
    read = measured.facts[FACT]
    lost, late = _missing(measured, read)
    outcomes = {IN_ORDER: _in_order(measured, read, lost), HOURLY[0]: _of_hour(measured, read, late), DAILY[0]: _of_day(measured, read, late)}
    return [outcomes[norm] for norm in measured.plan.norms]


def _undecided(measured: Measured) -> tuple[Reason, str] | None:
    """Return why nothing can be judged."""
    read: Mapping[str, Any] = measured.facts.get(FACT, {})
    accepted = len(measured.tally.lists.get(ACCEPTED, ())) * BATCH
    if ABSENT in read:
        return Reason.NOT_SEEN, f"This Berichtenbox lists no notificaties ({read[ABSENT]}), and nothing was sent: {_WHAT_TO_DO}."
    if not accepted or not read:
        texts = "; ".join(texts_of_failures(measured)) or "nothing was sent"
        return Reason.NO_TRAFFIC, f"No bericht was accepted, so that no notificatie was due: {texts}."
    if accepted < measured.plan.volume * BATCH:
        texts = "; ".join(texts_of_failures(measured)) or "the run ended before"
        return Reason.NO_TRAFFIC, f"Only {accepted} of {measured.plan.volume * BATCH} berichten were accepted: {texts}."
    if read["stored"] < accepted:
        text = f"Of {accepted} accepted berichten {read['stored']} got into a Berichtenbox in time: look at the verwerkingsberichten."
        return Reason.NO_TRAFFIC, text
    return None


def _missing(measured: Measured, read: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many letters have no notification: lost, and not sent yet. One that still sends is late; one that stopped has lost them."""
    missing = len(measured.tally.lists[ACCEPTED]) * BATCH - read["own"]
    is_going = read["last_sent"] is not None and read["now"] - read["last_sent"] < QUIET_S
    return (0, missing) if is_going else (missing, 0)


def _in_order(measured: Measured, read: Mapping[str, Any], lost: int) -> Outcome:
    overtaken = _overtaken(measured.tally.lists[ACCEPTED], read["batches"])
    wrong = list(_wrong(read, lost, overtaken))
    expected = "one notificatie a bericht, in order of arrival, none before it arrived, on each day that has berichten"
    seen = f"{read['own']} berichten with a notificatie, in a list of {read['read']} ({read['foreign']} of others); {_clock(read)}"
    text = "; ".join(wrong) if wrong else f"{read['own']} notificaties, each once and in order of arrival"
    message = f"{text[0].upper()}{text[1:]}."
    return Outcome(IN_ORDER, is_met=not wrong, message=message, expected=expected, seen=seen, grows=False, is_certain=bool(wrong))


def _wrong(read: Mapping[str, Any], lost: int, overtaken: int) -> Iterator[str]:
    if lost:
        yield f"{lost} letters have no notificatie, and nothing leaves any more"
    if read["twice"]:
        yield f"{read['twice']} letters have more than one notificatie"
    if read["disorder"]:
        yield f"{read['disorder']} notificaties are out of order: {read['example']}"
    elif overtaken:
        yield f"notificaties of {overtaken} messages left before those of messages that had been accepted before they were sent"
    if read["early"]:
        yield f"{read['early']} notificaties left before their letter arrived"
    if read["days_without"]:
        yield f"nothing left on {', '.join(read['days_without'])} while letters waited"


def _overtaken(accepted: Sequence[Sequence[float]], batches: Sequence[Sequence[int]]) -> int:
    """Return how many messages were overtaken-by: sent after another was accepted, by the same process, and notified before it."""
    places = {number: (lowest, highest) for number, lowest, highest in batches}
    overtaking = 0
    for index in {row[1] for row in accepted}:
        mine = [row for row in accepted if row[1] == index and row[0] in places]
        by_acceptance, at, highest = sorted(mine, key=lambda row: row[3]), 0, 0
        for number, _index, sent, _accepted in sorted(mine, key=lambda row: row[2]):
            while by_acceptance[at][3] < sent:
                highest, at = max(highest, places[int(by_acceptance[at][0])][1]), at + 1
            overtaking += places[int(number)][0] < highest
    return overtaking


def _of_hour(measured: Measured, read: Mapping[str, Any], late: int) -> Outcome:
    most, hour = read["most_in_hour"]
    norm = count(*HOURLY)
    expected = f"{norm} an hour: not more in a clock hour, and while letters wait not fewer"
    seen = f"at most {most} in a clock hour and {read['most_in_60_minutes']} in any 60 minutes; {_clock(read)}"
    if most > norm:
        return Outcome(
            HOURLY[0], is_met=False, message=f"{most} notificaties in the hour from {hour}.", expected=expected, seen=seen, is_certain=True
        )
    return _fast_enough(HOURLY[0], measured, read, late, expected, seen)


def _of_day(measured: Measured, read: Mapping[str, Any], late: int) -> Outcome:
    most, day = read["most_in_day"]
    norm = count(*DAILY)
    expected = f"{norm} on a local day: not more, and while letters wait not fewer"
    seen = f"at most {most} on a local day; {_clock(read)}"
    if most > norm:
        return Outcome(DAILY[0], is_met=False, message=f"{most} notificaties on {day}.", expected=expected, seen=seen, is_certain=True)
    return _fast_enough(DAILY[0], measured, read, late, expected, seen)


def _fast_enough(norm: str, measured: Measured, read: Mapping[str, Any], late: int, expected: str, seen: str) -> Outcome:
    """Hold what left against a Berichtenbox that sends at exactly the norm of the hour while letters wait."""
    total = measured.plan.volume * BATCH
    behind = read["lateness_s"]
    if late or behind > TOLERANCE_S:
        rest = f", and {late} of {total} had not left yet" if late else ""
        text = f"Behind the norm by {behind:.1f} s while letters waited{rest}."
        # No more than the time in which the processes of the kit stood still can be laid at its door.
        is_certain = behind - sum(measured.generator.waited_s.values()) > TOLERANCE_S
        return Outcome(norm, is_met=False, message=text, expected=expected, seen=seen, is_certain=is_certain)
    text = f"{read['own']} notificaties at {read['rate'] * 3600:.0f} an hour, never behind a Berichtenbox at the norm."
    return Outcome(norm, is_met=True, message=text, expected=expected, seen=seen)


def _clock(read: Mapping[str, Any]) -> str:
    return f"the business clock was moved by {read['moved_s']:.0f} s" if read["moved_s"] else "the clock was not moved"


PROFILE: Final = LoadProfile(
    name="notificaties",
    party="logius",
    title_nl="Notificaties: 125.000 per uur en 3.000.000 per dag, in volgorde van binnenkomst",
    title_en="Notificaties: 125,000 an hour and 3,000,000 a day, in order of arrival",
    sends=f"a batch of {BATCH} berichten to reserved test BSNs",
    norms=norms_of,
    demand=demand,
    judge=judge,
    settings=(
        Setting(
            "phase",
            (HOUR, DAY, MOVED_HOUR, MOVED_DAY),
            "An hour or a day; moved- offers all at once and moves the business clock, of a Berichtenbox of the kit.",
        ),
    ),
    afterwards_s=afterwards_s,
)
