"""How far a run is, told now and then."""

import pytest

from conformance.load.progress import Progress, so_far


def test_progress_is_told_now_and_then(capsys):
    """
    Of an hour each 36 seconds, of a short run nothing before ten seconds; on standard error, and the text is made only when it is told.
    """
    now, asked = [0.0], []
    for expected_s, told_at in ((3600, [36, 72]), (5, [10, 20, 30, 40, 50, 60, 70])):
        now[0] = 0.0
        progress = Progress(expected_s, lambda: now[0])
        for second in range(75):
            now[0] = float(second)
            progress.tell(lambda at=second: asked.append(at) or "x")
        assert asked == told_at
        asked.clear()

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[:2] == ["36 s: x", "72 s: x"]


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
