"""Grades supplied data against the SNO: availability, maintenance and announcements here, the further calculators in `sno_more`."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from conformance.commands.sno_more import MORE
from conformance.commands.sno_options import DAY, MONTH, feestdagen, json_file, month, table

if TYPE_CHECKING:
    from conformance.sno.calendar import Feestdagen, Month
    from conformance.sno.outages import Log
    from conformance.sno.windows import Window

_ENVIRONMENTS: Final = ("productie", "preproductie")
_SERVICES: Final = (
    "portaal",
    "aanleveren",
    "verwerkingsberichten",
    "validatie",
    "abonnementen",
    "persoonlijke-gegevens",
    "aangesloten-systeem",
)
_DAY: Final = timedelta(days=1)

_environment: Final = click.option(
    "--environment",
    type=click.Choice(_ENVIRONMENTS),
    default=_ENVIRONMENTS[0],
    show_default=True,
    metavar="NAME",
    help="The windows of productie or of preproductie.",
)
_moved: Final = click.option(
    "--moved", type=click.Path(path_type=Path), metavar="FILE", help="Windows that were moved: norm, datum, van, tot, aangekondigd."
)


@click.group("sno")
def command() -> None:
    """Grade supplied data against the SNO.

    FILE is CSV with a header (a comma, a semicolon or a tab between the
    cells) or JSON with a list of objects, in UTF-8. Moments without a zone
    are on the Dutch clock.

    Exit codes: 0 the norms are met, 1 a norm is missed, 2 wrong usage, wrong
    data, or too little data to judge.
    """


@command.command("availability")
@table
@month
@click.option(
    "--service",
    "services",
    type=click.Choice(_SERVICES),
    multiple=True,
    metavar="SERVICE",
    help=f"Only this service; may be given again: {', '.join(_SERVICES)}.",
)
@click.option("--from", "start", type=DAY, metavar="DATE", help="The first date that the log covers.")
@click.option("--until", type=DAY, metavar="DATE", help="The last date that the log covers.")
@_moved
@_environment
@feestdagen
@json_file
def availability_command(
    table: Path,
    month: "Month | None",
    services: tuple[str, ...],
    start: date | None,
    until: date | None,
    moved: Path | None,
    environment: str,
    feestdagen: "Feestdagen",
    json_file: Path | None,
) -> int:
    """Judge availability by calendar month, from an outage log.

    FILE has the columns van, tot (empty when it is not over), dienst, and
    maybe oorzaak, gepland, aangekondigd, systeem. Without --from and --until
    it covers the months that its rows touch, and no other month is judged.
    """
    from conformance.commands.sno_output import Calculation, finish
    from conformance.sno.availability import Calendar, availability
    from conformance.sno.outages import Service, read_log
    from conformance.sno.windows import Environment, read_moves

    if start and until and until < start:
        raise click.UsageError(f"--until {until} is before --from {start}.", click.get_current_context())
    log = read_log(table, start, until)
    moves = read_moves(moved, feestdagen) if moved else ()
    months = (month,) if month else log.months
    calendar = Calendar(Environment(environment), moves, feestdagen)
    judgements = availability(log, months, tuple(Service(service) for service in services), calendar)
    files = (table, *([moved] if moved else []))
    return finish(Calculation("availability", files, judgements, (*_log_notes(log),), _period(months)), json_file)


def _log_notes(log: "Log") -> Iterator[str]:
    if not log.outages and log.is_stated:
        yield "The log has no outage at all: name with --service what it is about."
    if not log.covered:
        yield "The log covers no moment: say with --from and --until which period it covers."
    elif not log.is_stated:
        yield "Judged are the months that the rows touch: --from and --until say which period the log covers."
    elif outside := sum(not any(outage.span.start < span.end and span.start < outage.span.end for span in log.covered) for outage in log.outages):
        yield f"{outside} of {len(log.outages)} rows lie outside the period that the log covers, and are passed over."


@command.command("windows")
@click.option("--month", "months", type=MONTH, metavar="MONTH", multiple=True, required=True, help="This month, such as 2026-03; may be given again.")
@click.option("--ics", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the calendar as iCalendar too.")
@_moved
@_environment
@feestdagen
@json_file
def windows_command(
    months: tuple["Month", ...], ics: Path | None, moved: Path | None, environment: str, feestdagen: "Feestdagen", json_file: Path | None
) -> int:
    """Show the calendar of maintenance.

    With --moved it also judges whether each move was announced in time; one
    that was not leaves the regular window where it is.
    """
    from conformance.commands.sno_output import Calculation, finish
    from conformance.report.files import write_atomically
    from conformance.sno.windows import Environment, as_icalendar, judged, read_moves, windows_of

    moves = read_moves(moved, feestdagen) if moved else ()
    found = windows_of(months, Environment(environment), moves)
    if ics:
        write_atomically(ics, as_icalendar(found, Environment(environment)))
    calculation = Calculation(
        "windows",
        (moved,) if moved else (),
        judged(moves),
        period=_period(months),
        listing=(f"Maintenance of MijnOverheid, {environment}:", *(f"{window.name}: {window}" for window in found)),
        details={"environment": environment, "windows": [_described(window) for window in found]},
        is_listing=not moved,
    )
    return finish(calculation, json_file)


def _described(window: "Window") -> dict[str, str | None]:
    start, end = window.span.start.isoformat(), window.span.end.isoformat()
    moved_from = window.moved_from.isoformat() if window.moved_from else None
    return {"norm": window.norm, "name": window.name, "start": start, "end": end, "moved_from": moved_from}


@command.command("announcements")
@table
@feestdagen
@json_file
def announcements_command(table: Path, feestdagen: "Feestdagen", json_file: Path | None) -> int:
    """Judge the terms of announcements.

    FILE has the columns soort, aangekondigd (empty when it never was), start,
    and maybe omschrijving. Whose term holds, soort says: standaard, wijziging,
    certificaten, verplaatst, persoonlijke-gegevens, or of the Afnemer itself
    afnemer-wijziging, afnemer-certificaten, afnemer-standaard.
    """
    from conformance.commands.sno_output import Calculation, finish
    from conformance.sno.announcements import announcements, read_announcements

    items = read_announcements(table)
    days = [item.start for item in items]
    period = (min(days), max(days)) if days else None
    return finish(Calculation("announcements", (table,), announcements(items, feestdagen), period=period), json_file)


def _period(months: "Sequence[Month]") -> tuple[date, date] | None:
    """Return the first and the last date of some months."""
    return (min(months).first, max(months).next.first - _DAY) if months else None


for _further in MORE:
    command.add_command(_further)
