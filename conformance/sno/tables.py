"""Reads the tables that people have: CSV with a header, or JSON with a list of objects, into rows whose values are what they say.

Every wrong cell of a file is named at once, with its line, its column, what was expected and what stands there: nobody repairs a log of a month one
error a run. A file with a wrong cell gives no outcome at all.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, TypeVar

from conformance.sno.cells import CellError, Column, Value, near, normal
from conformance.sno.nights import NL
from conformance.verdicts import ExitCode

BYTES_MAX: Final = 100_000_000
_PROBLEMS_MAX: Final = 1000  # whoever made a thousand made the same one each time
_HEAD: Final = 65536  # bytes in which the header stands
_GOT_MAX: Final = 60
_DELIMITERS: Final = ",;\t"
_IGNORED: Final = "x_"  # as normal() writes it
_JSON_STARTS: Final = ("[", "{")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file; ``line`` is 0 and ``column`` empty when it is about the file, or about a line, as a whole."""

    line: int
    column: str
    expected: str
    got: str
    hint: str = ""

    def told(self, path: Path) -> str:
        """Return the sentence for people, and a line with the hint below it."""
        where = f"{path}:{self.line}" if self.line else f"{path}"
        cell = f" {self.column} = {_quoted(self.got)}:" if self.column else ""
        got = "" if self.column else f", got {self.got}"
        return f"{where}:{cell} expected {self.expected}{got}." + (f"\n  Hint: {self.hint}" if self.hint else "")


