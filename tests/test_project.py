"""Tests of the project as a whole: imports, packaging, lock files, licence and README."""

import ast
import re
import stat
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

import conformance

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "conformance"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PUBLICCODE = yaml.safe_load((ROOT / "publiccode.yml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))

# A room imports only rooms on a line above its own, and itself; rooms on one line know nothing of each other.
LAYERS = (
    {"specs", "verdicts", "masking", "errors", "parent", "terms", "toml_entries"},
    {"norms"},
    {"catalogue", "limits", "toml_lines"},
    {"coverage_file"},
    {"messages"},
    {"rules", "sno", "strategies", "speccompare"},
    {"transport"},
    {"berichtenbox", "afnemer", "strategies_answers", "strategies_expected"},
    {"profile_keys"},
    {"profile_wire"},
    {"profile"},
    {"stage"},
    {"cases"},
    {"report"},
    {"checking", "progress", "wiring"},
    {"certification", "contracts", "load"},
    {"verification"},
    {"selftest", "deciders"},
    {"commands"},
    {"cli", "plugin"},
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}

# Written in halves, so that this file does not name them either.
HOSTS = [".".join(halves) for halves in [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com")]]
PLACES = ["/".join(("", *parts, "")) for parts in [("work", "main"), ("work", "shared"), ("tmp", "plan"), ("root",)]]
FORBIDDEN = [*HOSTS, *PLACES, "index" + "-url"]

HIDDEN_BUT_OURS = {".ci", ".gitattributes", ".gitignore"}
NOT_OURS = {"build", "dist", "berichtenbox-rapport", "__pycache__"}


def our_files(folder: Path = ROOT) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS or (path.name.startswith(".") and path.name not in HIDDEN_BUT_OURS):
            continue
        if path.is_dir():
            yield from our_files(path)
        else:
            yield path


def modules(room: str = "") -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


def imports(module: Path) -> set[str]:
    return imported(module, module.read_text())


@cache
def imported(module: Path, text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{absolute(module, node)}.{alias.name}" for alias in node.names}
    return found


def absolute(module: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.relative_to(ROOT).parts[: -node.level]
    return ".".join([*package, *filter(None, [node.module])])


def room_of(name: str) -> str | None:
    match name.split("."):
        case ["conformance", room, *_]:
            return room if room in RANK else None
    return None


def room_of_file(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def readme_commands() -> list[str]:
    return re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)


def requirements_of(lock: Path) -> list[str]:
    text = re.sub(r"\\\n\s*", "", lock.read_text())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def names_of(lock: Path) -> set[str]:
    return {line.partition("==")[0] for line in requirements_of(lock)}


def test_imports_point_one_way():
    """
    A module imports only its own room and rooms below it.
    """
    wrong = []
    for module in modules():
        own = room_of_file(module)
        above = {name for name in imports(module) if (room := room_of(name)) and room != own and RANK[room] >= RANK.get(own, 0)}
        wrong += [(str(module.relative_to(PACKAGE)), name) for name in sorted(above)]

    assert wrong == []


def test_every_room_has_a_place_in_the_order():
    """
    A module or folder that nobody gave a place cannot be checked, so it is not allowed.
    """
    rooms = {room_of_file(module) for module in modules()}

    assert rooms - {"__init__"} <= set(RANK)


def test_nothing_imports_cases():
    """
    The cases are run by pytest, never imported by another room.
    """
    importers = {module for module in modules() if any(name.startswith("conformance.cases") for name in imports(module))}

    assert {room_of_file(module) for module in importers} <= {"cases"}


@pytest.mark.parametrize("library", ["starlette", "uvicorn", "httpx", "sqlalchemy", "sqlite3", "pytest"])
@pytest.mark.parametrize("room", ["messages", "rules", "sno"])
def test_messages_and_norms_are_pure(room, library):
    """
    Messages, rules and the norms of the SNO know no server, no database and no pytest.
    """
    importers = [module.name for module in modules(room) if any(is_in(name, library) for name in imports(module))]

    assert modules(room)
    assert importers == []


def is_in(name: str, library: str) -> bool:
    return name == library or name.startswith(f"{library}.")


def test_only_the_guard_parses_xml():
    """
    XML of others passes through one guarded parser.
    """
    importers = {str(module.relative_to(PACKAGE)) for module in modules() if any(is_in(n, "lxml") for n in imports(module))}

    assert importers == {"messages/guard.py"}


@pytest.mark.parametrize("name", ["from lxml import etree", "import lxml.etree as e", "def f():\n    import lxml.etree"])
def test_import_of_lxml_is_seen_in_every_form(tmp_path, name):
    """
    No way to write the import escapes the check on the parser.
    """
    module = tmp_path / "sly.py"
    module.write_text(name)

    found = imports(module)

    assert found == {"lxml.etree"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from . import serve", "conformance.berichtenbox.serve"),
        ("from .clock import Clock", "conformance.berichtenbox.clock.Clock"),
        ("from ..cases import x", "conformance.cases.x"),
        ("from conformance import cases", "conformance.cases"),
    ],
)
def test_relative_imports_are_seen_as_absolute(monkeypatch, tmp_path, source, expected):
    """
    A relative import counts as the import that it is.
    """
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    module = tmp_path / "conformance" / "berichtenbox" / "app.py"
    module.parent.mkdir(parents=True)
    module.write_text(source)

    found = imports(module)

    assert found == {expected}


def test_no_file_names_a_registry_or_this_machine():
    """
    Everything in the tree works elsewhere too.
    """
    found = []
    for path in our_files():
        text = path.read_bytes().decode(errors="ignore").lower()
        found += [(str(path.relative_to(ROOT)), word) for word in FORBIDDEN if word in text]

    assert found == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_lock_entries_are_pinned_and_hashed(lock):
    """
    Every locked package has one version and at least one hash, and comes from wherever the user's pip looks.
    """
    entries = requirements_of(lock)

    assert len(entries) > 20
    assert [entry for entry in entries if not re.match(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)] == []
    assert [entry for entry in entries if "://" in entry or " @ " in entry] == []


def test_locks_hold_every_declared_dependency():
    """
    What pyproject.toml asks for is in the lock files, with the build backend in both.
    """
    names = [re.match(r"[a-z0-9-]+", wish)[0] for wish in PYPROJECT["project"]["dependencies"]]
    tools = [re.match(r"[a-z0-9-]+", wish)[0] for wish in PYPROJECT["dependency-groups"]["dev"] if isinstance(wish, str)]
    run, dev = names_of(ROOT / "requirements/run.lock"), names_of(ROOT / "requirements/dev.lock")

    assert {*names, "hatchling"} <= run
    assert {*names, *tools, "hatchling"} <= dev


def test_locks_agree():
    """
    The tests run with the versions that users get.
    """
    run, dev = ({entry.partition(" ")[0] for entry in requirements_of(ROOT / f"requirements/{name}.lock")} for name in ("run", "dev"))

    assert run <= dev


def test_build_backend_is_the_locked_one():
    """
    The build backend is pinned to one version, in the build system and in the lock.
    """
    (backend,) = PYPROJECT["build-system"]["requires"]

    assert [backend] == PYPROJECT["dependency-groups"]["build"]
    assert any(entry.startswith(f"{backend} ") for entry in requirements_of(ROOT / "requirements/run.lock"))


def test_readme_is_short():
    """
    The README can be read in five minutes.
    """
    lines = (ROOT / "README.md").read_text().splitlines()

    assert len(lines) < 150


def test_readme_has_two_set_up_commands():
    """
    One line certifies and one line passes the tests; the gates append their options to the second.
    """
    certify, tests = readme_commands()

    assert certify.endswith("berichtenbox certify")
    assert "requirements/run.lock" in certify
    assert "-m pytest" in tests.rpartition("&&")[2]
    assert "requirements/dev.lock" in tests


def test_gates_run_the_commands_of_the_readme():
    """
    The gates take both commands from the README and write neither of them again.
    """
    gates = ROOT / ".ci/run"
    text = gates.read_text()

    assert gates.stat().st_mode & stat.S_IXUSR
    assert "set -euo pipefail" in text
    assert "readme_command 1" in text
    assert "readme_command 2" in text
    assert "dev.lock" not in text


def test_gates_are_the_documented_ones():
    """
    CONTRIBUTING.md names every gate, and no other.
    """
    gates = re.findall(r"^run_gate (\S+)", (ROOT / ".ci/run").read_text(), flags=re.MULTILINE)
    documented = re.findall(r"^\| (\S+) \|", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)

    assert documented[1:] == gates


def test_version_is_written_once():
    """
    The version comes from the package; what repeats it for others agrees with it.
    """
    changelog = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)

    assert "version" not in PYPROJECT["project"]
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "conformance/__init__.py"
    assert PUBLICCODE["softwareVersion"] == conformance.__version__
    assert changelog[1] == conformance.__version__


def test_licence_is_the_same_everywhere():
    """
    The licence text, the package metadata and publiccode.yml name one licence.
    """
    licence = (ROOT / "LICENSE").read_text()

    assert PYPROJECT["project"]["license"] == "EUPL-1.2"
    assert PUBLICCODE["legal"]["license"] == "EUPL-1.2"
    assert licence.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2\n")
    assert "15.Applicable Law" in licence


def test_publiccode_has_what_the_standard_asks():
    """
    The mandatory keys of publiccode.yml 0.4 are there, within their limits.
    """
    mandatory = {"name", "url", "platforms", "categories", "developmentStatus", "softwareType", "description", "legal"}

    assert PUBLICCODE["publiccodeYmlVersion"] == "0.4"
    assert mandatory | {"maintenance", "localisation"} <= set(PUBLICCODE)
    assert set(PUBLICCODE["description"]) == {"nl", "en"}
    assert PUBLICCODE["maintenance"]["contacts"]
    for text in PUBLICCODE["description"].values():
        assert len(text["shortDescription"]) <= 150
        assert 150 <= len(text["longDescription"]) <= 10_000
        assert text["features"]


def test_package_is_typed():
    """
    Users' type checkers read the annotations of the kit.
    """
    assert (PACKAGE / "py.typed").is_file()
