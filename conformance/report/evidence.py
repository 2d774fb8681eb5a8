"""The evidence of a run, and the manifest that shows whether anybody touched it since.

The manifest guards against accidents and edits afterwards, checked offline. It is not a signature: who can write the directory can write a manifest.
"""

import hashlib
import json
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from conformance.masking import mask_bytes
from conformance.report.errors import EvidenceNameError, OutputError
from conformance.report.files import make_directory, write_atomically
from conformance.report.model import Report
from conformance.verdicts import RunVerdict

MANIFEST = "evidence/manifest.json"
STATEMENT = "statement.json"
REPORT_FILES = ("report.json", "report.html", "junit.xml", STATEMENT)
_MANIFEST_VERSION = "1.0"
_MANIFEST_KEYS = {"manifest_version", "kit_version", "catalogue_digest", "profile_digest", "seed", "files"}
_LARGEST_MANIFEST = 16_000_000  # bytes: a hundred thousand files
_SEGMENT = r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?"
_NAME = re.compile(rf"evidence(?:/{_SEGMENT}){{1,4}}")
_LINK = "a symbolic link"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ProblemKind(StrEnum):
    """What can be wrong with the files of a run."""

    MANIFEST = "manifest"  # the manifest itself cannot be used
    CHANGED = "changed"
    MISSING = "missing"
    EXTRA = "extra"
    OUTSIDE = "outside"  # the manifest points outside of the directory
    SYMLINK = "symlink"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is not as the manifest says, at a path relative to the output directory."""

    path: str
    kind: ProblemKind
    message: str


class _ManifestError(ValueError):
    """A manifest that cannot be used."""


def evidence_name(case: str, number: int, suffix: str) -> str:
    """Return a safe evidence name for the n-th file of a case: ``evidence/verwerkingsberichten-dubbel-01.xml``."""
    slug = re.sub(r"[^a-z0-9]+", "-", case.lower()).strip("-")[:80].strip("-") or "case"
    return f"evidence/{slug}-{number:02}.{suffix}"


def write_evidence(out: Path, files: Mapping[str, bytes]) -> None:
    """Write evidence, masked, under its names relative to ``out``, in place of what an earlier run left there.

    Raises ``EvidenceNameError`` for a name that is not ``evidence/`` and lower-case letters, digits, dots, hyphens and underscores.
    """
    for name in files:
        _check_name(name)
    directory = out / "evidence"
    if directory.is_symlink():
        raise OutputError(f"{directory}: a symbolic link, expected a directory of this run.\n  Hint: choose another --out.")
    make_directory(directory)
    _clear(out)
    for name, data in sorted(files.items()):
        write_atomically(out / name, mask_bytes(data))


def write_manifest(out: Path, kit_version: str, catalogue_digest: str, profile_digest: str, seed: int) -> Path:
    """Write ``evidence/manifest.json`` with the SHA-256 of the reports, the statement and all evidence; returns its path."""
    names = [name for name in _walk(out) if name != MANIFEST and (name in REPORT_FILES or name.startswith("evidence/"))]
    manifest = {
        "manifest_version": _MANIFEST_VERSION,
        "kit_version": kit_version,
        "catalogue_digest": catalogue_digest,
        "profile_digest": profile_digest,
        "seed": seed,
        "files": {name: _sha256(out / name) for name in sorted(names)},
    }
    write_atomically(out / MANIFEST, _json(manifest))
    return out / MANIFEST


def write_statement(out: Path, report: Report, kit_version: str, profile_digest: str) -> Path | None:
    """Write ``statement.json`` for a locked run that is conformant, and return its path; for any other run write nothing.

    The report must have been written: the statement carries its digest.
    """
    if not report.run.locked or report.verdict is not RunVerdict.CONFORMANT:
        return None
    afnemer = report.run.profile.get("afnemer", {})
    statement = {
        "statement_version": "1.0",
        "verdict": report.verdict,
        "afnemer": {"name": afnemer.get("name"), "oin": afnemer.get("oin")},
        "date": report.run.finished.date().isoformat(),
        "face": report.run.face,
        "kit_version": kit_version,
        "catalogue_digest": report.catalogue_digest,
        "profile_digest": profile_digest,
        "seed": report.run.seed,
        "report_sha256": _sha256(out / "report.json"),
    }
    write_atomically(out / STATEMENT, _json(statement))
    return out / STATEMENT


def verify(out: Path) -> list[Problem]:
    """Compare the files of a run with its manifest, offline; returns what differs, sorted, and nothing when all is as it was."""
    try:
        listed = _read_manifest(out)
    except _ManifestError as error:
        return [Problem(MANIFEST, ProblemKind.MANIFEST, str(error))]
    problems = [problem for name, digest in listed.items() for problem in _compare(out, name, digest)]
    for name in _walk(out):
        if name in listed or name == MANIFEST:
            continue
        problems.append(_unlisted(out, name))
    return sorted(problems)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or ".." in name or name == MANIFEST:
        raise EvidenceNameError(f"{name!r}: not a safe evidence name; expected one like evidence/dubbel-01.xml.")


def _clear(out: Path) -> None:
    """Remove what an earlier run wrote here: a statement or evidence that outlives its run would prove something that did not happen."""
    (out / STATEMENT).unlink(missing_ok=True)
    for name in list(_walk(out / "evidence")):
        if _NAME.fullmatch(f"evidence/{name}"):
            (out / "evidence" / name).unlink()


def _walk(out: Path) -> Iterator[str]:
    """Yield every file and symbolic link below a directory, as relative POSIX paths, without following links."""
    for path in sorted(out.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(out).as_posix()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _read_manifest(out: Path) -> dict[str, str]:
    """Return the digests by path; raises ``_ManifestError`` for a manifest that is not one of ours."""
    path = out / MANIFEST
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        raise _ManifestError("missing, or not a regular file.\n  Hint: give the directory that --out named.")
    if path.stat().st_size > _LARGEST_MANIFEST:
        raise _ManifestError(f"larger than {_LARGEST_MANIFEST} bytes.")
    try:
        manifest = json.loads(path.read_bytes(), object_pairs_hook=_without_duplicates)
    except (OSError, ValueError, RecursionError) as error:
        raise _ManifestError(f"cannot be read as JSON: {error}.") from error
    return _checked(manifest)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: two readers would see two manifests."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _ManifestError("a key stands in it twice")
    return result


def _checked(manifest: Any) -> dict[str, str]:
    if not isinstance(manifest, dict) or set(manifest) != _MANIFEST_KEYS:
        raise _ManifestError(f"expected exactly the keys {', '.join(sorted(_MANIFEST_KEYS))}.")
    if manifest["manifest_version"] != _MANIFEST_VERSION:
        raise _ManifestError(f"version {manifest['manifest_version']!r}, this kit reads {_MANIFEST_VERSION}.")
    files = manifest["files"]
    if not isinstance(files, dict) or not files:
        raise _ManifestError("lists no files.")
    wrong = [name for name, digest in files.items() if not isinstance(digest, str) or not _SHA256.fullmatch(digest)]
    if wrong:
        raise _ManifestError(f"no SHA-256 for {wrong[0]!r}.")
    return files


def _compare(out: Path, name: str, digest: str) -> Iterator[Problem]:
    """Yield the problem of one listed file, if any; nothing outside of the directory is opened."""
    if not _is_inside(name):
        yield Problem(name, ProblemKind.OUTSIDE, "the manifest names a path outside of the directory.")
        return
    try:
        found = _found(out, name)
    except (FileNotFoundError, NotADirectoryError):
        yield Problem(name, ProblemKind.MISSING, "listed in the manifest, not there.")
    except OSError as error:
        yield Problem(name, ProblemKind.UNREADABLE, f"cannot be read: {error.strerror}.")
    else:
        if found == _LINK:
            yield Problem(name, ProblemKind.SYMLINK, "a symbolic link stands here, expected the file itself.")
        elif found != digest:
            yield Problem(name, ProblemKind.CHANGED, f"expected SHA-256 {digest}, got {found}.")


def _found(out: Path, name: str) -> str:
    """Return the digest of the file that stands there now, or what stands there instead; opens regular files only."""
    path, mode = out, 0
    for part in name.split("/"):
        path /= part
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return _LINK
    return _sha256(path) if stat.S_ISREG(mode) else "not a file"


def _is_inside(name: str) -> bool:
    """Tell whether a listed name stays below the directory on any system; control characters and drive letters do not."""
    is_plain = name.isprintable() and not set(name) & {"\\", ":"}
    return is_plain and not {"", ".", ".."} & set(name.split("/"))


def _unlisted(out: Path, name: str) -> Problem:
    if (out / name).is_symlink():
        return Problem(name, ProblemKind.SYMLINK, "a symbolic link, which no run writes.")
    return Problem(name, ProblemKind.EXTRA, "not listed in the manifest.")
