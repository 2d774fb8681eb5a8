"""The validatieservice: what the Afnemer asks, how it spreads that over questions, and which outcomes it takes from plain answers."""

import pytest

from conformance.berichtenbox import wus_remarks
from conformance.messages.validatie import MOST_KLANTEN
from conformance.stage.asking import citizens
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.scene import Scene
from conformance.stage.validating import check_asks, declining, declining_type, question, readable_question
from conformance.verdicts import Reason

_MANY = 40
_MOST_QUESTIONS = 4


@decides("VAL-001", "VAL-002")
@pytest.mark.parametrize("count", [MOST_KLANTEN + 1, 2 * MOST_KLANTEN])
def test_many_citizens_are_spread_over_questions(scene: Scene, judge: Judge, count: int) -> None:
    """Of more than 250 citizens each gets the right outcome, in questions about 250 at most; those at the edges say no."""
    bsns = scene.crowd(count)
    refusing = {bsns[0], bsns[MOST_KLANTEN - 1], bsns[MOST_KLANTEN], bsns[-1]}
    with declining(scene, refusing):
        found = readable_question(scene, bsns)
    wrong = [bsn for bsn in found.wrong({bsn: bsn not in refusing for bsn in bsns}) if found.has_answer_about(bsn) or not found.told(bsn)]

    largest = max(asked.count for asked in found.bevragingen)
    if found.total < MOST_KLANTEN:
        judge.undecided("VAL-001", Reason.NO_TRAFFIC, f"the Afnemer asked about {found.total} of {count} citizens; see VAL-002")
    else:
        judge.that("VAL-001", largest <= MOST_KLANTEN, expected=f"at most {MOST_KLANTEN} klanten in each", seen=f"{largest} klanten in one")
    judge.that("VAL-002", not wrong, expected=f"the right outcome for all {count}", seen=f"{len(wrong)} without it {found.trouble}".rstrip())


@decides("VAL-004")
def test_bericht_type_is_that_of_the_letter(scene: Scene, judge: Judge) -> None:
    """Each BerichtType of the Afnemer that is asked for is the berichtTypeCode of the question."""
    wanted = scene.box.config.bericht_types[:2]
    found = [(kind, {asked.bericht_type for asked in readable_question(scene, [scene.citizen()], kind).bevragingen}) for kind in wanted]

    wrong = "; ".join(f"{', '.join(sorted(seen))} for {kind}" for kind, seen in found if seen != {kind})
    judge.that("VAL-004", not wrong, expected="the BerichtType that was asked for", seen=wrong)


@decides("VAL-007")
def test_impossible_bsn_is_not_asked(scene: Scene, judge: Judge) -> None:
    """A BSN that fails the elfproef stays home; the Afnemer may refuse it, or all that was asked with it."""
    bsn, other = scene.citizen(), scene.citizen()
    readable_question(scene, [bsn])
    found = question(scene, [other, _impossible(bsn)], must_come=False)

    remarks = [remark for call in found.calls for remark in wus_remarks.read(call.note) if remark.requirement in {"VAL-006", "VAL-007"}]
    judge.that("VAL-007", not remarks, expected="not asked", seen="; ".join(remark.text for remark in remarks))


def _impossible(bsn: str) -> str:
    """Return nine digits that fail the elfproef: any other last digit than that of a BSN."""
    return f"{bsn[:-1]}{(int(bsn[-1]) + 1) % 10}"


@decides("VAL-020")
def test_many_citizens_go_together(scene: Scene, judge: Judge) -> None:
    """Forty citizens go in some questions, not in forty."""
    bsns = [scene.citizen() for _ in range(_MANY)]
    found = readable_question(scene, bsns)
    found.check_named(bsns)

    count = len(found.bevragingen)
    judge.that("VAL-020", count <= _MOST_QUESTIONS, expected=f"at most {_MOST_QUESTIONS} questions about {_MANY} citizens", seen=f"{count} questions")


@decides("VAL-021")
def test_citizen_asked_twice_has_one_outcome(scene: Scene, judge: Judge) -> None:
    """A citizen who stands twice in what is asked gets the outcome that the service gave, whoever stands in between."""
    check_asks(scene)
    with citizens(scene, takers=2, others=1) as bsns:
        found = question(scene, [*bsns, bsns[0], bsns[2]], must_come=False)

    wrong = found.wrong({bsns[0]: True, bsns[1]: True, bsns[2]: False})
    judge.that("VAL-021", not wrong, expected="yes, yes, no", seen=found.seen(bsns))


@decides("VAL-022")
def test_false_is_a_no(scene: Scene, judge: Judge) -> None:
    """Of who has no Berichtenbox, which is answered as of who is unknown, the outcome is no; it is no error."""
    bsns = scene.citizen(), scene.citizen()
    with declining(scene, [bsns[1]]):
        found = readable_question(scene, bsns)
    found.check_named(bsns)

    judge.that("VAL-022", not found.wrong({bsns[1]: False}), expected="no for the second", seen=found.seen(bsns))


@decides("VAL-023")
def test_outcome_is_of_one_bericht_type(scene: Scene, judge: Judge) -> None:
    """A citizen who takes one BerichtType and not another gets an outcome for each, however they are asked after each other."""
    types = scene.box.config.bericht_types
    if len(types) < 2:
        raise NotTestedError(Reason.ELEMENT_NOT_USED, "the profile has one BerichtType; name two in [afnemer] bericht_types")
    check_asks(scene)
    bsn = scene.citizen()
    seen: list[str] = []
    with declining_type(scene, bsn, types[0]):
        for kind in (types[0], types[1], types[0]):
            found = question(scene, [bsn], kind, must_come=not seen)
            seen.append(found.seen([bsn]))

    judge.that("VAL-023", seen == ["no", "yes", "no"], expected=f"no for {types[0]}, yes for {types[1]}, and no again", seen=", ".join(seen))
