"""The reference Afnemer as one party: driven by test-control, in the foreground and in the background."""

import threading
from pathlib import Path

import pytest

from conformance.afnemer.driver import AfnemerStatus, BerichtStatus, CannotDo, Driver, Letter, Outcome, Preference, Refused
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.gateway import Gateway, TemporaryTroubleError
from conformance.afnemer.smoke import smoke_check
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of
from conformance.messages.abonnement import plain_antwoord, read_aanvraag
from conformance.messages.envelope import Action, Envelope, Part

PLAIN = {"bsn": "999990019", "berichtType": "BELAST"}
A_WHILE_S = 10  # nobody waits that long: only a test that fails


@pytest.fixture
def box(tmp_path):
    """A Berichtenbox of which the ledger is in a file."""
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        yield Berichtenbox(ledger, seed=1)


@pytest.fixture
def connection(box):
    """The variables of that Berichtenbox, which works by itself."""
    with running(box) as urls:
        yield connection_of(box, urls, 1)


@pytest.fixture
def party(connection):
    """The reference Afnemer, with a database for as long as it lives."""
    made = ReferenceAfnemer(connection)
    yield made
    made.close()


def test_it_passes_the_first_try(party):
    """
    The verbs answer as test-control says.
    """
    smoke_check(Driver(PythonCaller.of(party)), "999990019", "BELAST")

    assert party.gezondheid() == {"status": "ok"}
    assert party.bericht("5d0f7c5e-0000-4000-8000-00000000dead") is None


def test_bericht_is_aangeboden_until_its_result(party, box):
    """
    The answer of the adapter is no result; when that comes both work until there is nothing left.
    """
    driver = Driver(PythonCaller.of(party))
    box.fault("late", days=1)
    (delivered,) = driver.deliver([Letter("999990019", "BELAST")])
    before = driver.status(delivered.bericht_id.upper())
    box.advance(days=1)
    is_settled = driver.settle()

    ids = (delivered.bericht_id, delivered.batch_id)
    assert before == BerichtStatus(*ids, AfnemerStatus.AANGEBODEN, None, 0)
    assert is_settled
    assert driver.status(delivered.bericht_id) == BerichtStatus(*ids, AfnemerStatus.VERWERKT, "Verwerkt", 1)


def test_herlevering_counts_what_comes_again(party, box):
    """
    A window brings what was offered in it; an empty one brings nothing.
    """
    party.berichten({"berichten": [PLAIN] * 3, "perBatch": 2})

    assert party.herlevering({"vanaf": "2020-01-01T00:00:00Z", "tot": "2099-01-01T00:00:00+01:00"}) == {"aantal": 3}
    assert party.herlevering({"vanaf": "2020-01-01T00:00:00Z", "tot": "2020-01-02T00:00:00Z"}) == {"aantal": 0}
    assert len(box.ledger.offers(0)) == 4


@pytest.mark.parametrize(
    ("verzoek", "text"), [({"vanaf": "gisteren", "tot": "2026-01-01T00:00:00Z"}, "vanaf"), ({"vanaf": "2026-01-01T00:00:00Z"}, "tot")]
)
def test_window_needs_two_moments(party, verzoek, text):
    """
    A window that cannot be read is refused.
    """
    with pytest.raises(ValueError, match=f"{text} is no RFC 3339 time"):
        party.herlevering(verzoek)


def test_letter_goes_to_who_takes_it(party, box):
    """
    The validatieservice is asked before a letter leaves, and a no is another channel.
    """
    driver = Driver(PythonCaller.of(party))
    box.set_burger("999990020", wants=False)
    delivered = driver.deliver([Letter("999990019", "BELAST"), Letter("999990020", "BELAST")])
    box.settle()
    party.settle()

    assert [driver.status(item.bericht_id).status for item in delivered] == [AfnemerStatus.VERWERKT, AfnemerStatus.ANDER_KANAAL]
    assert [call.subject for call in box.ledger.calls(0) if call.operation == "validatie"] == ["2 klanten"]
    assert len(box.ledger.berichten(0)) == 1


