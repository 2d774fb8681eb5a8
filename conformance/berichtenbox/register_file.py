"""Reads the register from a CSV file: who has an account, and what they want of which Afnemer.

A register may have ten million lines and is read as a stream. What is wrong with one is told with its line and column, and never quoted: it may hold
a BSN.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from conformance.berichtenbox.citizens import EVERY_TYPE, CitizenWriting, Voorkeur
from conformance.berichtenbox.population import MILLION
from conformance.limits import limits
from conformance.messages.identities import is_bsn_shaped, is_oin
from conformance.verdicts import ExitCode

COLUMNS: Final = ("bsn", "actief", "oin", "berichttype", "wil")
HEADER: Final = ",".join(COLUMNS)
LARGEST_FILE: Final = 2_000_000_000  # bytes
LONGEST_LINE: Final = 1_000  # characters
_LONGEST_IN_BYTES: Final = 4 * LONGEST_LINE + 5  # in UTF-8, with a byte order mark and an end
_TOGETHER: Final = 10_000  # rows that go to the ledger together
_YES_NO: Final = {"ja": True, "true": True, "1": True, "nee": False, "false": False, "0": False}
_HINT: Final = "a row is an account (bsn,actief,,,) or what a citizen wants of one Afnemer (bsn,,oin,berichttype,wil)"
_WORDS: Final = "ja or nee (true or false, 1 or 0)"

Row = tuple[int, bool] | Voorkeur
Told = Callable[[int], None]


class RegisterError(ValueError):
    """A register that cannot be used: the file, the line (0: the file as a whole), the column (empty: the line as a whole), and what is wrong."""

    exit_code = ExitCode.USAGE

    def __init__(self, file: str, what: str, line: int = 0, column: str = "") -> None:
        self.file, self.line, self.column, self.what = file, line, column, what
        place = f"{file}:{line}" if line else file
        super().__init__(f"{place}: {f'column {column}: ' if column else ''}{what}.\n  Hint: {_HINT}.")


def load(path: Path, writing: CitizenWriting, told: Told | None = None) -> int:
    """Replace every citizen of a ledger by those in a file, and return how many rows it has; ``told`` hears at each million how many there are.

    Raises :class:`RegisterError`; a commit in which that happens must not be kept.
    """
    with _opened(path) as file:
        return load_from(file, str(path), writing, told)


def load_from(file: BinaryIO, name: str, writing: CitizenWriting, told: Told | None = None) -> int:
    """Do as :func:`load` with a file that is open, under the name by which errors call it."""
    reader = _Reader(name, file)
    writing.clear()
    count = 0
    for rows in _together(reader.rows()):
        # The last of two rows about the same wins, wherever they stand.
        writing.add_accounts(dict(row for row in rows if isinstance(row, tuple)).items())
        writing.add_voorkeuren([row for row in rows if isinstance(row, Voorkeur)])
        count += len(rows)
        if told is not None and not count % MILLION:
            told(count)
    return count


def check(path: Path) -> None:
    """Look at no more than the size and the first line of a file; raises :class:`RegisterError`."""
    with _opened(path) as file:
        _Reader(str(path), file)


def _opened(path: Path) -> BinaryIO:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise RegisterError(str(path), f"larger than {LARGEST_FILE} bytes, which no register is")
        return path.open("rb")
    except OSError as error:
        raise RegisterError(str(path), f"the register cannot be read: {error.strerror}") from None


def _together(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    """Yield the rows some thousands at a time."""
    coming: list[Row] = []
    for row in rows:
        coming.append(row)
        if len(coming) == _TOGETHER:
            yield coming
            coming = []
    if coming:
        yield coming


class _UnfitError(Exception):
    """What is wrong with a line, and in which column."""

    def __init__(self, what: str, column: str = "") -> None:
        super().__init__(what)
        self.what, self.column = what, column


class _Reader:
    """Reads a file line by line; the header is read at once."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name, self._file, self._line = name, file, 0
        self._delimiter = ","
        self._read_header()

    def rows(self) -> Iterator[Row]:
        """Yield each account as (BSN, is active), and each voorkeur."""
        for text in self._lines():
            if text:
                yield self._row(text)

    def _read_header(self) -> None:
        text = next(self._lines(), "").removeprefix("\ufeff")
        self._delimiter = ";" if ";" in text else ","
        try:
            found = tuple(field.lower() for field in self._fields(text))
        except _UnfitError:
            found = ()
        if found != COLUMNS:
            # It is not quoted: in a file without a header it is a citizen.
            raise RegisterError(self._name, f"expected the header {HEADER}, with commas or semicolons", 1)

    def _lines(self) -> Iterator[str]:
        while data := self._file.readline(_LONGEST_IN_BYTES + 1):
            self._line += 1
            yield self._decoded(data)

    def _decoded(self, data: bytes) -> str:
        try:
            text = data.decode() if len(data) <= _LONGEST_IN_BYTES else ""
        except UnicodeDecodeError:
            raise RegisterError(self._name, "not UTF-8; save the file as UTF-8", self._line) from None
        text = text.strip("\r\n")
        if len(data) > _LONGEST_IN_BYTES or len(text) > LONGEST_LINE:
            raise RegisterError(self._name, f"a line has at most {LONGEST_LINE} characters", self._line)
        return text

    def _row(self, text: str) -> Row:
        try:
            return _row_of(self._fields(text))
        except _UnfitError as unfit:
            raise RegisterError(self._name, unfit.what, self._line, unfit.column) from None

    def _fields(self, text: str) -> Sequence[str]:
        """Return the fields of a line, without blanks around them; a quoted field ends on its own line."""
        if '"' not in text:
            return [field.strip() for field in text.split(self._delimiter)]
        try:
            return [field.strip() for field in next(csv.reader([text], delimiter=self._delimiter, strict=True))]
        except csv.Error:
            raise _UnfitError("a quote that is not closed, or stands inside a field") from None


def _row_of(fields: Sequence[str]) -> Row:
    if len(fields) != len(COLUMNS):
        raise _UnfitError(f"expected {len(COLUMNS)} columns, this has {len(fields)}")
    bsn, actief, oin, bericht_type, wil = fields
    if not is_bsn_shaped(bsn):
        raise _UnfitError("expected nine digits; a spreadsheet leaves out the first zero", "bsn")
    if oin:
        return _voorkeur(int(bsn), actief, oin, bericht_type, wil)
    for column, value in (("berichttype", bericht_type), ("wil", wil)):
        if value:
            raise _UnfitError("expected nothing, for without an oin the row is an account", column)
    return int(bsn), _yes_no(actief, "actief")


def _voorkeur(bsn: int, actief: str, oin: str, bericht_type: str, wil: str) -> Voorkeur:
    if not is_oin(oin):
        raise _UnfitError("an OIN has 20 digits", "oin")
    if actief:
        raise _UnfitError("expected nothing, for with an oin the row is a voorkeur; the account has a row of its own", "actief")
    if len(bericht_type) > limits().bericht_type_max:
        raise _UnfitError(f"a BerichtType has at most {limits().bericht_type_max} characters; leave it empty for all", "berichttype")
    return Voorkeur(bsn, oin, bericht_type or EVERY_TYPE, _yes_no(wil, "wil"))


def _yes_no(text: str, column: str) -> bool:
    found = _YES_NO.get(text.lower())
    if found is None:
        raise _UnfitError(f"expected {_WORDS}", column)
    return found
