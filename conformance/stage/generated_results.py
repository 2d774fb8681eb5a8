"""Generated verwerkingsberichten for an Afnemer: right ones, and ones that nobody can take for a result, each about a bericht that it really offered.

They all wait before the Afnemer looks once: one that polls now and then is not waited for again and again. A seed repeats them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from conformance.afnemer.driver import AfnemerStatus, BerichtStatus, Delivered
from conformance.berichtenbox.ledger import Offer, PlannedResult, Processed
from conformance.messages.batch import Batch
from conformance.messages.envelope import Action, Part, answering
from conformance.messages.verwerkingsbericht import Resultaat, Stadium, Verwerkingsbericht, VerwerkingsCode
from conformance.stage.drawing import Drawing
from conformance.stage.hunting import Caught, hunt_together
from conformance.stage.judging import NotTestedError
from conformance.stage.scene import REFUSED_VISIBLY, Scene, told
from conformance.strategies_answers import Answer, about_batch, damaged_results, is_result, nearly_right_results, right_results
from conformance.verdicts import Reason

_AT_ONCE: Final = 12  # what nobody can read stays in the queue: no more of it than a client that takes a few at a time gets past
_CODE_AFTER: Final = VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD


@dataclass(frozen=True, slots=True)
class _Place:
    """Berichten of one batch that a generated result is about."""

    offer: Offer
    batch: Batch
    items: tuple[Delivered, ...]

    def payload(self, answer: Answer) -> bytes:
        """Return a generated result about them."""
        return answer.about(about_batch(self.batch.batch_id, [item.bericht_id for item in self.items]))


class GeneratedResults:
    """Sends generated results to the Afnemer of a scene."""

    def __init__(self, scene: Scene, drawing: Drawing) -> None:
        self._scene, self._drawing = scene, drawing
        self._of = (scene.box.config.oin, scene.bericht_type, scene.box.clock.now())

    def right(self) -> Caught[Answer] | None:
        """Send results that the schema takes: each bericht gets the status of its VerwerkingsCode, once."""
        return self._hunt(right_results(*self._of), self._wrong_with_right)

    def nearly_right(self) -> Caught[Answer] | None:
        """Send what the schema does not take before a right result: only the right one is applied."""
        return self._hunt(nearly_right_results(*self._of), self._wrong_with_wrong, fewer=2)

    def damaged(self) -> Caught[Answer] | None:
        """Send what was damaged on its way before a right result: only the right one is applied."""
        return self._hunt(damaged_results(*self._of), self._wrong_with_wrong, fewer=2)

    def _hunt(
        self, strategy: st.SearchStrategy[Answer], wrong_with: Callable[[Sequence[Answer]], Sequence[str]], fewer: int = 1
    ) -> Caught[Answer] | None:
        drawing = self._drawing
        return hunt_together(strategy, wrong_with, examples=drawing.examples // fewer, seed=drawing.seed)

    # -- right ones ------------------------------------------------------------------------------------------------------------------------

    def _wrong_with_right(self, answers: Sequence[Answer]) -> Sequence[str]:
        places = self._delivered([len(answer.codes) for answer in answers])
        trials = [_Trial(place, answer.codes) for place, answer in zip(places, answers, strict=True)]
        self._send([(place, place.payload(answer)) for place, answer in zip(places, answers, strict=True) if place is not None])
        return self._outcomes(trials)

    # -- wrong ones ------------------------------------------------------------------------------------------------------------------------

    def _wrong_with_wrong(self, answers: Sequence[Answer]) -> Sequence[str]:
        found: list[str] = []
        for start in range(0, len(answers), _AT_ONCE):
            found += self._wrong_with_some(answers[start : start + _AT_ONCE])
        return found

    def _wrong_with_some(self, answers: Sequence[Answer]) -> Sequence[str]:
        places = self._delivered([1] * len(answers))
        sent: list[tuple[_Place, bytes]] = []
        for place, answer in zip(places, answers, strict=True):
            if place is not None:
                payload = place.payload(answer)
                sent += [] if is_result(payload) else [(place, payload)]
                sent.append((place, self._refusal(place)))
        self._send(sent)
        return self._outcomes([_Trial(place, (_CODE_AFTER,)) for place in places])

    def _refusal(self, place: _Place) -> bytes:
        """Return the right result, which says the reverse of what stands before it."""
        results = [Resultaat(item.bericht_id, self._scene.bericht_type, _CODE_AFTER, Stadium.GEBRUIKER) for item in place.items]
        oin, now = self._scene.box.config.oin, self._scene.box.clock.now()
        return Verwerkingsbericht.about(oin, place.batch.batch_id, place.offer.business, now, results).to_xml()

    # -- exchanging ------------------------------------------------------------------------------------------------------------------------

    def _delivered(self, sizes: Sequence[int]) -> Sequence["_Place | None"]:
        """Have letters delivered on which there is no result yet, and return for each size that many of one batch; ``None``: none is left."""
        scene = self._scene
        scene.begin()  # only the last exchange is told in the evidence
        scene.box.fault("no-result", times=None)
        found: dict[int, Iterator[_Place]] = {size: iter(self._places(size, sizes.count(size))) for size in sorted(set(sizes))}
        return [next(found[size], None) for size in sizes]

    def _places(self, size: int, count: int) -> Sequence[_Place]:
        """Deliver; who does not keep to ``perBatch`` has fewer places, or places in one batch."""
        delivered = self._scene.deliver(self._scene.letters(size * count), per_batch=size)
        by_id = {item.bericht_id.lower(): item for item in delivered}
        places = []
        for offer, batch in self._scene.offers_of(delivered):
            items = [by_id[bericht.bericht_id.lower()] for bericht in batch.berichten if bericht.bericht_id.lower() in by_id]
            places += [_Place(offer, batch, tuple(items[at : at + size])) for at in range(0, len(items) - size + 1, size)]
        if not places:
            raise NotTestedError(Reason.NO_TRAFFIC, f"the Afnemer delivers no batches of {size} berichten: it does not keep to perBatch")
        return places

    def _send(self, payloads: Sequence[tuple[_Place, bytes]]) -> None:
        """Offer results in this order, all of them before the Afnemer can look."""
        box = self._scene.box
        now, planned = box.clock.now(), []
        for place, payload in payloads:
            envelope = place.offer.envelope
            part = Part(payload, "text/xml", "verwerkingsbericht.xml", f"{place.batch.batch_id}-result")
            result = answering(envelope, box.connection.logius_party, Action.BV_RESULT, envelope.message_id, (part,))
            planned.append(PlannedResult(result, box.config.oin, place.batch.batch_id, now, face=place.offer.face))
        box.ledger.commit_processed(Processed({}, (), planned))
        box.settle()

    def _outcomes(self, trials: Sequence["_Trial"]) -> Sequence[str]:
        """Wait until every bericht is where it should be, as long as something comes of it; return what is wrong in each trial."""
        scene = self._scene
        waiting = [trial for trial in trials if trial.place is not None]

        def are_there() -> bool:
            waiting[:] = [trial for trial in waiting if trial.wrong(scene)]
            return not waiting

        left = (len(waiting), len(scene.unprocessed()))
        while not scene.wait(are_there):
            before, left = left, (len(waiting), len(scene.unprocessed()))
            if left == before:
                break
        scene.quiet()
        return [trial.wrong(scene) for trial in trials]


@dataclass(frozen=True, slots=True)
class _Trial:
    """Berichten, and the VerwerkingsCode that the right result says of each."""

    place: _Place | None
    codes: Sequence[VerwerkingsCode]

    def wrong(self, scene: Scene) -> str:
        """Return what is wrong with where they stand; empty when nothing is."""
        items = () if self.place is None else self.place.items
        wrongs = (_wrong(scene.status(item), code) for item, code in zip(items, self.codes, strict=False))
        return next(filter(None, wrongs), "")


def _wrong(status: BerichtStatus, code: VerwerkingsCode) -> str:
    is_stored = code is VerwerkingsCode.VERWERKT
    is_placed = status.status is AfnemerStatus.VERWERKT and status.verwerkt == 1 if is_stored else status.status in REFUSED_VISIBLY
    expected = "verwerkt, applied once" if is_stored else f"refused with {code}"
    return "" if is_placed and status.verwerkings_code == code else f"expected {expected}, but it is {told(status)}"
