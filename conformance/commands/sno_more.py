"""The further calculators of `berichtenbox sno`: each reads its tables, has them judged, and shows what that comes to."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from conformance.commands.options import Decorator
from conformance.commands.sno_options import DAY, MONTH, feestdagen, json_file, month, table

if TYPE_CHECKING:
    from conformance.sno.calendar import Feestdagen, Month
    from conformance.sno.counts import Bericht, DayCount
    from conformance.sno.judgement import Judgement
    from conformance.sno.shares import Period


class MomentType(click.ParamType[datetime]):
    """A moment, such as 2026-03-01T09:30, as it may stand in a table."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment in UTC; fails on what is none."""
        from conformance.sno.cells import CellError, read_moment

        try:
            return read_moment(str(value))
        except CellError as error:
            why = f" ({error.why})" if error.why else ""
            self.fail(f"expected a moment such as 2026-03-01T09:30, not {value!r}{why}.", param, ctx)


since: Final[Decorator] = click.option("--from", "since", type=MONTH, metavar="MONTH", help="The first month that the data cover.")
until: Final[Decorator] = click.option("--until", type=MONTH, metavar="MONTH", help="The last month that the data cover.")
moment: Final[Decorator] = click.option("--at", "moment", type=MomentType(), metavar="MOMENT", help="When the list was made; now without it.")


def _second(name: str, text: str) -> Decorator:
    """Return an option that names a second table."""
    return click.option(f"--{name}", name, type=click.Path(path_type=Path), metavar="FILE", help=text)


@click.command("incidents")
@table
@month
@since
@until
@moment
@feestdagen
@json_file
def incidents(
    table: Path,
    month: "Month | None",
    since: "Month | None",
    until: "Month | None",
    moment: datetime | None,
    feestdagen: "Feestdagen",
    json_file: Path | None,
) -> int:
    """Judge a list of incidents (SNO-INC-01 to 05, 07, 09 to 11).

    The priority is computed from urgentie and impact; the deadline is in
    klokuren for Prio 1, else in kantooruren; the share in time is by month.

    Exit codes: 0 met, 1 missed, 2 bad data or nothing to judge.
    """
    from conformance.sno import incidents as sno
    from conformance.sno.tables import read_table

    items = sno.incidents(read_table(table, sno.COLUMNS, sno.Check()))
    period = _period(sno.months_of(items), month, since, until)
    return _finish("incidents", [table], sno.judge(items, period, moment or datetime.now(UTC), feestdagen), period, json_file)


@click.command("questions")
@table
@month
@since
@until
@moment
@feestdagen
@json_file
def questions(
    table: Path,
    month: "Month | None",
    since: "Month | None",
    until: "Month | None",
    moment: datetime | None,
    feestdagen: "Feestdagen",
    json_file: Path | None,
) -> int:
    """Judge how soon questions are answered (SNO-VRG-01, SNO-BUR-07).

    Those of Afnemers, and those of citizens by e-mail or post, have norms of
    their own; the term is in werkdagen.

    Exit codes: 0 met, 1 missed, 2 bad data or nothing to judge.
    """
    from conformance.sno import questions as sno
    from conformance.sno.tables import read_table

    items = sno.questions(read_table(table, sno.COLUMNS, sno.check))
    period = _period(sno.months_of(items), month, since, until)
    return _finish("questions", [table], sno.judge(items, period, moment or datetime.now(UTC), feestdagen), period, json_file)


@click.command("telephony")
@table
@_second("closures", "When the telephone was out of reach: judges SNO-BUR-01 too.")
@month
@since
@until
@moment
@feestdagen
@json_file
def telephony(
    table: Path,
    closures: Path | None,
    month: "Month | None",
    since: "Month | None",
    until: "Month | None",
    moment: datetime | None,
    feestdagen: "Feestdagen",
    json_file: Path | None,
) -> int:
    """Judge a call log (SNO-BUR-01 to 05, SNO-SVC-01).

    How soon calls are answered, how many are given up, the average score,
    and whether the telephone was open when it should be.

    Exit codes: 0 met, 1 missed, 2 bad data or nothing to judge.
    """
    from conformance.sno import telephony as sno
    from conformance.sno.tables import read_table

    items = sno.calls(read_table(table, sno.COLUMNS, sno.check))
    period = _period(sno.months_of(items), month, since, until)
    now = moment or datetime.now(UTC)
    closed = None if closures is None else sno.closures(read_table(closures, sno.CLOSURES, sno.check_closure), now)
    return _finish("telephony", [table, closures], sno.judge(items, period, closed, feestdagen), period, json_file)


