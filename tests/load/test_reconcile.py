"""Reconciling: what a herlevering brought, held against what was offered."""

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.load.reconcile import MOST_EXAMPLES, Reconciliation, Window, reconcile
from conformance.messages.batch import Bericht, Bijlage

VANAF, TOT = datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 1, 31, 13, tzinfo=UTC)
WINDOW = Window.of(VANAF, TOT, slack_s=10)
START = VANAF.timestamp()
BATCH = "11111111-1111-4111-8111-111111111111"
LETTER = Bericht(BATCH, "", "BELAST", "Uw aanslag", "999990019", "Tekst", bijlagen=(Bijlage("QUJD", "Besluit", "1"),))


def guid(number):
    return str(uuid.UUID(int=number, version=4))


def levering(number, at=START + 60, batch=BATCH, letter=LETTER):
    return guid(number), batch, letter.digest(), at


def wrong(found):
    return {name: trouble.count for name, trouble in found.troubles() if trouble}


def test_a_right_herlevering_has_no_trouble():
    """Everything of the window comes again, what was offered before and after it does not, and new letters are nobody's concern."""
    inside = [levering(number) for number in range(300)]
    outside = [levering(1_000, at=START - 60), levering(1_001, at=TOT.timestamp() + 60)]
    again = [levering(number, at=START + 9_000 + number) for number in reversed(range(300))]
    live = [levering(2_000, at=START + 9_001)]

    found = reconcile([*inside, *outside], again, WINDOW, live)

    assert (found.offered, found.wanted, found.complete, found.again, found.live) == (302, 300, 300, 300, 1)
    assert not wrong(found)
    assert repr(found) == "<Reconciliation: 300 of 300 again>"


@pytest.mark.parametrize(
    ("again", "trouble"),
    [
        ([levering(1)], {"missing": 1}),
        ([levering(1), levering(2), levering(2)], {"repeated": 1}),
        ([levering(1), levering(2), levering(3)], {"strange": 1}),
        ([levering(1), levering(2), levering(9)], {"outside": 1}),
        ([levering(1), levering(2, batch=guid(50))], {"moved": 1}),
        ([], {"missing": 2}),
    ],
)
def test_each_trouble_is_told_apart(again, trouble):
    """A bericht that is missing, doubled, unknown, outside of the window or in another batch is each a trouble of its own."""
    found = reconcile([levering(1), levering(2), levering(9, at=START - 11)], again, WINDOW)

    assert wrong(found) == trouble
    assert repr(found).endswith(", ".join(f"{count} {name}" for name, count in trouble.items()) + ">")


@pytest.mark.parametrize(
    "changed",
    [
        {"bijlagen": ()},
        {"bijlagen": (Bijlage("QUJE", "Besluit", "1"),)},
        {"bijlagen": (Bijlage("QUJD", "Kaart", "1"),)},
        {"bijlagen": (Bijlage("QUJD", "Besluit", "2"),)},
        {"bericht_type": "PASPOORT"},
        {"onderwerp": "Herinnering"},
        {"gebruiker_id": "999990020"},
        {"bericht_tekst": None},
        {"publicatie_datum": "2026-02-01T00:00:00Z"},
        {"eind_datum_handelings_termijn": "2026-03-01T00:00:00Z"},
        {"referentie": "zaak 12"},
    ],
)
def test_digest_covers_all_that_a_citizen_may_see(changed):
    """Whatever of a letter is other than it was, its bijlagen and dates included, makes it a changed one."""
    fields = {name: getattr(LETTER, name) for name in LETTER.__slots__} | changed

    assert wrong(reconcile([levering(1)], [levering(1, letter=Bericht(**fields))], WINDOW)) == {"changed": 1}


def test_what_came_close_to_an_edge_may_come_again_and_need_not():
    """Within the slack of an edge nothing is asked, for two clocks are never the same; beyond it everything is."""
    edge = [levering(1, at=START - 9), levering(2, at=START + 9), levering(3, at=TOT.timestamp() + 9)]

    assert not wrong(reconcile(edge, [levering(1)], WINDOW))
    assert wrong(reconcile([levering(1, at=START + 11)], [], WINDOW)) == {"missing": 1}


def test_a_bericht_that_was_offered_twice_counts_where_it_was_in_the_window():
    """One that was refused before the window and offered again in it belongs to the herlevering, once."""
    offered = [levering(1, at=START - 60), levering(1), levering(1, at=START - 60)]

    found = reconcile(offered, [levering(1)], WINDOW)

    assert (found.offered, found.wanted, found.complete) == (1, 1, 1)
    assert not wrong(found)


def test_live_letters_that_come_twice_were_not_asked_for():
    """A letter that is first offered during the herlevering, or was known before it, has no place in it."""
    found = reconcile([levering(1)], [levering(1)], WINDOW, live=[levering(5), levering(5), levering(1)])

    assert found.live == 1
    assert wrong(found) == {"outside": 2}


def test_only_some_of_many_are_named():
    """Of a thousand that are missing a few are named, by their GUID; what is no GUID has a name of its own."""
    found = reconcile(
        [levering(number) for number in range(1_000)], [("geen-guid", BATCH, "0" * 64, START), ("z" * 32, BATCH, "0" * 64, START)], WINDOW
    )

    assert found.missing.count == 1_000
    assert len(found.missing.examples) == MOST_EXAMPLES
    assert set(found.missing.examples) <= {guid(number) for number in range(1_000)}
    assert found.strange.count == 2


def test_the_time_that_it_took_is_that_of_what_came_again():
    """The duration runs from the first to the last bericht that came again; without any it is nothing."""
    found = reconcile([levering(1), levering(2)], [levering(1, at=START + 100), levering(2, at=START + 130)], WINDOW)

    assert found.duration_s == 30
    assert Reconciliation().duration_s == 0


LEVERINGEN = st.lists(st.builds(levering, st.integers(0, 8), st.sampled_from([START - 60, START + 60]), st.sampled_from([BATCH, guid(50)])))


@settings(max_examples=60)
@given(LEVERINGEN, LEVERINGEN)
def test_agrees_with_a_slow_and_simple_reading(offered, again):
    """On any two streams the counts are those of dictionaries that hold everything."""
    found = reconcile(offered, again, WINDOW)

    places, batches = {}, {}
    for bericht_id, batch, _, at in offered:
        places.setdefault(bericht_id, set()).add(at > START)
        batches.setdefault(bericht_id, batch)
    came = [bericht_id for bericht_id, *_ in again]
    known = [row for row in again if row[0] in places]
    wanted = {bericht_id for bericht_id, where in places.items() if True in where}
    assert found.wanted == len(wanted)
    assert wrong(found) == {
        name: count
        for name, count in {
            "missing": len(wanted - set(came)),
            "repeated": len(known) - len({row[0] for row in known}),
            "strange": len(came) - len(known),
            "outside": sum(row[0] not in wanted for row in known),
            "moved": sum(batches[row[0]] != row[1] for row in known),
        }.items()
        if count
    }
