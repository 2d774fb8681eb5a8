"""The norms of the SNO MijnOverheid 2023 with every number in them, read once from ``specs/sno/``.

Load profiles, calculators, limits, the simulated Berichtenbox and the catalogue take a norm from here; nobody types one.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from conformance import specs
from conformance.terms import Binds, Certainty, DecidedBy, Lang, Level
from conformance.toml_entries import Entry, EntryError, check_unique, files_of

SOURCE: Final = "SNO MijnOverheid 2023"
PROFILES: Final = frozenset(
    {"aanleveren", "abonnementen", "afwijzingen", "herlevering", "notificaties", "presentatie", "validatie", "verwerkingsberichten"}
)
"""What ``berichtenbox load`` knows."""
CALCULATORS: Final = frozenset(
    {
        "announcements",
        "availability",
        "continuity",
        "counts",
        "forecast",
        "incidents",
        "questions",
        "quota",
        "releases",
        "telephony",
        "windows",
    }
)
"""What ``berichtenbox sno`` knows."""
DURATIONS: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "dagen": timedelta(days=1),
        "uur": timedelta(hours=1),
        "klokuren": timedelta(hours=1),
        "minuten": timedelta(minutes=1),
        "seconden": timedelta(seconds=1),
        "milliseconden": timedelta(milliseconds=1),
    }
)
"""Units of time that pass whatever the calendar says."""
CALENDAR: Final = frozenset({"kantooruren", "werkdagen", "weken", "maanden", "kwartalen"})
"""Units of time that a calendar counts."""
SHARE: Final = "%"
CLOCK: Final = "o'clock"  # a whole hour of the Dutch clock: not a duration, and not a count
COUNTS: Final = frozenset(
    {
        "berichten",
        "berichten/dag",
        "berichten/s",
        "berichten/uur",
        "berichtleveranciers",
        "bevragingen",
        "bevragingen/uur",
        "BSNs",
        "bytes",
        "counts",
        "fields",
        "functies",
        "items",
        "kB",
        "nth",
        "notificaties/dag",
        "notificaties/uur",
        "priority",
        "score",
        "services",
        "times/jaar",
        "times/kwartaal",
        "times/maand",
        "verzoeken/nacht",
        "weekday",
    }
)
_UNITS: Final = frozenset({*DURATIONS, *CALENDAR, *COUNTS, SHARE, CLOCK})
_TOP: Final[Mapping[str, int]] = {CLOCK: 24, "weekday": 7, SHARE: 100}

_ID: Final = re.compile(r"SNO-[A-Z]{3}-[0-9]{2}")
_REQUIREMENT_ID: Final = re.compile(r"[A-Z]{3,4}-[0-9]{3}")
_CLAUSE: Final = re.compile(r"[1-9](\.[1-9]){0,2}")
_NAME: Final = re.compile(r"[a-z]+(_[a-z]+)*")
_TEXTS: Final = ("id", "section", "title_nl", "title_en", "advice_nl", "advice_en")
_CHOICES: Final = ("binds", "decided_by", "level", "certainty")
_DECLARE: Final = ("declare_nl", "declare_en")
_OPTIONAL_TEXTS: Final = ("window", "note", "service")
_OPTIONAL: Final = (*_OPTIONAL_TEXTS, "numbers", "dates", "how", "through", *_DECLARE)
_DECIDERS: Final = (DecidedBy.LOAD, DecidedBy.CALCULATOR, DecidedBy.REQUIREMENTS, DecidedBy.DECLARED)


class NormsError(EntryError):
    """A file of ``specs/sno/`` is malformed: which file, which norm, and what is wrong with it."""


class UnknownNormError(LookupError):
    """A norm, or a number of one, that does not exist, with what looks like it."""

    def __init__(self, unknown: str, known: Iterable[str]) -> None:
        """Look for near matches in what is known."""
        names = sorted(known)
        near = difflib.get_close_matches(unknown, names, n=3) or names[:3]
        super().__init__(f"{unknown!r} is not in specs/sno/; near it: {', '.join(near) or 'nothing'}")


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a norm with its unit: 45 ``berichten/s``, 85 ``%``, 6 ``klokuren``. A fraction is exact, as 99,9 or 7,5 is written."""

    value: int | Fraction
    unit: str

    def __str__(self) -> str:
        """Write it as people do: ``2 500 000 berichten/dag``."""
        shown = f"{self.value:,}".replace(",", " ") if isinstance(self.value, int) else str(float(self.value))
        return f"{shown} {self.unit}"