class TablesError(ValueError):
    """A file does not hold the table that was asked for; ``problems`` has each thing that is wrong, in the order of its lines."""

    exit_code = ExitCode.USAGE

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        """Keep the problems."""
        self.path, self.problems = path, tuple(problems)
        super().__init__("\n".join(problem.told(path) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line on which it starts, and what its cells mean, by the names of the columns; an empty cell is absent."""

    line: int
    values: Mapping[str, Value]

    def has(self, name: str) -> bool:
        """Whether the cell is filled."""
        return name in self.values

    def moment(self, name: str) -> datetime:
        """Return the moment in a cell, in UTC; raises ``KeyError`` when it is empty."""
        return self._of(datetime, name)

    def date(self, name: str) -> date:
        """Return the date in a cell; raises ``KeyError`` when it is empty."""
        return self._of(date, name)

    def whole(self, name: str) -> int:
        """Return the whole number in a cell; raises ``KeyError`` when it is empty."""
        return self._of(int, name)

    def decimal(self, name: str) -> Fraction:
        """Return the number in a cell, exactly; raises ``KeyError`` when it is empty."""
        return self._of(Fraction, name)

    def yes(self, name: str) -> bool:
        """Return whether a cell says yes; an empty one does not."""
        return bool(self.values.get(name, False))

    def text(self, name: str) -> str:
        """Return the text or the choice in a cell, ``""`` when it is empty."""
        return str(self.values.get(name, ""))

    def problem(self, column: str, expected: str, got: str = "", hint: str = "") -> Problem:
        """Return what is wrong with a cell of this row, for a check that looks at several cells."""
        return Problem(self.line, column, expected, got or shown(self.values.get(column, "")), hint)

    def _of(self, kind: type[_T], name: str) -> _T:
        value = self.values[name]
        if not isinstance(value, kind):
            raise TypeError(f"column {name} does not hold a {kind.__name__}")
        return value


Check = Callable[[Row], Iterable[Problem]]


def read_table(path: Path, columns: Sequence[Column], check: Check | None = None) -> tuple[Row, ...]:
    """Return the rows of a file; raises ``TablesError`` with everything that is wrong with it.

    ``check`` looks at a row whose cells are right by themselves (an end before its start) and says what is wrong. Columns whose name starts with
    ``x-`` are passed over, every other unknown one is refused: it may be a slip in the name of an optional one.
    """
    return tuple(iterate_table(path, columns, check))


def iterate_table(path: Path, columns: Sequence[Column], check: Check | None = None) -> Iterator[Row]:
    """Yield the rows of a file one by one, for the largest; raises ``TablesError`` after the last, so nothing counts before the end is reached."""
    problems: list[Problem] = []
    for line, cells in _lines_of(path, columns, problems):
        row, wrong = _row(line, cells, columns)
        if not wrong and check is not None:
            wrong = list(check(row))
        problems += wrong
        if len(problems) >= _PROBLEMS_MAX:
            problems.append(Problem(line, "", "a table", f"{len(problems)} mistakes up to here", "the rest of the file was not read."))
            break
        if not problems:
            yield row
    if problems:
        raise TablesError(path, sorted(problems, key=lambda problem: problem.line))


def shown(value: Value) -> str:
    """Return a value as people write it: a moment on the Dutch clock with its offset."""
    if isinstance(value, datetime):
        return value.astimezone(NL).isoformat(" ", "minutes" if not value.second and not value.microsecond else "auto")
    return ("ja" if value else "nee") if isinstance(value, bool) else str(value)


def _row(line: int, cells: Mapping[str, str], columns: Sequence[Column]) -> tuple[Row, list[Problem]]:
    values: dict[str, Value] = {}
    problems: list[Problem] = []
    for column in columns:
        text = cells.get(column.name, "")
        if not text:
            if not column.takes_nothing:
                problems.append(Problem(line, column.name, column.expected, ""))
            continue
        try:
            values[column.name] = column.read(text)
        except CellError as error:
            why = f"; {error.why}" if error.why else ""
            problems.append(Problem(line, column.name, f"{column.expected}{why}", text, error.hint))
    return Row(line, values), problems


Cells = Iterator[tuple[int, dict[str, str]]]


def _lines_of(path: Path, columns: Sequence[Column], problems: list[Problem]) -> Cells:
    """Yield the cells of each row by the name of their column; what is wrong with the form of a row is added to the problems."""
    data = _data(path)
    start = data[:_HEAD].decode(errors="ignore").removeprefix("\ufeff").lstrip()
    if not start:
        raise TablesError(path, [Problem(0, "", "a header with the names of the columns, and rows", "an empty file", _names(columns))])
    if start.startswith(_JSON_STARTS):
        return _json_rows(path, data.decode("utf-8-sig"), columns, problems)
    return _csv_rows(path, data, _delimiter(start.partition("\n")[0], columns), columns, problems)


def _data(path: Path) -> bytes:
    """Return the bytes of a file of UTF-8; raises ``TablesError``."""
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise TablesError(path, [Problem(0, "", "a file that can be read", str(error.strerror or error))]) from error
    if len(data) > BYTES_MAX:
        raise TablesError(path, [Problem(0, "", f"at most {BYTES_MAX // 10**6} MB", "more", "split the file, a month each.")])
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(line, "", "UTF-8", f"the byte 0x{data[error.start]:02x}", "save it as “CSV UTF-8”, the name that Excel gives it.")
        raise TablesError(path, [problem]) from None
    return data


def _csv_rows(path: Path, data: bytes, delimiter: str, columns: Sequence[Column], problems: list[Problem]) -> Cells:
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), delimiter=delimiter, strict=True)
    names: list[str | None] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(Problem(line, "", "a line of CSV", f"something else: {error}", "a cell with a quote in it has its quotes doubled."))
            return
        if not any(cells):
            continue
        if names is None:
            names = _header(path, line, cells, columns)
        elif len(cells) != len(names):
            problems.append(
                Problem(line, "", f"{len(names)} cells, as in the header", f"{len(cells)}", "a cell with a comma in it stands in quotes.")
            )
        else:
            yield line, {name: cell for name, cell in zip(names, cells, strict=True) if name}


def _delimiter(header: str, columns: Sequence[Column]) -> str:
    """Return what separates the cells: Excel writes a semicolon where the Dutch decimal comma is used."""
    known = _by_any_name(columns)

    def recognised(delimiter: str) -> tuple[int, int]:
        names = [normal(cell.strip().strip('"')) for cell in header.split(delimiter)]
        return sum(name in known for name in names), len(names)

    return max(_DELIMITERS, key=recognised)


def _header(path: Path, line: int, names: Sequence[str], columns: Sequence[Column]) -> list[str | None]:
    """Return the column of each place, ``None`` where it is passed over; raises ``TablesError`` for unknown, double and missing ones."""
    known = _by_any_name(columns)
    found = [None if normal(name).startswith(_IGNORED) else known.get(normal(name)) for name in names]
    taken = [name for name in found if name]
    problems = [_unknown(line, name, columns, taken) for name in names if not normal(name).startswith(_IGNORED) and normal(name) not in known]
    problems += [Problem(line, "", f"one column {name}", f"{taken.count(name)}") for name in dict.fromkeys(taken) if taken.count(name) > 1]
    problems += [_missing(line, column, names, known) for column in columns if column.required and column.name not in taken]
    if problems:
        raise TablesError(path, problems)
    return found


def _by_any_name(columns: Sequence[Column]) -> Mapping[str, str]:
    return {normal(name): column.name for column in columns for name in (column.name, *column.aliases)}


def _unknown(line: int, name: str, columns: Sequence[Column], taken: Sequence[str]) -> Problem:
    others = [known for known, column in _by_any_name(columns).items() if column not in taken]
    hint = near(normal(name), others, f"{_names(columns)} A name that starts with x- is passed over.")
    return Problem(line, "", "columns that the calculator knows", f"{_quoted(name)}", hint)


def _missing(line: int, column: Column, names: Sequence[str], known: Mapping[str, str]) -> Problem:
    unknown = [normal(name) for name in names if normal(name) not in known]
    also = f" (also: {', '.join(column.aliases)})" if column.aliases else ""
    return Problem(line, "", f"a column {column.name}{also}", "none", near(normal(column.name), unknown))


def _names(columns: Sequence[Column]) -> str:
    return f"the columns are {', '.join(column.name if column.required else f'[{column.name}]' for column in columns)}."


def _json_rows(path: Path, text: str, columns: Sequence[Column], problems: list[Problem]) -> Cells:
    known = _by_any_name(columns)
    for line, item in _objects(path, text):
        names = [name for name in item if not normal(name).startswith(_IGNORED)]
        cells = {known[normal(name)]: _cell(item[name]) for name in names if normal(name) in known}
        wrong = [_unknown(line, name, columns, list(cells)) for name in names if normal(name) not in known]
        wrong += [Problem(line, name, "a text, a number, true, false or null", "a list or an object") for name, cell in cells.items() if cell is None]
        if len(cells) + len(wrong) < len(names):
            wrong.append(Problem(line, "", "each column once", "the same column under two names"))
        problems += wrong
        if not wrong:
            yield line, {name: cell for name, cell in cells.items() if cell is not None}


def _objects(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each object of a list, with the line on which it starts: the JSON library does not tell, so the list is walked here."""
    scan = _Scan(path, text)
    scan.take("[")
    while scan.peek() != "]":
        line = scan.line
        yield line, scan.object()
        if scan.peek() != "]":
            scan.take(",")
    scan.take("]")
    if scan.peek():
        raise scan.error("the end of the file after the list")


class _Scan:
    """Walks through a JSON list."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text, self._at, self.line = path, text, 0, 1
        self._decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_number, object_pairs_hook=_once, strict=False)

    def peek(self) -> str:
        """Return the next character that is no blank, ``""`` at the end."""
        start = self._at
        while self._text[self._at : self._at + 1] in {" ", "\t", "\r", "\n"}:
            self._at += 1
        self.line += self._text.count("\n", start, self._at)
        return self._text[self._at : self._at + 1]

    def take(self, wanted: str) -> None:
        """Pass a character; raises ``TablesError`` when another stands there."""
        if self.peek() != wanted:
            raise self.error(f"a {wanted}")
        self._at += 1

    def object(self) -> dict[str, Any]:
        """Return the object that stands here; raises ``TablesError``."""
        if self.peek() != "{":
            raise self.error("an object in braces")
        start = self._at
        try:
            item, self._at = self._decoder.raw_decode(self._text, start)
        except json.JSONDecodeError as error:
            self.line = error.lineno
            raise self.error(f"JSON ({error.msg})") from None
        except (ValueError, RecursionError) as error:
            raise self.error(f"JSON ({error})") from None
        self.line += self._text.count("\n", start, self._at)
        found: dict[str, Any] = item
        return found

    def error(self, expected: str) -> TablesError:
        """Return the error that something else stands here."""
        got = self._text[self._at : self._at + 1]
        hint = "a table in JSON is a list of objects: [{…}, {…}]."
        return TablesError(self._path, [Problem(self.line, "", expected, _quoted(got) if got else "the end of the file", hint)])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _cell(value: Any) -> str | None:
    """Return a value of JSON as a cell of CSV has it, ``None`` when it is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "ja" if value else "nee"
    return value.strip() if isinstance(value, str) else None


def _quoted(text: str) -> str:
    return f'"{text if len(text) <= _GOT_MAX else text[:_GOT_MAX] + "…"}"'
