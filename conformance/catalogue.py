"""The catalogue: every requirement of the koppelvlak, read once from ``specs/requirements/``, and every norm of the SNO as one more.

It says what is required and how sure that is. It does not know who decides a requirement: rules and cases name ids, and never the other way round.
A norm does say which command judges it, for no case does.
"""

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from conformance import norms, specs
from conformance.norms import Norm
from conformance.terms import Binds, Certainty, DecidedBy, Lang, Level
from conformance.toml_entries import Entry, EntryError, check_unique, files_of

__all__ = [
    "Binds",
    "Catalogue",
    "CatalogueError",
    "Certainty",
    "Contradiction",
    "DecidedBy",
    "Lang",
    "Level",
    "Requirement",
    "UndecidedReason",
    "UnknownRequirement",
    "catalogue",
    "load",
]

_CONTRADICTIONS_FILE = "contradictions.toml"
_REQUIREMENT_ID = re.compile(r"[A-Z]{3,4}-[0-9]{3}")
_CONTRADICTION_ID = re.compile(r"D[1-9][0-9]?")
_TEXTS = ("id", "title_nl", "title_en", "source", "service", "advice_nl", "advice_en")
_CHOICES = ("level", "binds", "certainty", "decided_by")
_DECIDERS = (DecidedBy.RULE, DecidedBy.CASE, DecidedBy.DECLARED)  # of a file of requirements: the others are for norms
_NO_NORMS: Final[Mapping[str, Norm]] = MappingProxyType({})
_NO_FILES: Final[Mapping[str, bytes]] = MappingProxyType({})
_DECLARE = ("declare_nl", "declare_en")
_OPTIONAL = ("contradictions", "pitfalls", "undecided_reason", *_DECLARE)
_CONTRADICTION_TEXTS = ("id", "subject_nl", "subject_en", "a", "b", "kit_nl", "kit_en")


class UndecidedReason(StrEnum):
    """Why nothing in the kit decides a requirement: a closed list."""

    OFFICIAL_FILE_MISSING = "official-file-missing"  # Logius has the text or schema, the kit does not
    ONLY_LOGIUS_CAN_TELL = "only-logius-can-tell"  # the answer is inside the Berichtenbox
    NEEDS_A_PERSON = "needs-a-person"  # somebody must look at a screen or a letter
    NOT_BUILT = "not-built"  # decidable, and not in this version


class CatalogueError(EntryError):
    """A file of ``specs/requirements/`` is malformed: which file, which entry, and what is wrong with it."""


class UnknownRequirement(LookupError):  # noqa: N818  # the name says what happened, and users read it
    """A requirement id that is not in the catalogue, with the ids that look like it."""

    def __init__(self, unknown: str, known: Sequence[str]) -> None:
        """Look for near matches among the known ids."""
        self.id = unknown
        self.near = tuple(difflib.get_close_matches(unknown.upper(), known, n=3))
        hint = f"did you mean {', '.join(self.near)}?" if self.near else "`berichtenbox specs list` shows every id."
        super().__init__(f"{unknown!r} is not a requirement of the catalogue.\n  Hint: {hint}")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: what is asked of whom, where it comes from, and what to do when it fails.

    ``subject`` is the part of the id before the hyphen. ``declare_nl`` and ``declare_en`` are empty unless the requirement is declared. Only a norm
    of the SNO has ``commands`` that judge it (``load validatie``, ``sno quota``) and requirements that it comes down to, ``through``.
    """

    id: str
    subject: str
    title_nl: str
    title_en: str
    level: Level
    binds: Binds
    source: str
    certainty: Certainty
    decided_by: DecidedBy
    service: str
    contradictions: tuple[str, ...]
    pitfalls: tuple[int, ...]
    advice_nl: str
    advice_en: str
    declare_nl: str
    declare_en: str
    undecided_reason: UndecidedReason | None
    commands: tuple[str, ...] = ()
    through: tuple[str, ...] = ()

    @property
    def judged_by(self) -> tuple[str, ...]:
        """What judges a norm, in words: its commands, and ``through`` with the requirements that it comes down to. Empty for a requirement."""
        return (*self.commands, *((f"through {' '.join(self.through)}",) if self.through else ()))

    def title(self, lang: str = Lang.NL) -> str:
        """Return the norm in ``nl`` or ``en``; raises ``ValueError`` for another language."""
        return self.title_nl if Lang(lang) is Lang.NL else self.title_en

    def advice(self, lang: str = Lang.NL) -> str:
        """Return what to do next when it fails, in ``nl`` or ``en``; raises ``ValueError`` for another language."""
        return self.advice_nl if Lang(lang) is Lang.NL else self.advice_en

    def declare(self, lang: str = Lang.NL) -> str:
        """Return what the user declares, in ``nl`` or ``en``; empty when a rule or a case decides."""
        return self.declare_nl if Lang(lang) is Lang.NL else self.declare_en

    def __repr__(self) -> str:
        return f"<Requirement {self.id}: {self.level}, {self.certainty}, {self.decided_by}>"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One place where official texts contradict each other: both sides, and what the kit does."""

    id: str
    subject_nl: str
    subject_en: str
    a: str
    b: str
    kit_nl: str
    kit_en: str

    def subject(self, lang: str = Lang.NL) -> str:
        """Return what the contradiction is about, in ``nl`` or ``en``."""
        return self.subject_nl if Lang(lang) is Lang.NL else self.subject_en

    def kit(self, lang: str = Lang.NL) -> str:
        """Return what the kit does about it, in ``nl`` or ``en``."""
        return self.kit_nl if Lang(lang) is Lang.NL else self.kit_en


