"""The Berichtenbox that a test gets: the simulated one behind a port of its own, with what a test does and asks in a few words.

Each test has a new one, ledger and port included: nothing that a test did, or that its sender still does afterwards, reaches the next.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from conformance.berichtenbox.app import ServerError, Urls, running
from conformance.berichtenbox.box import Berichtenbox, Mark
from conformance.berichtenbox.faults import Fault, FaultError, Point
from conformance.berichtenbox.register import ConnectionConfig
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.identities import passes_elfproef
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.plugin import telling
from conformance.plugin.received import (
    ADAPTER,
    OfferedVerwerkingsbericht,
    ReceivedBericht,
    Wanted,
    berichten_of,
    fails,
    findings_of,
    results_of,
)
from conformance.plugin.wishes import CannotGive, Wishes
from conformance.profile_keys import did_you_mean
from conformance.rules.findings import Finding

_BEGIN: Final = Mark(0, 0)
_STEP_S: Final = 0.01
_REFUSALS: Final = tuple(code for code in VerwerkingsCode if code is not VerwerkingsCode.VERWERKT)
_UNREADABLE: Final = Finding(ADAPTER, "POST /ebms/messages", "a MessageRequest of ebms-core v19", "a body that is none; the adapter answered 500")


class BerichtenboxInTest:
    """A simulated Berichtenbox for one test. It works in the background: what your sender offers gets its verwerkingsbericht by itself."""

    def __init__(self, box: Berichtenbox, urls: Urls, seed: int = 0) -> None:
        self.box = box
        """The simulated Berichtenbox itself, for what is not here."""
        self._urls, self._seed = urls, seed

    def __repr__(self) -> str:
        counts = self.box.ledger.counts()
        return f"<BerichtenboxInTest {self.url}: {', '.join(f'{number} {name}' for name, number in sorted(counts.items())) or 'nothing received'}>"

    # -- where it is -----------------------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it listens: ``http://127.0.0.1:PORT``."""
        return self._urls.url

    @property
    def adapter(self) -> str:
        """The REST API of ebms-core (``.../service/rest/v19``): where an application sends, and fetches its results."""
        return self._urls.adapter

    @property
    def wus(self) -> str:
        """The BerichtenboxValidatieService."""
        return self._urls.wus

    @property
    def control(self) -> str:
        """The control face, for who would rather set clock and faults over HTTP."""
        return self._urls.control

    @property
    def cpa_id(self) -> str:
        """The id of the CPA of this connection."""
        return self.box.connection.cpa_id

    @property
    def oin(self) -> str:
        """The OIN of the Afnemer under test."""
        return self.box.config.oin

    @property
    def env(self) -> dict[str, str]:
        """The ``BERICHTENBOX_*`` variables that tell an application all of this, as ``certify`` gives them; there is no ebMS2 face here."""
        config = self.box.config
        return {
            "BERICHTENBOX_ADAPTER": self.adapter,
            "BERICHTENBOX_WUS": self.wus,
            "BERICHTENBOX_CPA_ID": self.cpa_id,
            "BERICHTENBOX_OIN": self.oin,
            "BERICHTENBOX_LOGIUS_OIN": config.logius_oin,
            "BERICHTENBOX_BERICHT_TYPES": ",".join(config.bericht_types),
            "BERICHTENBOX_SEED": str(self._seed),
        }

    # -- clock, faults and citizens --------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The moment on the business clock, in UTC."""
        return self.box.clock.now()

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Move the business clock ahead, let happen what is due on the way, and return the new moment; raises ``ValueError`` for a step back."""
        by = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if by < timedelta():
            raise ValueError(f"the business clock only moves ahead, not by {by}")
        return self.box.advance(seconds=by.total_seconds())

    def fault(self, name: str, **parameters: Any) -> Fault:
        """Set a named fault (``"unavailable"``, ``"late"``, ...) that strikes once, or ``times=``; raises ``FaultError``, which names them all."""
        return self.box.fault(name, **parameters)

    def reject_next(self, code: str, times: int = 1, *, bsn: str | None = None) -> None:
        """Answer each bericht of the next ``times`` batches with this VerwerkingsCode, or the next ``times`` letters to one citizen.

        Raises ``FaultError`` for a code that does not exist or is no refusal, and ``ValueError`` for what is no BSN.
        """
        if code not in _REFUSALS:
            hint = did_you_mean(code, [str(one) for one in _REFUSALS]) or f"one of {', '.join(_REFUSALS)}"
            raise FaultError(f"{code[:60]!r} is no VerwerkingsCode that refuses a bericht.\n  Hint: {hint}")
        if times < 1:
            raise FaultError(f"times = {times}: expected a whole number of at least 1")
        if bsn is None:
            self.box.fault("code", code=code, times=times)
        else:
            self.box.answer(_checked_bsn(bsn), *[VerwerkingsCode(code)] * times)

    def citizen(self, bsn: str, *, wants: bool, bericht_type: str | None = None) -> None:
        """Say whether a citizen has an active Berichtenbox, or wants letters of one BerichtType; raises ``ValueError`` for what is no BSN.

        All reserved test BSNs have an active Berichtenbox, and want every letter, until a test says otherwise.
        """
        if bericht_type is None:
            self.box.set_burger(_checked_bsn(bsn), wants=wants)
        else:
            self.box.set_voorkeur(_checked_bsn(bsn), wants=wants, bericht_type=bericht_type)

    # -- what came in and went out ---------------------------------------------------------------------------------------------------------

    def received(
        self, bericht_type: str | None = None, bsn: str | None = None, onderwerp: str | None = None, code: str | None = None
    ) -> list[ReceivedBericht]:
        """Return the berichten that were acknowledged, oldest first: all of them, or those that fit. A refused one is here too, with its ``code``."""
        wanted = Wanted(bericht_type, bsn, onderwerp, code)
        return [item for item in self._all_received() if wanted.fits(item)]

    def _all_received(self) -> list[ReceivedBericht]:
        self.box.settle()
        return berichten_of(self.box.offers(_BEGIN), self.box.berichten(_BEGIN))

    def results(self) -> list[OfferedVerwerkingsbericht]:
        """Return the verwerkingsberichten that were offered, oldest first; one that is offered again stands here again."""
        self.box.settle()
        return results_of(self.box.results(_BEGIN))

    def findings(self) -> list[Finding]:
        """Return what the rules of the koppelvlak have against what was offered, warnings included; nothing here names a BSN."""
        self.box.settle()
        return [*self._unreadable(), *findings_of(self.box.offers(_BEGIN))]

    def refused(self) -> list[Finding]:
        """Return the findings on which a certification would fail: rule id, where, expected and seen. Warnings are left out."""
        return [finding for finding in self.findings() if fails(finding)]

    def _unreadable(self) -> list[Finding]:
        """Return a finding for each request that was none; with a fault on the same place nobody can tell them apart."""
        if any(fault.point is Point.POST and fault.fired for fault in self.box.faults.all()):
            return []
        return [_UNREADABLE for call in self.box.calls(_BEGIN) if (call.operation, call.status) == (Point.POST, 500)]

    # -- assertions ------------------------------------------------------------------------------------------------------------------------

    def assert_received(
        self,
        count: int = 1,
        *,
        bericht_type: str | None = None,
        bsn: str | None = None,
        onderwerp: str | None = None,
        code: str | None = None,
        within_s: float = 0,
    ) -> list[ReceivedBericht]:
        """Assert that so many berichten came in that fit, and return them; with ``within_s`` a sender in the background gets that long."""
        __tracebackhide__ = True
        wanted = Wanted(bericht_type, bsn, onderwerp, code)
        _wait(lambda: sum(map(wanted.fits, self._all_received())) >= count, within_s)
        all_of = self._all_received()
        fitting = [item for item in all_of if wanted.fits(item)]
        if len(fitting) != count:
            raise AssertionError(telling.other_berichten(self.url, (count, wanted), len(fitting), all_of, self.refused()))
        return fitting

    def assert_no_findings(self) -> None:
        """Assert that something was offered, and that a certification would fail on none of it."""
        __tracebackhide__ = True
        findings = self.findings()
        failing = [finding for finding in findings if fails(finding)]
        if failing:
            raise AssertionError(telling.with_findings(self.url, failing, len(findings) - len(failing)))
        if not self.box.offers(_BEGIN):
            raise AssertionError(telling.nothing_offered(self.url, "at least one message, for without any no rule was asked"))

    def assert_results_processed(self, *, within_s: float = 0) -> None:
        """Assert that a verwerkingsbericht was offered, and that the Afnemer marked each one as processed."""
        __tracebackhide__ = True
        _wait(lambda: {item.is_processed for item in self.results()} == {True}, within_s)
        results = self.results()
        waiting = [item for item in results if not item.is_processed]
        if waiting:
            raise AssertionError(telling.unprocessed(self.url, waiting, len(results)))
        if not results:
            raise AssertionError(telling.nothing_offered(self.url, "a batch, for without one there is no verwerkingsbericht to process"))


class PortTaken(CannotGive):
    """Somebody else listens on the port that was asked for."""

    def __init__(self, error: ServerError) -> None:
        what, _, _ = str(error).partition("\n")
        super().__init__(f"{what}\n  Hint: give another --berichtenbox-port, or none for a free one")


@contextmanager
def opened(wishes: Wishes) -> Iterator[BerichtenboxInTest]:
    """Run a new Berichtenbox for as long as the block takes; raises :class:`PortTaken`."""
    config = ConnectionConfig(oin=wishes.oin, bericht_types=wishes.bericht_types)
    with ExitStack() as opening:
        ledger = opening.enter_context(SqlLedger("sqlite://"))
        box = Berichtenbox(ledger, config, seed=wishes.seed)
        try:
            urls = opening.enter_context(running(box, port=wishes.port))
        except ServerError as error:
            raise PortTaken(error) from None
        yield BerichtenboxInTest(box, urls, wishes.seed)


def _checked_bsn(bsn: str) -> str:
    if not passes_elfproef(bsn):
        raise ValueError("that is no BSN: nine digits that pass the elfproef, such as the test BSN 999990019")
    return bsn


def _wait(is_so: Callable[[], bool], within_s: float) -> None:
    """Wait until something is so, or the time is over. In steps, for a test may have frozen every clock."""
    resting = threading.Event()
    for _ in range(round(within_s / _STEP_S)):
        if is_so():
            return
        resting.wait(_STEP_S)
