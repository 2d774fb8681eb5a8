"""Grades message files with the rules."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance.commands.options import language
from conformance.commands.terminal import labelled, listed, say, wrapped
from conformance.masking import mask
from conformance.verdicts import ExitCode

if TYPE_CHECKING:
    from conformance.checking import CheckedFile, UnreadableFile
    from conformance.rules.findings import Finding


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@language("The language of titles and advice.", "en")
def command(files: tuple[str, ...], lang: str, *, as_json: bool) -> int:
    """Grade message files with the rules.

    A FILE holds a GLOBE-R-BV-Request or -Result, or a GLOBE-R-A-Request or
    -Result: XML, gzipped or not, the JSON of the adapter, or MIME. `-` is stdin.

    Exit codes: 0 no MUST that is sure is broken, 1 one is,
    2 a file cannot be read as a message.
    """
    from conformance.checking import UnreadableFile

    outcomes: list[CheckedFile | UnreadableFile] = []
    for name in files:
        try:
            outcomes.append(_checked(name))
        except UnreadableFile as error:
            outcomes.append(error)
    if as_json:
        say(json.dumps([_described(item, lang) for item in outcomes], indent=2, ensure_ascii=False))
    else:
        say("\n\n".join("\n".join(_lines(item, lang)) for item in outcomes))
    return max(_exit_code(item) for item in outcomes)


def _checked(name: str) -> "CheckedFile":
    from conformance.checking import LARGEST_FILE, UnreadableFile, check_file

    shown = mask("stdin" if name == "-" else name)
    try:
        if name == "-":
            data = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UnreadableFile(shown, f"cannot be read: {error.strerror}", "give the path of a file") from None
    return check_file(data, shown)


def _weighs(finding: "Finding") -> bool:
    """Tell whether a finding breaks a MUST that is sure; anything else is a warning."""
    from conformance.catalogue import catalogue

    requirement = catalogue()[finding.requirement]
    return requirement.level == "MUST" and requirement.certainty != "aanname" and not finding.is_note


def _exit_code(item: "CheckedFile | UnreadableFile") -> int:
    if isinstance(item, Exception):
        return ExitCode.USAGE
    return ExitCode.NOT_CONFORMANT if any(map(_weighs, item.findings)) else ExitCode.CONFORMANT


def _described(item: "CheckedFile | UnreadableFile", lang: str) -> dict[str, Any]:
    if isinstance(item, Exception):
        return {"file": item.name, "error": item.what, "hint": item.hint}
    return {
        "file": item.name,
        "kind": item.kind,
        "size": item.size,
        "findings": [_described_finding(finding, lang) for finding in item.findings],
        "decided": sorted(item.decided),
        "needs_context": sorted(item.needs_context),
    }


def _described_finding(finding: "Finding", lang: str) -> dict[str, Any]:
    from conformance.catalogue import catalogue

    requirement = catalogue()[finding.requirement]
    return {
        "id": requirement.id,
        "title": requirement.title(lang),
        "level": str(requirement.level),
        "certainty": str(requirement.certainty),
        "verdict": "failed" if _weighs(finding) else "warning",
        "where": finding.where,
        "expected": finding.expected,
        "seen": finding.seen,
        "advice": requirement.advice(lang),
    }


def _lines(item: "CheckedFile | UnreadableFile", lang: str) -> Iterator[str]:
    if isinstance(item, Exception):
        yield wrapped(f"{item.name}: {item.what}.", "", "  ")
        yield wrapped(f"Hint: {item.hint}.", "  ", "    ")
        return
    failed = sum(map(_weighs, item.findings))
    yield wrapped(f"{item.name}: {item.kind}, {item.size} bytes", "", "  ")
    yield f"  {failed} failed, {len(item.findings) - failed} warnings, {len(item.decided)} requirements decided"
    for finding in item.findings:
        yield from _finding_lines(_described_finding(finding, lang))
    if item.needs_context:
        yield wrapped("Not decided, for this needs the connection, the history or the envelope:", "  ")
        yield listed(sorted(item.needs_context))


def _finding_lines(finding: dict[str, Any]) -> Iterator[str]:
    yield f"  {finding['id']}  {finding['verdict']}  ({finding['level']}, {finding['certainty']})"
    for label in ("title", "where", "expected", "seen", "advice"):
        yield labelled(label, finding[label])
