"""Asks the abonnementservices of a Berichtenbox who takes letters, and waits for the answer: a message of its own, that may be hours away.

Of a simulated one the clock is moved; of any other the answer is waited for as long as it has to react.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from conformance.berichtenbox.wire import Exchange
from conformance.limits import limits
from conformance.messages.abonnement import AbonnementAanvraag, UnreadableAntwoord, read_antwoord
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import Action
from conformance.messages.guard import XmlRefused
from conformance.messages.moments import write_moment
from conformance.messages.unpack import PackedTooMuch
from conformance.sno.nights import next_night_start, night_of
from conformance.stage.box_receiver import BoxReceiver
from conformance.stage.judging import NotTestedError
from conformance.transport.ebms2.agreements import AgreementError
from conformance.transport.ebms2.model import Message
from conformance.verdicts import Reason

_INTO_THE_NIGHT: Final = timedelta(minutes=30)
_BEYOND: Final = timedelta(days=1)
"""How long an answer that is too late is waited for: what it says is judged all the same."""


@dataclass(frozen=True, slots=True)
class Gevraagd:
    """One request and what came of it.

    ``answer`` is ``None`` when none was seen. ``is_in_time`` tells whether it was there within the norm; ``None``: nobody waited for that long.
    """

    aanvraag: AbonnementAanvraag
    request: Message
    answer: Message | None
    is_in_time: bool | None
    why_not: str
    exchanges: Sequence[Exchange] = field(repr=False)

    @property
    def payload(self) -> bytes:
        """The payload of the answer, empty without one."""
        return self.answer.payloads[0].content if self.answer is not None and self.answer.payloads else b""


class AbonnementAsker:
    """Asks one request after another; an answer to an earlier one is never taken for that of a later one."""

    def __init__(self, receiver: BoxReceiver) -> None:
        self._receiver = receiver
        self._verzoek_ids: set[str] = set()

    def ask(self, bsns: BsnList | None = None, vanaf: timedelta | None = None) -> Gevraagd:
        """Ask for everybody, for the citizens of a list, or for what changed in the last ``vanaf``, and wait for the answer.

        Raises :class:`NotTestedError` when the CPA has no such request, or the Berichtenbox refuses it.
        """
        receiver = self._receiver
        self._wait_for_the_night()
        moment, first, start = receiver.reach.business(), len(receiver.gateway.arrived), receiver.gateway.count
        since = None if vanaf is None else write_moment(moment - vanaf)
        aanvraag = AbonnementAanvraag(receiver.sender.oin, str(uuid.uuid4()), bsns, since)
        request = self._request(aanvraag)
        receiver.post(request)
        answer, is_in_time = self._waited(aanvraag, request, first)
        if answer is None:
            self._check_taken(request)
        self._verzoek_ids.add(aanvraag.verzoek_id)
        return Gevraagd(aanvraag, request, answer, is_in_time, self._why_not(moment), receiver.gateway.exchanges(start))

    def _wait_for_the_night(self) -> None:
        """Ask by night where the clock can be moved: by day a Berichtenbox may take more time."""
        reach = self._receiver.reach
        now = reach.business()
        if reach.pass_time is not None and night_of(now) is None:
            reach.pass_time(next_night_start(now) + _INTO_THE_NIGHT - now)

    def _request(self, aanvraag: AbonnementAanvraag) -> Message:
        try:
            return self._receiver.request(Action.A_REQUEST, aanvraag.to_xml(), "aanvraag.xml")
        except AgreementError as error:
            text = f"the CPA has no {Action.A_REQUEST}: {error}; give the CPA of a connection that uses the abonnementservices"
            raise NotTestedError(Reason.SERVICE_NOT_USED, text) from None

    def _waited(self, aanvraag: AbonnementAanvraag, request: Message, first: int) -> tuple[Message | None, bool | None]:
        receiver, pass_time = self._receiver, self._receiver.reach.pass_time
        for waited, is_in_time in ((timedelta(), True), (limits().abonnement_within, True), (_BEYOND, False)):
            if waited and pass_time is None:
                return None, None
            if waited and pass_time is not None:
                pass_time(waited)
            receiver.wait(lambda: self._answer(aanvraag, request, first) is not None)
            # One that names nothing of the request is taken for its answer only when no better one comes.
            answer = self._answer(aanvraag, request, first) or next(iter(self._unclaimed(first)), None)
            if answer is not None:
                return answer, is_in_time
        return None, False

    def _answer(self, aanvraag: AbonnementAanvraag, request: Message, first: int) -> Message | None:
        """Return the first message since then that names the request, by its VerzoekId or its MessageId."""
        for message in self._unclaimed(first):
            if message.ref_to_message_id == request.message_id or _verzoek_id(message) == aanvraag.verzoek_id:
                return message
        return None

    def _unclaimed(self, first: int) -> Sequence[Message]:
        """Return the messages since then that are about no batch, and about no earlier request."""
        receiver = self._receiver
        arrived = list(receiver.gateway.arrived[first:])
        return [one for one in arrived if not receiver.batch_id_of(one) and _verzoek_id(one) not in self._verzoek_ids]

    def _check_taken(self, request: Message) -> None:
        signals = self._receiver.signals(request.message_id)
        errors = [error for signal in signals if signal.message and signal.message.error_list for error in signal.message.error_list.errors]
        if errors:
            told = "; ".join(f"{error.code} at {error.location}" for error in errors)
            raise NotTestedError(Reason.NO_TRAFFIC, f"the Berichtenbox refuses a {Action.A_REQUEST} that is as the CPA wants it: {told}")

    def _why_not(self, moment: datetime) -> str:
        """Return why an answer that was not seen may still come, and what to do about it."""
        waited = f"no answer within {self._receiver.sender.reaction_s:g} s, and it may take {limits().abonnement_within.seconds // 3600} hours"
        if night_of(moment) is None:
            frm, until = limits().night_from, limits().night_until
            waited += f"; it was asked by day, and a Berichtenbox may postpone that: verify it between {frm:02}:00 and {until:02}:00"
        return f"{waited}; or raise reaction_s in [timing] of the profile"


def _verzoek_id(message: Message) -> str:
    """Return the VerzoekId in a message, empty when it has none that can be read."""
    try:
        return read_antwoord(part.content for part in message.payloads[:1]).verzoek_id
    except (XmlRefused, PackedTooMuch, UnreadableAntwoord):
        return ""
