"""What the ledger keeps of citizens, seen from outside: who takes which letters, now and then, and who asked about them."""

from datetime import timedelta

import pytest

from conformance.berichtenbox import sql_citizens
from conformance.berichtenbox.citizens import EVERY_TYPE, Asked, Bevraging, Voorkeur
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.bsns import BsnList

OIN, OTHER = "00000099000000001000", "00000099000000003000"
ONE, TWO, THREE, NOBODY = 999_990_007, 999_990_019, 999_990_020, 999_990_008
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger():
    """A ledger in memory with three citizens; the third has no active Berichtenbox."""
    with SqlLedger("sqlite://") as opened:
        opened.write([lambda writing: writing.citizens.add_accounts([(ONE, True), (TWO, True), (THREE, False)])])
        yield opened


@pytest.fixture
def citizens(ledger):
    """What can be asked about them."""
    return ledger.citizens


@pytest.fixture
def say(ledger, make):
    """Say what a citizen wants of an Afnemer, so many hours after noon."""

    def said(bsn, wants, hours=0, bericht_type=EVERY_TYPE, oin=OIN):
        voorkeur = Voorkeur(bsn, oin, bericht_type, wants)
        ledger.write([lambda writing: writing.citizens.set_voorkeur(voorkeur, make.now + hours * HOUR)])

    return said


@pytest.fixture
def switch(ledger, make):
    """Make a Berichtenbox active or not, so many hours after noon."""

    def switched(bsn, is_active, hours=0):
        ledger.write([lambda writing: writing.citizens.set_account(bsn, make.now + hours * HOUR, is_active=is_active)])

    return switched


def test_a_voorkeur_of_a_type_goes_before_one_of_all(citizens, say):
    """
    Without a voorkeur an active citizen takes everything; someone inactive or unknown takes nothing.
    """
    asked = [ONE, TWO, THREE, NOBODY]
    at_first = citizens.wanting(OIN, "BELAST", asked)
    say(ONE, wants=False)
    say(ONE, wants=True, bericht_type="BELAST")
    say(TWO, wants=False, bericht_type="BELAST")

    assert at_first == {ONE, TWO}
    assert citizens.wanting(OIN, "BELAST", asked) == {ONE}
    assert citizens.wanting(OIN, "PASPOORT", asked) == {TWO}
    assert citizens.wanting(OTHER, "BELAST", asked) == {ONE, TWO}


def test_abonnementen_are_about_all_types(citizens, say):
    """
    All who take letters, and those of a list; a voorkeur of one BerichtType does not count.
    """
    say(ONE, wants=False, bericht_type="BELAST")
    say(TWO, wants=False)

    assert list(citizens.all_wanting(OIN)) == [ONE]
    assert list(citizens.all_wanting(OTHER)) == [ONE, TWO]
    assert list(citizens.listed_wanting(OIN, BsnList([ONE, NOBODY, TWO]))) == [ONE]


def test_long_answers_come_page_by_page(ledger, monkeypatch):
    """
    Nobody is left out or doubled where one page ends.
    """
    monkeypatch.setattr(sql_citizens, "_PAGE", 3)
    many = [(100_000_000 + number, number % 4 != 0) for number in range(25_000)]
    ledger.write([lambda writing: writing.citizens.clear(), lambda writing: writing.citizens.add_accounts(many)])
    active = [bsn for bsn, is_active in many if is_active]

    assert list(ledger.citizens.all_wanting(OIN)) == active
    assert list(ledger.citizens.listed_wanting(OIN, BsnList(bsn for bsn, _ in many))) == active


def test_mutaties_are_those_of_a_window_with_the_present_status(citizens, say, switch, make):
    """
    Each citizen once, both ends of the window included; what was said and already so is no mutatie, nor is a single BerichtType.
    """
    say(ONE, wants=False, hours=1)
    say(ONE, wants=True, hours=2)
    switch(TWO, is_active=False, hours=3)
    switch(THREE, is_active=False, hours=1)
    say(THREE, wants=False, hours=2, bericht_type="BELAST")

    assert list(citizens.changed(OIN, make.now, make.now + 3 * HOUR)) == [(ONE, True), (TWO, False)]
    assert list(citizens.changed(OIN, make.now + 2 * HOUR, make.now + 2 * HOUR)) == [(ONE, True)]
    assert list(citizens.changed(OTHER, make.now, make.now + 3 * HOUR)) == [(TWO, False)]
    assert [citizens.has_changed(bsn, OIN, make.now, make.now + HOUR) for bsn in (ONE, TWO)] == [True, False]


