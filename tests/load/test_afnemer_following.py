"""Driving an Afnemer and its Berichtenbox through a whole profile: all in this process, on one clock that moves when somebody rests."""

import contextlib
import os
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import httpx
import pytest

from conformance.afnemer.http_face import test_control_app as control_app
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of
from conformance.load import afwijzingen, afwijzingen_driving, herlevering_driving, verwerkingsberichten_driving
from conformance.load.afnemer_following import BOX, QUIET_S, Following
from conformance.load.afnemers import citizens, letters, live_citizen
from conformance.load.herlevering import volume
from conformance.load.judging import UnpreparedError
from conformance.load.plan import plan
from conformance.load.reconcile import Reconciliation
from conformance.norms import share
from conformance.transport.serving import bind, config_of, serving

TYPED = {"bericht_type": "BELAST"}


class Clock:
    """A wall clock that stands still until somebody rests."""

    def __init__(self):
        self.at = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def now(self):
        return self.at


class Stand:
    """A Berichtenbox, an Afnemer, and who follows them; both work while that one rests."""

    def __init__(self, opened, directory):
        self.clock = Clock()
        url = f"sqlite:///{directory / 'ledger.db'}"
        self.box = Berichtenbox(opened.enter_context(SqlLedger(url)), seed=1, wall=self.clock.now)
        urls = opened.enter_context(running(self.box, works_by_itself=False))
        variables = connection_of(self.box, urls, 1) | {"AFNEMER_MAP": str(directory)}
        del variables["BERICHTENBOX_WUS"]
        party_class = type("OnOneClock", (ReferenceAfnemer,), {"now": lambda _self: self.clock.at})
        self.party = opened.enter_context(contextlib.closing(party_class(variables)))
        bound = bind("127.0.0.1", 0)
        opened.enter_context(serving(config_of(control_app(self.party), None), bound))
        self.connection = TYPED | {"ledger": url, "control": urls.control, "berichtenbox_pid": str(os.getpid()), "reaction_s": "10"}
        target = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self.following = opened.enter_context(Following(target, self.connection, self.rest, self.clock.now))

    def rest(self, seconds):
        """Let both do their work, and the time pass."""
        self.box.settle()
        self.party.work()
        self.clock.at += timedelta(seconds=seconds)


@pytest.fixture
def stand(tmp_path):
    """Both parties and who follows them."""
    with contextlib.ExitStack() as opened:
        yield Stand(opened, tmp_path)


@pytest.mark.slow
def test_a_herlevering_is_filled_asked_and_reconciled(stand):
    """What was offered in the window comes again, what was offered before it does not, and live letters are told apart."""
    planned = plan("herlevering", scale=Fraction(1, 100_000))
    filled = herlevering_driving.fill(stand.following, planned)
    stand.following.deliver(letters(TYPED, 0, 3, to=live_citizen()), 3)
    facts = herlevering_driving.redeliver(stand.following, planned, filled, lambda: planned.window_s + 1)

    found = Reconciliation.from_json(facts["found"])
    assert (facts["status"], set(facts["busy"])) == (202, {BOX})
    assert (found.offered, found.wanted, found.complete, found.live) == (125, 25, 25, 3)
    assert volume(planned) == 25
    assert not any(trouble for _, trouble in found.troubles())
    assert herlevering_driving.read(stand.connection["ledger"], filled) == found


@pytest.mark.slow
def test_letters_that_do_not_arrive_are_told(stand, monkeypatch):
    """An Afnemer that takes letters and sends none cannot be made ready for a herlevering, nor for refusals."""
    monkeypatch.setattr(type(stand.party.sender), "send_waiting", lambda _self, **_: False)

    with pytest.raises(UnpreparedError, match="100 letters that the Afnemer was asked to deliver did not come"):
        herlevering_driving.fill(stand.following, plan("herlevering", scale=Fraction(1, 100_000)))
    with pytest.raises(UnpreparedError, match="did not come to the Berichtenbox"):
        afwijzingen_driving.begin(stand.following, plan("afwijzingen", scale=Fraction(1, 7_500)))


