"""The profiles that grade an Afnemer, against the reference Afnemer and its defects: real processes, a small run, and no load generator."""

import json
import subprocess
from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from conformance.afnemer.defects.load import LOAD_DEFECTS
from conformance.load import afwijzingen, afwijzingen_driving, herlevering, herlevering_driving, verwerkingsberichten, verwerkingsberichten_driving
from conformance.load.afnemer_following import Following
from conformance.load.afnemers import letters, live_citizen, standing
from conformance.load.judging import Measured
from conformance.load.parties import PROGRAM
from conformance.load.plan import ADAPTER, EBMS, Setup, plan
from conformance.load.samples import Samples, Tally
from conformance.profile import Profile
from conformance.transport import pki
from conformance.verdicts import ExitCode

SCALES = {"herlevering": Fraction(1, 10_000), "afwijzingen": Fraction(1, 750), "verwerkingsberichten": Fraction(1, 2_000)}
RIGHT = [pytest.param(name, None, ADAPTER, id=name) for name in SCALES]
WRONG = [pytest.param(defect.profile, defect.name, ADAPTER, id=defect.name) for defect in LOAD_DEFECTS.values()]
OVER_EBMS = [pytest.param("verwerkingsberichten", "forgets_what_it_applied_long_ago", EBMS, id="forgets_what_it_applied_long_ago-ebms")]
SEEN = {
    "leaves_bijlagen_out_of_a_herlevering": "came with another content",
    "makes_new_ids_for_a_herlevering": "came under a new BerichtID",
    "rounds_the_window_to_minutes": "came that were not asked for",
    "loses_the_last_of_a_full_batch": "did not come again",
    "drops_every_refusal": "ended wrongly",
    "drops_refusals_in_a_crowd": "ended wrongly",
    "never_stops_offering": "were offered more than 10 times",
    "offers_a_refused_bericht_three_times": "a storm",
    "forgets_what_it_applied_long_ago": "applied more than once",
    "chokes_on_a_backlog": "results of the backlog were not taken",
}


def send_all(following, planned, size, to=None):
    """Send the schedule, as the users of a load generator do, and return how many letters were taken."""
    return sum(len(following.deliver(letters(following.connection, number * size, size, to=to), size)) for number in range(planned.volume))


def run_herlevering(following, planned):
    """Deliver some berichten again, with live ones before it: the Afnemer of the kit does one thing at a time."""
    filled = herlevering_driving.fill(following, planned)
    asked = send_all(following, planned, herlevering.LIVE_SIZE, live_citizen())
    facts = herlevering_driving.redeliver(following, planned, filled, lambda: planned.window_s + 1)
    return asked, {herlevering.FACT: facts}


def run_afwijzingen(following, planned):
    """Have letters refused in every way."""
    began, watch = afwijzingen_driving.begin(following, planned), following.watch()
    asked = send_all(following, planned, afwijzingen.SIZE)
    return asked, {afwijzingen.FACT: afwijzingen_driving.finish(following, began, 0.0, watch)}


def run_verwerkingsberichten(following, planned):
    """Have results come, and then those of six days."""
    began, watch = verwerkingsberichten_driving.begin(following), following.watch()
    asked = send_all(following, planned, verwerkingsberichten.SIZE)
    return asked, {verwerkingsberichten.FACT: verwerkingsberichten_driving.finish(following, planned, began, 0.0, watch)}


RUNS = {"herlevering": run_herlevering, "afwijzingen": run_afwijzingen, "verwerkingsberichten": run_verwerkingsberichten}
KINDS = {"herlevering": herlevering, "afwijzingen": afwijzingen, "verwerkingsberichten": verwerkingsberichten}


def outcomes(name, defect, face):
    """Run a profile, and return what came of each norm."""
    settings = {"face": face}
    with standing(Setup(Profile.default(), None, 1, settings), defect) as stand, Following(stand.target, stand.connection) as following:
        planned = plan(name, scale=SCALES[name], target=stand.target, connection=stand.connection, settings=settings)
        asked, facts = RUNS[name](following, planned)
    measured = Measured(planned, Samples(), Tally(Counter({KINDS[name].ASKED: asked})), facts=facts)
    return {outcome.norm: outcome for outcome in KINDS[name].judge(measured)}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "defect", "face"), [*RIGHT, *WRONG, *OVER_EBMS])
def test_defects_are_seen_and_the_right_afnemer_passes(name, defect, face):
    """The reference Afnemer meets every norm of the profile; each defect misses its norm, and for what is wrong with it."""
    found = outcomes(name, defect, face)

    if defect is None:
        assert all(outcome.is_met for outcome in found.values()), found
    else:
        missed = found[LOAD_DEFECTS[defect].norm]
        assert missed.is_met is False, found
        assert SEEN[defect] in missed.message
        assert missed.is_certain


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "how"),
    [("herlevering", ("--tls", "{pki}")), ("afwijzingen", ("--face", EBMS, "--tls", "{pki}")), ("verwerkingsberichten", ("--face", EBMS))],
)
def test_the_load_generator_drives_the_same(name, how, tmp_path):
    """As a command, over TLS, with users on the schedule of the norm: met, and not claimed at a scale."""
    pki.write(tmp_path / "pki", pki.make(pki.Plan(Profile.default().afnemer.oin, datetime.now(UTC))))
    given = [word.format(pki=tmp_path / "pki") for word in how]
    command = [*PROGRAM, "load", name, "--scale", str(float(SCALES[name])), "--seed", "1", "--out", str(tmp_path), *given]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    report = json.loads((tmp_path / "report.json").read_bytes())

    assert done.returncode == ExitCode.INCOMPLETE, done.stdout + done.stderr
    assert {(item["verdict"], item["reason"]) for item in report["requirements"]} == {("not-tested", "scaled")}
    assert report["load"]["sent"] == report["load"]["planned"]["messages"]
