"""Defective Berichtenboxes, as far as their notifications show it: each fails one norm of the SNO that `berichtenbox load notificaties` must find."""
# the name of a defect is a sentence, and what it overrides is documented where it is right

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.notificaties import Distributor, Sent

_EACH: Final = 10


class _SendsLastFirst(Distributor):
    def written(self, sent: Sequence[Sent]) -> Sequence[Sent]:
        moments = [moment for _arrival, moment in sent]
        return [(arrival, moment) for (arrival, _moment), moment in zip(reversed(sent), moments, strict=True)]


class _LosesSome(Distributor):
    def written(self, sent: Sequence[Sent]) -> Sequence[Sent]:
        return [item for item in sent if item[0].bericht_seq % _EACH]


class _SendsSomeTwice(Distributor):
    def written(self, sent: Sequence[Sent]) -> Sequence[Sent]:
        return [item for one in sent for item in ([one] if one[0].bericht_seq % _EACH else [one, one])]


class _SendsAtHalfTheNorm(Distributor):
    slowness = 2


class _SendsTooSoon(Distributor):
    def written(self, sent: Sequence[Sent]) -> Sequence[Sent]:
        return [(arrival, arrival.at - timedelta(seconds=1)) for arrival, _moment in sent]


@dataclass(frozen=True, slots=True)
class NotificatieDefect:
    """A Berichtenbox that does one thing wrong with notifications: what it does, and which norm fails by it."""

    name: str
    does: str
    fails: str
    distributor: type[Distributor]

    def install(self, box: Berichtenbox) -> None:
        """Let a Berichtenbox have this defect, before it runs."""
        box.distributor.__class__ = self.distributor


NOTIFICATIE_DEFECTS: Final = (
    NotificatieDefect("sends_the_last_first", "sends notifications last one first", "SNO-BES-02", _SendsLastFirst),
    NotificatieDefect("loses_some_notifications", "sends no notification of some letters", "SNO-BES-02", _LosesSome),
    NotificatieDefect("sends_some_twice", "sends two notifications of some letters", "SNO-BES-02", _SendsSomeTwice),
    NotificatieDefect("sends_too_soon", "says that notifications left before their letter arrived", "SNO-BES-02", _SendsTooSoon),
    NotificatieDefect("sends_at_half_the_norm", "sends half of what an hour allows, while letters wait", "SNO-NOT-01", _SendsAtHalfTheNorm),
)
