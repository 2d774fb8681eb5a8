"""A Berichtenbox that is filled before citizens read it."""

import httpx
import pytest

from conformance.load.filling import fill
from conformance.load.judging import UnpreparedError
from conformance.load.leveringen import Ids
from conformance.load.parties import defaults
from conformance.messages.batch import read_batch
from conformance.messages.guard import Limits, parse
from conformance.transport.adapter import read_message_request


class Box:
    """A Berichtenbox that keeps letters by citizen, or does one thing wrong."""

    def __init__(self, *, refuses=0, lists=True, keeps=True):
        self.letters, self.refuses, self.lists, self.keeps = {}, refuses, lists, keeps

    def __call__(self, request):
        if request.method == "POST":
            return httpx.Response(self.refuses, text="no") if self.refuses else self._take(request)
        if not self.lists:
            return httpx.Response(404)
        own = self.letters.get(request.headers["x-ontvanger"].partition(":")[2], [])
        return httpx.Response(200, json={"berichten": [{"berichtId": id_} for id_ in own]})

    def _take(self, request):
        batch = read_batch(parse(read_message_request(request.read()).parts[0].content, Limits(size=10_000_000)))
        for bericht in batch.berichten if self.keeps else ():
            self.letters.setdefault(bericht.gebruiker_id, []).append(bericht.bericht_id)
        return httpx.Response(200, text="id")


def filled(box, **rest):
    client = httpx.Client(transport=httpx.MockTransport(box), base_url="http://127.0.0.1:1")
    return fill(client, defaults(), **{"readers": 60, "letters": 2, "sizes": (3_000, 4_000)} | rest)


def test_each_reader_gets_as_many_letters():
    """
    Sixty citizens with two letters each, of which every id is another one.
    """
    box = Box()

    found = filled(box)

    assert {len(ids) for ids in found.values()} == {2}
    assert len(found) == 60
    assert len({id_ for ids in found.values() for id_ in ids}) == 120
    assert Ids("0" * 12).number_of(next(iter(found.values()))[0]) is None


def test_full_berichtenbox_gets_nothing_more():
    """
    Whoever has letters enough is left alone.
    """
    box = Box()
    first = filled(box)
    box.refuses = 500

    assert filled(box) == first


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (Box(refuses=500), "the Berichtenbox refuses a batch with status 500: no"),
        (Box(lists=False), "the berichtpresentatie answers 404"),
        (Box(keeps=False), "letters that were accepted did not appear"),
    ],
    ids=["refuses", "no list", "loses"],
)
def test_berichtenbox_that_cannot_be_filled_is_told(monkeypatch, box, message):
    """
    Which answer stood in the way is what the user hears.
    """
    monkeypatch.setattr("conformance.load.filling._PATIENCE_S", 0.0)
    monkeypatch.setattr("conformance.load.filling._PAUSE_S", 0.0)

    with pytest.raises(UnpreparedError, match=message):
        filled(box)
