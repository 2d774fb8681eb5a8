"""The rules of ebMS2 on the wire, over every message that the Afnemer sent in the run: run last, so that there is much to look at."""

import contextlib
from typing import Final

import pytest

from conformance.afnemer.driver import Refused
from conformance.rules.findings import Finding
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.stage.pdfs import pdf
from conformance.stage.scene import Scene, attachment
from conformance.stage.sent import Traffic
from conformance.transport.cpa import Cpa, CpaFinding
from conformance.transport.cpa_check import check
from conformance.transport.ebms2.agreements import AgreementError
from conformance.transport.ebms2.wire_rules import RULES, grade_sent
from conformance.verdicts import Reason

_ASYNC_ONLY: Final = frozenset({"EBMS-019"})
_MOST_SHOWN: Final = 3


def _cpa(scene: Scene) -> Cpa:
    if scene.line is None:
        raise NotTestedError(Reason.FACE_NOT_USED, "this run is not over ebMS2")
    return scene.line.cpa


@pytest.fixture(scope="session")
def traffic(scene: Scene) -> Traffic:
    """Have some letters delivered, one and two to a message, with and without a bijlage, and give everything that was ever sent."""
    scene.begin()
    try:
        found = Traffic(scene, _cpa(scene))
    except AgreementError as error:
        raise NotTestedError(Reason.NO_TRAFFIC, f"the CPA cannot be used: {error}") from None
    for letters in (scene.letters(2), [scene.letter(bijlagen=(attachment(pdf(), "Besluit"),))]):
        with contextlib.suppress(Refused):  # an Afnemer need not use bijlagen
            scene.driver.deliver(letters)
        scene.wait(lambda: False, is_patient=False)
    return found


def _params() -> list[object]:
    return [pytest.param(name, marks=(decides(name), needs("ebms", "async") if name in _ASYNC_ONLY else needs("ebms"))) for name in sorted(RULES)]


@pytest.mark.parametrize("requirement", _params())
def test_rule_holds_on_every_message(traffic: Traffic, judge: Judge, requirement: str) -> None:
    """No message that was sent in the run breaks the rule, and at least one could have."""
    graded = grade_sent(requirement, traffic.messages(), traffic.agreed)

    if not graded.is_decided:
        raise NotTestedError(Reason.NOT_SEEN, "no message was sent on which this rule could decide")
    judge.exchanges.extend(traffic.exchange_of(sent) for sent in graded.broken_by[:_MOST_SHOWN])
    judge.findings(requirement, graded.findings)


@decides("EBMS-102")
@needs("ebms")
def test_cpa_agrees_with_itself(scene: Scene, judge: Judge) -> None:
    """The CPA of this run has no mistakes, and nothing of which a gateway may stumble."""
    scene.check_reaches()  # a CPA that nobody uses proves nothing of an Afnemer
    found = check(_cpa(scene), scene.box.wall())

    judge.findings("EBMS-102", [_finding(one) for one in found if not _is_allowed(one)])


def _is_allowed(found: CpaFinding) -> bool:
    """Tell whether a warning is about what a test connection may have: plain http on this machine, and signals in the HTTP answer."""
    return found.is_warning and (found.what == "endpoint" or (found.what == "sync-reply" and found.expected == "syncReplyMode none"))


def _finding(found: CpaFinding) -> Finding:
    return Finding("EBMS-102", f"the CPA, {found.where}", found.expected, f"{found.got} ({found.hint})", found.is_warning)
