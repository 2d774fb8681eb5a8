"""Options that the calculators of `berichtenbox sno` share, and how a month, a date and the feestdagen are written on the command line."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from conformance.commands.options import Decorator

if TYPE_CHECKING:
    from conformance.sno.calendar import Feestdagen, Month

_GOEDE_VRIJDAG: Final = "goede-vrijdag"
_BEVRIJDINGSDAG: Final = "bevrijdingsdag"


class MonthType(click.ParamType["Month"]):
    """A calendar month, such as 2026-03."""

    name = "month"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Month":
        """Return the month; fails on what is none."""
        from conformance.sno.calendar import Month

        try:
            return Month.read(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class DayType(click.ParamType[date]):
    """A date, such as 2026-03-01, as it may stand in a table."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the date; fails on what is none."""
        from conformance.sno.cells import CellError, read_date

        try:
            return read_date(str(value))
        except CellError as error:
            why = f" ({error.why})" if error.why else ""
            self.fail(f"expected a date such as 2026-03-01, not {value!r}{why}.", param, ctx)


class FeestdagenType(click.ParamType["Feestdagen"]):
    """Feestdagen on which this organisation works, with commas between them."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Feestdagen":
        """Return the feestdagen that are left; fails on a day that is no choice."""
        from conformance.sno.calendar import Feestdagen

        named = {part.strip().casefold() for part in str(value).split(",") if part.strip()}
        unknown = named - {_GOEDE_VRIJDAG, _BEVRIJDINGSDAG}
        if unknown:
            self.fail(f"{', '.join(sorted(unknown))}: only {_GOEDE_VRIJDAG} and {_BEVRIJDINGSDAG} are a choice.", param, ctx)
        return Feestdagen(goede_vrijdag=_GOEDE_VRIJDAG not in named, bevrijdingsdag=_BEVRIJDINGSDAG not in named)


MONTH: Final = MonthType()
DAY: Final = DayType()

table: Final[Decorator] = click.argument("table", metavar="FILE", type=click.Path(path_type=Path))
month: Final[Decorator] = click.option("--month", type=MONTH, metavar="MONTH", help="Only this month, such as 2026-03.")
json_file: Final[Decorator] = click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the same outcome as JSON."
)
feestdagen: Final[Decorator] = click.option(
    "--works-on",
    "feestdagen",
    type=FeestdagenType(),
    default="",
    metavar="DAYS",
    help=f"Feestdagen that are werkdagen here: {_GOEDE_VRIJDAG}, {_BEVRIJDINGSDAG}, or both with a comma.",
)
