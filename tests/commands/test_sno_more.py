"""Tests of the further calculators of `berichtenbox sno`; their samples are tested with the page that shows them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from conformance.berichtenbox.ledger import LedgerError, Offer, Processed, State, StoredBericht
from conformance.berichtenbox.notificaties import Distributor
from conformance.berichtenbox.sql import SqlLedger
from conformance.commands.sno_ledger import read_ledger
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.sno.counts import Bericht, Result

SAMPLES = Path(__file__).parent.parent.parent / "docs" / "voorbeelden" / "sno"
NAMES = ("incidents", "questions", "telephony", "forecast", "counts", "quota", "continuity", "releases")
RELEASES = "release,inhoud_vast,ingevoerd\n1.0,2026-01-01,2026-01-20\n1.1,2026-03-01,2026-03-15\n"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file in the directory of the command, and returns its name."""

    def written(name, content):
        (tmp_path / name).write_text(content)
        return name

    return written


@pytest.fixture
def ledger(tmp_path, envelope):
    """The URL of a ledger with two berichten: one notified a minute after it was processed, one refused."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    received, processed = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC)

    def stored(position, code, published=None):
        ids = 1, position, "b", f"id-{position}", "999990019", "BELAST", "d"
        return StoredBericht(*ids, code, processed, "00000099000000001000", "Onderwerp", published)

    with SqlLedger(url) as opened:
        opened.write([lambda writing: writing.add_offers([Offer(envelope, received, received)])])
        berichten = [stored(0, VerwerkingsCode.VERWERKT, processed), stored(1, VerwerkingsCode.BIJLAGE_TE_GROOT)]
        opened.commit_processed(Processed({1: (State.PROCESSED, None)}, berichten))
        Distributor(opened.notificaties, lambda: processed + timedelta(minutes=1)).distribute()
    return url


@pytest.mark.golden
@pytest.mark.parametrize("name", NAMES)
def test_help_is_the_stored_one(berichtenbox, golden, name):
    """
    Each calculator says what it judges, within 80 columns.
    """
    ended = berichtenbox("sno", name, "--help")

    assert ended.code == 0
    golden(f"help-sno-{name}.txt", ended.out)


@pytest.mark.golden
def test_outcome_of_the_sample(berichtenbox, golden):
    """
    An outcome cites each norm, and shows its sum line by line.
    """
    ended = berichtenbox("sno", "incidents", str(SAMPLES / "incidents.csv"), "--at", "2026-04-01T12:00")

    assert ended.code == 1
    golden("sno-incidents.txt", ended.out)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 2, "2026-02: no-data"),  # between two months with a release
        (["--month", "2026-01"], 0, "1 release; aim: 1 a month: met"),
        (["--month", "2026-05"], 2, "2026-05: no-data"),
        (["--from", "2026-01"], 1, "2026-02: missed, 0 releases"),
        (["--from", "2026-03", "--until", "2026-03"], 0, "14 days; norm"),
        (["--until", "2026-04"], 1, "2026-04: missed, 0 releases"),
        (["--until", "2025-12"], 2, "nothing was judged"),
    ],
)
def test_period(berichtenbox, write, options, code, words):
    """
    A month of silence has no data, unless the options say that the list covers it.
    """
    ended = berichtenbox("sno", "releases", write("r.csv", RELEASES), *options)

    assert (ended.code, ended.err) == (code, "")
    assert words in ended.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("releases", "r.csv", "--month", "2026-01", "--from", "2026-01"), "--month is one month"),
        (("releases", "r.csv", "--from", "2026-03", "--until", "2026-01"), "--until 2026-01 is before --from 2026-03"),
        (("continuity", "r.csv", "--at", "yesterday"), "expected a moment such as 2026-03-01T09:30, not 'yesterday'"),
        (("continuity", "r.csv", "--at", "2026-03-29 02:30"), "the Dutch clock never showed this time"),
        (("counts",), "give a FILE, or --ledger URL, and not both"),
        (("counts", "r.csv", "--ledger", "sqlite:///l.db"), "give a FILE, or --ledger URL, and not both"),
        (("counts", "--daily", "--ledger", "sqlite:///l.db"), "--daily is about a FILE"),
        (("counts", "--ledger", "sqlite:///nowhere.db"), "there is no such ledger"),
        (("counts", "--ledger", "nowhere"), "nowhere is not the URL of a ledger"),
        (("quota", "nowhere.csv"), "expected a file that can be read, got No such file or directory"),
    ],
)
def test_wrong_usage(berichtenbox, write, arguments, words):
    """
    What cannot be judged ends with exit code 2 and says what to do.
    """
    write("r.csv", RELEASES)

    ended = berichtenbox("sno", *arguments)

    assert ended.code == 2
    assert words in " ".join(ended.err.split())


@pytest.mark.parametrize("name", NAMES)
def test_defective_file(berichtenbox, write, name):
    """
    A file of another calculator is refused with the columns that are wanted, and judged by none.
    """
    ended = berichtenbox("sno", name, write("x.csv", "een,twee\n1,2\n"))

    assert (ended.code, ended.out) == (2, "")
    assert "x.csv:1: expected columns that the calculator knows" in " ".join(ended.err.split())


@pytest.mark.parametrize("name", NAMES)
def test_table_without_rows(berichtenbox, write, name):
    """
    A header alone holds nothing to judge, which is never green.
    """
    header = (SAMPLES / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]

    ended = berichtenbox("sno", name, write("empty.csv", f"{header}\n"))

    assert ended.code == 2
    assert ended.out.startswith("no-data: the data hold too little to judge")


def test_wrong_rows_are_named(berichtenbox, write):
    """
    Each wrong row is told with its line and column, and nothing is judged.
    """
    rows = "1.0,2026-02-30,2026-03-01\n1.1,2026-03-05,2026-03-04\n"

    ended = berichtenbox("sno", "releases", write("r.csv", f"release,inhoud_vast,ingevoerd\n{rows}"))

    assert (ended.code, ended.out) == (2, "")
    assert 'r.csv:2: inhoud_vast = "2026-02-30"' in ended.err
    assert 'r.csv:3: ingevoerd = "2026-03-04"' in ended.err


def test_json_holds_the_same(berichtenbox, tmp_path):
    """
    The JSON has the verdict of every judgement, its norm and its sum, and the files that it rests on.
    """
    ended = berichtenbox("sno", "telephony", str(SAMPLES / "telephony.csv"), "--closures", str(SAMPLES / "closures.csv"), "--json", "t.json")

    document = json.loads((tmp_path / "t.json").read_text())
    assert (ended.code, document["verdict"], len(document["files"])) == (0, "met", 2)
    assert {one["norm"] for one in document["judgements"]} == {"SNO-SVC-01", *(f"SNO-BUR-0{n}" for n in range(1, 6))}


def test_forecast_is_looked_at_today(berichtenbox, write):
    """
    Without --on the horizon starts today; without figures of what came no deviation is judged.
    """
    ended = berichtenbox("sno", "forecast", write("f.csv", "gegeven,maand,berichten,omvang\n2026-01-10,2026-03,10,1\n"))

    assert ended.code == 1
    assert "SNO-PRO-02" in ended.out
    assert "SNO-PRO-06" not in ended.out


def test_feestdagen_and_moment_are_used(berichtenbox, write):
    """
    Whether a question is late depends on the day on which the list was made, and on who works on Goede Vrijdag.
    """
    name = write("q.csv", "id,van,ontvangen,beantwoord\nV,afnemer,2026-04-01 09:00,\n")

    codes = [
        berichtenbox("sno", "questions", name, "--at", at, "--works-on", days).code
        for at, days in (("2026-04-03 12:00", ""), ("2026-04-07 12:00", ""), ("2026-04-07 12:00", "goede-vrijdag"))
    ]

    assert codes == [2, 2, 1]  # due on Tuesday 7 April, or on Friday 3 April


def test_ledger_is_read(ledger):
    """
    A bericht of the ledger has the moment at which it was offered, what became of it, and when its notification left.
    """
    received, processed = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC)
    oin = "00000099000000001000"

    found = read_ledger(ledger)

    assert found == (
        Bericht(received, Result.VERWERKT, published=processed, notified=processed + timedelta(minutes=1), oin=oin),
        Bericht(received, Result.AFGEWEZEN, oin=oin),
    )


def test_ledger_is_counted(berichtenbox, write, ledger):
    """
    The counts of a ledger are compared with the daily report: equal is met, and one bericht more is missed.
    """
    right, wrong = (write(f"{n}.csv", f"datum,aangeboden,verwerkt,afgewezen,oin\n2026-03-02,{n},1,1,00000099000000001000\n") for n in (2, 3))

    assert berichtenbox("sno", "counts", "--ledger", ledger, "--report", right).code == 0
    ended = berichtenbox("sno", "counts", "--ledger", ledger, "--report", wrong)

    assert ended.code == 1
    assert "2 offered, 1 processed, 1 rejected; the report says 3 offered" in " ".join(ended.out.split())


def test_ledger_that_breaks_while_it_is_read(ledger, monkeypatch):
    """
    A database that fails is told as one error, with what to do.
    """
    monkeypatch.setattr("conformance.commands.sno_ledger._BERICHTEN", text("select * from nothing"))

    with pytest.raises(LedgerError, match="cannot be read"):
        read_ledger(ledger)
