"""The register in CSV: what is taken from it, and what is said of one that is wrong."""

import io

import pytest

from conformance.berichtenbox import register_file
from conformance.berichtenbox.register_file import HEADER, RegisterError, check, load, load_from
from conformance.berichtenbox.sql import SqlLedger

OIN = "00000099000000001000"
OTHER = "00000099000000003000"
ONE, TWO, THREE, FOUR = 999_990_007, 999_990_019, 999_990_020, 999_990_032


@pytest.fixture
def ledger():
    """A ledger in memory, with one citizen whom no register here has."""
    with SqlLedger("sqlite://") as opened:
        opened.write([lambda writing: writing.citizens.add_accounts([(FOUR, True)])])
        yield opened


@pytest.fixture
def loaded(ledger):
    """Load a text, or bytes, and return the ledger's citizens."""

    def load_text(content):
        data = content.encode() if isinstance(content, str) else content
        ledger.write([lambda writing: load_from(io.BytesIO(data), "burgers.csv", writing.citizens) and None])
        return ledger.citizens

    return load_text


def rows(*lines, end="\n"):
    """Return a register with its header."""
    return end.join([HEADER, *lines, ""])


def takers(citizens, oin=OIN, bericht_type="BELAST"):
    """Return who takes letters."""
    return citizens.wanting(oin, bericht_type, [ONE, TWO, THREE, FOUR])


def test_accounts_and_voorkeuren_replace_who_was_there(loaded):
    """
    A row without an oin is an account, one with an oin a voorkeur, of a BerichtType or of all.
    """
    citizens = loaded(
        rows(f"{ONE},ja,,,", f"{TWO},nee,,,", f"{THREE},ja,,,", f"{ONE},,{OIN},BELAST,nee", f"{THREE},,{OTHER},,nee", f"{THREE},,{OTHER},PASPOORT,ja")
    )

    assert citizens.accounts() == 3
    assert takers(citizens) == {THREE}
    assert takers(citizens, bericht_type="PASPOORT") == {ONE, THREE}
    assert takers(citizens, OTHER) == {ONE}
    assert takers(citizens, OTHER, "PASPOORT") == {ONE, THREE}


@pytest.mark.parametrize("word", ["ja", "JA", "true", "True", "1", " ja "])
def test_yes_is_written_in_more_than_one_way(loaded, word):
    """
    As people and spreadsheets write it.
    """
    assert takers(loaded(rows(f"{ONE},{word},,,"))) == {ONE}


@pytest.mark.parametrize("word", ["nee", "NEE", "false", "0"])
def test_no_is_written_in_more_than_one_way(loaded, word):
    """
    As people and spreadsheets write it.
    """
    assert takers(loaded(rows(f"{ONE},{word},,,"))) == set()


@pytest.mark.parametrize(
    "content",
    [
        rows(f"{ONE},ja,,,"),
        rows(f"{ONE},ja,,,", end="\r\n"),
        "\ufeff" + rows(f"{ONE},ja,,,"),
        rows(f"{ONE},ja,,,").replace(",", ";"),
        rows(f'"{ONE}","ja","","",""'),
        rows("", f"{ONE},ja,,,", ""),
        rows(f"{ONE},ja,,,").rstrip(),
        rows(f"{ONE},ja,,,").replace("bsn,actief", "BSN, Actief"),
        '"bsn";"actief";"oin";"berichttype";"wil"\n999990007;ja;;;\n',
    ],
)
def test_a_file_is_read_as_any_program_writes_it(loaded, content):
    """
    With a byte order mark or not, commas or semicolons, quotes, empty lines, any end of a line, and capitals in the header.
    """
    assert takers(loaded(content)) == {ONE}


def test_a_delimiter_inside_quotes_is_text(loaded):
    """
    A BerichtType may hold a comma.
    """
    citizens = loaded(rows(f"{ONE},ja,,,", f'{ONE},,{OIN},"A,B",nee'))

    assert takers(citizens, bericht_type="A,B") == set()
    assert takers(citizens, bericht_type="A") == {ONE}


def test_of_two_rows_about_the_same_the_last_counts(loaded, monkeypatch):
    """
    Close together or far apart.
    """
    monkeypatch.setattr(register_file, "_TOGETHER", 2)
    citizens = loaded(rows(f"{ONE},nee,,,", f"{ONE},ja,,,", f"{TWO},ja,,,", f"{THREE},ja,,,", f"{TWO},nee,,,"))

    assert takers(citizens) == {ONE, THREE}


