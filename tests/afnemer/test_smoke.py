"""The first try of a driver: which mistakes it sees, and what it says."""

import pytest

from conformance.afnemer.driver import BadAnswer, CannotDo, Driver, Letter, Refused
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.smoke import smoke_check


class Sender:
    """An Afnemer that is just good enough."""

    def __init__(self):
        self.asked = []

    def gezondheid(self):
        return {"status": "ok"}

    def berichten(self, verzoek):
        self.asked += verzoek["berichten"]
        return {"berichten": [{"berichtId": "b-1", "batchId": "B-1"}]}

    def bericht(self, bericht_id):
        return self.status(bericht_id) if bericht_id == "b-1" else None

    def status(self, bericht_id):
        return {"berichtId": bericht_id, "batchId": "b-1", "status": "aangeboden", "verwerkingsCode": None, "verwerkt": 0}


class Right(Sender):
    def status(self, bericht_id):
        return super().status(bericht_id) | {"batchId": "B-1"}


class KnowsNothing(Right):
    def bericht(self, bericht_id):
        return self.status(bericht_id) if bericht_id in self.asked else None


class KnowsEverything(Right):
    def bericht(self, bericht_id):
        return self.status(bericht_id)


class MixesUpBatches(Right):
    def status(self, bericht_id):
        return super().status(bericht_id) | {"batchId": "B-2"}


class IsIll(Right):
    def gezondheid(self):
        return {"status": "ziek"}


class RefusesAll(Right):
    def berichten(self, verzoek):
        raise ValueError(f"BerichtType {verzoek['berichten'][0]['berichtType']} is onbekend")


class HasNoStatus(Right):
    bericht = None


def check(sender):
    smoke_check(Driver(PythonCaller.of(sender)), "999990019", "BELAST")


@pytest.mark.parametrize("kind", [Right, Sender])
def test_good_driver_passes(kind):
    """
    One letter goes out, and the case of a BatchID does not count.
    """
    sender = kind()

    check(sender)

    assert sender.asked == [Letter("999990019", "BELAST").to_json()]


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        (IsIll, BadAnswer, r"trying the driver \(is the Afnemer well\): gezondheid: expected status to be 'ok', got 'ziek'"),
        (RefusesAll, Refused, r"\(deliver one bericht\): berichten: the Afnemer refused: BerichtType BELAST is onbekend"),
        (HasNoStatus, CannotDo, r"\(ask the status of the bericht that was just delivered\): bericht: HasNoStatus has no method"),
        (KnowsNothing, BadAnswer, r"just delivered\): bericht: expected the status of b-1, got that the Afnemer does not know it"),
        (MixesUpBatches, BadAnswer, "expected batchId B-1, as when it was delivered, got B-2"),
        (KnowsEverything, BadAnswer, r"\(ask the status of a bericht that does not exist\): .*\n  Hint: do not make up a status"),
    ],
)
def test_mistake_is_named(kind, error, text):
    """
    The first step that fails says what was tried, what came, and what to do.
    """
    with pytest.raises(error, match=text):
        check(kind())
