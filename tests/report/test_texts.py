"""Tests of the words of the HTML report: complete in both languages."""

import pytest

from conformance.catalogue import Certainty, Level
from conformance.report.texts import LANGUAGES, day, printable, texts
from conformance.verdicts import Reason, RunVerdict, Verdict


def test_both_languages_have_the_same_words():
    """
    What one language says, the other says too, placeholders included.
    """
    dutch, english = texts("nl"), texts("en")

    assert dutch.keys() == english.keys()
    for key, value in dutch.items():
        assert isinstance(value, str) == isinstance(english[key], str)
        assert isinstance(value, str) or value.keys() == english[key].keys()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("key", "values"), [("verdicts", Verdict), ("reasons", Reason), ("run_verdict", RunVerdict), ("levels", Level), ("certainties", Certainty)]
)
def test_every_value_has_a_word(lang, key, values):
    """
    No verdict, reason, level or certainty is shown without a word for people.
    """
    assert list(texts(lang)[key]) == [str(value) for value in values]


def test_day_is_written_out():
    """
    A moment reads as a date in the language of the page.
    """
    assert day("2026-03-04T05:06:07.000Z", "nl") == "4 maart 2026, 05:06 UTC"
    assert day("2026-03-04T05:06:07.000Z", "en") == "4 March 2026, 05:06 UTC"


def test_unprintable_characters_are_removed():
    """
    What XML and HTML cannot hold is left out; the rest stays.
    """
    assert printable("a\x00\x0b\ud800\ufffeb\t\n\U0001f600é") == "ab\t\n\U0001f600é"
