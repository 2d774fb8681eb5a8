"""How much the abonnementservices are asked a night (SNO-ABO-03 to 05) and the validatieservice an hour (SNO-VAL-01).

Both norms are read as those of all Afnemers together: one Afnemer alone cannot be failed on them, so the share of each is kept apart.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from conformance.limits import limits
from conformance.messages.abonnement import Soort
from conformance.sno.nights import Night, dutch, night_of

VALIDATIE: Final = "validatie"
SOORTEN: Final = (*Soort, VALIDATIE)
_HOUR: Final = timedelta(hours=1)

Shares = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Count:
    """One request: its soort, the OIN of who asked, when (aware, kept in UTC), and how many BSNs it asked about (0 when it names none).

    Raises ``ValueError`` for an unknown soort, a moment without a zone and a negative number.
    """

    soort: str
    oin: str
    moment: datetime
    bsns: int = 0

    def __post_init__(self) -> None:
        if self.soort not in SOORTEN:
            raise ValueError(f"soort must be one of {', '.join(SOORTEN)}")
        if self.moment.utcoffset() is None:
            raise ValueError("the moment of a request needs a time zone")
        if self.bsns < 0:
            raise ValueError("a request cannot ask about fewer than 0 BSNs")
        object.__setattr__(self, "moment", self.moment.astimezone(UTC))  # Python subtracts wall clocks of one zone, wrong across a change of time

    @property
    def weight(self) -> int:
        """What the request takes of its quota: one, and for the validatieservice one for each 250 BSNs that are begun."""
        return max(1, -(-self.bsns // limits().validatie_klanten_max)) if self.soort == VALIDATIE else 1


@dataclass(frozen=True, slots=True)
class NightUse:
    """What was asked of the abonnementservices in one night: the requests of each OIN, for each soort that was asked."""

    night: Night
    shares: Mapping[str, Shares]

    @property
    def totals(self) -> Mapping[str, int]:
        """The requests for each soort, of all Afnemers together."""
        return {soort: sum(shares.values()) for soort, shares in self.shares.items()}

    @property
    def exceeded(self) -> tuple[str, ...]:
        """The soorten that were asked more often than the quota of a night, in the order of the SNO."""
        totals = self.totals
        return tuple(soort for soort in SOORTEN if totals.get(soort, 0) > quota_of(soort))

    def told(self, oin: str | None = None) -> tuple[str, ...]:
        """Return a sentence for each soort that was exceeded, with the share of one Afnemer when its OIN is given."""
        return tuple(
            f"{self.night}: {self.totals[soort]} requests for {soort}, at most {quota_of(soort)}{_share(self.shares[soort], oin)}"
            for soort in self.exceeded
        )


@dataclass(frozen=True, slots=True)
class HourUse:
    """What was asked of the validatieservice in one clock hour: its start in UTC, and the bevragingen of each OIN.

    ``sliding_max`` is the largest number of bevragingen in any 60 minutes that end in this hour: the SNO does not say which hour it means, so the
    clock hour decides and this is a note.
    """

    start: datetime
    shares: Shares
    sliding_max: int

    @property
    def total(self) -> int:
        """The bevragingen of all Afnemers together."""
        return sum(self.shares.values())

    @property
    def is_exceeded(self) -> bool:
        """Whether the clock hour holds more than the norm."""
        return self.total > quota_of(VALIDATIE)

    def told(self, oin: str | None = None) -> tuple[str, ...]:
        """Return a sentence when the hour was exceeded, on the Dutch clock, with the share of one Afnemer when its OIN is given."""
        if not self.is_exceeded:
            return ()
        return (f"hour from {self._when}: {self.total} bevragingen, at most {quota_of(VALIDATIE)}{_share(self.shares, oin)}",)

    def noted(self) -> tuple[str, ...]:
        """Return a sentence when only 60 minutes across two clock hours hold more than the norm: a note, not a verdict."""
        if self.is_exceeded or self.sliding_max <= quota_of(VALIDATIE):
            return ()
        norm = f"at most {quota_of(VALIDATIE)} in a clock hour, which was kept"
        return (f"60 minutes that end in the hour from {self._when}: {self.sliding_max} bevragingen, {norm}",)

    @property
    def _when(self) -> str:
        """The start on the Dutch clock, with its offset: in October one hour comes twice."""
        return dutch(self.start).isoformat(" ", "minutes")


def quota_of(soort: str) -> int:
    """Return how many requests of a soort the SNO allows, in a night or for the validatieservice in an hour; raises ``KeyError``."""
    norms = limits()
    return {
        Soort.ALLES: norms.abonnement_alles_per_night,
        Soort.BSN_LIJST: norms.abonnement_lijst_per_night,
        Soort.MUTATIES: norms.abonnement_mutaties_per_night,
        VALIDATIE: norms.validatie_per_hour,
    }[soort]


def per_night(counts: Iterable[Count]) -> Mapping[Night, NightUse]:
    """Return the use of each night in which an abonnement was asked for, the earliest first; validatie and requests by day are passed over."""
    nights: defaultdict[Night, defaultdict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for count in counts:
        if count.soort != VALIDATIE and (night := night_of(count.moment)):
            nights[night][count.soort][count.oin] += count.weight
    return {night: NightUse(night, {soort: dict(shares) for soort, shares in nights[night].items()}) for night in sorted(nights)}


def outside(counts: Iterable[Count]) -> tuple[Count, ...]:
    """Return the requests for abonnementen that were made by day, in the order given."""
    return tuple(count for count in counts if count.soort != VALIDATIE and night_of(count.moment) is None)


def per_hour(counts: Iterable[Count]) -> Mapping[datetime, HourUse]:
    """Return the use of each clock hour in which the validatieservice was asked, by its start in UTC, the earliest first."""
    shares: defaultdict[datetime, Counter[str]] = defaultdict(Counter)
    most: Counter[datetime] = Counter()
    for count, within in _sliding(sorted((one for one in counts if one.soort == VALIDATIE), key=lambda one: one.moment)):
        hour = count.moment.replace(minute=0, second=0, microsecond=0)
        shares[hour][count.oin] += count.weight
        most[hour] = max(most[hour], within)
    return {hour: HourUse(hour, dict(shares[hour]), most[hour]) for hour in shares}


def _sliding(counts: Iterable[Count]) -> Iterator[tuple[Count, int]]:
    """Yield each request, the earliest first, with the bevragingen of the 60 minutes that end with it."""
    window: deque[Count] = deque()
    within = 0
    for count in counts:
        window.append(count)
        within += count.weight
        while count.moment - window[0].moment >= _HOUR:
            within -= window.popleft().weight
        yield count, within


def _share(shares: Shares, oin: str | None) -> str:
    return "" if oin is None else f"; of this Afnemer {shares.get(oin, 0)}"
