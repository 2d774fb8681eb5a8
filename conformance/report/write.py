"""Puts a whole report in the output directory: evidence first, the manifest last, each file whole or not at all."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance import __version__
from conformance.masking import masked_json
from conformance.report import html, json_report, junit
from conformance.report.errors import OutputError
from conformance.report.evidence import write_evidence, write_manifest, write_statement
from conformance.report.files import make_directory, write_atomically
from conformance.report.load_part import LoadPart
from conformance.report.model import Report

if TYPE_CHECKING:
    from conformance.catalogue import Catalogue


def write_report(
    report: Report,
    out: Path,
    catalogue: "Catalogue",
    lang: str = "nl",
    evidence: Mapping[str, bytes] | None = None,
    load: LoadPart | None = None,
) -> list[Path]:
    """Write report.json, report.html, junit.xml, the evidence, its manifest and, for a certification, the statement; returns their paths.

    ``evidence`` maps names relative to ``out`` to bytes, which are masked here. ``load`` is what a load profile has more. What an earlier run left in
    ``out`` is replaced.
    Raises ``OutputError`` when ``out`` cannot be a directory or a file cannot be written, ``EvidenceNameError`` for an unsafe name.
    """
    try:
        return _write(report, out, catalogue, lang, evidence or {}, load)
    except OSError as error:
        raise OutputError(f"{error.filename or out}: cannot be written: {error.strerror}.") from error


def profile_digest(profile: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a profile, whatever the order of its keys."""
    canonical = json.dumps(profile, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _write(report: Report, out: Path, catalogue: "Catalogue", lang: str, evidence: Mapping[str, bytes], load: LoadPart | None) -> list[Path]:
    document = json_report.document(report, catalogue)
    if load is not None:
        document["load"] = masked_json(load.document)
    files = {
        "report.json": json_report.to_json(document),
        "report.html": html.render(document, lang, () if load is None else load.drawings),
        "junit.xml": junit.render(document),
    }
    digest = profile_digest(report.run.profile)
    make_directory(out)
    write_evidence(out, evidence)
    for name, data in files.items():
        write_atomically(out / name, data)
    statement = write_statement(out, report, __version__, digest)
    manifest = write_manifest(out, __version__, report.catalogue_digest, digest, report.run.seed)
    written = [out / name for name in (*files, *sorted(evidence))]
    return [*written, *([statement] if statement else []), manifest]
