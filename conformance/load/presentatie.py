"""``load presentatie``: ten thousand requests or more by citizens who read, of which 99,9 % is answered within 200 milliseconds.

The SNO names no rate: a hundred a second is our choice, and the report says so.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from conformance.load.judging import About, Measured, Outcome, all_sent
from conformance.load.plan import Demand, LoadProfile, Settings
from conformance.norms import count, duration, share

LIST, LETTER, BIJLAGE = "list", "letter", "bijlage"
KINDS: Final = (LIST, LETTER, BIJLAGE)
READERS: Final = 100
LETTERS: Final = 5
"""So many letters each reader has at least: the box is filled up to that first."""
SIZES: Final = (10_000, 50_000)
RATE: Final = 100
"""Requests a second: ours, for the SNO gives none."""
_LONG_S: Final = 1.0
"""So long an answer may take before every user waits for one: five times the norm, so that a slow party is still asked at the rate."""


def demand(_settings: Settings) -> Demand:
    """Return what SNO-PRE-01 takes to be judged."""
    volume = count("SNO-PRE-01", "bevragingen_min")
    return Demand(volume, timedelta(seconds=volume / RATE), duration("SNO-PRE-01", "term"), is_rate_norm=False)


def judge(measured: Measured) -> Sequence[Outcome]:
    """Return what came of SNO-PRE-01: exact fractions, and a failure is no answer in time."""
    term, wanted = duration("SNO-PRE-01", "term").total_seconds(), share("SNO-PRE-01", "share")
    total = measured.samples.total(*KINDS)
    slow = measured.samples.over(term, *KINDS)
    unanswered = measured.sent - total.answered
    allowed = int(measured.sent * (1 - wanted))
    rate, ms = f"{measured.plan.rate:.4g} a second", term * 1000
    expected = f"at least {float(wanted):.1%} of the requests answered within {ms:g} ms: at most {allowed} of {measured.sent} later"
    about = About("SNO-PRE-01", expected, f"{slow} later, {unanswered} without a right answer, at {rate}, measured at the client")
    message = f"{measured.sent - slow - unanswered} of {measured.sent} requests were answered within {ms:g} ms, at {rate}."
    if unanswered > allowed:
        return [about.missed(message, is_certain=total.failures > allowed)]
    if slow + unanswered > allowed:
        return [about.missed(message, slow + unanswered - allowed)]
    return [about.met(message) if all_sent(measured) else about.missed(f"Only {measured.sent} of {measured.plan.volume} requests were sent.")]


PROFILE: Final = LoadProfile(
    name="presentatie",
    party="logius",
    title_nl="De berichtpresentatie: burgers die lezen, 99,9 % binnen 200 milliseconden",
    title_en="The berichtpresentatie: citizens who read, 99.9 % within 200 milliseconds",
    sends="a GET of a list, a letter or a bijlage by a citizen",
    norms=lambda _settings: ("SNO-PRE-01",),
    demand=demand,
    judge=judge,
    thresholds=lambda: (duration("SNO-PRE-01", "term").total_seconds(),),
    users=lambda rate: int(rate * _LONG_S) + 4,
)