def test_validation_answers_what_the_service_says(party, box):
    """
    The verb gives every outcome, and leaves out what is not known.
    """
    driver = Driver(PythonCaller.of(party))
    box.set_burger("999990020", wants=False)
    outcomes = driver.validate("BELAST", ["999990019", "999990020", "12345678"])
    box.fault("register-down", times=2)

    assert outcomes == tuple(Outcome(bsn, bericht_sturen=bsn == "999990019") for bsn in ("999990019", "999990020", "12345678"))
    assert driver.validate("BELAST", ["999990007"]) == ()
    with pytest.raises(Refused, match="berichtTypeCode is nil or empty"):
        driver.validate("", ["999990007"])


def test_validation_needs_to_know_where_the_service_is(connection):
    """
    Without its URL the verb is not offered, and letters go unchecked.
    """
    party = ReferenceAfnemer({key: value for key, value in connection.items() if key != "BERICHTENBOX_WUS"})
    driver = Driver(PythonCaller.of(party))

    with pytest.raises(CannotDo, match="validatie is not implemented"):
        driver.validate("BELAST", ["999990019"])
    assert len(driver.deliver([Letter("999990019", "BELAST")])) == 1
    driver.close()


class Post(Gateway):
    """A gateway of which the inbox for abonnementen is in memory; batches go over the adapter."""

    def __init__(self, url, context):
        super().__init__(url, context=context)
        self.sent, self.inbox, self.is_away = [], {}, False

    def send(self, envelope):
        if envelope.action != Action.A_REQUEST:
            return super().send(envelope)
        if self.is_away:
            raise TemporaryTroubleError("away")
        self.sent.append(read_aanvraag(envelope.parts[0].content))
        return f"a-{len(self.sent)}"

    def waiting(self, cpa_id, action):
        if action != Action.A_RESULT:
            return super().waiting(cpa_id, action)
        if self.is_away:
            raise TemporaryTroubleError("away")
        return list(self.inbox)

    def fetch(self, message_id):
        return self.inbox[message_id] if message_id in self.inbox else super().fetch(message_id)

    def mark(self, message_id):
        if self.inbox.pop(message_id, None) is None:
            super().mark(message_id)


@pytest.fixture
def asking(connection):
    """The reference Afnemer with its mail about abonnementen in memory."""
    made = type("Asking", (ReferenceAfnemer,), {"gateway_class": Post})(connection)
    yield made
    made.close()


def test_abonnementen_are_requested_and_recorded(asking):
    """
    A request is open, which is no work, until its answer is recorded.
    """
    driver = Driver(PythonCaller.of(asking))
    verzoek_id = driver.request_abonnementen("bsn-lijst", ["999990007", "999990019", "12345678"])
    before = driver.settle(), driver.abonnementen(verzoek_id)
    content = plain_antwoord("00000099000000001000", verzoek_id, [(999990019, True)])
    asking.gateway.inbox["r-1"] = Envelope("CPA", "urn:osb:oin:x", "SP", "s", Action.A_RESULT, parts=(Part(content),))
    is_settled = driver.settle()

    preferences = (Preference("999990007", actief=False), Preference("999990019", actief=True), Preference("12345678", actief=False))
    assert before == (True, ("open", ()))
    assert is_settled
    assert driver.abonnementen(verzoek_id) == ("ontvangen", preferences)
    assert [list(item.bsns) for item in asking.gateway.sent] == [["999990007", "999990019"]]
    assert asking.abonnement("onbekend") is None


def test_request_that_waits_is_work(asking):
    """
    As long as it did not leave there is something to do, and after a restart it leaves all the same.
    """
    asking.gateway.is_away = True
    asking.abonnementen({"soort": "alles"})
    was_settled = asking.settle()
    asking.restart()

    assert was_settled is False
    assert asking.settle() is True
    assert len(asking.gateway.sent) == 1


@pytest.mark.parametrize("verzoek", [{"soort": "sommige"}, {"soort": "mutaties"}, {"soort": "bsn-lijst"}])
def test_request_that_makes_no_sense_is_refused(asking, verzoek):
    """
    What cannot be asked is refused with a reason.
    """
    with pytest.raises(ValueError, match=r"sommige|alles first|at least one bsn"):
        asking.abonnementen(verzoek)


