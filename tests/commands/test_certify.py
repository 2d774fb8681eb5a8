"""Tests of `berichtenbox certify`, with a certification that is graded beforehand."""

from types import SimpleNamespace

import pytest

from conformance.afnemer.driver import Unreachable
from conformance.berichtenbox.app import ServerError
from conformance.progress import PlainProgress, TerminalProgress
from conformance.verdicts import CaseResult, ExitCode, Verdict

KNOWN = """
[[known_failures]]
id = "AANL-035"
reason = "The supplier delivers in January."
owner = "J. Jansen"
until = 2027-01-31
"""


@pytest.fixture
def certified(monkeypatch, report):
    """Replace the certification by one that passes, and note what it was asked."""
    asked = SimpleNamespace(calls=[], error=None, exit_code=ExitCode.CONFORMANT)

    def certify(profile, options, progress):
        asked.calls.append((profile, options, progress))
        if asked.error:
            raise asked.error
        graded = report(CaseResult("AANL-001", "aanleveren/cpa", Verdict.PASSED, "fine"))
        return SimpleNamespace(report=graded, exit_code=asked.exit_code)

    monkeypatch.setattr("conformance.certification.certify", certify)
    return asked


def test_without_a_profile_the_reference_is_graded(berichtenbox, certified, tmp_path):
    """
    Without options the reference Afnemer is graded, with seed 0, on everything.
    """
    ended = berichtenbox("certify")
    ((profile, options, _progress),) = certified.calls

    assert ended.code == 0
    assert profile.driver.kind == "reference"
    assert (options.only, options.seed, options.locked, options.lang, options.heavy) == ((), 0, False, "nl", True)
    assert (tmp_path / "berichtenbox-rapport").is_dir()
    assert "Conformant" in ended.out
    assert "\x1b" not in ended.out


@pytest.mark.parametrize("code", [ExitCode.NOT_CONFORMANT, ExitCode.INCOMPLETE, ExitCode.KIT_ERROR, ExitCode.UNREACHABLE])
def test_exit_code_is_that_of_the_run(berichtenbox, certified, code):
    """
    The exit code of the command is that of the graded run.
    """
    certified.exit_code = code

    ended = berichtenbox("certify")

    assert ended.code == code
    assert ended.out.endswith(f"Exit code: {int(code)}\n")


@pytest.mark.parametrize(
    "given",
    [
        ("--only", "AANL-036", "--only", "AANL-035"),
        ("--only", "AANL-036,AANL-035"),
        ("--only", "AANL-036", "AANL-035", "--quick"),
        ("--only=AANL-036", "--only", "AANL-035", "AANL-036"),
    ],
)
def test_selection_can_be_written_in_three_ways(berichtenbox, certified, given):
    """
    Ids are repeated, separated by commas, or follow one --only.
    """
    ended = berichtenbox("certify", *given)

    assert certified.calls[0][1].only == ("AANL-035", "AANL-036")
    assert "--only AANL-035 AANL-036" in ended.out


def test_options_reach_the_certification(berichtenbox, certified, tmp_path):
    """
    Seed, language, directory and the absence of heavy cases are passed on.
    """
    berichtenbox("certify", "--seed", "5", "--lang", "en", "--out", "deep/rapport", "--quick", "--face", "adapter")
    options = certified.calls[0][1]

    assert (options.seed, options.lang, options.heavy, options.out.as_posix()) == (5, "en", False, "deep/rapport")
    assert (tmp_path / "deep/rapport").is_dir()


def test_face_is_chosen_without_a_profile(berichtenbox, certified):
    """
    The reference Afnemer is graded over ebMS2 with two-way TLS when that is asked, and how to repeat it says so.
    """
    ended = berichtenbox("certify", "--face", "ebms")
    profile = certified.calls[0][0]

    assert (profile.berichtenbox.face, profile.pki, profile.gateway()) == ("ebms", None, "")
    assert "berichtenbox certify --face ebms --seed 0" in ended.out


