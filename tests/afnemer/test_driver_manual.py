"""An Afnemer behind a person: what is asked, and what is made of their answers."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance.afnemer.driver import AfnemerStatus, Attachment, BerichtStatus, CannotDo, Delivered, Driver, Letter, Outcome, Preference, Unreachable
from conformance.afnemer.drivers.manual import ManualCaller

MOMENT = datetime(2026, 3, 1, 8, tzinfo=UTC)
LETTERS = [Letter("999990019", "BELAST"), Letter("999990020", "BELAST", "Onderwerp", "Tekst", (Attachment("brief", b"12345"),), MOMENT)]


class Terminal:
    """A person who types ``lines``, and what they see."""

    def __init__(self, *lines, seen=None):
        self.screen = io.StringIO()
        self.caller = ManualCaller(io.StringIO("".join(f"{line}\n" for line in lines)), self.screen, seen)
        self.driver = Driver(self.caller)

    @property
    def text(self):
        return self.screen.getvalue()


def test_health_is_a_question():
    """
    Enter says that the system runs.
    """
    terminal = Terminal("")

    terminal.driver.health()

    assert "Draait uw systeem" in terminal.text


def test_delivery_by_typing_ids():
    """
    The person sees every letter, and types the ids; an empty line is asked again.
    """
    terminal = Terminal("", "b-1", "", "B-1", "b-2", "B-1")

    delivered = terminal.driver.deliver(LETTERS, per_batch=2)

    assert delivered == (Delivered("b-1", "B-1"), Delivered("b-2", "B-1"))
    for shown in [
        "2 per batch",
        "1. BSN 999990019, BerichtType BELAST",
        "onderwerp: Onderwerp",
        "bijlage: brief (PDF van 5 bytes)",
        "Typ een waarde",
    ]:
        assert shown in terminal.text
    assert "publicatieDatum: 2026-03-01T08:00:00.000Z" in terminal.text


def test_delivery_that_was_seen():
    """
    What the Berichtenbox saw arrive need not be typed.
    """
    views = iter([[Delivered("b-0", "B-0")], [Delivered("b-0", "B-0"), Delivered("b-1", "B-1")]])
    terminal = Terminal("", seen=lambda: next(views))

    assert terminal.driver.deliver(LETTERS[:1]) == (Delivered("b-1", "B-1"),)


def test_delivery_that_was_seen_in_another_number():
    """
    When more or fewer arrived than asked, the person names them.
    """
    terminal = Terminal("", "b-1", "B-1", seen=list)

    assert terminal.driver.deliver(LETTERS[:1]) == (Delivered("b-1", "B-1"),)
    assert "zag 0 nieuwe berichten, gevraagd waren er 1" in terminal.text


def test_status_of_a_delivered_bericht():
    """
    The status is chosen from a list; the BatchID is known from the delivery.
    """
    terminal = Terminal("", "b-1", "B-1", "9", "3", "000", "x", "2")
    terminal.driver.deliver(LETTERS[:1])

    status = terminal.driver.status("b-1")

    assert status == BerichtStatus("b-1", "B-1", AfnemerStatus.VERWERKT, "000", 2)
    assert "Typ een nummer van 1 tot en met 7" in terminal.text
    assert "Typ een geheel getal" in terminal.text


def test_status_of_a_bericht_that_was_not_delivered_here():
    """
    A BatchID that is not known is asked for, and no code is no code.
    """
    terminal = Terminal("2", "", "0", "B-7")

    assert terminal.driver.status("b-7") == BerichtStatus("b-7", "B-7", AfnemerStatus.AANGEBODEN, None, 0)


def test_unknown_bericht():
    """
    The first choice is that the system does not know it.
    """
    assert Terminal("1").driver.status("b-7") is None


def test_redelivery():
    """
    The person sees the window and types the number.
    """
    terminal = Terminal("12")

    assert terminal.driver.redeliver(MOMENT, MOMENT) == 12
    assert "van 2026-03-01T08:00:00.000Z tot" in terminal.text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("alles",), "Vraag alle abonnementen op.\n"),
        (("bsn-lijst", ["999990007"]), "Vraag de abonnementen van deze BSN's op. 999990007\n"),
        (("mutaties", (), MOMENT), "op vanaf 2026-03-01T08:00:00.000Z.\n"),
    ],
)
def test_request_for_abonnementen(arguments, text):
    """
    The person sees what to request, and the kit numbers the requests.
    """
    terminal = Terminal("")

    assert terminal.driver.request_abonnementen(*arguments) == "verzoek-1"
    assert text in terminal.text


def test_preferences():
    """
    The person types who is active and who is not.
    """
    terminal = Terminal("2", "999990007, 999990019", "999990020")

    status, preferences = terminal.driver.abonnementen("verzoek-1")

    assert status == "ontvangen"
    assert preferences == (Preference("999990007", actief=True), Preference("999990019", actief=True), Preference("999990020", actief=False))


def test_preferences_that_are_not_there_yet():
    """
    Without an answer there are no preferences.
    """
    assert Terminal("1").driver.abonnementen("verzoek-1") == ("open", ())


@pytest.mark.parametrize(("typed", "yes"), [("", []), ("alle", ["999990007", "999990019"]), ("999990019", ["999990019"])])
def test_validation(typed, yes):
    """
    The person names who gets a letter: all, none or some.
    """
    outcomes = Terminal(typed, "").driver.validate("BELAST", ["999990007", "999990019"])

    assert outcomes == tuple(Outcome(bsn, bericht_sturen=bsn in yes) for bsn in ["999990007", "999990019"])


def test_validation_without_an_outcome():
    """
    Of whom the person never heard there is no outcome.
    """
    outcomes = Terminal("alle", "999990007").driver.validate("BELAST", ["999990007", "999990019"])

    assert outcomes == (Outcome("999990019", bericht_sturen=True),)


def test_long_list_is_in_a_file():
    """
    More than fits on a screen goes through a file, in both directions; ours is gone at the end.
    """
    bsns = [str(999990000 + number) for number in range(21)]
    terminal = Terminal("", seen=None)
    terminal.driver.request_abonnementen("bsn-lijst", bsns)
    file = Path(re.search(r"Het zijn er 21; ze staan in (\S+), een per regel", terminal.text)[1])
    written = file.read_text().split()
    validating = Terminal(f"@{file}", "")
    outcomes = validating.driver.validate("BELAST", bsns)
    terminal.driver.close()
    validating.driver.close()

    assert written == bsns
    assert outcomes == tuple(Outcome(bsn, bericht_sturen=True) for bsn in bsns)
    assert not file.parent.exists()
    assert bsns[0] not in terminal.text


def test_file_that_cannot_be_read_is_asked_again(tmp_path):
    """
    A name that is wrong is said to be so, and another one can be typed.
    """
    (tmp_path / "ja.txt").write_text("999990007\n")
    terminal = Terminal("2", f"@{tmp_path / 'weg.txt'}", f"@{tmp_path / 'ja.txt'}", "")

    assert terminal.driver.abonnementen("verzoek-1") == ("ontvangen", (Preference("999990007", actief=True),))
    assert "Dat bestand kan niet worden gelezen (FileNotFoundError)" in terminal.text


@pytest.mark.parametrize(("typed", "restarted"), [("", True), ("o", False)])
def test_restart(typed, restarted):
    """
    The person restarts the system, or skips that.
    """
    terminal = Terminal(typed)

    assert terminal.driver.restart() is restarted
    assert terminal.driver.advance(60) is False
    assert "Herstart uw systeem" in terminal.text


def test_skipping_is_not_being_able():
    """
    An o, in any case, skips what is asked.
    """
    with pytest.raises(CannotDo, match="skipped by the person"):
        Terminal("O").driver.health()


def test_end_of_input_is_unreachable():
    """
    Without anybody at the terminal nothing can be asked.
    """
    with pytest.raises(Unreachable, match=r"nobody is at the terminal.*\n  Hint: kind = \"manual\""):
        Terminal().driver.health()


def test_settling_is_not_asked():
    """
    The person is not asked whether everything is done; the terminal stays open.
    """
    terminal = Terminal()

    terminal.driver.close()

    assert terminal.driver.settle() is False
    assert terminal.text == ""
    assert repr(terminal.caller) == "<ManualCaller>"


def test_terminal_is_the_default(monkeypatch):
    """
    Without streams it is the terminal.
    """
    shown = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    monkeypatch.setattr("sys.stdout", shown)
    Driver(ManualCaller()).health()

    assert "== gezondheid ==" in shown.getvalue()
