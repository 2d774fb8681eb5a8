"""
Which MessageIds may have been here before.
"""

from conformance.berichtenbox.seen import SeenIds


def test_what_was_added_is_always_held():
    """
    A wrong no would take a copy for a new message.
    """
    ids = [f"{number}@afnemer.example" for number in range(2_000)]
    seen = SeenIds(ids[:1_000])
    for one in ids[1_000:]:
        seen.add(one)

    assert all(seen.may_hold(one) for one in ids)


def test_what_was_not_added_is_seldom_held():
    """
    A wrong yes only costs a question to the database, so a few may be there.
    """
    seen = SeenIds(f"{number}@afnemer.example" for number in range(1_000))

    assert sum(seen.may_hold(f"{number}@logius.example") for number in range(10_000)) < 10


def test_nothing_is_held_at_first():
    """
    A new ledger knows no MessageId.
    """
    assert not SeenIds(()).may_hold("m-1@afnemer.example")
