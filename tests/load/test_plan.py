"""From the norms to a schedule, and what a run of it can claim."""

from fractions import Fraction

import pytest

from conformance.load.durations import scale_of, seconds_of, written
from conformance.load.plan import LoadError, LoadPlan, plan, profile
from conformance.norms import PROFILES, norm, norms_of

HERE = ["validatie", "presentatie", "abonnementen", "aanleveren"]


def test_full_plan_is_the_norm():
    """
    A thousand questions in an hour: the numbers of SNO-VAL-01 and nothing else.
    """
    full = plan("validatie")

    assert (full.volume, full.window_s, full.shown_scale) == (1000, 3600, "1:1")
    assert full.rate == full.demand.rate
    assert full.can_claim


def test_scale_makes_volume_and_window_smaller_and_keeps_the_rate():
    """
    A hundredth of the norm is a hundredth of its volume in a hundredth of its time.
    """
    scaled = plan("validatie", scale=Fraction(1, 100))

    assert (scaled.volume, scaled.window_s) == (10, 36)
    assert scaled.rate == pytest.approx(scaled.demand.rate)
    assert not scaled.can_claim
    assert repr(scaled) == "<LoadPlan validatie 1:100: 10 in 36 s>"


@pytest.mark.parametrize(("window_s", "can_claim"), [(60, True), (3600, True), (7200, False)])
def test_only_a_run_that_is_not_slower_claims(window_s, can_claim):
    """
    Harder may claim, easier may not.
    """
    assert plan("validatie", window_s=window_s).can_claim is can_claim


def test_rate_that_is_ours_takes_no_claim_away():
    """
    The SNO names no rate for the berichtpresentatie, so that a slower run claims all the same.
    """
    slow = plan("presentatie", window_s=1_000)

    assert slow.is_slower
    assert slow.can_claim


def test_messages_are_due_evenly():
    """
    Message n is due at n by the rate.
    """
    made = plan("aanleveren")

    assert [made.due(number) for number in (0, 9, 539)] == pytest.approx([0, 1, 539 / 9])


def test_plan_survives_the_way_to_a_worker():
    """
    A worker gets the plan as JSON, with an exact scale.
    """
    made = plan("aanleveren", scale=Fraction(1, 3), settings={"phase": "hour"}, connection={"oin": "1"}, wait_s=2.0)

    assert LoadPlan.from_json(made.to_json()) == made


def test_users_are_enough_for_the_slowest_party_that_meets_the_norm():
    """
    At 1 000 an hour, each taking 30 seconds, nine questions are open at once.
    """
    assert plan("validatie").users >= 1_000 / 3_600 * 30
    assert plan("validatie", scale=Fraction(1, 1000)).users == 1
    assert plan("validatie", users=3, workers=4).users == 4


@pytest.mark.parametrize("phase", ["burst", "hour", "day"])
def test_phases_have_a_norm_each(phase):
    """
    45 a second, 150 000 an hour and 2 500 000 a day are three norms.
    """
    made = plan("aanleveren", settings={"phase": phase})
    id_ = {"burst": "SNO-BER-03", "hour": "SNO-BER-02", "day": "SNO-BER-01"}[phase]
    berichten = {"burst": 2_700, "hour": 150_000, "day": 2_500_000}[phase]

    assert made.norms[0] == id_
    assert made.volume * {"burst": 5, "hour": 50, "day": 50}[phase] == berichten


@pytest.mark.parametrize("name", HERE)
def test_profiles_judge_what_the_norms_say_they_judge(name):
    """
    A norm names the load profiles that judge it, and those profiles judge it.
    """
    kind = profile(name)
    default = {setting.name: setting.default for setting in kind.settings}
    judged = {id_ for phase in ("burst", "hour", "day") for id_ in kind.norms(default | {"phase": phase})}

    assert judged == {item.id for item in norms_of(name)}
    assert kind.name == name
    assert kind.title("nl") != kind.title("en")
    assert all(norm(id_).binds in {kind.party, "both"} for id_ in judged)
    assert repr(kind) == f"<LoadProfile {name}>"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scale": Fraction(2)}, "--scale 2: a scale lies above 0"),
        ({"scale": Fraction(0)}, "--scale 0: a scale lies above 0"),
        ({"window_s": 0}, "--duration: a run takes more than 0 seconds"),
        ({"settings": {"phase": "burst"}}, "--phase: load validatie does not take it"),
    ],
)
def test_plan_that_cannot_be_is_refused(given, message):
    """
    What cannot be planned is said before anything is sent.
    """
    with pytest.raises(LoadError, match=message):
        plan("validatie", **given)


def test_unknown_choice_names_those_there_are():
    """
    A wrong phase is told which ones there are.
    """
    with pytest.raises(LoadError, match="--phase week: expected one of burst, hour, day"):
        plan("aanleveren", settings={"phase": "week"})


def test_unknown_profile_is_told_which_there_are():
    """
    A profile that does not exist, or not yet, is a wrong use and no crash.
    """
    with pytest.raises(LoadError, match=f"there is no load profile 'x'.\n  Hint: {', '.join(sorted(PROFILES))}"):
        profile("x")


def test_profile_without_a_module_is_told(monkeypatch):
    """
    A name that the norms know, but this version does not, ends with a hint.
    """
    monkeypatch.setattr("conformance.load.plan.find_spec", lambda _name: None)

    with pytest.raises(LoadError, match="this version of the kit does not have it yet"):
        profile("validatie")


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("1h", 3600), ("1d", 86_400)])
def test_durations_are_read_as_people_write_them(text, seconds):
    """
    90, 90s, 10m and 1h all are durations.
    """
    assert seconds_of(text, "--duration") == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1", "1w", "an hour", "1e9", "99999999"])
def test_what_is_no_duration_is_refused(text):
    """
    A run of no time, or of a word, is refused by the name of its option.
    """
    with pytest.raises(LoadError, match=r"--wait .*: expected a number of seconds"):
        seconds_of(text, "--wait")


def test_durations_are_written_in_whole_units():
    """
    A window is shown as people say it.
    """
    assert [written(seconds) for seconds in (86_400, 600, 36, 0.5)] == ["24 h", "10 min", "36 s", "0.5 s"]


def test_scales_are_exact():
    """
    0.01 is a hundredth and not almost one; a word is no scale.
    """
    assert (scale_of("0.01"), scale_of("1/3")) == (Fraction(1, 100), Fraction(1, 3))
    for text in ("a tenth", "1/0", ""):
        with pytest.raises(LoadError, match="expected a number above 0"):
            scale_of(text)