@click.command("forecast")
@table
@_second("actual", "What the months brought: judges SNO-PRO-06 and 08 too.")
@click.option("--on", type=DAY, metavar="DATE", help="The day on which it is looked at; today without it.")
@json_file
def forecast(table: Path, actual: Path | None, on: date | None, json_file: Path | None) -> int:
    """Judge a rolling forecast (SNO-PRO-01 to 03, 05 to 08).

    A figure for each month of the quarters ahead, news in each month, and
    how much the last forecast before a month was off.

    Exit codes: 0 met, 1 missed, 2 bad data or nothing to judge.
    """
    from conformance.sno import forecast as sno
    from conformance.sno.calendar import Month
    from conformance.sno.nights import dutch
    from conformance.sno.tables import read_table

    figures = sno.figures(read_table(table, sno.COLUMNS, sno.Check()))
    actuals = () if actual is None else sno.figures(read_table(actual, sno.ACTUALS, sno.Check()))
    today = on or dutch(datetime.now(UTC)).date()
    period = _period([Month.of(today), *(item.month for item in actuals)], None, None, None)
    return _finish("forecast", [table, actual], sno.judge(figures, actuals, today), period, json_file)


@click.command("counts")
@click.argument("table", metavar="[FILE]", type=click.Path(path_type=Path), required=False)
@click.option("--ledger", metavar="URL", help="Count the berichten of this ledger of `serve --db`, instead of a FILE.")
@click.option("--daily", is_flag=True, help="FILE has a row a day, and not a row a bericht.")
@_second("report", "The daily report of the leveranciersportaal, a row a day: judges SNO-RAP-04 too.")
@month
@since
@until
@json_file
def counts(
    table: Path | None,
    ledger: str | None,
    report: Path | None,
    month: "Month | None",
    since: "Month | None",
    until: "Month | None",
    json_file: Path | None,
    *,
    daily: bool,
) -> int:
    """Count berichten (SNO-BER-01, 02, NOT-01, 02, RAP-04, OPS-04, BES-02).

    Offered, processed and rejected a day; the busiest hour and day; how many
    have a bijlage; whether notificaties leave daily, and in order.

    Exit codes: 0 met, 1 missed, 2 bad data or nothing to judge.
    """
    from conformance.sno import counts as sno
    from conformance.sno.tables import read_table

    berichten = _berichten(table, ledger, daily=daily)
    days = _daily(table) if berichten is None and table is not None else sno.days_of(berichten or ())
    reported = None if report is None else sno.days(read_table(report, sno.DAYS, sno.CheckDays()))
    period = _period(sno.months_of(days), month, since, until)
    hourly = () if berichten is None else sno.judge_berichten(berichten, period)
    return _finish("counts", [table, report], (*sno.judge_days(days, period, reported), *hourly), period, json_file)


def _berichten(table: Path | None, ledger: str | None, *, daily: bool) -> "Sequence[Bericht] | None":
    """Return the berichten of a file or a ledger, ``None`` when a file has days."""
    if (table is None) == (ledger is None):
        raise click.UsageError("give a FILE, or --ledger URL, and not both.", click.get_current_context())
    if ledger is not None:
        if daily:
            raise click.UsageError("--daily is about a FILE: a ledger has berichten.", click.get_current_context())
        from conformance.commands.sno_ledger import read_ledger

        return read_ledger(ledger)
    if daily or table is None:
        return None
    from conformance.progress import NowAndThen
    from conformance.sno import counts as sno
    from conformance.sno.tables import iterate_table

    read: list[Bericht] = []
    progress = NowAndThen(sys.stderr)
    for bericht in sno.berichten(iterate_table(table, sno.COLUMNS, sno.check)):
        read.append(bericht)
        progress.tell(lambda: f"{len(read)} berichten read.")
    return read


