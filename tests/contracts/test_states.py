"""The provider states: each is reached, and a wrong one is explained."""

from collections.abc import Iterator

import pytest

from conformance.berichtenbox.faults import FaultError, Point
from conformance.berichtenbox.sql import SqlLedger
from conformance.contracts.states import BSNS, ContractBox, States, UnknownStateError
from conformance.messages.abonnement import read_antwoord
from conformance.messages.guard import parse
from conformance.messages.unpack import unpack
from conformance.messages.verwerkingsbericht import read_verwerkingsbericht


@pytest.fixture
def box(tmp_path) -> Iterator[ContractBox]:
    """A Berichtenbox of which a pact may name the MessageIds."""
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        yield ContractBox(ledger)


@pytest.fixture
def states(box) -> States:
    """Its states."""
    return States(box)


def test_nothing_waits_at_first(states):
    """
    Where nothing was offered nothing waits.
    """
    states.setup("no message waits", {})

    assert states.first() is None


def test_verwerkingsbericht_waits_as_it_was_asked(states):
    """
    The result has the ids and codes that were asked for.
    """
    told = {"batchId": "5d1f1f0e-7b0f-4d2e-8b1f-2f0c9a4b7a07", "berichten": [{"berichtId": "0b0d5a4e-61a5-4a5c-9df5-0f1f7a4b7a08"}]}

    states.setup("a verwerkingsbericht waits", {**told, "messageId": "een@berichtenbox.example"})

    offered, content = states.first()
    result = read_verwerkingsbericht(parse(content))
    assert offered.envelope.message_id == "een@berichtenbox.example"
    assert (result.batch_id, result.resultaten[0].bericht_id) == (told["batchId"], told["berichten"][0]["berichtId"])


def test_processed_one_waits_again(states):
    """
    What is offered again after it was processed has the same MessageId.
    """
    told = {"messageId": "een@berichtenbox.example", "faults": [{"naam": "reoffer-same-id"}], "isProcessed": True}

    states.setup("a verwerkingsbericht waits", told)

    assert states.waiting() == ["een@berichtenbox.example"]


@pytest.mark.parametrize(
    ("soort", "expected"),
    [
        ("alles", {BSNS[0]: True, BSNS[2]: True}),
        ("bsn-lijst", {BSNS[0]: True, BSNS[2]: True}),
        ("mutaties", {BSNS[0]: True, BSNS[1]: False, BSNS[2]: True}),
    ],
)
def test_answer_waits_as_it_was_asked(states, soort, expected):
    """
    The answer is of the kind that was asked for, about the citizens that were named.
    """
    states.setup("an answer on abonnementen waits", {"soort": soort, "bsn": list(BSNS[:3]), "inactief": [BSNS[1]]})

    _, content = states.first()
    told = {regel.bsn: regel.is_actief for regel in read_antwoord([unpack(content)])}
    assert told == expected


def test_citizens_change(states, box):
    """
    Who takes letters is as a pact says.
    """
    states.setup("citizens", {"actief": [BSNS[0]], "inactief": [BSNS[1]]})

    assert [box.register.wants(bsn, box.config.oin) for bsn in BSNS[:2]] == [True, False]


def test_fault_strikes(states, box):
    """
    A fault of the control face is set where a pact asks for it.
    """
    states.setup("a fault", {"naam": "slow", "op": "poll", "waarden": {"delay_s": 0.01}})

    assert [fault.name for fault in box.faults.striking(Point.POLL)] == ["slow"]


def test_wrong_states_are_explained(states):
    """
    A state, a parameter or a value that cannot be says what can.
    """
    with pytest.raises(UnknownStateError, match=r"the state 'iets' is not known; known are 'the connection works', .*'a fault'"):
        states.setup("iets", {})
    with pytest.raises(UnknownStateError, match="takes no 'x'; it takes actief, inactief"):
        states.setup("citizens", {"x": 1})
    with pytest.raises(UnknownStateError, match="takes no 'x'; it takes nothing"):
        states.setup("the connection works", {"x": 1})
    with pytest.raises(ValueError, match="'Iets' is not a valid VerwerkingsCode"):
        states.setup("a verwerkingsbericht waits", {"berichten": [{"berichtId": "x", "code": "Iets"}]})
    with pytest.raises(FaultError, match="iets"):
        states.setup("a fault", {"naam": "iets"})


def test_every_state_says_what_it_takes(states):
    """
    The names of the states come with a sentence each.
    """
    names = states.names()

    assert len(names) == 6
    assert all(names.values())
