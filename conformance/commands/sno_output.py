"""What a calculator of the SNO comes to: the verdict first, then each judgement with its sum and the norm that it cites; the same as JSON."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import click

from conformance import __version__
from conformance.commands.terminal import labelled, say, wrapped
from conformance.masking import mask
from conformance.norms import SOURCE, Norm, norm
from conformance.norms import day as norm_day
from conformance.report.files import write_atomically
from conformance.sno.judgement import Judgement, Outcome, exit_code
from conformance.verdicts import ExitCode

_COLOURS: Final = {Outcome.MET: "green", Outcome.MISSED: "red", Outcome.NO_DATA: "yellow", Outcome.NOT_APPLICABLE: "white"}
_FIRST: Final = (Outcome.MISSED, Outcome.NO_DATA, Outcome.MET, Outcome.NOT_APPLICABLE)
_VERDICTS: Final = {ExitCode.CONFORMANT: Outcome.MET, ExitCode.NOT_CONFORMANT: Outcome.MISSED, ExitCode.USAGE: Outcome.NO_DATA}
_HEADLINES: Final = {
    Outcome.MET: "every norm that could be judged is met",
    Outcome.MISSED: "a norm is missed",
    Outcome.NO_DATA: "the data hold too little to judge, and that is never green",
}


@dataclass(frozen=True, slots=True)
class Calculation:
    """What a calculator made of its files: the judgements, and notes that belong to no single one.

    ``period`` is the first and the last date that was judged: whether the edition of the SNO covers it is told. ``listing`` are lines to show before
    the judgements, and ``details`` what the JSON has of them. ``is_listing`` says that the lines are what was asked for: without a judgement it is
    no failure.
    """

    name: str
    files: tuple[Path, ...]
    judgements: tuple[Judgement, ...]
    notes: tuple[str, ...] = ()
    period: tuple[date, date] | None = None
    listing: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    is_listing: bool = False

    @property
    def code(self) -> ExitCode:
        """0 when its norms are met, 1 when one is missed, 2 when there is too little to judge."""
        return exit_code(self.judgements) if self.is_judged else ExitCode.CONFORMANT

    @property
    def is_judged(self) -> bool:
        """Whether it comes to a verdict at all."""
        return bool(self.judgements) or not self.is_listing

    @property
    def verdict(self) -> Outcome:
        """What it comes to as a whole."""
        return _VERDICTS[self.code] if self.is_judged else Outcome.NOT_APPLICABLE

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Its notes, and one when the SNO does not cover the period (SNO-ALG-01)."""
        return (*self.notes, *_edition(self.period))


def finish(calculation: Calculation, json_file: Path | None = None) -> int:
    """Show an outcome, write it as JSON when that is asked for, and return the exit code; raises ``OutputError``."""
    if json_file is not None:
        write_atomically(json_file, (json.dumps(document(calculation), indent=2, ensure_ascii=False) + "\n").encode())
    say(text(calculation))
    return calculation.code


def text(calculation: Calculation) -> str:
    """Return an outcome for the terminal."""
    ordered = sorted(calculation.judgements, key=lambda judgement: _FIRST.index(judgement.verdict))
    headline = [*_headline(calculation)] if calculation.is_judged else []
    listing = [wrapped(mask(line), "", "    ") for line in calculation.listing]
    blocks = [headline, listing, *([*_told(judgement)] for judgement in ordered), [*_notes(calculation)]]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def document(calculation: Calculation) -> dict[str, Any]:
    """Return an outcome as JSON holds it."""
    return {
        "kit": {"name": "berichtenbox-conformance", "version": __version__},
        "calculator": calculation.name,
        "sno": SOURCE,
        "files": [str(path) for path in calculation.files],
        "verdict": str(calculation.verdict),
        "exit_code": int(calculation.code),
        **calculation.details,
        "judgements": [_described(judgement) for judgement in calculation.judgements],
        "notes": [mask(note) for note in calculation.all_notes],
    }


def _described(judgement: Judgement) -> dict[str, Any]:
    cited = norm(judgement.norm)
    return {
        "norm": cited.id,
        "titles": {"nl": cited.title_nl, "en": cited.title_en},
        "source": cited.source,
        "certainty": str(cited.certainty),
        "binds": str(cited.binds),
        "numbers": {name: {"value": float(number.value), "unit": number.unit} for name, number in cited.numbers.items()},
        "about": mask(judgement.about),
        "verdict": str(judgement.verdict),
        "figure": mask(judgement.figure),
        "value": None if judgement.value is None else {"number": float(judgement.value), "exact": str(Fraction(judgement.value))},
        "arithmetic": [mask(line) for line in judgement.arithmetic],
        "notes": [mask(line) for line in judgement.notes],
        "rests_on": list(judgement.rests_on),
    }


def _headline(calculation: Calculation) -> Iterator[str]:
    verdict = calculation.verdict
    counts = Counter(judgement.verdict for judgement in calculation.judgements)
    yield f"{click.style(verdict, fg=_COLOURS[verdict], bold=True)}: {_HEADLINES[verdict]}."
    yield wrapped(", ".join(f"{counts[outcome]} {outcome}" for outcome in _FIRST if counts[outcome]) or "nothing was judged", "  ")


def _told(judgement: Judgement) -> Iterator[str]:
    cited = norm(judgement.norm)
    figure = f", {judgement.figure}" if judgement.figure else ""
    yield wrapped(f"{mask(judgement.about)}: {judgement.verdict}{mask(figure)}", f"{cited.id}  ", "  ")
    yield labelled("norm", cited.title_en)
    yield labelled("source", f"{cited.source}{_numbers(cited)}")
    yield from _labelled("sum", judgement.arithmetic)
    yield from _labelled("note", judgement.notes)
    if judgement.rests_on:
        yield labelled("rests on", ", ".join(judgement.rests_on))


def _numbers(cited: Norm) -> str:
    """Return the numbers of a norm, each with what it is: its unit says that already of some."""
    names = ("" if number.unit == name else f"{name.replace('_', ' ')} " for name, number in cited.numbers.items())
    return "".join(f"; {name}{number}" for name, number in zip(names, cited.numbers.values(), strict=True))


def _labelled(label: str, lines: tuple[str, ...]) -> Iterator[str]:
    for place, line in enumerate(lines):
        yield labelled("" if place else label, mask(line))


def _notes(calculation: Calculation) -> Iterator[str]:
    if calculation.all_notes:
        yield click.style("Notes", bold=True)
    for note in calculation.all_notes:
        yield wrapped(mask(note), "  ", "    ")


def _edition(period: tuple[date, date] | None) -> tuple[str, ...]:
    starts, ends = norm_day("SNO-ALG-01", "from"), norm_day("SNO-ALG-01", "until")
    if period is None or (starts <= period[0] and period[1] < ends):
        return ()
    judged = f"The period that is judged, {period[0]} to {period[1]}, is not wholly in it: it is judged by this edition all the same."
    return (f"The kit holds the edition of the SNO that was valid from {starts} until {ends} (SNO-ALG-01). {judged}",)