@pytest.mark.parametrize("on", ["poll", "post"])
def test_trouble_that_lasts_is_not_settled(party, box, on):
    """
    As long as something waits or cannot be asked, it does not call itself idle, and does not hang either.
    """
    box.fault("unavailable", on=on, times=None)
    party.berichten({"berichten": [PLAIN]})

    assert party.settle() is False


def test_restart_forgets_nothing_that_matters(party):
    """
    Berichten, offers and applied results are on disk; what comes after has ids of its own.
    """
    first = party.berichten({"berichten": [PLAIN]})["berichten"][0]
    party.settle()
    before = party.bericht(first["berichtId"])
    was_restarted = party.restart()
    second = party.berichten({"berichten": [PLAIN]})["berichten"][0]

    assert was_restarted is True
    assert party.bericht(first["berichtId"]) == before
    assert {*first.values()}.isdisjoint(second.values())


def wait_for_marks(box, count):
    """Return an event that is set when the Afnemer marks the result with this number."""
    marked, numbers = threading.Event(), iter(range(1, count + 1))
    box.before_marking = lambda _message_id: next(numbers, 0) == count and marked.set()
    return marked


def test_background_sends_and_receives(party, box):
    """
    Once started it goes on by itself: a bericht that met trouble leaves, and its result is applied before it is marked.
    """
    marked = wait_for_marks(box, 1)
    box.fault("unavailable", on="post", times=3)
    bericht_id = party.berichten({"berichten": [PLAIN]})["berichten"][0]["berichtId"]
    party.start(0.001)

    assert marked.wait(A_WHILE_S)
    assert party.bericht(bericht_id)["status"] == "verwerkt"


def test_background_survives_a_restart(party, box):
    """
    The worker goes on with the database that was opened again.
    """
    party.start(0.001)
    party.restart()
    marked = wait_for_marks(box, 2)
    for _ in range(2):
        party.berichten({"berichten": [PLAIN]})

    assert marked.wait(A_WHILE_S)


def test_background_survives_a_mistake(party, caplog):
    """
    A round that fails is told, and the next one comes.
    """
    rounds, came_back = [], threading.Event()

    def work():
        rounds.append(1)
        if len(rounds) == 1:
            raise LookupError("a mistake of ours")
        came_back.set()

    party.work = work
    party.start(0.001)

    assert came_back.wait(A_WHILE_S)
    assert "working failed, and will be tried again" in caplog.text


def test_close_ends_the_background_and_leaves_nothing(connection):
    """
    The worker is gone, and so is a database that nobody asked to keep.
    """
    party = ReferenceAfnemer(connection)
    directory = Path(party._own_directory.name)
    existed = (directory / "afnemer.db").exists()
    party.start(0.001)
    party.close()

    assert existed
    assert not party._worker.is_alive()
    assert not directory.exists()


def test_database_stays_where_it_was_asked(connection, tmp_path):
    """
    With AFNEMER_MAP the database outlives the Afnemer.
    """
    party = ReferenceAfnemer({**connection, "AFNEMER_MAP": str(tmp_path)})
    bericht_id = party.berichten({"berichten": [PLAIN]})["berichten"][0]["berichtId"]
    party.close()
    again = ReferenceAfnemer({**connection, "AFNEMER_MAP": str(tmp_path)})

    assert again.bericht(bericht_id) is not None
    again.close()


@pytest.mark.parametrize(("is_kept", "synchronous"), [(True, 2), (False, 0)])
def test_only_a_database_that_is_kept_waits_for_the_disk(connection, tmp_path, is_kept, synchronous):
    """
    What is thrown away at the end is not synced.
    """
    party = ReferenceAfnemer(connection | ({"AFNEMER_MAP": str(tmp_path)} if is_kept else {}))
    ((found,),) = party.store._rows("PRAGMA synchronous")
    party.close()

    assert found == synchronous
