"""Batches from templates: valid, each with its own ids, with the mix of bijlagen, and the same in base64."""

import base64
from datetime import UTC, datetime

import pytest

from conformance.load.leveringen import CYCLE, Batches, Ids, Letter, Template, mix, request_around
from conformance.messages.batch import SCHEMA, read_batch
from conformance.messages.envelope import Action
from conformance.messages.guard import Limits, parse, schema_errors
from conformance.transport.adapter import read_message_request

CONNECTION = {
    "oin": "00000099000000001000",
    "logius_oin": "00000099000000002000",
    "cpa_id": "MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000",
    "bericht_type": "BELAST",
}
IDS = Ids("0123456789ab")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BSNS = ["999990007", "999990019"]
LIMITS = Limits(size=10_000_000)


@pytest.mark.parametrize("number", [0, 1, 7])
def test_batch_is_valid_with_its_own_ids(number):
    """
    What comes out of a template is a batch as an Afnemer sends it, of which no id was used before.
    """
    root = parse(Batches(CONNECTION, IDS, 3, BSNS, (0, 3_000)).document(number), LIMITS)

    batch = read_batch(root)

    assert schema_errors(root, SCHEMA) == ()
    assert IDS.batch_number_of(batch.batch_id) == number
    assert [IDS.number_of(bericht.bericht_id) for bericht in batch.berichten] == [3 * number, 3 * number + 1, 3 * number + 2]
    assert {bericht.batch_id for bericht in batch.berichten} == {batch.batch_id}


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pieces_in_base64_are_the_document_in_base64(size):
    """
    Encoded piece by piece, or as a whole: the same.
    """
    template = Template.of(CONNECTION["oin"], "BELAST", [Letter("999990007", 3_000 * (place % 2)) for place in range(size)])
    ids = [IDS.bericht(place) for place in range(size)]

    whole = template.document(IDS.batch(1), ids, NOW)

    assert b"".join(template.in_base64(IDS.batch(1), ids, NOW)) == base64.b64encode(whole)
    assert b"2026-11-24T12:00:00.000Z" in whole


def test_mix_is_that_of_the_norms():
    """
    19 of 20 have a bijlage, the largest of which is as large as it may be.
    """
    sizes = mix()

    assert (len(sizes), sizes.count(0), max(sizes)) == (CYCLE, 1, 500_000)
    assert len(set(sizes)) >= 4


def test_twenty_berichten_have_the_whole_mix():
    """
    Over four batches of five, the bijlagen are those of the mix, octet by octet.
    """
    sizes = tuple(3_000 + 100 * place if place else 0 for place in range(CYCLE))
    batches = Batches(CONNECTION, IDS, 5, BSNS, sizes)

    read = [bericht for number in range(4) for bericht in read_batch(parse(batches.document(number), LIMITS)).berichten]

    assert [sum(len(part.octets()) for part in bericht.bijlagen) for bericht in read] == list(sizes)


def test_message_request_is_one_that_the_adapter_takes():
    """
    What comes around the base64 makes a MessageRequest of this connection.
    """
    head, tail = request_around(CONNECTION, Action.BV_REQUEST)

    envelope = read_message_request(head + base64.b64encode(b"<x/>") + tail)

    assert (envelope.cpa_id, envelope.action, envelope.parts[0].content) == (CONNECTION["cpa_id"], Action.BV_REQUEST, b"<x/>")


@pytest.mark.parametrize("other", ["", "x", "0" * 36, Ids("0123456789ac").bericht(5), IDS.batch(5), IDS.bericht(5)[:-1] + "g", f"{IDS.bericht(5)}0"])
def test_ids_of_others_are_not_ours(other):
    """
    An id of another run, of another kind or of no shape at all has no number.
    """
    assert IDS.number_of(other) is None


def test_ids_are_read_in_either_case():
    """
    A GUID that comes back in capitals is the same one.
    """
    assert IDS.number_of(IDS.bericht(2_500_000).upper()) == 2_500_000
