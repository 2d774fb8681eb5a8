"""The numbers of the koppelvlak, typed, read once from ``specs/limits.toml``, which names the norm where the SNO has the number.

Nothing else in the kit types a limit: a rule, a case and the simulated Berichtenbox take it from here.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from conformance import norms, specs
from conformance.terms import Certainty

_REQUIRED = frozenset({"value", "unit", "source", "certainty"})
_OPTIONAL = frozenset({"note"})
_OF_A_NORM = frozenset({"norm", "number"})
_OPTIONAL_OF_A_NORM = frozenset({"note", "certainty"})  # a certainty of its own when the number is read in one way of several
_DURATIONS = {"days": timedelta(days=1), "hours": timedelta(hours=1), "minutes": timedelta(minutes=1), "seconds": timedelta(seconds=1)}
_COUNTS = frozenset({"berichten", "bijlagen", "BSNs", "bytes", "characters", "digits", "offers"})


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
    The source and the certainty of each stand in ``specs/limits.toml``, or with its norm in ``specs/sno/``.
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
        raise LimitsError(file, name, "must be a table with value, unit, source and certainty, or with norm and number")
    if "norm" in entry:
        return _value_of_norm(file, name, entry)
    _check_keys(file, name, entry, _REQUIRED, _OPTIONAL)
    if not isinstance(entry["source"], str) or not entry["source"].strip():
        raise LimitsError(file, name, "source must be a text that is not empty")
    _check_certainty(file, name, entry["certainty"])
    value, unit = entry["value"], entry["unit"]
    if type(value) is not int or value < 1:
        raise LimitsError(file, name, f"value must be a whole number of at least 1, not {value!r}")
    if unit in _DURATIONS:
        return _DURATIONS[unit] * value
    if unit in _COUNTS:
        return value
    raise LimitsError(file, name, f"unit must be one of {', '.join(sorted({*_COUNTS, *_DURATIONS}))}, not {unit!r}")


def _value_of_norm(file: str, name: str, entry: Mapping[str, Any]) -> int | timedelta:
    """Return a limit that the SNO has: a duration when time passes by itself in its unit, or else a count."""
    _check_keys(file, name, entry, _OF_A_NORM, _OPTIONAL_OF_A_NORM)
    _check_certainty(file, name, entry.get("certainty", Certainty.BEVESTIGD))
    try:
        found = norms.quantity(str(entry["norm"]), str(entry["number"]))
    except norms.UnknownNormError as error:
        raise LimitsError(file, name, str(error)) from None
    if not isinstance(found.value, int) or found.unit in norms.CALENDAR:
        raise LimitsError(file, name, f"{entry['norm']} {entry['number']} is {found}: no whole number, or one that a calendar counts")
    return norms.DURATIONS[found.unit] * found.value if found.unit in norms.DURATIONS else found.value


def _check_keys(file: str, name: str, entry: Mapping[str, Any], required: frozenset[str], optional: frozenset[str]) -> None:
    for key in sorted(required - entry.keys()):
        raise LimitsError(file, name, f"lacks the key {key!r}")
    for key in sorted(entry.keys() - required - optional):
        raise LimitsError(file, name, f"has the unknown key {key!r}")


def _check_certainty(file: str, name: str, certainty: Any) -> None:
    if certainty not in list(Certainty):
        raise LimitsError(file, name, f"certainty must be one of {', '.join(sorted(Certainty))}")
