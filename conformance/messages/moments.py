"""``xs:dateTime`` as it is written on the wire: the instant, and how the zone was noted."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from functools import lru_cache

_LEXICAL = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)T(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)?",
    re.ASCII,
)
_MICROSECOND_DIGITS = 6
_XML_BLANKS = " \t\r\n"  # the type of the schema collapses them
_MIDNIGHT_AT_THE_END = "24"


class Zone(StrEnum):
    """How the zone of a moment is written."""

    ZULU = "Z"
    OFFSET = "offset"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment that was read: aware ``at`` (UTC is assumed when no zone was written, and ``zone`` says so)."""

    at: datetime
    zone: Zone


@lru_cache(maxsize=16)  # the rules on one message ask for the same few moments, each for itself
def read_moment(text: str) -> Moment | None:
    """Return the moment that ``text`` writes, or ``None`` when it is no dateTime between the years 1 and 9999."""
    found = _LEXICAL.fullmatch(text.strip(_XML_BLANKS))
    if found is None:
        return None
    try:
        return _moment(found)
    except (ValueError, OverflowError):
        return None


def _moment(found: re.Match[str]) -> Moment:
    fraction = (found["fraction"] or "")[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
    ends_the_day = found["hour"] == _MIDNIGHT_AT_THE_END
    at = datetime.fromisoformat(f"{found['date']}T{'00' if ends_the_day else found['hour']}:{found['minute']}:{found['second']}.{fraction}")
    if ends_the_day:
        if at.minute or at.second or at.microsecond:
            raise ValueError("24:00:00 is the only moment in hour 24")
        at += timedelta(days=1)
    zone = found["zone"]
    if zone is None:
        return Moment(at.replace(tzinfo=UTC), Zone.NONE)
    return Moment(at.replace(tzinfo=_offset(zone)).astimezone(UTC), Zone.ZULU if zone == "Z" else Zone.OFFSET)


def _offset(zone: str) -> timezone:
    if zone == "Z":
        return UTC
    sign = -1 if zone[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6])))


def write_moment(at: datetime) -> str:
    """Return an aware datetime as Logius writes it: Zulu, with milliseconds."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
