"""The rules of aanleveren, over everything that the Afnemer offered in the run: run last, so that there is much to look at."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conformance.afnemer.driver import Letter, Refused
from conformance.catalogue import catalogue
from conformance.rules.grading import rule_requirements
from conformance.stage.gradings import look
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.pdfs import pdf
from conformance.stage.scene import Scene, attachment
from conformance.transport.ebms2.names import Kind
from conformance.verdicts import Reason, Verdict

# Elements that test-control has no word for: an Afnemer that does not use them has nothing to prove.
_OPTIONAL = {
    "AANL-058": "PublicatieDatum",
    "AANL-059": "PublicatieDatum",
    "AANL-061": "EindDatumHandelingsTermijn",
    "AANL-062": "EindDatumHandelingsTermijn",
    "AANL-074": "Referentie",
    "AANL-003": "toPartyId",
}
RULES = sorted(name for name in rule_requirements() if name.startswith("AANL-") and catalogue()[name].binds != "logius")


@pytest.fixture(scope="session")
def corpus(scene: Scene) -> None:
    """Have letters of every kind delivered: plain, with line breaks and a URL, to be published later, with one and with two bijlagen."""
    scene.begin()
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    kinds: list[dict[str, Any]] = [
        {},
        {"tekst": "Beste lezer,\nzie https://example.nl/zaak .\n\nMet groet"},
        {"publicatie_datum": later},
        {"bijlagen": (attachment(pdf(), "Besluit"),)},
        {"bijlagen": (attachment(pdf(), "Besluit"), attachment(pdf(3_000), "Toelichting"))},
    ]
    for letters in ([scene.letter(**kind) for kind in kinds], [scene.letter()]):
        _deliver_what_it_takes(scene, letters)
    scene.quiet()


def _deliver_what_it_takes(scene: Scene, letters: list[Letter]) -> None:
    """Have letters delivered together, and one by one when the Afnemer refuses something among them."""
    try:
        scene.driver.deliver(letters, 3)
    except Refused:
        for letter in letters:
            with contextlib.suppress(Refused):
                scene.driver.deliver([letter])


@pytest.mark.parametrize("requirement", [pytest.param(name, marks=decides(name)) for name in RULES])
@pytest.mark.usefixtures("corpus")
def test_rule_holds_on_everything_offered(scene: Scene, judge: Judge, requirement: str) -> None:
    """No offer of the run breaks the rule, and at least one could have."""
    is_decided, found = look(scene, judge, requirement)

    if not is_decided and requirement in _OPTIONAL:
        judge.undecided(requirement, Reason.ELEMENT_NOT_USED, f"{_OPTIONAL[requirement]} was not used", Verdict.NOT_APPLICABLE)
    elif not is_decided:
        raise NotTestedError(Reason.NOT_SEEN, "nothing was offered on which this rule could decide")
    else:
        judge.findings(requirement, found)


@decides("AANL-011")
@pytest.mark.usefixtures("corpus")
def test_status_request_is_not_used(scene: Scene, judge: Judge) -> None:
    """In the whole run nobody asked by StatusRequest what became of a bericht."""
    if not scene.box.offers(scene.run_mark):
        raise NotTestedError(Reason.NO_TRAFFIC, "nothing was offered, so there was nothing to ask about")
    seen = scene.box.exchanges(scene.run_mark)
    asked = scene.operations("status", scene.run_mark) + sum(one.is_incoming and one.kind == Kind.STATUS_REQUEST for one in seen)

    judge.that("AANL-011", not asked, expected="no StatusRequest: it always ends in an error here", seen=f"{asked} of them")
