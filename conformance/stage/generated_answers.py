"""Generated answers for an Afnemer that asked who takes letters: of the abonnementservices, and of the validatieservice. A seed repeats them.

What an answer says is what the register of the Berichtenbox holds: only how it says so is generated, so that nobody is told a yes that is none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from conformance.berichtenbox.citizens import Asked
from conformance.berichtenbox.ledger import Offer, PlannedResult, Processed
from conformance.berichtenbox.wire import Exchange
from conformance.berichtenbox.wus_face import PATH as WUS_PATH
from conformance.messages.abonnement import packed_antwoord
from conformance.messages.envelope import Action, Part, answering
from conformance.stage.asking import RECEIVED, Verzoek, ask, at_night, citizens, may_write, of, requests
from conformance.stage.drawing import Drawing
from conformance.stage.hunting import Caught, hunt, hunt_together
from conformance.stage.judging import Judge
from conformance.stage.scene import Scene, yes_no
from conformance.stage.validating import question
from conformance.strategies_answers import (
    CITIZENS,
    TAKERS,
    Answer,
    about_request,
    in_body,
    is_antwoord,
    is_validatie,
    right_antwoorden,
    right_validaties,
    wrong_antwoorden,
    wrong_validaties,
)

_FEWER: Final = 4
_OK: Final = 200
_UNREADABLE: Final = "nobody can take it for an answer"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request about three citizens, the last of whom takes no letters, and the message that it came in."""

    verzoek: Verzoek
    offer: Offer
    bsns: tuple[str, ...]

    def wrong(self, scene: Scene) -> str:
        """Return what is wrong with what the Afnemer made of the answer; empty when nothing is."""
        found, told = scene.driver.abonnementen(self.verzoek.id)
        known = of(told)
        outcomes = [may_write(known, bsn) for bsn in self.bsns]
        if found == RECEIVED and outcomes == _truth():
            return ""
        return f"expected {RECEIVED}: {yes_no(_truth())}, but it is {found}: {yes_no(outcomes)}"


def _truth() -> list[bool]:
    return [place < TAKERS for place in range(CITIZENS)]


