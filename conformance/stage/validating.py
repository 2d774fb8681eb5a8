"""How cases have an Afnemer ask the validatieservice, and what they see of that: the questions that came in, and the outcomes it tells."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from conformance.afnemer.driver import BadAnswer, Outcome, Refused
from conformance.berichtenbox import wus_remarks
from conformance.berichtenbox.box import Mark
from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.berichtenbox.ledger import Call
from conformance.berichtenbox.wus_face import OPERATION
from conformance.stage.asking import citizens
from conformance.stage.judging import NotTestedError
from conformance.stage.scene import Scene
from conformance.verdicts import Reason


@dataclass(frozen=True, slots=True)
class Question:
    """What came of asking: the outcomes, or why the Afnemer gives none (``trouble``), and what the validatieservice saw of it."""

    outcomes: Sequence[Outcome]
    trouble: str
    bevragingen: Sequence[Bevraging]
    calls: Sequence[Call]

    @property
    def total(self) -> int:
        """How many citizens were named, in all questions together."""
        return sum(asked.count for asked in self.bevragingen)

    def check_named(self, bsns: Collection[str]) -> None:
        """Stop a case when the Afnemer did not ask about everybody: an outcome may be what it knew before. Raises :class:`NotTestedError`."""
        if self.total < len(bsns):
            text = f"the Afnemer asked about {self.total} of {len(bsns)} citizens: does POST /validatie ask each time?"
            raise NotTestedError(Reason.NO_TRAFFIC, text)

    def told(self, bsn: str) -> frozenset[bool]:
        """Return what the Afnemer tells of a citizen: nothing for no outcome, and both when it says so."""
        return frozenset(outcome.bericht_sturen for outcome in self.outcomes if outcome.bsn == bsn)

    def wrong(self, expected: Mapping[str, bool]) -> Sequence[str]:
        """Return who does not have the one outcome that is expected."""
        return [bsn for bsn, takes in expected.items() if self.told(bsn) != {takes}]

    def seen(self, bsns: Iterable[str]) -> str:
        """Return what the Afnemer tells of citizens as people read it, in the order given."""
        words = ("/".join("yes" if takes else "no" for takes in sorted(self.told(bsn))) or "no outcome" for bsn in bsns)
        return ", ".join(words) + (f" ({self.trouble})" if self.trouble else "")

    def has_answer_about(self, bsn: str) -> bool:
        """Tell whether the validatieservice answered about a citizen, as far as the Afnemer can read."""
        return any(asked.is_answered and asked.bsns is not None and asked.bsns.has(bsn) for asked in self.bevragingen)

    def left_out(self, bsns: Iterable[str]) -> Sequence[str]:
        """Return who stands in no answer."""
        return [bsn for bsn in bsns if not self.has_answer_about(bsn)]

    def unfounded(self, bsns: Iterable[str]) -> Sequence[str]:
        """Return who has a yes that no answer gave."""
        return [bsn for bsn in self.left_out(bsns) if True in self.told(bsn)]


def question(scene: Scene, bsns: Sequence[str], bericht_type: str | None = None, *, must_come: bool = True) -> Question:
    """Have the Afnemer ask about citizens; a refusal, or a failure of its own, is no outcome.

    Raises :class:`NotTestedError` when no question comes that must, and :class:`DriverError` when the Afnemer cannot be asked.
    """
    mark = scene.box.mark()
    outcomes: Sequence[Outcome] = ()
    trouble: Refused | BadAnswer | None = None
    try:
        outcomes = scene.driver.validate(bericht_type or scene.bericht_type, bsns)
    except (Refused, BadAnswer) as error:
        trouble = error
    if scene.box.faults.all():
        scene.look_until(lambda: bool(_calls(scene, mark)))  # who does not wait for a slow answer is back before it is on the record
    calls = _calls(scene, mark)
    scene.asked_for.append(range(mark.bevraging + 1, scene.box.mark().bevraging + 1))
    if must_come and not calls:
        raise trouble or NotTestedError(Reason.NO_TRAFFIC, "no question reached the validatieservice: does POST /validatie ask each time?")
    return Question(outcomes, "" if trouble is None else trouble.what, validations(scene.box.bevragingen(mark)), calls)


def _calls(scene: Scene, since: Mark) -> Sequence[Call]:
    return [call for call in scene.box.calls(since) if call.operation == OPERATION]


def readable_question(scene: Scene, bsns: Sequence[str], bericht_type: str | None = None) -> Question:
    """Have the Afnemer ask; raises :class:`NotTestedError` too when the validatieservice cannot read what comes, or may not answer it."""
    found = question(scene, bsns, bericht_type)
    broken = sorted({remark.requirement for call in found.calls for remark in wus_remarks.read(call.note)} & {"VAL-003", "VAL-005", "VAL-008"})
    if broken or not found.bevragingen:
        text = f"mend {', '.join(broken)} first" if broken else "it was in trouble, as a case wanted"
        raise NotTestedError(Reason.NO_TRAFFIC, f"the validatieservice does not answer this Afnemer; {text}")
    return found


def check_asks(scene: Scene) -> None:
    """Stop a case about answers that are unusual, when the Afnemer does not even get a plain yes and no right."""
    with citizens(scene, takers=1, others=1) as bsns:
        found = readable_question(scene, bsns)
    if found.wrong(dict(zip(bsns, (True, False), strict=True))):
        raise NotTestedError(Reason.NO_TRAFFIC, f"the Afnemer does not tell a plain yes and no: {found.seen(bsns)}; see VAL-002 and VAL-022")


def validations(bevragingen: Iterable[Bevraging]) -> Sequence[Bevraging]:
    """Return the questions to the validatieservice among others."""
    return [asked for asked in bevragingen if asked.asked is Asked.VALIDATIE]


@contextmanager
def declining(scene: Scene, bsns: Collection[str]) -> Iterator[None]:
    """Let citizens have no active Berichtenbox for as long as the block takes."""
    for bsn in bsns:
        scene.box.set_burger(bsn, wants=False)
    try:
        yield
    finally:
        for bsn in bsns:
            scene.box.set_burger(bsn, wants=True)


@contextmanager
def declining_type(scene: Scene, bsn: str, bericht_type: str) -> Iterator[None]:
    """Let a citizen take no letters of one BerichtType for as long as the block takes."""
    scene.box.set_voorkeur(bsn, wants=False, bericht_type=bericht_type)
    try:
        yield
    finally:
        scene.box.set_voorkeur(bsn, wants=True, bericht_type=bericht_type)
