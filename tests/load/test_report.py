"""What a run leaves behind: verdicts in every report, figures and plots, and the text at the terminal."""

import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from conformance import specs
from conformance.load.judging import Generator
from conformance.load.plots import plain_svg, plots
from conformance.load.report import command_of, conclude, load_of
from conformance.load.telling import announcement, so_far
from conformance.verdicts import ExitCode

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NAME = "ValidateAbonnementen"
RIGHT = {NAME: [0.1] * 10}


@pytest.fixture
def scaled(made_run):
    return made_run("validatie", RIGHT, scale="1/100")


def test_reports_hold_the_run(tmp_path, scaled):
    """
    report.json has the figures and keeps to its schema, report.html the plots, junit.xml a case a norm.
    """
    concluded = conclude(scaled, START, out=tmp_path)

    document = json.loads((tmp_path / "report.json").read_bytes())
    page = (tmp_path / "report.html").read_text()
    Draft202012Validator(json.loads(specs.path("report.schema.json").read_bytes())).validate(document)
    assert document["load"]["requests"] == [
        {"name": NAME, "count": 10, "failures": 0, "p50_ms": 100.0, "p99_ms": 100.0, "p999_ms": 100.0, "longest_ms": 100.0}
    ]
    assert document["selection"] == ["SNO-VAL-01", "SNO-VAL-03"]
    assert page.count("<svg aria-hidden") == 2
    assert "style=" not in page
    assert "Belasting" in page
    assert "berichtenbox certify --only SNO" not in page
    assert "certify" not in (tmp_path / "junit.xml").read_text()
    assert concluded.exit_code is ExitCode.INCOMPLETE


def test_page_speaks_english_when_asked(tmp_path, scaled):
    """
    The part about the load has both languages.
    """
    conclude(scaled, START, out=tmp_path, lang="en")

    page = (tmp_path / "report.html").read_text()

    assert "Response times" in page
    assert "claims no norm: too small or too slow" in page


def test_same_run_gives_the_same_bytes(made_run):
    """
    Plots hold no date and no random ids.
    """
    one, other = (plots(made_run("validatie", RIGHT, scale="1/100"), "en") for _ in range(2))

    assert one == other
    assert [plot.title for plot in one] == ["Throughput", "Response times"]


def test_norm_is_a_line_in_the_plot(made_run):
    """
    Where a norm names a latency it stands in the plot; where it names none, there is no line.
    """
    with_line, without = made_run("presentatie", {"list": [0.1] * 100}, scale="1/100"), made_run("aanleveren", {"batch": [0.1] * 6}, scale="1/100")

    drawn = [[plot.svg.count("stroke-dasharray") for plot in plots(measured)] for measured in (with_line, without)]

    assert drawn == [[0, 2], [2, 0]]


def test_nothing_sent_gives_no_plot(made_run):
    """
    There is nothing to see of a run that sent nothing.
    """
    assert plots(made_run("validatie", {}, scale="1/100")) == ()


def test_plots_are_left_out_without_matplotlib(made_run, monkeypatch):
    """
    Who has no Matplotlib gets a report without plots.
    """
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)

    assert plots(made_run("validatie", RIGHT, scale="1/100")) == ()


def test_long_run_has_a_bounded_plot(made_run):
    """
    A day is drawn in at most 240 points.
    """
    measured = made_run("validatie", {NAME: [0.1] * 1000})

    assert plots(measured)[0].svg.count("<use") < 700


def test_style_becomes_attributes():
    """
    The page forbids style attributes: they become attributes of SVG.
    """
    head = '<?xml version="1.0"?>\n<svg width="1pt" height="2pt" viewBox="0 0 1 2"><metadata>x</metadata><style type="text/css">*{}</style>'
    svg = f'{head}<g style="fill: none; stroke: #fff"/></svg>\n'

    plain = plain_svg(svg)

    assert plain == '<svg aria-hidden="true" stroke-linejoin="round" stroke-linecap="butt" viewBox="0 0 1 2"><g fill="none" stroke="#fff"/></svg>'


@pytest.mark.parametrize(
    ("scale", "accepts", "code"), [("1/100", False, ExitCode.INCOMPLETE), ("1/100", True, ExitCode.CONFORMANT), ("1", True, ExitCode.CONFORMANT)]
)
def test_scaled_run_is_green_only_when_accepted(made_run, scale, accepts, code):
    """
    --accept-scaled makes a scaled run that meets all norms green.
    """
    answers = {NAME: [0.1] * (10 if scale != "1" else 1000)}

    assert conclude(made_run("validatie", answers, scale=scale), START, accepts_scaled=accepts).exit_code is code