def test_what_was_so_at_a_moment_is_known(citizens, say, switch, make):
    """
    By what changed later: the account, all types, and one type.
    """
    say(ONE, wants=False, hours=2)
    say(ONE, wants=True, hours=4)
    say(ONE, wants=False, hours=6, bericht_type="BELAST")
    switch(ONE, is_active=False, hours=8)

    of_all = [citizens.wanted_at(ONE, OIN, "PASPOORT", make.now + hours * HOUR) for hours in (1, 3, 5, 7, 9)]
    of_type = [citizens.wanted_at(ONE, OIN, "BELAST", make.now + hours * HOUR) for hours in (5, 7, 9)]

    assert of_all == [True, False, True, True, False]
    assert of_type == [True, False, False]


def test_before_a_type_was_spoken_of_all_types_counted(citizens, say, make):
    """
    A voorkeur of one BerichtType says nothing of the time before it: then that of all types held, as it was at that moment.
    """
    say(ONE, wants=False, hours=2)
    say(ONE, wants=True, hours=4, bericht_type="BELAST")

    assert [citizens.wanted_at(ONE, OIN, "BELAST", make.now + hours * HOUR) for hours in (1, 3, 5)] == [True, False, True]


def test_who_is_added_again_is_replaced(ledger, citizens):
    """
    Accounts and voorkeuren both; after a clearing there is nobody, and no history.
    """
    ledger.write([lambda writing: writing.citizens.add_accounts([(ONE, False), (THREE, True)])])
    for wants in (True, False):
        said = Voorkeur(THREE, OIN, EVERY_TYPE, wants)
        ledger.write([lambda writing, said=said: writing.citizens.add_voorkeuren([said])])
    seen = (citizens.accounts(), citizens.wanting(OIN, "BELAST", [ONE, TWO, THREE]), citizens.wanting(OTHER, "BELAST", [ONE, TWO, THREE]))

    ledger.write([lambda writing: writing.citizens.clear()])

    assert seen == (3, {TWO}, {TWO, THREE})
    assert (citizens.accounts(), list(citizens.all_wanting(OIN))) == (0, [])


def test_questions_are_kept_as_they_are(ledger, citizens, make):
    """
    With every field; by VerzoekId it is known that one was there.
    """
    first = Bevraging(Asked.BSN_LIJST, OIN, make.now, make.now + HOUR, "v-1", bsns=BsnList([ONE, TWO]), count=3, offer_seq=7)
    second = Bevraging(Asked.MUTATIES, OTHER, make.now, make.now, "v-2", vanaf=make.now - HOUR, note="asked by day", is_answered=False)
    for asked in (first, second):
        ledger.write([lambda writing, asked=asked: writing.citizens.add_bevraging(asked)])
    kept = citizens.bevragingen(0)

    assert [(one.seq, one.asked, one.verzoek_id, one.bsns, one.count, one.offer_seq, one.wall) for one in kept] == [
        (1, Asked.BSN_LIJST, "v-1", BsnList([ONE, TWO]), 3, 7, make.now + HOUR),
        (2, Asked.MUTATIES, "v-2", None, 0, 0, make.now),
    ]
    assert (kept[1].vanaf, kept[1].note, kept[1].is_answered, kept[0].is_answered) == (make.now - HOUR, "asked by day", False, True)
    assert [one.seq for one in citizens.bevragingen(1)] == [2]
    assert ledger.lasts()[3] == 2
    assert citizens.verzoek_ids(["v-2", "V-2", "v-3"]) == {"v-2"}


def test_a_large_payload_is_kept_in_pieces(citizens):
    """
    Each is found again by what was given for it.
    """
    one, other = citizens.keep([b"abc", b"de"]), citizens.keep(iter([b"xyz"]))

    assert (one.size, other.size) == (5, 3)
    assert (list(citizens.content(one)), list(citizens.content(other))) == ([b"abc", b"de"], [b"xyz"])


def test_what_is_shown_of_a_question_or_voorkeur_holds_no_bsn(make):
    """
    Whoever logs one tells nobody about a citizen.
    """
    shown = f"{Bevraging(Asked.VALIDATIE, OIN, make.now, make.now, bsns=BsnList([ONE]), count=1)!r} {Voorkeur(ONE, OIN, EVERY_TYPE, wants=True)!r}"

    assert str(ONE) not in shown