def _daily(table: Path) -> "Sequence[DayCount]":
    from conformance.sno import counts as sno
    from conformance.sno.tables import read_table

    return sno.days(read_table(table, sno.DAYS, sno.CheckDays()))


@click.command("quota")
@table
@month
@since
@until
@json_file
def quota(table: Path, month: "Month | None", since: "Month | None", until: "Month | None", json_file: Path | None) -> int:
    """Judge requests against their quotas (SNO-ABO-02 to 05, SNO-VAL-01).

    Requests about abonnementen by night, and bevragingen of the
    validatieservice by hour, of all Afnemers together.

    Exit codes: 0 met, 1 missed, 2 bad data or nothing to judge.
    """
    from conformance.sno import quota as sno
    from conformance.sno.tables import read_table

    items = sno.requests(read_table(table, sno.COLUMNS, sno.check))
    period = _period(sno.months_of(items), month, since, until)
    return _finish("quota", [table], sno.judge(items, period), period, json_file)


@click.command("continuity")
@table
@_second("backups", "The back-ups that were made: judges SNO-OPS-01 too.")
@month
@since
@until
@moment
@json_file
def continuity(
    table: Path,
    backups: Path | None,
    month: "Month | None",
    since: "Month | None",
    until: "Month | None",
    moment: datetime | None,
    json_file: Path | None,
) -> int:
    """Judge a calamity log (SNO-OPS-01 to 03, SNO-CON-01).

    What was lost (RPO), how soon service was back (RTO), and how long
    back-ups are kept.

    Exit codes: 0 met, 1 missed, 2 bad data or nothing to judge.
    """
    from conformance.sno import continuity as sno
    from conformance.sno.tables import read_table

    items = sno.calamities(read_table(table, sno.COLUMNS, sno.check))
    kept = None if backups is None else sno.backups(read_table(backups, sno.BACKUPS, sno.check_backup))
    period = _period(sno.months_of(items), month, since, until)
    return _finish("continuity", [table, backups], sno.judge(items, kept, period, moment or datetime.now(UTC)), period, json_file)


@click.command("releases")
@table
@month
@since
@until
@json_file
def releases(table: Path, month: "Month | None", since: "Month | None", until: "Month | None", json_file: Path | None) -> int:
    """Judge a list of releases (SNO-REL-01, SNO-REL-02).

    How many a month, and how long before its content was fixed.

    Exit codes: 0 met, 1 missed, 2 bad data or nothing to judge.
    """
    from conformance.sno import releases as sno
    from conformance.sno.tables import read_table

    items = sno.releases(read_table(table, sno.COLUMNS, sno.check))
    period = _period(sno.months_of(items), month, since, until)
    return _finish("releases", [table], sno.judge(items, period), period, json_file)


MORE: Final[tuple[click.Command, ...]] = (incidents, questions, telephony, forecast, counts, quota, continuity, releases)


def _period(found: "Iterable[Month]", month: "Month | None", since: "Month | None", until: "Month | None") -> "Period":
    """Return the months to judge: the one that was asked for, those that the data are said to cover, or those that they touch and all between."""
    from conformance.sno.calendar import months_between
    from conformance.sno.shares import Period

    if month is not None:
        if since or until:
            raise click.UsageError("--month is one month: give it without --from and --until.", click.get_current_context())
        return Period((month,))
    touched = sorted(set(found))
    first, last = since or next(iter(touched), None), until or next(reversed(touched), None)
    if first is None or last is None:
        return Period(())
    if since and until and until < since:
        raise click.UsageError(f"--until {until} is before --from {since}.", click.get_current_context())
    return Period(tuple(months_between(first, last)), is_stated=bool(since or until))


def _finish(name: str, files: Sequence[Path | None], judgements: "tuple[Judgement, ...]", period: "Period", json_file: Path | None) -> int:
    from conformance.commands.sno_output import Calculation, finish

    spans = (period.months[0].first, max(period.months[-1].days())) if period.months else None
    named = tuple(path for path in files if path is not None)
    return finish(Calculation(name, named, judgements, period=spans), json_file)
