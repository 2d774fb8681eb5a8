"""Strict reading of the TOML files of ``specs/`` that hold tables of one kind, each with an id: what is unknown, missing or there twice is refused.

The requirements, their contradictions and the norms of the SNO are such files.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Self, TypeVar

_DECLARE: Final = ("declare_nl", "declare_en")
_Choice = TypeVar("_Choice", bound=StrEnum)


class EntryError(ValueError):
    """A file of ``specs/`` is malformed: which file, which entry, and what is wrong with it."""

    def __init__(self, file: str, entry: str, problem: str) -> None:
        """Name the file and the entry (empty when the file as a whole is wrong)."""
        self.file, self.entry, self.problem = file, entry, problem
        super().__init__(": ".join(part for part in (file, entry, problem) if part))


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``[[kind]]`` of a file, with its place and the error for messages about it."""

    file: str
    name: str
    kind: str
    table: Mapping[str, Any]
    error: type[EntryError]

    @classmethod
    def read(cls, file: str, data: bytes, kind: str, error: type[EntryError]) -> list[Self]:
        """Return the ``[[kind]]`` tables of a file, which holds nothing else; decimals become fractions. Raises ``error``."""
        try:
            document = tomllib.loads(data.decode(), parse_float=Fraction)
        except ValueError as wrong:
            raise error(file, "", f"is not TOML: {wrong}") from wrong
        tables = document.get(kind)
        if document.keys() != {kind} or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise error(file, "", f"must hold [[{kind}]] tables and nothing else")
        return [cls(file, str(table.get("id", f"{kind} {place}")), kind, table, error) for place, table in enumerate(tables, 1)]

    def fail(self, problem: str) -> EntryError:
        """Return the error that says what is wrong here."""
        return self.error(self.file, self.name, problem)

    def check_keys(self, required: Sequence[str], optional: Sequence[str]) -> None:
        """Refuse a key that is missing, and one that nobody knows."""
        for key in required:
            if key not in self.table:
                raise self.fail(f"missing key {key!r}")
        for key in self.table:
            if key not in required and key not in optional:
                raise self.fail(f"unknown key {key!r}")

    def text(self, key: str) -> str:
        """Return a text that must be there and not be empty."""
        value = self.table.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(f"{key} must be a text that is not empty")
        return value

    def choice(self, key: str, choices: Sequence[_Choice]) -> _Choice:
        """Return one of a closed list."""
        value = self.table[key]
        if value not in choices:
            raise self.fail(f"{key} must be one of {', '.join(choices)}, not {value!r}")
        return choices[choices.index(value)]

    def declarations(self, *, is_declared: bool) -> dict[str, str]:
        """Return both texts of what is to be declared; only what is declared has them, and it has both."""
        if is_declared:
            self.check_keys(_DECLARE, tuple(self.table))
            return {key: self.text(key) for key in _DECLARE}
        for key in _DECLARE:
            if key in self.table:
                raise self.fail(f"{key} belongs to a declared {self.kind} only")
        return dict.fromkeys(_DECLARE, "")


def files_of(directory: Path) -> dict[str, bytes]:
    """Return the TOML files of a directory by name; a checkout with CRLF line ends holds the same."""
    return {path.name: path.read_bytes().replace(b"\r\n", b"\n") for path in sorted(directory.glob("*.toml"))}


def check_unique(entries: Iterable[Entry]) -> None:
    """Refuse an id that occurs twice, in one file or in two."""
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.name in seen:
            raise entry.fail(f"duplicate id, already in {seen[entry.name]}")
        if "id" in entry.table:
            seen[entry.name] = entry.file