class GeneratedAntwoorden:
    """Answers the requests for abonnementen of the Afnemer of a scene."""

    def __init__(self, scene: Scene, drawing: Drawing) -> None:
        self._scene, self._drawing = scene, drawing
        self._oin = scene.box.config.oin

    def right(self) -> Caught[Answer] | None:
        """Answer with what satisfies the sketch of the schema: it is applied."""
        return self._hunt(right_antwoorden(self._oin))

    def wrong(self) -> Caught[Answer] | None:
        """Send what is no answer to the request before the right one: only that is applied."""
        return self._hunt(wrong_antwoorden(self._oin))

    def _hunt(self, strategy: st.SearchStrategy[Answer]) -> Caught[Answer] | None:
        drawing = self._drawing
        return hunt_together(strategy, self._wrong_with, examples=drawing.examples // _FEWER, seed=drawing.seed)

    def _wrong_with(self, answers: Sequence[Answer]) -> Sequence[str]:
        scene, count = self._scene, len(answers)
        scene.begin()  # only the last exchange is told in the evidence
        at_night(scene)
        scene.box.fault("no-answer", times=None)
        with citizens(scene, takers=TAKERS * count, others=count) as bsns:
            takers, others = bsns[: TAKERS * count], bsns[TAKERS * count :]
            groups = [(*takers[TAKERS * place : TAKERS * (place + 1)], other) for place, other in enumerate(others)]
            asked = [self._ask(group) for group in groups]
            self._send([pair for one, answer in zip(asked, answers, strict=True) for pair in self._payloads(one, answer)])
            self._wait(asked)
            return [one.wrong(scene) for one in asked]

    def _ask(self, bsns: tuple[str, ...]) -> _Asked:
        before = self._scene.box.mark()
        verzoek = ask(self._scene, Asked.BSN_LIJST, bsns)
        return _Asked(verzoek, requests(self._scene, before)[-1], bsns)

    def _payloads(self, asked: _Asked, answer: Answer) -> Sequence[tuple[_Asked, bytes]]:
        verzoek_id = asked.verzoek.asked.verzoek_id
        payload = answer.about(about_request(verzoek_id, asked.bsns))
        if answer.is_right:
            return [(asked, payload)]
        plain = b"".join(packed_antwoord(self._oin, verzoek_id, [(int(bsn), True) for bsn in asked.bsns[:TAKERS]]))
        return [*([] if is_antwoord(payload, verzoek_id) else [(asked, payload)]), (asked, plain)]

    def _send(self, payloads: Sequence[tuple[_Asked, bytes]]) -> None:
        """Offer answers in this order, all of them before the Afnemer can look."""
        box = self._scene.box
        now, planned = box.clock.now(), []
        for asked, payload in payloads:
            envelope, verzoek_id = asked.offer.envelope, asked.verzoek.asked.verzoek_id
            part = Part(payload, "application/gzip", "abonnement-antwoord.xml.gz", f"{verzoek_id}-antwoord")
            answer = answering(envelope, box.connection.logius_party, Action.A_RESULT, envelope.message_id, (part,))
            planned.append(PlannedResult(answer, self._oin, verzoek_id, now, face=asked.offer.face))
        box.ledger.commit_processed(Processed({}, (), planned))
        box.settle()

    def _wait(self, asked: Sequence[_Asked]) -> None:
        """Wait until everything is applied, as long as something comes of it."""
        scene, waiting = self._scene, list(asked)

        def are_there() -> bool:
            waiting[:] = [one for one in waiting if one.wrong(scene)]
            return not waiting

        left = len(waiting)
        while not scene.wait(are_there):
            before, left = left, len(waiting)
            if left == before:
                break
        scene.quiet()


class GeneratedValidaties:
    """Answers the questions to the validatieservice of the Afnemer of a scene; ``judge`` gets the last one for the evidence."""

    def __init__(self, scene: Scene, drawing: Drawing, judge: Judge) -> None:
        self._scene, self._drawing, self._judge = scene, drawing, judge

    def right(self) -> Caught[Answer] | None:
        """Answer with what the schema takes: everybody has the right outcome."""
        return self._hunt(right_validaties(), lambda told, bsns: [told.get(bsn) for bsn in bsns] == _truth())

    def wrong(self) -> Caught[Answer] | None:
        """Answer with what is no answer: nobody has a yes."""
        return self._hunt(wrong_validaties(), lambda told, _bsns: not any(told.values()))

    def _hunt(self, strategy: st.SearchStrategy[Answer], is_good: Callable[[Mapping[str, bool], Sequence[str]], bool]) -> Caught[Answer] | None:
        drawing = self._drawing
        with citizens(self._scene, takers=TAKERS, others=CITIZENS - TAKERS) as bsns:
            return hunt(strategy, lambda answer: self._wrong_with(answer, bsns, is_good), examples=drawing.examples // 2, seed=drawing.seed)

    def _wrong_with(self, answer: Answer, bsns: Sequence[str], is_good: Callable[[Mapping[str, bool], Sequence[str]], bool]) -> str:
        sent: list[bytes] = []
        self._scene.begin()  # only the last exchange is told in the evidence
        with self._answering(answer, bsns, sent):
            found = question(self._scene, bsns)
        found.check_named(bsns)
        self._judge.exchanges = [self._exchange(document) for document in sent[-1:]]
        if not answer.is_right and not any(not is_validatie(document) for document in sent):
            return ""  # the damage did no harm
        told = {outcome.bsn: outcome.bericht_sturen for outcome in found.outcomes}
        return "" if is_good(told, bsns) else f"{'expected yes, yes, no' if answer.is_right else 'expected no yes'}, but it is {found.seen(bsns)}"

    @contextmanager
    def _answering(self, answer: Answer, bsns: Sequence[str], sent: list[bytes]) -> Iterator[None]:
        def rewritten(envelope: bytes) -> tuple[bytes, str]:
            sent.append(in_body(answer, bsns, envelope))
            return sent[-1], "" if is_validatie(sent[-1]) else _UNREADABLE

        self._scene.box.rewrite_validatie = rewritten
        try:
            yield
        finally:
            self._scene.box.rewrite_validatie = None

    def _exchange(self, document: bytes) -> Exchange:
        """Return what the evidence tells of an answer: of the question there is only the record."""
        wall, business = self._scene.box.wall(), self._scene.box.clock.now()
        kind = (("content-type", "text/xml"),)
        note = "the question stands on the record only"
        return Exchange(True, "", "", "", "POST", WUS_PATH, "1.1", (), b"", (), 0, _OK, kind, document, "", note, wall, business)  # noqa: FBT003
