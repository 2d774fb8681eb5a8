"""The business clock: with the wall clock, ahead of it, never behind."""

from datetime import UTC, timedelta

import pytest

from conformance.berichtenbox.clock import BusinessClock, wall_clock


def test_it_runs_with_the_wall_clock(wall):
    """
    Without being moved, the business clock shows what the wall clock shows.
    """
    clock = BusinessClock(wall)
    wall.tick(minutes=3)

    assert (clock.now(), clock.ahead) == (wall(), timedelta())


def test_it_moves_ahead_and_runs_on(wall):
    """
    A clock that was moved keeps its lead.
    """
    clock = BusinessClock(wall)

    moved = clock.advance(timedelta(days=6))
    wall.tick(hours=1)

    assert moved == wall() + timedelta(days=6, hours=-1)
    assert clock.now() - wall() == clock.ahead == timedelta(days=6)


def test_it_does_not_go_back(wall):
    """
    A step back is refused and changes nothing.
    """
    clock = BusinessClock(wall)

    with pytest.raises(ValueError, match="only moves ahead, not by -1 day"):
        clock.advance(timedelta(seconds=-1))

    assert clock.ahead == timedelta()


def test_reset_takes_the_lead_away(wall):
    """
    After a reset it shows the wall clock again.
    """
    clock = BusinessClock(wall)
    clock.advance(timedelta(days=400))

    clock.reset()

    assert clock.now() == wall()


def test_its_repr_says_where_it_stands(wall):
    """
    The repr shows the moment and the lead.
    """
    clock = BusinessClock(wall)
    clock.advance(timedelta(days=1))

    assert repr(clock) == "<BusinessClock 2026-11-25T12:00:00Z, 1 day, 0:00:00 ahead>"


def test_the_wall_clock_is_in_utc():
    """
    The wall clock is aware, in UTC.
    """
    assert wall_clock().tzinfo is UTC
