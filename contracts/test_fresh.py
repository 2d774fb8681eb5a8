"""The committed pacts are what the consumer tests write: byte for byte. ``UPDATE_PACTS=1`` stores what they write now."""

import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.contracts.published import directory, read_pacts
from conformance.messages.identities import reserved_test_bsns

HERE = Path(__file__).parent
CONSUMERS = [path for path in sorted(HERE.glob("test_*.py")) if path.stem not in {"test_fresh", "test_own_handler", "test_provider"}]


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Path:
    """The pacts that the consumer tests write now, in a process of their own: no other test has a hand in them."""
    folder = tmp_path_factory.mktemp("fresh")
    options = ["-q", "-p", "no:pact", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "--rootdir", str(HERE.parent)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, CONSUMERS)],
        env={**environment, "CONTRACTS_PACTS": str(folder)},
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-2_000:]
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}


@pytest.fixture
def stale() -> Callable[[Path, Path], list[str]]:
    """Name the pacts of a directory that are not what the consumer tests write: others, missing ones and superfluous ones."""

    def compare(committed: Path, fresh: Path) -> list[str]:
        seen, wanted = contents(committed), contents(fresh)
        return sorted(name for name in {*seen, *wanted} if seen.get(name) != wanted.get(name))

    return compare


@pytest.mark.slow  # it runs the consumer tests again
def test_committed_pacts_are_fresh(fresh, stale):
    """
    What is published is what the consumers expect now.
    """
    if os.environ.get("UPDATE_PACTS") == "1":
        shutil.rmtree(HERE / "pacts", ignore_errors=True)
        (HERE / "pacts").mkdir()
        for name, content in contents(fresh).items():
            (HERE / "pacts" / name).write_bytes(content)

    assert stale(HERE / "pacts", fresh) == [], "UPDATE_PACTS=1 stores the new ones"


@pytest.mark.slow
@pytest.mark.parametrize("change", ["changed", "missing", "superfluous"])
def test_stale_pact_is_seen(fresh, stale, tmp_path, change):
    """
    A pact that is older than its consumer tests fails, and so does one that is not there or that nobody writes.
    """
    folder = Path(shutil.copytree(fresh, tmp_path / "pacts"))
    first = min(folder.glob("*.json"))
    if change == "changed":
        first.write_bytes(first.read_bytes().replace(b"BELAST", b"BELASTING"))
    elif change == "missing":
        first.unlink()
    else:
        shutil.copy(first, folder / "oud.json")

    names = stale(folder, fresh)

    assert names == ["oud.json" if change == "superfluous" else first.name]


def test_published_pacts_are_those_of_the_checkout():
    """
    The kit finds the pacts of this directory: each is between two parties.
    """
    names = {pact.path.stem for pact in read_pacts(directory())}

    assert directory() == HERE / "pacts"
    assert names == {"afnemer-berichtenbox", "berichtenbox-afnemer", "conformance-kit-afnemer"}


@pytest.mark.parametrize("path", sorted(directory().glob("*.json")), ids=lambda path: path.stem)
def test_pacts_hold_reserved_bsns_only(path):
    """
    No pact holds a BSN that somebody has, in base64 neither.
    """
    text = path.read_text()
    packed = [base64.b64decode(found, validate=True) for found in re.findall(r'"([A-Za-z0-9+/]{200,}={0,2})"', text)]

    found = {bsn for part in [text.encode(), *packed] for bsn in re.findall(rb"(?<![0-9A-Za-z-])[0-9]{9}(?![0-9A-Za-z-])", part)}

    assert found
    assert {bsn.decode() for bsn in found} <= set(reserved_test_bsns())
