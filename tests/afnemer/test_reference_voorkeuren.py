"""What the Afnemer keeps of citizens and of its requests: small, and durable."""

from contextlib import closing

import pytest

from conformance.afnemer.reference.store import Store
from conformance.afnemer.reference.voorkeuren import StoredVerzoek, packed, unpacked
from conformance.messages.bsns import BsnList

ONE, TWO = 999990007, 999990019
LIST = StoredVerzoek("v-1", "bsn-lijst", BsnList([ONE, TWO]).to_bytes(), ("12",), None, is_basis=False, made_at=10.0)
ALLES = StoredVerzoek("v-2", "alles", b"", (), None, is_basis=True, made_at=20.0)


@pytest.fixture
def store(tmp_path):
    """A database in a file."""
    with closing(Store(tmp_path / "afnemer.db")) as made:
        yield made


def checks(store):
    """Return what is known of both citizens, as a set."""
    return set(store.checks([str(ONE), str(TWO)]))


def test_voorkeur_is_kept_for_each_type(store):
    """
    What holds for one BerichtType stands beside the abonnement, and what comes later replaces what was there.
    """
    store.keep_voorkeuren([(ONE, True), (ONE, False), (TWO, True)], 1.0)
    store.keep_voorkeuren([(ONE, True)], 2.0, "BELAST")
    store.keep_voorkeuren([(TWO, False)], 3.0)

    assert checks(store) == {(ONE, "", False, 1.0), (ONE, "BELAST", True, 2.0), (TWO, "", False, 3.0)}


def test_refusing_all_reaches_everybody_who_is_known(store):
    """
    Also who was only asked about for one BerichtType has no abonnement then; what was known of that type stays.
    """
    store.keep_voorkeuren([(ONE, True)], 1.0)
    store.keep_voorkeuren([(TWO, True)], 2.0, "BELAST")
    store.refuse_all(3.0)

    assert checks(store) == {(ONE, "", False, 3.0), (TWO, "", False, 3.0), (TWO, "BELAST", True, 2.0)}


def test_half_a_list_is_not_kept(store):
    """
    What breaks halfway leaves nothing behind.
    """

    def broken():
        yield ONE, True
        raise LookupError("halfway")

    with pytest.raises(LookupError, match="halfway"):
        store.keep_voorkeuren(broken(), 1.0)

    assert checks(store) == set()


def test_verzoek_waits_until_it_is_sent_answered_or_given_up(store):
    """
    The outbox holds what is still to go, oldest first.
    """
    waiting = []
    for verzoek in (LIST, ALLES):
        store.add_verzoek(verzoek)
    waiting.append([verzoek.verzoek_id for verzoek in store.verzoeken_to_send()])
    store.mark_verzoek_sent(LIST, 30.0)
    waiting.append([verzoek.verzoek_id for verzoek in store.verzoeken_to_send()])
    store.mark_verzoek_tried(ALLES, is_given_up=True)
    waiting.append([verzoek.verzoek_id for verzoek in store.verzoeken_to_send()])

    assert waiting == [["v-1", "v-2"], ["v-2"], []]
    assert [verzoek.verzoek_id for verzoek in store.sent_verzoeken()] == ["v-1"]
    assert store.verzoek("v-2").tries == 1


def test_answered_verzoek_need_not_go(store):
    """
    An answer proves that a request arrived, whatever its own trouble was.
    """
    store.add_verzoek(ALLES)
    store.mark_answered(ALLES, 30.0, b"")

    assert store.verzoeken_to_send() == []
    assert store.verzoek("v-2").answered_at == 30.0


def test_verzoek_comes_back_as_it_was_kept(store):
    """
    Ids are found in any case; the BSNs and what is no BSN are there, and stay out of what is shown.
    """
    store.add_verzoek(LIST)
    found = store.verzoek("V-1")

    assert (found.verzoek_id, found.soort, found.not_asked, found.is_basis, found.made_at) == ("v-1", "bsn-lijst", ("12",), False, 10.0)
    assert list(BsnList.from_bytes(found.bsns)) == [str(ONE), str(TWO)]
    assert store.sent_verzoeken() == []
    assert str(ONE) not in repr(found)


def test_unknown_verzoek_is_not_there(store):
    """
    Nothing is known of what was not asked.
    """
    has_before = store.has_verzoeken()
    store.add_verzoek(LIST)

    assert (has_before, store.has_verzoeken()) == (False, True)
    assert store.verzoek("v-9") is None
    assert store.answer("v-9") == b""
    assert store.answer("v-1") == b""


def test_answer_is_four_bytes_each(store):
    """
    What an answer said is kept in short; of a BSN that was told twice the last counts.
    """
    store.add_verzoek(ALLES)
    store.mark_answered(ALLES, 30.0, packed([(ONE, False), (TWO, True), (ONE, True)]).tobytes())

    assert unpacked(store.answer("V-2")) == {ONE: True, TWO: True}
    assert len(store.answer("v-2")) == 12
