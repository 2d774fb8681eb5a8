"""Plots of a run over time as SVG text: throughput, and response times, each with its norm as a line. The same run gives the same bytes.

Matplotlib writes style attributes, which the page forbids; they become attributes of SVG, which mean the same.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.load.judging import Measured
from conformance.load.samples import Cell, pieces

_INK, _LINE = "#14202b", "#cfd7de"
_COLOURS: Final = ("#0b5394", "#8a5300", "#5a4790")
_NORM: Final = "#b0141f"
_STYLE: Final = re.compile(r' style="([^"]*)"')
_STYLES: Final = re.compile(r"<style\b.*?</style>", re.DOTALL)
_METADATA: Final = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_SIZE: Final = re.compile(r'(<svg\b[^>]*?) width="[^"]*"| height="[0-9.]+pt"')
_ROOT: Final = 'stroke-linejoin="round" stroke-linecap="butt"'
_PERCENTILES: Final = ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"))
Points = Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing with a title, and what it shows in words for who cannot see it."""

    title: str
    text: str
    svg: str


_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "nl": {
        "throughput": "Doorvoer",
        "throughput_text": "Beantwoorde verzoeken per seconde over de tijd; het hoogst {highest:.3g}.",
        "throughput_unit": "verzoeken per seconde",
        "answered": "beantwoord",
        "failed": "mislukt",
        "latencies": "Responstijden",
        "latencies_text": "p50, p99 en p99,9 over de tijd; p99 van alles is {p99}.",
        "latencies_unit": "milliseconden",
        "seconds": "seconden",
        "norm": "norm",
    },
    "en": {
        "throughput": "Throughput",
        "throughput_text": "Requests answered a second over time; at most {highest:.3g}.",
        "throughput_unit": "requests a second",
        "answered": "answered",
        "failed": "failed",
        "latencies": "Response times",
        "latencies_text": "p50, p99 and p99.9 over time; p99 of everything is {p99}.",
        "latencies_unit": "milliseconds",
        "seconds": "seconds",
        "norm": "norm",
    },
}


def plots(measured: Measured, lang: str = "nl") -> tuple[Plot, ...]:
    """Return the plots of a run in a language: none when nothing was sent, or Matplotlib is not installed."""
    buckets = list(pieces(measured.samples))
    try:
        return (_throughput(measured, buckets, _WORDS[lang]), _latencies(measured, buckets, _WORDS[lang])) if buckets else ()
    except ImportError:
        return ()


def _throughput(measured: Measured, buckets: Sequence[tuple[float, int, Cell]], words: Mapping[str, str]) -> Plot:
    answered = [(middle, cell.answered / size) for middle, size, cell in buckets]
    failed = [(middle, cell.failures / size) for middle, size, cell in buckets]
    per_message = max(1.0, measured.samples.total().count / max(1, measured.sent))
    norm = measured.plan.demand.rate * per_message if measured.plan.demand.is_rate_norm else None
    highest = max(value for _, value in answered)
    lines = [(words["answered"], answered), (words["failed"], failed)]
    return Plot(words["throughput"], words["throughput_text"].format(highest=highest), _drawn("throughput", words, lines, norm))


def _latencies(measured: Measured, buckets: Sequence[tuple[float, int, Cell]], words: Mapping[str, str]) -> Plot:
    lines = [(label, [(middle, _ms(cell.percentile(share))) for middle, _, cell in buckets]) for share, label in _PERCENTILES]
    norm = measured.samples.thresholds[0] * 1000 if measured.samples.thresholds else None
    total = measured.samples.total()
    p99 = total.percentile(0.99)
    shown = "-" if p99 is None else f"{p99 * 1000:.3g} ms"
    return Plot(words["latencies"], words["latencies_text"].format(p99=shown), _drawn("latencies", words, lines, norm))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _drawn(kind: str, words: Mapping[str, str], lines: Sequence[tuple[str, Points]], norm: float | None) -> str:
    import matplotlib as mpl  # noqa: PLC0415  # of the extra `load`: who does not draw does without
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context({"svg.hashsalt": kind, "svg.fonttype": "path", "font.size": 10, "text.color": _INK, "axes.edgecolor": _LINE}):
        figure = Figure(figsize=(9, 3), layout="constrained")
        FigureCanvasSVG(figure)
        axes: Any = figure.add_subplot()
        for colour, (label, points) in zip(_COLOURS, lines, strict=False):
            axes.plot(
                [at for at, _ in points], [float("nan") if y is None else y for _, y in points], label=label, color=colour, marker=".", markersize=3
            )
        if norm is not None:
            axes.axhline(norm, label=words["norm"], color=_NORM, linestyle="--")
        axes.set(xlabel=words["seconds"], ylabel=words[f"{kind}_unit"])
        _scale(axes, lines, norm)
        axes.grid(color=_LINE, linewidth=0.5)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return plain_svg(written.getvalue())


def _scale(axes: Any, lines: Sequence[tuple[str, Points]], norm: float | None) -> None:
    """Begin at nothing, unless the norm is so far above what was seen that nothing could be told apart: then by powers of ten."""
    highest = max((y for _, points in lines for _, y in points if y), default=0)
    if norm is not None and highest and norm > 20 * highest:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)


def plain_svg(document: str) -> str:
    """Return the ``svg`` element of what Matplotlib wrote, as wide as its place, without style sheets, style attributes, metadata or a date."""
    svg = document[document.index("<svg") :]
    svg = _METADATA.sub("", _STYLES.sub("", svg))
    svg = _SIZE.sub(lambda found: found[1] or "", svg, count=2)
    svg = _STYLE.sub(lambda found: "".join(f' {name.strip()}="{value.strip()}"' for name, _, value in _declarations(found[1])), svg)
    return svg.replace("<svg", f'<svg aria-hidden="true" {_ROOT}', 1).strip()


def _declarations(style: str) -> Iterator[tuple[str, str, str]]:
    return (part.partition(":") for part in style.split(";") if part.strip())