@pytest.mark.parametrize(
    ("answers", "rest", "code"),
    [
        ({NAME: [31.0] * 10}, {}, ExitCode.NOT_CONFORMANT),
        ({NAME: [31.0] * 10}, {"generator": Generator(is_cpu_full=True)}, ExitCode.INCOMPLETE),
        (RIGHT, {"generator": Generator(workers=2, workers_lost=1)}, ExitCode.KIT_ERROR),
    ],
    ids=["missed", "kit-limit", "worker"],
)
def test_scale_excuses_nothing_else(made_run, answers, rest, code):
    """
    What was missed, or could not be told, is not accepted with --accept-scaled.
    """
    assert conclude(made_run("validatie", answers, scale="1/100", **rest), START, accepts_scaled=True).exit_code is code


def test_text_tells_each_norm_with_its_figures(scaled):
    """
    Norm, number, asked and seen, within 80 columns, and how to repeat it.
    """
    text = conclude(scaled, START).text

    assert max(map(len, text.splitlines())) <= 80
    assert "SNO-VAL-03 not claimed (scaled): Met at scale 1:100: The longest answer took" in text
    assert "norm   30 seconden (SNO MijnOverheid 2023, 2.2.2)" in text
    assert text.endswith("Exit code: 4")


def test_text_of_a_stranger_is_no_command_for_a_terminal(made_run):
    """
    What a party answers may hold escape sequences and BSNs: neither reaches the terminal.
    """
    measured = made_run("validatie", {NAME: [None] * 10}, scale="1/100", failures=["\x1b[2J status 500 999990019"])

    text = conclude(measured, START).text

    assert "\x1b" not in text
    assert "999990019" not in text


def test_command_repeats_the_run(made_run):
    """
    The command has all that differs from the defaults.
    """
    measured = made_run("aanleveren", {}, scale="1/2", window_s=5, settings={"phase": "hour"}, seed=7)

    assert command_of(measured) == "berichtenbox load aanleveren --scale 0.5 --duration 5s --phase hour --seed 7"


def test_figures_hold_what_went_wrong_with_the_generator(made_run):
    """
    Whoever reads the report can see whether the kit was the limit.
    """
    generator = Generator(workers=2, workers_lost=1, is_cpu_full=True, party_cpu={"x": 0.5}, waited_s={"y": 1.0})

    assert load_of(made_run("validatie", RIGHT, scale="1/100", generator=generator))["generator"] == {
        "workers_lost": 1,
        "processor_full": True,
        "late_while_waiting": 0,
        "late_while_busy": 0,
        "waited_s": {"y": 1.0},
        "parties": {"x": 0.5},
    }


def test_run_is_announced_before_it_starts(made_run):
    """
    What will be sent, how fast and where: somebody's preproductie is not surprised.
    """
    texts = [
        announcement(made_run(name, {}, **rest).plan, "https://box.example")
        for name, rest in (("validatie", {}), ("aanleveren", {"scale": "1/100"}), ("validatie", {"window_s": 7200}))
    ]

    assert "1000 times a question about 250 reserved test BSNs, 1000 an hour, in 1 h" in texts[0].replace("\n", " ")
    assert "to https://box.example." in texts[0].replace("\n", " ")
    assert "Scale 1:100: such a run never claims a norm." in texts[1]
    assert "It is slower than the norm, and claims nothing." in texts[2]


def test_command_that_repeats_a_run_can_be_copied(made_run):
    """
    A seed of nine digits that looks like a BSN is not masked, and the command stands on one line however long it is.
    """
    measured = made_run("validatie", RIGHT, scale="1/100", seed=123456782)

    told = conclude(measured, START).text

    (line,) = [line for line in told.splitlines() if line.startswith("Again:")]
    assert line.endswith("--seed 123456782")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((3, 10, 0), "3 of 10 messages sent and answered."),
        ((3, 10, 1), "3 of 10 messages sent and answered, 1 failed."),
        ((10, 10, 2), "all 10 messages sent, 2 failed; following what comes of them."),
    ],
)
def test_text_says_what_is_done_and_what_failed(numbers, text):
    """
    When all is sent it says that the rest is waited for.
    """
    assert so_far(*numbers) == text