@dataclass(frozen=True, slots=True)
class Norm:
    """One norm of the SNO.

    ``section`` is its clause; ``numbers`` and ``dates`` are what it says, by name; ``window`` says when it holds, in words. ``how`` are the load
    profiles and calculators that judge it, ``through`` the requirements that it comes down to in ``certify`` and ``verify``. ``note`` names our
    reading where the SNO is unclear, or why it is decided as it is. ``service`` is empty for a norm of every Afnemer.
    """

    id: str
    section: str
    title_nl: str
    title_en: str
    binds: Binds
    numbers: Mapping[str, Number]
    dates: Mapping[str, date]
    window: str
    decided_by: DecidedBy
    how: tuple[str, ...]
    through: tuple[str, ...]
    level: Level
    certainty: Certainty
    source: str
    note: str
    service: str
    advice_nl: str
    advice_en: str
    declare_nl: str
    declare_en: str

    def title(self, lang: str = Lang.NL) -> str:
        """Return the norm in ``nl`` or ``en``; raises ``ValueError`` for another language."""
        return self.title_nl if Lang(lang) is Lang.NL else self.title_en

    @property
    def commands(self) -> tuple[str, ...]:
        """Return what judges it as words for the command line: ``load validatie``, ``sno quota``."""
        return tuple(f"{'load' if name in PROFILES else 'sno'} {name}" for name in self.how)

    def __repr__(self) -> str:
        return f"<Norm {self.id}: {', '.join(map(str, self.numbers.values())) or 'no number'}, {self.decided_by}>"


# -- what everybody asks -----------------------------------------------------------------------------------------------------------------------


@cache
def norms() -> Mapping[str, Norm]:
    """Return the norms that the kit ships with, by id, in the order of their ids."""
    return load(specs.path("sno"))


def norm(id_: str) -> Norm:
    """Return one norm; raises :class:`UnknownNormError`."""
    if id_ not in norms():
        raise UnknownNormError(id_, norms())
    return norms()[id_]


def norms_of(name: str) -> tuple[Norm, ...]:
    """Return the norms that a load profile or calculator judges, by its name; raises :class:`UnknownNormError` for another name."""
    if name not in PROFILES | CALCULATORS:
        raise UnknownNormError(name, PROFILES | CALCULATORS)
    return tuple(item for item in norms().values() if name in item.how)


def quantity(id_: str, name: str) -> Number:
    """Return a number of a norm with its unit; raises :class:`UnknownNormError`."""
    numbers = norm(id_).numbers
    if name not in numbers:
        raise UnknownNormError(f"{id_} {name}", (f"{id_} {known}" for known in numbers))
    return numbers[name]


def number(id_: str, name: str) -> int | Fraction:
    """Return a number of a norm in the unit in which it is written; raises :class:`UnknownNormError`."""
    return quantity(id_, name).value


def count(id_: str, name: str) -> int:
    """Return a whole number of a norm; raises :class:`UnknownNormError`, or ``TypeError`` when it is a fraction."""
    found = quantity(id_, name)
    if not isinstance(found.value, int):
        raise TypeError(f"{id_} {name} is {found}: no whole number")
    return found.value


def share(id_: str, name: str) -> Fraction:
    """Return a percentage of a norm as a part of one, exactly; raises :class:`UnknownNormError`, or ``TypeError`` when it is none."""
    found = quantity(id_, name)
    if found.unit != SHARE:
        raise TypeError(f"{id_} {name} is {found}: no percentage")
    return Fraction(found.value) / 100


def duration(id_: str, name: str) -> timedelta:
    """Return a time of a norm; raises :class:`UnknownNormError`, or ``TypeError`` when it is none or a calendar counts it (``werkdagen``)."""
    found = quantity(id_, name)
    if found.unit not in DURATIONS:
        raise TypeError(f"{id_} {name} is {found}: no time that passes by itself")
    return DURATIONS[found.unit] * count(id_, name)


def day(id_: str, name: str) -> date:
    """Return a date of a norm; raises :class:`UnknownNormError`."""
    dates = norm(id_).dates
    if name not in dates:
        raise UnknownNormError(f"{id_} {name}", (f"{id_} {known}" for known in dates))
    return dates[name]


def files() -> Mapping[str, bytes]:
    """Return the files that the kit ships with, by name: what the digest of the catalogue covers too."""
    return files_of(specs.path("sno"))


# -- reading -----------------------------------------------------------------------------------------------------------------------------------


