"""The page about the calculators: every command on it works, and every sample on it is the file."""

import re
import shlex
from pathlib import Path

import pytest

from conformance.cli import run

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "docs").glob("sno*.md"))
SAMPLES = sorted((ROOT / "docs" / "voorbeelden" / "sno").iterdir())


def found(pattern):
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    return [match for page in pages for match in re.findall(pattern, page, flags=re.MULTILINE | re.DOTALL)]


def commands():
    return found(r"^(?:\$ )?berichtenbox (sno [^\n]+)$")


def blocks(kind):
    return found(rf"^```{kind}\n(.*?)^```$")


@pytest.mark.parametrize("command", commands())
def test_command_of_the_page_works(command, capsys, monkeypatch):
    """
    Each command that a reader copies is met, or missed where the page shows how that looks; none is wrong usage.
    """
    monkeypatch.chdir(ROOT)

    code = run(shlex.split(command))
    written = capsys.readouterr()

    assert (code in {0, 1}, written.err) == (True, "")
    assert written.out


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_sample_is_used_on_the_page(sample):
    """
    No sample lies about that no command reads.
    """
    assert any(str(sample.relative_to(ROOT)) in command for command in commands())


@pytest.mark.parametrize("block", blocks("csv"), ids=lambda block: block.partition("\n")[0])
def test_sample_on_the_page_is_the_file(block):
    """
    What the page shows of a sample is what the command reads.
    """
    assert block in [sample.read_text(encoding="utf-8") for sample in SAMPLES]


def test_output_on_the_page_is_what_comes_out(capsys, monkeypatch):
    """
    Each line of output that the page shows is one that a command of the page writes.
    """
    monkeypatch.chdir(ROOT)
    for command in commands():
        run(shlex.split(command))

    written = capsys.readouterr().out.splitlines()

    assert [line for block in blocks("text") for line in block.splitlines() if line.strip() != "..." and line not in written] == []


@pytest.mark.parametrize(
    ("name", "header", "row"), re.findall(r"^\| `(\w+)` \| `([^`]+)`<br>`([^`]+)` \|$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
)
def test_sample_of_the_readme_is_judged(name, header, row, tmp_path, capsys):
    """
    Whoever types the two lines of the README has a table that the calculator reads.
    """
    (tmp_path / "sample.csv").write_text(f"{header}\n{row}\n")

    code = run(["sno", name, str(tmp_path / "sample.csv")])
    written = capsys.readouterr()

    assert "line 2" not in written.err, written.err
    assert code in {0, 1} or "no-data" in written.out