@pytest.mark.slow
def test_refusals_are_set_and_each_is_followed(stand):
    """Batches are refused as a whole first, then the stream meets its faults; the facts say where each bericht ended."""
    planned = plan("afwijzingen", scale=Fraction(1, 2_500))
    began, watch = afwijzingen_driving.begin(stand.following, planned), stand.following.watch()
    for number in range(planned.volume):
        stand.following.deliver(letters(TYPED, number * afwijzingen.SIZE, afwijzingen.SIZE), afwijzingen.SIZE)
    facts = afwijzingen_driving.finish(stand.following, began, 0.0, watch)

    assert (began["begun"], facts["berichten"]) == (120, 180)
    assert facts["refused"] > 120
    assert (facts["wrong"], facts["looped"], facts["uncalled"], facts["late"]) == ({}, 0, 0, 0)
    assert facts["unmarked"] == facts["unreadable"]


def test_a_backlog_of_six_days_is_drained(stand):
    """While nobody can fetch them results are offered again each day; then all are taken, and each counts once."""
    planned = plan("verwerkingsberichten", scale=Fraction(1, 10_000))
    began, watch = verwerkingsberichten_driving.begin(stand.following), stand.following.watch()
    stand.following.deliver(letters(TYPED, 0, 15), 5)
    facts = verwerkingsberichten_driving.finish(stand.following, planned, began, 0.0, watch)

    assert [facts["peak"][name] for name in ("results", "unmarked", "late")] == [3, 0, 0]
    assert (facts["delivered"], facts["backlog"], facts["left"]) == (15, 21, 0)
    assert (facts["berichten"], facts["applied"], facts["doubled"][0], facts["unapplied"]) == (30, 30, 0, [])


def test_an_afnemer_that_does_not_answer_is_told(stand, monkeypatch):
    """A refusal has its status, an answer that is no test-control a sentence, silence its own name; an unknown bericht has no status."""
    following = stand.following
    assert list(following.statuses(["5d0f7c5e-0000-4000-8000-00000000dead"])) == [("5d0f7c5e-0000-4000-8000-00000000dead", "", 0)]
    assert following.ask("/herlevering", {"vanaf": "gisteren", "tot": "nu"}, 5)[0] == 400
    with pytest.raises(UnpreparedError, match="answers 400 when it is asked to deliver 0 letters"):
        following.deliver([], 1)
    monkeypatch.setattr(stand.party, "berichten", lambda _verzoek: {"berichten": ["a"]})
    with pytest.raises(UnpreparedError, match="does not answer under which ids"):
        following.deliver(letters(TYPED, 0, 1), 1)
    monkeypatch.setattr(stand.party, "bericht", lambda _id: ["geen", "object"])
    assert list(following.statuses(["a"])) == [("a", "", 0)]
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        following.steer("GET", "/niets")

    with Following("http://127.0.0.1:9", stand.connection) as nobody:
        assert nobody.ask("/herlevering", {}, 1) == (0, "ConnectError")


def test_an_afnemer_that_acts_seldom_is_given_the_time(stand):
    """Of an Afnemer of somebody else nothing may be heard for as long as it takes to react; ours is done sooner."""
    given = stand.connection | {"given": "yes", "reaction_s": "30"}
    begin = stand.clock.at
    with Following("http://127.0.0.1:9", given, stand.rest, stand.clock.now) as following:
        following.settle(300)

    waited = (stand.clock.at - begin).total_seconds()
    assert QUIET_S + 30 <= waited <= QUIET_S + 31
    assert following.patience_s - stand.following.patience_s == 60


def test_without_a_ledger_nothing_can_be_followed():
    """A connection that does not say where the ledger is cannot be used."""
    with pytest.raises(UnpreparedError, match="not told where the Berichtenbox and its ledger are"):
        Following("http://127.0.0.1:9", {})


def test_letters_have_bijlagen_as_the_sno_has_them():
    """Of twenty letters the share of SNO-OPS-04 has a bijlage; each goes to another citizen, live ones to one who gets no others."""
    made = letters(TYPED, 40, 20)

    assert sum("bijlagen" in letter for letter in made) == share("SNO-OPS-04", "share") * 20
    assert len({letter["bsn"] for letter in made}) == 20
    assert live_citizen() not in citizens()
    assert {letter["bsn"] for letter in letters(TYPED, 0, 3, to=live_citizen())} == {live_citizen()}
