"""``load validatie``: a thousand questions of 250 BSNs an hour to the validatieservice, all answered right, each within 30 seconds.

Makes the questions and reads the answers as well: what is a right answer is decided here, in the load generator too.
"""

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Final

from conformance.afnemer.reference.validating import content_of
from conformance.berichtenbox.population import citizens
from conformance.load.judging import About, Measured, Outcome, all_sent, texts_of_failures
from conformance.load.plan import Demand, LoadProfile, Settings
from conformance.messages.bsns import bsn_text
from conformance.messages.guard import XmlRefused
from conformance.messages.validatie import ACTION, Klant, UnreadableValidatie, ValidatieAanvraag, read_antwoord
from conformance.norms import count, duration
from conformance.transport import soap
from conformance.verdicts import Reason

NAME: Final = "ValidateAbonnementen"
HEADERS: Final = {"content-type": soap.CONTENT_TYPE, "soapaction": f'"{ACTION}"'}
CITIZENS: Final = 909
"""The reserved test BSNs: nobody else is asked about, wherever the run goes."""
INACTIVE: Final = 0.1
"""The share of them that takes no letters, in a Berichtenbox that the kit starts: so that a yes to everything is seen."""


class WrongAnswer(ValueError):  # noqa: N818  # the sentence reads "wrong answer"
    """An answer that does not say of each citizen, once, whether he takes the letter."""


def demand(_settings: Settings) -> Demand:
    """Return what SNO-VAL-01 asks."""
    return Demand(count("SNO-VAL-01", "bevragingen"), timedelta(hours=1), duration("SNO-VAL-03", "term"))


class Questions:
    """The questions of a run, the same ones for the same seed; ``truth`` tells who takes letters where that is known."""

    def __init__(self, oin: str, bericht_type: str, seed: int, truth: Mapping[str, bool] | None = None) -> None:
        self._oin, self._type, self._seed = oin, bericht_type, seed
        self.truth = truth or {}
        self._all = _reserved()
        self._size = count("SNO-VAL-02", "bsns")

    def asked(self, number: int) -> list[str]:
        """Return the citizens of one question."""
        return random.Random(f"{self._seed} {number}").sample(self._all, self._size)  # noqa: S311  # who is asked about is no secret

    def body(self, bsns: Sequence[str]) -> bytes:
        """Return the SOAP message of a question."""
        return soap.write_envelope(ValidatieAanvraag(self._oin, self._type, tuple(Klant(bsn) for bsn in bsns)).to_element())

    def check(self, bsns: Sequence[str], content: bytes) -> None:
        """Hold an answer against the question; raises :class:`WrongAnswer`, without quoting anybody."""
        try:
            antwoord = read_antwoord(content_of(content))
        except (XmlRefused, UnreadableValidatie) as error:
            raise WrongAnswer(f"no ValidateAbonnementenResponse: {type(error).__name__}") from None
        told = [(item.klant.key, item.is_bericht_sturen) for item in antwoord.abonnementen if item.klant is not None]
        if sorted(str(key) for key, _ in told) != sorted(bsns):
            raise WrongAnswer(f"{len(bsns)} citizens were asked about, and others or not the same ones were answered")
        wrong = sum(self.truth.get(str(key), takes) != takes for key, takes in told)
        if wrong:
            raise WrongAnswer(f"{wrong} of {len(bsns)} citizens have the wrong outcome")


@cache
def _reserved() -> Sequence[str]:
    return [bsn_text(number) for number, _ in citizens(CITIZENS, 0)]


@cache
def truth_of(seed: int, inactive: float = INACTIVE) -> Mapping[str, bool]:
    """Return who takes letters in a Berichtenbox that was filled with the reserved test BSNs."""
    return {bsn_text(number): is_active for number, is_active in citizens(CITIZENS, seed, inactive_share=inactive)}


# -- judging -----------------------------------------------------------------------------------------------------------------------------------


def judge(measured: Measured) -> Sequence[Outcome]:
    """Return what came of SNO-VAL-01 and SNO-VAL-03."""
    return [_volume(measured), _longest(measured)]


def _volume(measured: Measured) -> Outcome:
    plan, total = measured.plan, measured.samples.total(NAME)
    expected = f"{plan.volume} questions in {plan.window_s:g} s ({plan.rate * 3600:.0f} an hour), all answered right"
    seen = f"{total.count} asked, {total.answered} answered right, {measured.late_busy} late because every user waited for an answer"
    about = About("SNO-VAL-01", expected, seen)
    if total.failures:
        # What was answered wrong is wrong, however busy we were.
        return about.missed(f"{total.failures} of {total.count} answers: {'; '.join(texts_of_failures(measured))}.", is_certain=True)
    missed = plan.volume - total.answered + measured.late_busy
    if missed or not all_sent(measured):
        return about.missed(f"{missed} of {plan.volume} questions were not asked or answered in time.", missed)
    return about.met(f"{total.answered} questions at {plan.rate * 3600:.0f} an hour.")


def _longest(measured: Measured) -> Outcome:
    term, total = duration("SNO-VAL-03", "term").total_seconds(), measured.samples.total(NAME)
    unanswered, over = total.failures + measured.sent - total.count, measured.samples.over(term, NAME)
    seen = f"the longest took {total.longest_s:.3f} s, {over} took longer than {term:g} s, {unanswered} had no right answer"
    about = About("SNO-VAL-03", f"each answer within {term:g} s", seen)
    if over:
        return about.missed(f"{over} of {total.count} answers took longer than {term:g} s, the longest {total.longest_s:.1f} s.", over)
    if not total.answered:
        return about.undecided("No question was answered.", Reason.NO_TRAFFIC)
    if unanswered:
        return about.undecided(f"{unanswered} questions have no right answer: how long it would take is unknown.", Reason.TIMEOUT)
    return about.met(f"The longest answer took {total.longest_s:.3f} s.")


PROFILE: Final = LoadProfile(
    name="validatie",
    party="logius",
    title_nl="De validatieservice: 1.000 bevragingen van 250 BSN's per uur, elk binnen 30 seconden",
    title_en="The validatieservice: 1,000 questions of 250 BSNs an hour, each within 30 seconds",
    sends="a question about 250 reserved test BSNs",
    norms=lambda _settings: ("SNO-VAL-01", "SNO-VAL-03"),
    demand=demand,
    judge=judge,
    serving=("--citizens", str(CITIZENS), "--inactive", str(INACTIVE)),
    thresholds=lambda: (duration("SNO-VAL-03", "term").total_seconds(),),
)
