"""How a case looks at what the rules said of everything that was sent in the run."""

from typing import Final

from conformance.berichtenbox.ledger import Offer
from conformance.rules.findings import Finding
from conformance.stage.judging import Judge
from conformance.stage.scene import Scene

_MOST_SHOWN: Final = 3


def look(scene: Scene, judge: Judge, requirement: str) -> tuple[bool, list[Finding]]:
    """Return whether the rule could decide, and what it found; the evidence shows the offers that broke it, or else one that did not."""
    found: list[Finding] = []
    kept: list[Offer] = []
    for offer, grading in scene.gradings():
        objections = grading.of(requirement)
        if objections and len(judge.offers) < _MOST_SHOWN:
            judge.offers.append(offer)
        elif requirement in grading.decided and not kept:
            kept.append(offer)
        found.extend(objections)
    judge.offers.extend(kept if not found else ())
    return bool(kept or found), found
