"""Tests of the progress of a run."""

import io

import pytest

from conformance.progress import NowAndThen, PlainProgress, SilentProgress, TerminalProgress, progress_for


class Clock:
    """A clock that moves when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_every_tenth_step():
    """
    Fast steps give a line in ten, and totals at the end.
    """
    stream = io.StringIO()
    progress = PlainProgress(stream, Clock())

    progress.started(25, "cases")
    for number in range(25):
        progress.step(f"case {number}", "failed" if number == 3 else "passed")
    progress.finished()

    assert stream.getvalue().splitlines() == [
        "25 cases",
        "  10/25 case 9: passed",
        "  20/25 case 19: passed",
        "25 cases: 1 failed, 24 passed",
    ]


def test_plain_line_comes_after_a_second_of_silence():
    """
    Slow steps give a line each.
    """
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, clock)

    progress.started(3, "cases")
    for moment in (0.5, 1.5, 1.9):
        clock.now = moment
        progress.step(f"at {moment}", "passed")

    assert stream.getvalue().splitlines()[1:] == ["  2/3 at 1.5: passed"]


def test_empty_run_says_so():
    """
    A run without steps does not look like one.
    """
    stream = io.StringIO()
    progress = PlainProgress(stream)

    progress.started(0, "cases")
    progress.finished()

    assert stream.getvalue() == "0 cases\n0 cases: nothing ran\n"


def test_silent_progress_is_silent(capsys):
    """
    Whoever wants to hear nothing hears nothing.
    """
    progress = SilentProgress()

    progress.started(1, "cases")
    progress.step("case", "passed")
    progress.finished()

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("is_terminal", "kind"), [("1", TerminalProgress), ("", PlainProgress)])
def test_terminal_gets_a_bar(monkeypatch, is_terminal, kind):
    """
    A bar is drawn on a terminal, and nowhere else.
    """
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TTY_COMPATIBLE", is_terminal or "0")

    progress = progress_for(io.StringIO())

    assert isinstance(progress, kind)


def test_bar_shows_the_step(monkeypatch):
    """
    The bar counts the steps and shows the last one; what looks like markup in its name is shown as it is.
    """
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    stream = io.StringIO()
    progress = TerminalProgress(stream)

    progress.started(2, "cases")
    progress.step("aanleveren/oud[bold]", "failed")
    progress.finished()

    assert "1/2" in stream.getvalue()
    assert "aanleveren/oud[bold]: failed" in stream.getvalue()


@pytest.mark.parametrize(("expected_s", "told_at"), [(3600, [36, 72]), (5, [10, 20, 30, 40, 50, 60, 70])])
def test_what_has_no_steps_is_told_now_and_then(expected_s, told_at):
    """
    Of an hour each 36 seconds, of short work nothing before ten seconds; the text is made only when it is told.
    """
    stream, clock, asked = io.StringIO(), Clock(), []
    progress = NowAndThen(stream, expected_s, clock)
    for second in range(75):
        clock.now = float(second)
        progress.tell(lambda at=second: asked.append(at) or "half of it")

    assert asked == told_at
    assert stream.getvalue().splitlines() == [f"{at} s: half of it" for at in told_at]
