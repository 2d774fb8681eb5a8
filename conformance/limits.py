"""The numbers of the koppelvlak, typed, read once from ``specs/limits.toml``.

Nothing else in the kit types a norm: a rule, a case and the simulated Berichtenbox take it from here.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from conformance import specs

_REQUIRED = frozenset({"value", "unit", "source", "certainty"})
_OPTIONAL = frozenset({"sno", "note"})
_CERTAINTIES = frozenset({"bevestigd", "gemeld", "aanname"})
_DURATIONS = {"days": timedelta(days=1), "hours": timedelta(hours=1), "minutes": timedelta(minutes=1), "seconds": timedelta(seconds=1)}
_COUNTS = frozenset({"berichten", "bijlagen", "BSNs", "bytes", "characters", "digits", "offers", "requests"})
_CLOCK = "o'clock"  # a whole hour of the Dutch clock: not a duration, and not a count
_CLOCK_MAX = 23
_SNO_ID = re.compile(r"SNO-[A-Z]{3}-[0-9]{2}")


class LimitsError(ValueError):
    """A limits file is malformed: which file, which limit, and what is wrong with it."""

    def __init__(self, file: str, name: str, problem: str) -> None:
        """Name the file and the limit (empty when the file as a whole is wrong)."""
        self.file, self.name, self.problem = file, name, problem
        super().__init__(f"{file}: [{name}]: {problem}" if name else f"{file}: {problem}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Every number of the koppelvlak that a rule or a case needs.

    Lengths are characters (code points), sizes are bytes, durations are ``timedelta``, a time of day is a whole hour of the Dutch clock (0-23).
    The source, the certainty and the SNO norm of each stand in ``specs/limits.toml``.
    """

    berichten_per_batch_min: int
    berichten_per_batch_max: int
    batch_bytes_max: int
    batch_bytes_note: int
    leverancier_max: int
    oin_digits: int
    bericht_type_max: int
    onderwerp_max: int
    berichttekst_max: int
    referentie_max: int
    bsn_digits: int
    bijlagen_max: int
    bijlagen_bytes_accepted: int
    bijlagen_bytes_refused_above: int
    omschrijving_max: int
    omschrijving_advice: int
    date_span: timedelta
    clock_slack: timedelta
    result_within: timedelta
    reoffer_window: timedelta
    reoffer_interval: timedelta
    herlevering_window: timedelta
    herlevering_advice: timedelta
    offers_max: int
    abonnement_within: timedelta
    abonnement_alles_per_night: int
    abonnement_lijst_per_night: int
    abonnement_mutaties_per_night: int
    abonnement_bsns_max: int
    night_from: int
    night_until: int
    abonnement_check_max_age: timedelta
    validatie_klanten_max: int
    validatie_per_hour: int
    validatie_within: timedelta


@cache
def limits() -> Limits:
    """Return the numbers that the kit ships with."""
    return load(specs.path("limits.toml"))


def load(file: Path) -> Limits:
    """Read a limits file; raises ``LimitsError`` when it is missing, malformed or not complete."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LimitsError(file.name, "", f"cannot be read: {error}") from error
    known = {field.name: field.type for field in fields(Limits)}
    for name in sorted(document.keys() ^ known.keys()):
        raise LimitsError(file.name, name, "is missing" if name in known else "is not a limit that the kit knows")
    values: dict[str, Any] = {name: _value(file.name, name, entry) for name, entry in document.items()}
    for name, value in values.items():
        if not isinstance(value, known[name]):  # type: ignore[arg-type]  # the fields above are annotated with classes
            raise LimitsError(file.name, name, f"its unit gives {type(value).__name__}, where the kit expects another kind")
    return Limits(**values)


def _value(file: str, name: str, entry: Any) -> int | timedelta:
    """Return one limit as a count or a duration."""
    if not isinstance(entry, Mapping):
        raise LimitsError(file, name, "must be a table with value, unit, source and certainty")
    for key in sorted(_REQUIRED - entry.keys()):
        raise LimitsError(file, name, f"lacks the key {key!r}")
    for key in sorted(entry.keys() - _REQUIRED - _OPTIONAL):
        raise LimitsError(file, name, f"has the unknown key {key!r}")
    _check_provenance(file, name, entry)
    value, unit = entry["value"], entry["unit"]
    if type(value) is not int or value < 1:
        raise LimitsError(file, name, f"value must be a whole number of at least 1, not {value!r}")
    if unit in _DURATIONS:
        return _DURATIONS[unit] * value
    if unit == _CLOCK and value > _CLOCK_MAX:
        raise LimitsError(file, name, f"value must be an hour of the day of at most {_CLOCK_MAX}, not {value!r}")
    if unit in _COUNTS or unit == _CLOCK:
        return value
    raise LimitsError(file, name, f"unit must be one of {', '.join(sorted({*_COUNTS, *_DURATIONS, _CLOCK}))}, not {unit!r}")


def _check_provenance(file: str, name: str, entry: Mapping[str, Any]) -> None:
    """Refuse a number that does not say where it comes from."""
    if not isinstance(entry["source"], str) or not entry["source"].strip():
        raise LimitsError(file, name, "source must be a text that is not empty")
    if entry["certainty"] not in _CERTAINTIES:
        raise LimitsError(file, name, f"certainty must be one of {', '.join(sorted(_CERTAINTIES))}")
    if "sno" in entry and not _SNO_ID.fullmatch(str(entry["sno"])):
        raise LimitsError(file, name, f"sno must be an id such as SNO-AFN-01, not {entry['sno']!r}")
