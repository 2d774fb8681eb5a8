"""Tables of supplied data: what is read, and what is said of what cannot be."""

import json
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sno import tables
from conformance.sno.cells import Column, Kind
from conformance.sno.tables import TablesError, read_table

COLUMNS = (
    Column("start", Kind.MOMENT, aliases=("begin",)),
    Column("end", Kind.MOMENT, aliases=("eind", "einde"), may_be_empty=True),
    Column("service", Kind.CHOICE, aliases=("dienst",), choices=("portaal", "aanleveren")),
    Column("planned", Kind.YES_NO, required=False, aliases=("gepland",)),
    Column("announced on", Kind.DATE, required=False),
    Column("calls", Kind.WHOLE, required=False),
    Column("score", Kind.DECIMAL, required=False),
)
LINE = "2026-03-01 09:30,,portaal\n"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write_file(data, name="log.csv"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write_file


def problems_of(path, check=None):
    with pytest.raises(TablesError) as caught:
        read_table(path, COLUMNS, check)
    return [(problem.line, problem.column, problem.got) for problem in caught.value.problems]


def told(path):
    with pytest.raises(TablesError) as caught:
        read_table(path, COLUMNS)
    return str(caught.value).replace(str(path), "log.csv")


FORMS = {
    "comma": 'start,end,service,planned,announced on,calls,score\n2026-03-01 09:30,,portaal,ja,2026-02-01,3,"7,5"\n',
    "semicolon": "Begin;Eind;Dienst;Gepland;Announced_On;Calls;Score\r\n1-3-2026 9:30;;Portaal;WAAR;1-2-2026;3;7,5\r\n",
    "tab": "start\tend\tservice\tplanned\tannounced-on\tcalls\tscore\n2026-03-01T09:30\t\tportaal\t1\t2026-02-01\t3\t7.5\n",
    "bom": "\ufeffstart;end;service;planned;announced on;calls;score\n2026-03-01 09:30;;portaal;ja;2026-02-01;3;7,5",
    "other order": "x-ticket,score,service,start,planned,calls,end,announced on\nA,7.5,portaal,2026-03-01 09:30,yes,3,,2026-02-01\n",
    "blank rows": "\n\nstart,end,service,planned,announced on,calls,score\n\n2026-03-01 09:30,,portaal,ja,2026-02-01,3,7.5\n,,,,,,\n",
    "json": (
        '\ufeff[{"start": "2026-03-01T08:30Z", "end": null, "service": "portaal", "planned": true, "x-a": [],'
        ' "announced on": "2026-02-01", "calls": 3, "score": 7.5}]'
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_row(write, form):
    """
    CSV of any kind and JSON mean the same.
    """
    (row,) = read_table(write(FORMS[form]), COLUMNS)

    assert row.moment("start") == datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    assert (row.has("end"), row.text("service"), row.yes("planned")) == (False, "portaal", True)
    assert (row.date("announced on"), row.whole("calls"), row.decimal("score")) == (date(2026, 2, 1), 3, Fraction(15, 2))


def test_empty_cells_and_absent_columns_are_absent(write):
    """
    What is not filled has no value, and is not yes.
    """
    (row,) = read_table(write(f"start,end,service\n{LINE}"), COLUMNS)

    assert (row.text("announced on"), row.yes("planned"), row.line) == ("", False, 2)
    with pytest.raises(KeyError, match="end"):
        row.moment("end")
    with pytest.raises(TypeError, match="does not hold a int"):
        row.whole("service")


def test_every_wrong_cell_is_named_at_once(write):
    """
    Line, column and what stands there, for all rows; a cell over two lines counts both.
    """
    path = write('start,end,service\n2026-03-01 09:30,gisteren,portal\n"2026\n-03-01",,portaal\n,,aanleveren\n' + LINE)

    assert problems_of(path) == [(2, "end", "gisteren"), (2, "service", "portal"), (3, "start", "2026\n-03-01"), (5, "start", "")]


def test_message_says_where_what_and_why(write):
    """
    The text of a mistake has the file, the line, the cell, what was expected and a hint.
    """
    path = write("start,end,service\n2026-03-29 02:30,,portaal\n")

    assert told(path) == (
        'log.csv:2: start = "2026-03-29 02:30": expected a moment, such as 2026-03-01 09:30 (the Dutch clock) or 2026-03-01T09:30+01:00; '
        "the Dutch clock never showed this time: it went forward past it.\n  Hint: did you mean 2026-03-29T03:30:00+02:00?"
    )


def test_check_of_a_calculator_is_collected_too(write):
    """
    What only a calculator knows to be wrong stands among the other mistakes, and is not asked of a row that is wrong already.
    """
    path = write(f"start,end,service\nniets,,portaal\n{LINE}{LINE}")

    def check(row):
        return [row.problem("start", "a later moment")] if row.line == 3 else []

    assert problems_of(path, check) == [(2, "start", "niets"), (3, "start", "2026-03-01 09:30+01:00")]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("start,eindd,service", ['got "eindd".\n  Hint: did you mean eind or einde?', "expected a column end (also: eind, einde), got none"]),
        ("start,end", ["expected a column service (also: dienst), got none"]),
        ("start,end,service,plannd", ['got "plannd".\n  Hint: did you mean planned or gepland?']),
        ("start,end,service,kleur", ["[planned], [announced on]", "x- is passed over"]),
        ("start,begin,end,service", ["expected one column start, got 2"]),
        ("start,end,service,", ['got ""']),
    ],
)
def test_columns_that_are_unknown_or_missing(write, header, expected):
    """
    An unknown column may be a slip in the name of another: it is not passed over.
    """
    text = told(write(f"{header}\n"))

    assert [part for part in expected if part not in text] == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "got an empty file"),
        (b" \n\n", "got an empty file"),
        (b"start;end;service\n2026-03-01 09:30;;portaal\n\xe9;;\n", "log.csv:3: expected UTF-8, got the byte 0xe9"),
        (b"start,end,service\n2026-03-01 09:30,portaal\n", "log.csv:2: expected 3 cells, as in the header, got 2"),
        (b'start,end,service\n"2026-03-01 09:30,,portaal\n', "log.csv:2: expected a line of CSV"),
    ],
)
def test_file_that_is_no_table(write, data, expected):
    """
    An empty file, another encoding, and rows that do not fit the header are told apart.
    """
    assert expected in told(write(data))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"start": 1}', 'log.csv:1: expected a [, got "{"'),
        ("[1]", 'expected an object in braces, got "1"'),
        ('[\n{"start": "x",}]', "log.csv:2: expected JSON ("),
        ('[{"start": "x"} {}]', 'expected a ,, got "{"'),
        ("[{}] x", "expected the end of the file after the list"),
        ("[", "got the end of the file"),
        ('[{"start": "x", "start": "y"}]', "a name stands twice"),
        ('[{"start": "x", "begin": "y"}]', "each column once"),
        ('[{"calls": NaN}]', "NaN is no number"),
        ('[{"strt": "x"}]', "did you mean start?"),
        ('[\n {},\n {"start": {}}]', 'log.csv:3: start = "a list or an object"'),
        ('[{"start": ' + "[" * 100_000, "expected JSON ("),
        ('[{"calls": 1e9, "start": "2026-03-01 09:30", "service": "portaal"}]', 'calls = "1e9": expected a whole number'),
    ],
)  # fmt: skip
def test_json_that_is_no_table(write, text, expected):
    """
    Whatever stands in a JSON file, its mistake is told with a line.
    """
    assert expected in told(write(text))