def load(directory: Path) -> Mapping[str, Norm]:
    """Read a directory of norms; raises :class:`NormsError`."""
    entries = [entry for file, data in files_of(directory).items() for entry in Entry.read(file, data, "norm", NormsError)]
    if not entries:
        raise NormsError(directory.name, "", "holds no norm at all")
    check_unique(entries)
    return MappingProxyType({item.id: item for item in sorted((_norm(entry) for entry in entries), key=lambda item: item.id)})


def _norm(entry: Entry) -> Norm:
    entry.check_keys((*_TEXTS, *_CHOICES), _OPTIONAL)
    texts = {key: entry.text(key) for key in _TEXTS}
    if not _ID.fullmatch(texts["id"]):
        raise entry.fail("malformed id: expected SNO, a subject and two digits, such as SNO-BER-03")
    if not _CLAUSE.fullmatch(texts["section"]):
        raise entry.fail(f"section must be a clause such as 2.2.2, not {texts['section']!r}")
    decided_by = entry.choice("decided_by", _DECIDERS)
    return Norm(
        binds=entry.choice("binds", tuple(Binds)),
        numbers=_numbers(entry),
        dates=_dates(entry),
        decided_by=decided_by,
        how=_how(entry, decided_by),
        through=_through(entry, decided_by),
        level=entry.choice("level", tuple(Level)),
        certainty=entry.choice("certainty", tuple(Certainty)),
        source=f"{SOURCE}, {texts['section']}",
        **texts,
        **{key: entry.text(key) if key in entry.table else "" for key in _OPTIONAL_TEXTS},
        **entry.declarations(is_declared=decided_by is DecidedBy.DECLARED),
    )


def _numbers(entry: Entry) -> Mapping[str, Number]:
    return MappingProxyType({name: _number(entry, name, value) for name, value in _named(entry, "numbers")})


def _named(entry: Entry, key: str) -> Iterator[tuple[str, Any]]:
    """Yield what a table holds by name."""
    table = entry.table.get(key, {})
    if not isinstance(table, Mapping):
        raise entry.fail(f"{key} must be a table")
    for name, value in table.items():
        if not _NAME.fullmatch(name):
            raise entry.fail(f"{key}.{name}: a name has small letters and underscores")
        yield name, value


def _number(entry: Entry, name: str, table: Any) -> Number:
    if not isinstance(table, Mapping) or table.keys() != {"value", "unit"}:
        raise entry.fail(f"numbers.{name} must have a value and a unit, and nothing else")
    value, unit = table["value"], table["unit"]
    if not isinstance(unit, str) or unit not in _UNITS:
        raise entry.fail(f"numbers.{name}: unit must be one of {', '.join(sorted(_UNITS))}, not {unit!r}")
    if type(value) not in (int, Fraction) or not 0 <= value <= _TOP.get(unit, value):
        top = f" and at most {_TOP[unit]}" if unit in _TOP else ""
        raise entry.fail(f"numbers.{name}: value must be a number of at least 0{top}, not {value!s}")
    return Number(value, unit)


def _dates(entry: Entry) -> Mapping[str, date]:
    found = dict(_named(entry, "dates"))
    for name, value in found.items():
        if type(value) is not date:
            raise entry.fail(f"dates.{name} must be a date, not {value!s}")
    return MappingProxyType(found)


def _how(entry: Entry, decided_by: DecidedBy) -> tuple[str, ...]:
    """Return the names of what judges a norm; one that load or a calculator decides has such a name."""
    names = _list(entry, "how")
    for name in names:
        if name not in PROFILES | CALCULATORS:
            raise entry.fail(f"how: {name!r} is neither a load profile nor a calculator")
    needed = {DecidedBy.LOAD: PROFILES, DecidedBy.CALCULATOR: CALCULATORS}.get(decided_by)
    if needed is not None and needed.isdisjoint(names):
        raise entry.fail(f"how must name what decides it: one of {', '.join(sorted(needed))}")
    return names


def _through(entry: Entry, decided_by: DecidedBy) -> tuple[str, ...]:
    ids = _list(entry, "through")
    if bool(ids) != (decided_by is DecidedBy.REQUIREMENTS):
        raise entry.fail("through belongs to a norm that is decided by requirements, and that has it")
    for id_ in ids:
        if not _REQUIREMENT_ID.fullmatch(id_):
            raise entry.fail(f"through: {id_!r} is not the id of a requirement")
    return ids


def _list(entry: Entry, key: str) -> tuple[str, ...]:
    values = entry.table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values) or len(set(values)) < len(values):
        raise entry.fail(f"{key} must be a list of names, each once")
    return tuple(values)