def test_a_register_of_nobody_is_a_register(loaded):
    """
    A header alone: nobody has an account.
    """
    assert loaded(HEADER).accounts() == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("999990007,ja,,", "burgers.csv:3: expected 5 columns, this has 4."),
        ("999990007,ja,,,,", "burgers.csv:3: expected 5 columns, this has 6."),
        ("99999007,ja,,,", "burgers.csv:3: column bsn: expected nine digits; a spreadsheet leaves out the first zero."),
        ("\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669,ja,,,", "burgers.csv:3: column bsn: expected nine digits"),
        ("999990007,,,,", "burgers.csv:3: column actief: expected ja or nee (true or false, 1 or 0)."),
        ("999990007,yes,,,", "burgers.csv:3: column actief: expected ja or nee"),
        ("999990007,ja,,BELAST,", "burgers.csv:3: column berichttype: expected nothing, for without an oin"),
        ("999990007,ja,,,ja", "burgers.csv:3: column wil: expected nothing, for without an oin"),
        (f"999990007,ja,{OIN},,ja", "burgers.csv:3: column actief: expected nothing, for with an oin"),
        ("999990007,,1000,,ja", "burgers.csv:3: column oin: an OIN has 20 digits."),
        (f"999990007,,{OIN},TEVEELTEKENS,ja", "burgers.csv:3: column berichttype: a BerichtType has at most 8 characters; leave it empty for all."),
        (f"999990007,,{OIN},,", "burgers.csv:3: column wil: expected ja or nee"),
        ('999990007,ja,,,"', "burgers.csv:3: a quote that is not closed, or stands inside a field."),
        ('999990007,"ja"x,,,', "burgers.csv:3: a quote that is not closed, or stands inside a field."),
        (f"999990007,ja,,,{'x' * 1_000}", "burgers.csv:3: a line has at most 1000 characters."),
        (f"999990007,ja,,,{'x' * 5_000}", "burgers.csv:3: a line has at most 1000 characters."),
        (b"999990007,ja,\xff,,", "burgers.csv:3: not UTF-8; save the file as UTF-8."),
    ],
)
def test_a_wrong_row_is_told_and_nothing_is_changed(loaded, ledger, line, said):
    """
    With its line and column and never its BSN; who was there is still there, and nobody of the file.
    """
    content = rows("999990019,ja,,,").encode() + (line if isinstance(line, bytes) else line.encode()) + b"\n"

    with pytest.raises(RegisterError) as caught:
        loaded(content)

    assert said in str(caught.value)
    assert "\n  Hint: a row is an account (bsn,actief,,,)" in str(caught.value)
    assert "99999" not in str(caught.value).replace("999990019", "")
    assert caught.value.line == 3
    assert takers(ledger.citizens) == {FOUR}


@pytest.mark.parametrize("content", ["", "\n", "999990007,ja,,,\n", "bsn,actief\n", '"bsn,actief,oin,berichttype,wil\n', HEADER.replace(",", "\t")])
def test_a_file_without_the_header_is_refused(loaded, content):
    """
    The first line is not quoted: it may be a citizen.
    """
    with pytest.raises(RegisterError, match=rf"^burgers\.csv:1: expected the header {HEADER}, with commas or semicolons") as caught:
        loaded(content)

    assert "999990007" not in str(caught.value)


def test_a_line_of_a_thousand_wide_characters_is_not_too_long(loaded):
    """
    The limit is in characters, whatever they take in UTF-8; of such a line the columns are looked at.
    """
    wide = "\U0001f600" * (1_000 - len("999990007,,,,"))

    with pytest.raises(RegisterError, match="column actief: expected ja"):
        loaded(rows(f"999990007,{wide},,,"))


def test_a_file_is_loaded_by_its_name(ledger, tmp_path):
    """
    What is loaded is counted by rows, and at each million it is told.
    """
    file = tmp_path / "burgers.csv"
    file.write_text(rows(f"{ONE},ja,,,", f"{ONE},,{OIN},,nee"))
    counts = []

    ledger.write([lambda writing: counts.append(load(file, writing.citizens, counts.append))])

    assert counts == [2]
    assert takers(ledger.citizens) == set()


def test_a_large_register_is_told_of(ledger, monkeypatch):
    """
    Who waits for many hears how far it is.
    """
    monkeypatch.setattr(register_file, "_TOGETHER", 2)
    monkeypatch.setattr(register_file, "MILLION", 4)
    told = []
    data = rows(*(f"{bsn},ja,,," for bsn in (ONE, TWO, THREE, FOUR, ONE))).encode()

    ledger.write([lambda writing: load_from(io.BytesIO(data), "x", writing.citizens, told.append) and None])

    assert told == [4]


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    """
    One that is not there, and a directory.
    """
    with pytest.raises(RegisterError, match=r"nowhere\.csv: the register cannot be read: No such file"):
        check(tmp_path / "nowhere.csv")
    with pytest.raises(RegisterError, match="the register cannot be read: Is a directory"):
        check(tmp_path)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    """
    Its size is looked at first.
    """
    monkeypatch.setattr(register_file, "LARGEST_FILE", 10)
    (tmp_path / "burgers.csv").write_text(rows())

    with pytest.raises(RegisterError, match="larger than 10 bytes, which no register is"):
        check(tmp_path / "burgers.csv")


def test_a_look_reads_no_more_than_the_header(tmp_path):
    """
    A wrong row is found when it is loaded, a wrong header at once.
    """
    (tmp_path / "burgers.csv").write_text(rows("nonsense"))
    (tmp_path / "other.csv").write_text("nonsense")

    check(tmp_path / "burgers.csv")

    with pytest.raises(RegisterError, match="expected the header"):
        check(tmp_path / "other.csv")
