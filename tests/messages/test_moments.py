"""``xs:dateTime``: what is a moment, which one, and how its zone was written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.messages.moments import Zone, read_moment, write_moment

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at", "zone"),
    [
        ("2026-11-24T12:00:00Z", NOON, Zone.ZULU),
        (" \n2026-11-24T12:00:00Z\t", NOON, Zone.ZULU),
        ("2026-11-24T12:00:00", NOON, Zone.NONE),
        ("2026-11-24T12:00:00+00:00", NOON, Zone.OFFSET),
        ("2026-11-24T13:00:00+01:00", NOON, Zone.OFFSET),
        ("2026-11-25T02:00:00+14:00", NOON, Zone.OFFSET),
        ("2026-11-23T22:00:00-14:00", NOON, Zone.OFFSET),
        ("2026-11-24T08:30:00-03:30", NOON, Zone.OFFSET),
        ("2026-11-24T12:00:00.5Z", NOON + timedelta(milliseconds=500), Zone.ZULU),
        ("2026-11-24T12:00:00.123456789Z", NOON + timedelta(microseconds=123_456), Zone.ZULU),
        ("2026-11-23T24:00:00Z", NOON - timedelta(hours=12), Zone.ZULU),
        ("2026-12-31T24:00:00.000Z", datetime(2027, 1, 1, tzinfo=UTC), Zone.ZULU),
        ("2024-02-29T12:00:00Z", datetime(2024, 2, 29, 12, tzinfo=UTC), Zone.ZULU),
    ],
)
def test_a_moment_is_read_with_its_zone(text, at, zone):
    """
    Zones, fractions and the end of a day lead to the right instant.
    """
    moment = read_moment(text)

    assert (moment.at, moment.zone) == (at, zone)
    assert moment.at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gisteren",
        "2026-11-24",
        "2026-11-24 12:00:00Z",
        "2026-11-24T12:00Z",
        "2026-11-24T12:00:00z",
        "2026-11-24T12:00:00.Z",
        "2026-11-24T12:00:00+0100",
        "2026-11-24T12:00:00+14:01",
        "2026-11-24T12:00:00+15:00",
        "2026-11-24T12:00:00+01:60",
        "2026-11-24T25:00:00Z",
        "2026-11-24T24:00:01Z",
        "2026-11-24T24:01:00Z",
        "2026-11-24T24:00:00.1Z",
        "2026-11-24T12:60:00Z",
        "2026-06-30T23:59:60Z",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "0000-01-01T12:00:00Z",
        "-2026-11-24T12:00:00Z",
        "12026-11-24T12:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T24:00:00Z",
        "\u0662\u0660\u0662\u0666-11-24T12:00:00Z",
        "\u00a02026-11-24T12:00:00Z",
    ],
)
def test_what_is_no_moment_is_none(text):
    """
    A bad date, a leap second, an impossible zone and years beyond 1-9999 are not moments.
    """
    assert read_moment(text) is None


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001  # hypothesis wants them so
def test_what_is_written_is_read_back_to_the_millisecond(at, hours):
    """
    Logius' notation is Zulu with milliseconds, whatever the zone of the moment.
    """
    aware = at.replace(tzinfo=timezone(timedelta(hours=hours)))

    moment = read_moment(write_moment(aware))

    assert moment.zone is Zone.ZULU
    assert timedelta(0) <= aware - moment.at < timedelta(milliseconds=1)
