"""What a graded run comes to, as text for the terminal: the verdict first, then what failed and why, then where the rest stands."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from conformance.commands.terminal import labelled, listed, wrapped
from conformance.report.texts import texts

_COLOURS: Final = {"conformant": "green", "not-conformant": "red", "incomplete": "yellow", "kit-error": "magenta"}
_MOST_CASES: Final = 3

Item = Mapping[str, Any]


def outcome(document: Item, out: Path, alone: str, again: str) -> str:
    """Return the text for a document of ``json_report.document``.

    ``alone`` is the command that grades one requirement, up to its id; ``again`` repeats the whole run.
    """
    blocks = [
        [*_headline(document)],
        [*_failures(document, "kit-error", "Errors of the kit", alone)],
        [*_failures(document, "failed", "Failed", alone)],
        [*_broken(document)],
        [*_warnings(document)],
        [*_untested(document)],
        [*_declared(document)],
        [*_footer(document, out, again)],
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _of(document: Item, verdict: str) -> list[Item]:
    return [item for item in document["requirements"] if item["verdict"] == verdict]


def _headline(document: Item) -> Iterator[str]:
    verdict = document["verdict"]
    musts = [item for item in document["requirements"] if item["level"] == "MUST" and item["verdict"] != "not-applicable"]
    counts = {name: sum(item["verdict"] == name for item in musts) for name in ("failed", "not-tested")}
    name = click.style(texts("en")["run_verdict"][verdict], fg=_COLOURS[verdict], bold=True)
    yield f"\n{name}: of {len(musts)} applicable MUSTs {counts['failed']} failed and {counts['not-tested']} are undecided."
    yield wrapped(", ".join(f"{count} {word}" for word, count in document["summary"].items() if count) or "nothing was graded", "  ")
    if document["selection"] is not None:
        yield wrapped(texts("en")["partial_text"], "  ")


def _failures(document: Item, verdict: str, title: str, alone: str) -> Iterator[str]:
    items = _of(document, verdict)
    if items:
        yield click.style(title, bold=True)
    for item in items:
        yield f"  {item['id']}  {item['level']}, {item['certainty']}"
        yield wrapped(item["titles"]["en"], "    ")
        yield labelled("source", item["source"])
        for case in [case for case in item["cases"] if case["verdict"] == verdict][:_MOST_CASES]:
            yield from _case(case)
        if item["known_failure"]:
            known = item["known_failure"]
            yield labelled("known", f"{known['reason']} (owner {known['owner']}, until {known['until']})")
        yield labelled("advice", item["advice"]["en"])
        yield labelled("only this", f"{alone} {item['id']}")


def _case(case: Item) -> Iterator[str]:
    yield labelled("case", f"{case['id']}: {case['message']}")
    for label in ("expected", "seen"):
        if case[label]:
            yield labelled(label, case[label])


def _broken(document: Item) -> Iterator[str]:
    if document["broken_by"]:
        yield click.style(texts("en")["broken"], bold=True)
    for item in document["broken_by"]:
        yield wrapped(texts("en")["broken_by"][item["cause"]], f"  {item['id']}  ", "    ")


def _warnings(document: Item) -> Iterator[str]:
    items = _of(document, "warning")
    if items:
        yield click.style("Warnings", bold=True)
    for item in items:
        yield wrapped(item["titles"]["en"], f"  {item['id']}  ", "    ")
        for case in [case for case in item["cases"] if case["verdict"] == "warning"][:1]:
            yield labelled("seen", case["seen"] or case["message"])


def _untested(document: Item) -> Iterator[str]:
    """Yield what is undecided, by its reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for item in _of(document, "not-tested"):
        by_reason[item["reason"] or "no-case-ran"].append(item["id"])
    if by_reason:
        yield click.style("Not tested", bold=True)
    for reason, ids in sorted(by_reason.items()):
        yield wrapped(f"{reason}: {texts('en')['reasons'][reason]}", "  ")
        yield listed(ids)


def _declared(document: Item) -> Iterator[str]:
    ids: Sequence[str] = [item["id"] for item in _of(document, "declared")]
    if ids:
        yield click.style("Declared by the Afnemer, not tested", bold=True)
        yield listed(ids, "  ")


def _footer(document: Item, out: Path, again: str) -> Iterator[str]:
    for note in document["notes"]:
        yield wrapped(f"Note: {note}")
    yield f"Report: {out / 'report.html'} (with report.json, junit.xml and evidence/)"
    yield f"Again:  {again}"