class Catalogue(Mapping[str, Requirement]):
    """The requirements by id, in the order of their ids, with the contradictions they rest on and the digest of their files."""

    def __init__(self, requirements: Iterable[Requirement], contradictions: Iterable[Contradiction], digest: str) -> None:
        """Sort what is given; ``digest`` is SHA-256 in hex."""
        self._by_id = {r.id: r for r in sorted(requirements, key=lambda r: r.id)}
        self.contradictions: Mapping[str, Contradiction] = {c.id: c for c in sorted(contradictions, key=lambda c: int(c.id[1:]))}
        self.digest = digest

    def __getitem__(self, key: str) -> Requirement:
        return self._by_id[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        return f"<Catalogue: {len(self)} requirements, {len(self.contradictions)} contradictions, {self.digest[:12]}>"

    def require(self, requirement_id: str) -> Requirement:
        """Return one requirement; raises ``UnknownRequirement``, which names the ids that look like it."""
        if requirement_id not in self._by_id:
            raise UnknownRequirement(requirement_id, tuple(self._by_id))
        return self._by_id[requirement_id]

    def select(self, ids: Iterable[str]) -> tuple[Requirement, ...]:
        """Return these requirements, each once and in catalogue order; raises ``UnknownRequirement`` for the first id that is not there."""
        return tuple(sorted({self.require(i) for i in ids}, key=lambda r: r.id))

    def deciding(self, ids: Iterable[str]) -> frozenset[str]:
        """Return these ids and those of the requirements that a norm among them comes down to; raises ``UnknownRequirement``."""
        return frozenset(id_ for item in self.select(ids) for id_ in (item.id, *item.through))


@cache
def catalogue() -> Catalogue:
    """Return the catalogue that the kit ships with: the requirements, and the norms of the SNO."""
    return load(specs.path("requirements"), norms.norms(), norms.files())


def load(directory: Path, sno: Mapping[str, Norm] = _NO_NORMS, sno_files: Mapping[str, bytes] = _NO_FILES) -> Catalogue:
    """Read a directory of requirement files and its ``contradictions.toml``, and add norms; raises ``CatalogueError``.

    ``sno_files`` are what the norms were read from: the digest covers them too.
    """
    files = files_of(directory)
    if _CONTRADICTIONS_FILE not in files:
        raise CatalogueError(_CONTRADICTIONS_FILE, "", f"is missing in {directory.name}/")
    digest = _digest(files | {f"sno/{name}": data for name, data in sno_files.items()})
    contradictions = _contradictions(files.pop(_CONTRADICTIONS_FILE))
    requirements = _requirements(files, frozenset(c.id for c in contradictions))
    if not requirements:
        raise CatalogueError(directory.name, "", "holds no requirement at all")
    _check_through(sno.values(), frozenset(item.id for item in requirements))
    return Catalogue([*requirements, *map(_of_norm, sno.values())], contradictions, digest)


def _check_through(sno: Iterable[Norm], known: frozenset[str]) -> None:
    for norm in sno:
        for id_ in norm.through:
            if id_ not in known:
                raise CatalogueError("sno", norm.id, f"dangling requirement {id_!r} in through")


def _of_norm(norm: Norm) -> Requirement:
    """Return a norm as a requirement: its id is kept, and its subject is SNO."""
    return Requirement(
        id=norm.id,
        subject=norm.id.partition("-")[0],
        title_nl=norm.title_nl,
        title_en=norm.title_en,
        level=norm.level,
        binds=norm.binds,
        source=norm.source,
        certainty=norm.certainty,
        decided_by=norm.decided_by,
        service=norm.service,
        contradictions=(),
        pitfalls=(),
        advice_nl=norm.advice_nl,
        advice_en=norm.advice_en,
        declare_nl=norm.declare_nl,
        declare_en=norm.declare_en,
        undecided_reason=None,
        commands=norm.commands,
        through=norm.through,
    )


def _digest(files: Mapping[str, bytes]) -> str:
    """Hash names, lengths and bytes, so that moving text between files changes the digest."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name} {len(files[name])}\n".encode())
        digest.update(files[name])
    return digest.hexdigest()


def _contradictions(data: bytes) -> list[Contradiction]:
    entries = Entry.read(_CONTRADICTIONS_FILE, data, "contradiction", CatalogueError)
    check_unique(entries)
    return [_contradiction(entry) for entry in entries]


def _requirements(files: Mapping[str, bytes], known_contradictions: frozenset[str]) -> list[Requirement]:
    entries = [entry for file, data in files.items() for entry in Entry.read(file, data, "requirement", CatalogueError)]
    check_unique(entries)
    return [_requirement(entry, known_contradictions) for entry in entries]


def _contradiction(entry: Entry) -> Contradiction:
    entry.check_keys(_CONTRADICTION_TEXTS, ())
    if not _CONTRADICTION_ID.fullmatch(entry.text("id")):
        raise entry.fail("malformed id: a contradiction is called D1 to D99")
    return Contradiction(**{key: entry.text(key) for key in _CONTRADICTION_TEXTS})


def _requirement(entry: Entry, known_contradictions: frozenset[str]) -> Requirement:
    entry.check_keys((*_TEXTS, *_CHOICES), _OPTIONAL)
    texts = {key: entry.text(key) for key in _TEXTS}
    if not _REQUIREMENT_ID.fullmatch(texts["id"]):
        raise entry.fail("malformed id: expected a subject and three digits, such as AANL-014")
    decided_by = entry.choice("decided_by", _DECIDERS)
    reason = entry.choice("undecided_reason", tuple(UndecidedReason)) if "undecided_reason" in entry.table else None
    return Requirement(
        subject=texts["id"].partition("-")[0],
        level=entry.choice("level", tuple(Level)),
        binds=entry.choice("binds", tuple(Binds)),
        certainty=entry.choice("certainty", tuple(Certainty)),
        decided_by=decided_by,
        contradictions=_contradiction_ids(entry, known_contradictions),
        pitfalls=_pitfalls(entry),
        undecided_reason=reason,
        commands=(),
        through=(),
        **texts,
        **entry.declarations(is_declared=decided_by is DecidedBy.DECLARED),
    )


def _contradiction_ids(entry: Entry, known: frozenset[str]) -> tuple[str, ...]:
    values = entry.table.get("contradictions", [])
    if not isinstance(values, list):
        raise entry.fail("contradictions must be a list of ids")
    for value in values:
        if value not in known:
            raise entry.fail(f"dangling contradiction {value!r}: {_CONTRADICTIONS_FILE} does not hold it")
    return tuple(values)


def _pitfalls(entry: Entry) -> tuple[int, ...]:
    values = entry.table.get("pitfalls", [])
    if not isinstance(values, list) or not all(type(value) is int and value > 0 for value in values):
        raise entry.fail("pitfalls must be a list of numbers from 1")
    return tuple(values)
