"""What an assertion says when it does not hold: what, where, expected, got, and what to do next; never a whole BSN."""

from collections.abc import Iterable, Sequence
from typing import Final

from conformance.plugin.received import ADAPTER, OfferedVerwerkingsbericht, ReceivedBericht, Wanted
from conformance.rules.findings import Finding

_MOST_LINES: Final = 10
_INDENT: Final = " " * 12


def counted(number: int, one: str = "bericht", more: str = "berichten") -> str:
    """Return a number with its word."""
    return f"{number} {one if number == 1 else more}"


def other_berichten(url: str, wanted: tuple[int, Wanted], fitting: int, all_of: Sequence[ReceivedBericht], refused: Sequence[Finding]) -> str:
    """Return what is wrong when the berichten that came in are not those that were expected."""
    count, which = wanted
    return _told(
        "the Berichtenbox received other berichten than expected",
        [
            ("where", [url]),
            ("expected", [f"{counted(count)}{which}"]),
            ("got", [f"{fitting} of the {counted(len(all_of))} that came in" if all_of else "nothing", *map(repr, all_of)]),
            ("refused", list(map(str, refused))),
        ],
        _hint_on_berichten(count, fitting, all_of, refused),
    )


def _hint_on_berichten(count: int, fitting: int, all_of: Sequence[ReceivedBericht], refused: Sequence[Finding]) -> str:
    if any(finding.requirement == ADAPTER for finding in refused):
        return "the adapter refused what was sent: give your sender the values of berichtenbox.env"
    if not all_of:
        return "does your sender talk to berichtenbox.adapter, and is it done? When it works in the background, give within_s=5"
    if fitting > count:
        return "more came in than expected: did your sender offer again? Compare bericht_id and code of berichtenbox.received()"
    return "berichtenbox.received() gives everything that came in; when your sender works in the background, give within_s=5"


def with_findings(url: str, failing: Sequence[Finding], warnings: int) -> str:
    """Return what is wrong when the rules object to what was offered."""
    hint = "the adapter refused it: give your sender the values of berichtenbox.env"
    if failing[0].requirement != ADAPTER:
        hint = f"`berichtenbox specs show {failing[0].requirement}` says what is asked, and what to do about it"
    also = [f"{counted(warnings, 'warning', 'warnings')}: berichtenbox.findings() has them"] if warnings else []
    rows = [("where", [url]), ("expected", ["messages to which no rule objects"]), ("got", [*map(str, failing)]), ("also", also)]
    return _told("what was offered to the Berichtenbox has findings", rows, hint)


def nothing_offered(url: str, expected: str) -> str:
    """Return what is wrong when nothing came in, so that nothing can be said of it."""
    rows = [("where", [url]), ("expected", [expected]), ("got", ["nothing"])]
    return _told("nothing was offered", rows, "let your sender send before this assertion, to berichtenbox.adapter")


def unprocessed(url: str, waiting: Sequence[OfferedVerwerkingsbericht], total: int) -> str:
    """Return what is wrong when results still wait for the Afnemer."""
    got = [f"{len(waiting)} of {counted(total, 'verwerkingsbericht', 'verwerkingsberichten')} still wait", *map(repr, waiting)]
    hint = "fetch each message of /ebms/messages/unprocessed, then PATCH it; when your application does so in the background, give within_s=5"
    return _told("a verwerkingsbericht was not processed", [("where", [url]), ("expected", ["each one fetched, and marked"]), ("got", got)], hint)


def _told(what: str, rows: Iterable[tuple[str, Sequence[str]]], hint: str) -> str:
    lines = [what]
    for name, texts in rows:
        shown = [*texts[:_MOST_LINES], f"and {len(texts) - _MOST_LINES} more"] if len(texts) > _MOST_LINES else texts
        lines += [f"{f'  {name}:' if index == 0 else '':<{len(_INDENT)}}{text}" for index, text in enumerate(shown)]
    return "\n".join([*lines, f"  Hint: {hint}"])
