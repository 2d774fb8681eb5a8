"""Shows the catalogue of requirements, and compares the built-in schemas with those of Logius."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from conformance.catalogue import Catalogue, Contradiction, DecidedBy, Level, Requirement, UnknownRequirement, catalogue
from conformance.commands.options import language, nearest
from conformance.commands.terminal import labelled, say, wrapped
from conformance.norms import Number, norms
from conformance.report.texts import texts
from conformance.verdicts import ExitCode

if TYPE_CHECKING:
    from conformance.speccompare import Comparison, FileReport

_MARGIN: Final = " " * 31
_SHORT: Final[Mapping[DecidedBy, str]] = {
    DecidedBy.DECLARED: " (declared)",
    DecidedBy.LOAD: " (load)",
    DecidedBy.CALCULATOR: " (sno)",
}


@click.group("specs")
def command() -> None:
    """Show the catalogue of requirements."""


@command.command("list")
@click.option("--subject", metavar="SUBJECT", help="Only this subject, such as AANL.")
@click.option("--level", type=click.Choice([*Level]), help="Only this level.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@language("The language of titles.", "en")
def list_command(subject: str | None, level: str | None, lang: str, *, as_json: bool) -> int:
    """List the requirements, a line each."""
    held = catalogue()
    _check_subject(subject, held)
    found = [item for item in held.values() if subject in (None, item.subject) and level in (None, item.level)]
    if as_json:
        say(json.dumps([_described(item) for item in found], indent=2, ensure_ascii=False))
        return 0
    for item in found:
        say(wrapped(item.title(lang) + _SHORT.get(item.decided_by, ""), f"{item.id:<12}{item.level:<8}{item.certainty:<11}", _MARGIN))
    say(f"{len(found)} of {len(held)} requirements")
    return 0


def _check_subject(subject: str | None, held: Catalogue) -> None:
    known = sorted({item.subject for item in held.values()})
    if subject is not None and subject not in known:
        hint = nearest(subject.upper(), known, f"the subjects are {', '.join(known)}.")
        raise click.UsageError(f"--subject {subject}: not a subject of the catalogue.\n  Hint: {hint}", click.get_current_context())


def _described(item: Requirement) -> dict[str, Any]:
    return {
        "id": item.id,
        "subject": item.subject,
        "titles": {"nl": item.title_nl, "en": item.title_en},
        "level": str(item.level),
        "binds": str(item.binds),
        "source": item.source,
        "certainty": str(item.certainty),
        "decided_by": str(item.decided_by),
        "undecided_reason": item.undecided_reason and str(item.undecided_reason),
        "service": item.service,
        "contradictions": list(item.contradictions),
        "advice": {"nl": item.advice_nl, "en": item.advice_en},
        "commands": list(item.commands),
        "through": list(item.through),
        "numbers": [{"name": name, "value": _plain(number), "unit": number.unit} for name, number in _numbers(item).items()],
    }


def _numbers(item: Requirement) -> Mapping[str, Number]:
    return norms()[item.id].numbers if item.id in norms() else {}


def _plain(number: Number) -> int | float:
    return number.value if isinstance(number.value, int) else float(number.value)


@command.command("show")
@click.argument("id_", metavar="ID")
@language("The language of title and advice.", "en")
def show_command(id_: str, lang: str) -> int:
    """Show a requirement, or a contradiction.

    ID is that of a requirement, such as AANL-035, or that of a place where
    official texts contradict each other, such as D4.
    """
    held = catalogue()
    if id_ in held.contradictions:
        say("\n".join(_contradiction_lines(held.contradictions[id_], lang)))
        resting = [item.id for item in held.values() if id_ in item.contradictions]
        say(labelled("rests on it", ", ".join(resting) or "nothing", "  "))
        return 0
    say("\n".join(_requirement_lines(_found(id_, held), held, lang)))
    return 0


def _found(id_: str, held: Catalogue) -> Requirement:
    try:
        return held.require(id_)
    except UnknownRequirement:
        hint = nearest(id_.upper(), [*held, *held.contradictions], "`berichtenbox specs list` shows every id.")
        text = f"{id_!r} is neither a requirement nor a contradiction of the catalogue.\n  Hint: {hint}"
        raise click.UsageError(text, click.get_current_context()) from None


def _requirement_lines(item: Requirement, held: Catalogue, lang: str) -> Iterator[str]:
    yield wrapped(item.title(lang), f"{item.id}  ", "  ")
    facts = {
        "level": str(item.level),
        "binds": str(item.binds),
        "service": item.service,
        "source": item.source,
        "certainty": texts("en")["certainties"][item.certainty],
        "decided by": ", ".join(dict.fromkeys([*(item.judged_by or [str(item.decided_by)]), *_names(item)])),
        "undecided": str(item.undecided_reason or ""),
        **_facts_of_norm(item.id),
        "declare": item.declare(lang),
        "advice": item.advice(lang),
    }
    yield from (labelled(label, text, "  ") for label, text in facts.items() if text)
    for id_ in item.contradictions:
        yield from _contradiction_lines(held.contradictions[id_], lang)


def _facts_of_norm(id_: str) -> dict[str, str]:
    """Return what the SNO says, when it is a norm of it: every number, when it holds, and how it was read."""
    if id_ not in norms():
        return {}
    norm = norms()[id_]
    numbers = [f"{name.replace('_', ' ')} {number}" for name, number in norm.numbers.items()]
    dates = [f"{name} {day.isoformat()}" for name, day in norm.dates.items()]
    return {"numbers": "; ".join([*numbers, *dates]), "window": norm.window, "note": norm.note}


def _names(item: Requirement) -> tuple[str, ...]:
    from conformance.deciders import deciders

    return tuple(sorted(deciders().get(item.id, ())))


def _contradiction_lines(item: Contradiction, lang: str) -> Iterator[str]:
    yield wrapped(item.subject(lang), f"{item.id}  ", "  ")
    for label, text in (("reading A", item.a), ("reading B", item.b), ("the kit", item.kit(lang))):
        yield labelled(label, text, "  ")


@command.command("compare")
@click.argument("package", metavar="ZIP", type=click.Path(path_type=Path))
def compare_command(package: Path) -> int:
    """Compare the built-in schemas with a schema package.

    ZIP is the package as Logius publishes it.

    Exit codes: 0 they agree, 1 they differ, 2 the package cannot be read.
    """
    from conformance.speccompare import compare

    comparison = compare(package)
    say("\n".join(_comparison_lines(comparison)))
    return ExitCode.CONFORMANT if comparison.agrees else ExitCode.NOT_CONFORMANT


def _comparison_lines(comparison: "Comparison") -> Iterator[str]:
    for file in comparison.files:
        yield from _file_lines(file)
    agrees = "say the same as" if comparison.agrees else "differ from"
    yield wrapped(f"The built-in schemas {agrees} {comparison.package}.")


_NOTES: Final[Mapping[bool, str]] = {True: "", False: " (does not count)"}


def _file_lines(file: "FileReport") -> Iterator[str]:
    yield wrapped(f"{file.name}{_NOTES[file.decides]}", f"{file.state:<9} ", " " * 10)
    for difference in file.differences:
        yield wrapped(str(difference), "    ", "      ")