@pytest.mark.parametrize("asked", ["ebms", "adapter"])
@pytest.mark.parametrize("own", ["ebms", "adapter"])
def test_face_overrules_that_of_the_profile(berichtenbox, certified, tmp_path, own, asked):
    """
    A profile that says where its gateway is can be graded on either face.
    """
    (tmp_path / "afnemer.toml").write_text(f'[afnemer]\ngateway = "http://127.0.0.1:9443/ebms"\n[berichtenbox]\nface = "{own}"\n')

    assert berichtenbox("certify", "--profile", "afnemer.toml", "--face", asked).code == 0
    assert certified.calls[0][0].berichtenbox.face == asked


def test_gateway_that_is_unknown_is_wrong_usage(berichtenbox, certified, tmp_path):
    """
    Results must be pushed somewhere: a profile that does not say where cannot be graded over ebMS2.
    """
    (tmp_path / "afnemer.toml").write_text("[afnemer]\n")

    ended = berichtenbox("certify", "--profile", "afnemer.toml", "--face", "ebms")

    assert (ended.code, certified.calls) == (2, [])
    assert "does not say where the gateway of this Afnemer receives" in " ".join(ended.err.split())


def test_seed_is_drawn_with_a_profile(berichtenbox, certified, tmp_path):
    """
    A real Afnemer remembers MessageIds, so two runs with a profile differ; the seed is printed, and repeats the run.
    """
    (tmp_path / "my afnemer.toml").write_text('[driver]\nkind = "none"\n')

    ended = [berichtenbox("certify", "--profile", "my afnemer.toml") for _ in range(3)]
    seeds = [options.seed for _profile, options, _progress in certified.calls]

    assert len(set(seeds)) > 1
    assert all(f"certify --profile 'my afnemer.toml' --seed {seed}" in one.out for seed, one in zip(seeds, ended, strict=True))


def test_locked_run_refuses_known_failures(berichtenbox, certified, tmp_path):
    """
    A certification leaves no room for what is known to fail.
    """
    (tmp_path / "afnemer.toml").write_text(KNOWN)

    ended = berichtenbox("certify", "--profile", "afnemer.toml", "--locked")

    assert ended.code == 2
    assert "[[known_failures]]" in ended.err
    assert certified.calls == []


def test_locked_run_is_passed_on(berichtenbox, certified):
    """
    A certification without room for anything is run.
    """
    ended = berichtenbox("certify", "--locked")

    assert certified.calls[0][1].locked
    assert "--seed 0 --locked" in ended.out


def test_unreachable_party_has_an_exit_code_of_its_own(berichtenbox, certified):
    """
    An Afnemer that cannot be reached is told with a hint, and is no failure of a requirement.
    """
    certified.error = Unreachable("connection refused at http://127.0.0.1:9001", hint="check [driver] url in the profile")

    ended = berichtenbox("certify")

    assert ended.code == 3
    assert ended.err == "connection refused at http://127.0.0.1:9001\n  Hint: check [driver] url in the profile\n"


def test_port_in_use_is_wrong_usage(berichtenbox, certified):
    """
    A Berichtenbox that cannot listen is no verdict.
    """
    certified.error = ServerError("cannot listen on 127.0.0.1:8800: Address already in use\n  Hint: choose another --port")

    ended = berichtenbox("certify")

    assert ended.code == 2
    assert "already in use" in ended.err


def test_output_that_is_a_file_is_refused_first(berichtenbox, certified, tmp_path):
    """
    Nobody waits minutes to hear that the report has no place.
    """
    (tmp_path / "berichtenbox-rapport").write_text("a file")

    ended = berichtenbox("certify")

    assert ended.code == 2
    assert "expected a directory" in ended.err
    assert certified.calls == []


def test_person_at_the_terminal_gets_no_bar(berichtenbox, certified, monkeypatch, tmp_path):
    """
    A bar would be drawn over the questions of the manual driver.
    """
    monkeypatch.setenv("FORCE_COLOR", "1")
    (tmp_path / "manual.toml").write_text('[driver]\nkind = "manual"\n')

    berichtenbox("certify", "--profile", "manual.toml")
    berichtenbox("certify")
    kinds = [type(progress) for _profile, _options, progress in certified.calls]

    assert kinds == [PlainProgress, TerminalProgress]