def test_missing_file_is_told():
    """
    A file that is not there is a mistake of the user.
    """
    with pytest.raises(TablesError, match="expected a file that can be read, got No such file"):
        read_table(Path("nergens.csv"), COLUMNS)


def test_file_that_is_too_large_is_not_read(write, monkeypatch):
    """
    The limit is on the bytes, whatever they are.
    """
    monkeypatch.setattr(tables, "BYTES_MAX", 20)

    assert "expected at most 0 MB, got more" in told(write("start,end,service\n" + LINE))


def test_thousand_mistakes_are_enough(write):
    """
    A file in which every row is wrong is not read to its end.
    """
    found = problems_of(write("start,end,service\n" + "x,,portaal\n" * 1500))

    assert len(found) == 1001
    assert found[-1] == (1001, "", "1000 mistakes up to here")


def test_long_cell_is_cut_in_the_message(write):
    """
    A message shows the start of a long cell.
    """
    assert f'"{"y" * 60}…"' in told(write(f"start,end,service\n{'y' * 500},,portaal\n"))


OBJECTS = st.lists(st.dictionaries(st.sampled_from(["start", "end", "service", "calls"]), st.text() | st.floats()))


@given(st.text(max_size=200) | OBJECTS.map(json.dumps))
def test_whatever_stands_in_a_file_is_rows_or_a_mistake(tmp_path_factory, text):
    """
    No text makes the reader fail otherwise than by saying what is wrong.
    """
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")

    outcome = outcome_of(path)

    assert all(item.line > 0 for item in outcome) or len(outcome) == 1


def outcome_of(path):
    try:
        return read_table(path, COLUMNS)
    except TablesError as error:
        return error.problems or pytest.fail("a mistake without a problem")
