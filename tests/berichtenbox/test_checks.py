"""What an Afnemer knew when it wrote: checks by list, by all, by mutaties and by validatie, how old they may be, and what they said."""

from datetime import timedelta

import pytest

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.checks import checks_of, unchecked
from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import ROLE_AFNEMER, SERVICE, Action, Envelope, Part

BSN = "999990019"
DAY = timedelta(days=1)


@pytest.fixture
def box():
    with SqlLedger("sqlite://") as ledger:
        yield Berichtenbox(ledger)


@pytest.fixture
def asked(box):
    """Put a question on the record, so many days ago."""

    def ask(kind, days, *, bsns=None, oin=None, **fields):
        moment = box.clock.now() - days * DAY
        bevraging = Bevraging(kind, oin or box.config.oin, moment, moment, bsns=None if bsns is None else BsnList.of(bsns).unique(), **fields)
        box.ledger.write([lambda writing: writing.citizens.add_bevraging(bevraging)])

    return ask


@pytest.fixture
def found(box, make):
    """Offer one letter now, and return the requirements that it breaks."""

    def offer(**fields):
        mark, connection = box.mark(), box.connection
        batch = make.batch(make.bericht(gebruiker_id=BSN, bericht_type="BELAST", **fields))
        parties = (connection.cpa_id, connection.afnemer_party, ROLE_AFNEMER, SERVICE, Action.BV_REQUEST)
        box.accept(Envelope(*parties, message_id=f"{mark.message}@afnemer.example", parts=(Part(batch.to_xml()),)))
        box.settle()
        return [finding.requirement for _, finding in unchecked(box.ledger, mark.message)]

    return offer


def test_who_never_asked_did_not_know(found):
    """
    Without any question there was no check.
    """
    assert found() == ["ABO-040"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Asked.ALLES, {}),
        (Asked.BSN_LIJST, {"bsns": [BSN, "999990007"]}),
        (Asked.VALIDATIE, {"bsns": [BSN], "bericht_type": "BELAST"}),
    ],
)
def test_each_kind_of_question_is_a_check(found, asked, kind, fields):
    """
    For all, by name, and of this BerichtType.
    """
    asked(kind, 6.9, **fields)

    assert found() == []


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Asked.BSN_LIJST, {"bsns": ["999990007"]}),
        (Asked.VALIDATIE, {"bsns": [BSN], "bericht_type": "PASPOORT"}),
        (Asked.VALIDATIE, {"bsns": [BSN], "bericht_type": "BELAST", "is_answered": False}),
        (Asked.VALIDATIE, {"bericht_type": "BELAST"}),
    ],
)
def test_a_question_about_something_else_is_no_check(found, asked, kind, fields):
    """
    Of others, of another BerichtType, without an answer, of nobody.
    """
    asked(kind, 1, **fields)

    assert found() == ["ABO-040"]


def test_a_check_grows_old(found, asked):
    """
    After seven days it counts no more.
    """
    asked(Asked.ALLES, 7.1)

    assert found() == ["ABO-040"]


def test_mutaties_that_join_up_make_a_check_young_again(found, asked, box):
    """
    Who is not in an answer that reaches back to the check before it is as before.
    """
    now = box.clock.now()
    asked(Asked.ALLES, 20)
    asked(Asked.MUTATIES, 10, vanaf=now - 20.1 * DAY)
    asked(Asked.MUTATIES, 1, vanaf=now - 10 * DAY)

    assert found() == []


def test_mutaties_with_a_gap_say_nothing_of_who_is_not_in_them(found, asked, box):
    """
    What changed between the check and the window is not known.
    """
    asked(Asked.ALLES, 20)
    asked(Asked.MUTATIES, 1, vanaf=box.clock.now() - 10 * DAY)

    assert found() == ["ABO-040"]


def test_mutaties_tell_of_who_is_in_them(found, asked, box):
    """
    Whose status changed within the window is named in the answer, whatever came before.
    """
    box.set_burger(BSN, wants=False)
    box.set_burger(BSN, wants=True)
    box.advance(hours=1)
    asked(Asked.MUTATIES, 0, vanaf=box.clock.now() - DAY)

    assert found() == []


def test_who_was_refused_may_not_write(found, asked, box):
    """
    What counts is the answer of the last check, and not what the citizen wants by now.
    """
    box.set_burger(BSN, wants=False)
    box.advance(minutes=1)
    asked(Asked.BSN_LIJST, 0, bsns=[BSN])
    box.advance(minutes=1)
    box.set_burger(BSN, wants=True)

    assert found() == ["ABO-041"]


def test_a_question_of_another_afnemer_is_no_check(found, asked):
    """
    Each asks for itself.
    """
    asked(Asked.ALLES, 1, oin="00000099000000003000")

    assert found() == ["ABO-040"]


def test_what_is_no_bsn_was_never_checked(asked, box, make):
    """
    A citizen who cannot be one is asked about by nobody.
    """
    asked(Asked.ALLES, 1)

    bericht = make.bericht(gebruiker_id="12345678")

    assert checks_of(box.ledger.citizens).last(box.config.oin, bericht, box.clock.now()) is None
