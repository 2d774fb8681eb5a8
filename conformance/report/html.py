"""The report for people: one self-contained page that opens offline, prints well and runs no script.

First what a manager needs (the verdict in a sentence, numbers, what to do first), then what an engineer needs (each requirement with its proof).
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.report.load_part import Drawing, words
from conformance.report.texts import day, printable, texts

_TEMPLATES = Path(__file__).parent / "templates"
_BAR_WIDTH = 1000  # units of the SVG's own coordinates
_TODO_LIMIT = 10
_LEVELS = ("MUST", "SHOULD", "MAY")
# What to do first: our own crash, then what fails, then what is unknown, then what may be wrong.
_TODO_ORDER = ("kit-error", "failed", "not-tested", "warning")
_MARKS = {
    "kit-error": "\N{HEAVY MULTIPLICATION X}",
    "failed": "\N{HEAVY MULTIPLICATION X}",
    "not-tested": "?",
    "warning": "!",
    "declared": "\N{SECTION SIGN}",
    "passed": "\N{HEAVY CHECK MARK}",
    "not-applicable": "\N{EN DASH}",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One verdict in the bar: its count, and its place and width in units of the drawing."""

    verdict: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Todo:
    """One thing to do, and why."""

    id: str
    verb: str
    title: str
    verdict: str
    why: str


def render(document: Mapping[str, Any], lang: str = "nl", drawings: Sequence[Drawing] = ()) -> bytes:
    """Return ``report.html`` for a document of ``json_report.document``, in ``nl`` or ``en``; raises ``KeyError`` for another language.

    ``drawings`` are the plots of a load profile.
    """
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    todo = _todo(document, lang)
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            doc=document,
            lang=lang,
            t=texts(lang),
            load=document.get("load"),
            load_words=words(lang),
            drawings=[(drawing, Markup(drawing.svg)) for drawing in drawings],  # noqa: S704  # ours, made of numbers
            css=css,
            css_hash=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
            name=_name(document, lang),
            afnemer={"oin": None, "services": ()} | document["profile"].get("afnemer", {}),
            sentence=_sentence(document, lang),
            segments=_segments(document["summary"]),
            total=len(document["requirements"]),
            todo=todo[:_TODO_LIMIT],
            todo_left=len(todo) - _TODO_LIMIT,
            subjects=[(name, list(items)) for name, items in groupby(document["requirements"], lambda item: item["subject"])],
            marks=_MARKS,
            needs_explanation=_needs_explanation,
            started=day(document["started"], lang),
            finished=day(document["finished"], lang),
        )
    )
    return printable(page).encode()


@cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["href"] = quote
    environment.filters["prose"] = _prose
    return environment


def _prose(text: str) -> Markup:
    """Return text with what stands between backticks as code; all of it escaped."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup().join(Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts))


def _name(document: Mapping[str, Any], lang: str) -> str:
    name = document["profile"].get("afnemer", {}).get("name")
    return str(name or texts(lang)["unnamed"])


def _sentence(document: Mapping[str, Any], lang: str) -> str:
    """Return the verdict in one sentence."""
    musts = [item["verdict"] for item in document["requirements"] if item["level"] == "MUST" and item["verdict"] != "not-applicable"]
    known = sum(item["known_failure"] is not None and item["verdict"] == "failed" for item in document["requirements"])
    counts = {"musts": len(musts), "failed": musts.count("failed"), "untested": musts.count("not-tested"), "known": known}
    key = document["verdict"]
    if key == "conformant" and known:
        key = "known"
    if key == "not-conformant" and not counts["failed"]:
        key = "broken"
    if key == "incomplete" and not document["summary"]["passed"]:
        key = "empty"
    return str(texts(lang)["sentence"][key].format(name=_name(document, lang), **counts))


def _segments(summary: Mapping[str, int]) -> list[Segment]:
    """Divide the width of the bar over the verdicts that occur."""
    total = sum(summary.values()) or 1
    segments: list[Segment] = []
    x = 0.0
    for verdict, count in summary.items():
        width = _BAR_WIDTH * count / total
        segments.append(Segment(verdict, count, round(x, 2), round(width, 2)))
        x += width
    return segments


def _todo(document: Mapping[str, Any], lang: str) -> list[Todo]:
    """Return what is open, most urgent first."""
    open_items = [item for item in document["requirements"] if item["verdict"] in _TODO_ORDER]
    open_items.sort(key=lambda item: (_TODO_ORDER.index(item["verdict"]), _LEVELS.index(item["level"]), item["id"]))
    return [_todo_of(item, lang) for item in open_items]


def _todo_of(item: Mapping[str, Any], lang: str) -> Todo:
    said = texts(lang)
    key = "undeclared" if item["reason"] == "undeclared" else item["verdict"]
    why = item["advice"][lang] or said["reasons"].get(item["reason"]) or _first_message(item)
    return Todo(item["id"], said["todo_verb"][key], item["titles"][lang], item["verdict"], why)


def _first_message(item: Mapping[str, Any]) -> str:
    cases: Sequence[Mapping[str, Any]] = item["cases"]
    return next((str(case["message"]) for case in cases if case["verdict"] == item["verdict"]), "")


def _needs_explanation(item: Mapping[str, Any]) -> bool:
    """Tell whether a requirement gets a block of its own: all but those that simply passed or do not apply."""
    is_quiet = item["verdict"] in {"passed", "not-applicable"} or (item["verdict"] == "not-tested" and not item["cases"])
    return not is_quiet or item["known_failure"] is not None
