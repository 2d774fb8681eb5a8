"""What came of a message that the kit sent to the party under test: its signals as a person reads them, and what they mean for a requirement."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from conformance.messages.moments import write_moment
from conformance.rules.findings import Finding
from conformance.stage.judging import Judge, NotTestedError
from conformance.stage.receiver import Receiver, Signal
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome
from conformance.transport.ebms2.model import EbmsError, Message
from conformance.transport.ebms2.names import ErrorCode as Code
from conformance.transport.ebms2.names import Kind, Severity
from conformance.transport.ebms2.writing import Outgoing, write_message
from conformance.verdicts import Reason

_SERVER_ERROR: Final = 500
_HOUR: Final = timedelta(hours=1)


def status(outcome: HttpOutcome) -> int:
    """Return the HTTP status, 0 without an answer."""
    return (outcome.answer or HttpAnswer(0)).status


def is_2xx(outcome: HttpOutcome) -> bool:
    """Tell whether the transport went well."""
    return outcome.answer is not None and outcome.answer.is_success


def told(signals: Sequence[Signal]) -> str:
    """Return signals as a person reads them."""
    return ", ".join(shown(signal) for signal in signals) or "no signal"


def shown(signal: Signal) -> str:
    """Return one signal as a person reads it."""
    message = signal.message
    if message is None:
        return f"a signal that cannot be read ({signal.trouble})"
    if message.error_list is None:
        return message.action
    return f"{message.action} {'; '.join(_error(error) for error in message.error_list.errors)}"


def _error(error: EbmsError) -> str:
    return " ".join(filter(None, (str(error.code), f"({error.severity})", error.location and f"at {error.location}", error.description)))


def readable(signals: Sequence[Signal], *, form: str) -> list[Message]:
    """Return the messages in signals; raises :class:`NotTestedError` when one cannot be read, which is what the requirement ``form`` is about."""
    broken = next((signal for signal in signals if signal.message is None), None)
    if broken is not None:
        raise NotTestedError(Reason.NOT_SEEN, f"the answer of the party cannot be read: {broken.trouble}; see {form}")
    return [signal.message for signal in signals if signal.message is not None]


def of_kind(signals: Sequence[Signal], kind: Kind) -> list[Signal]:
    """Return the signals of one kind."""
    return [signal for signal in signals if signal.kind == kind]


def signals_of(receiver: Receiver, message: Message, *, expected: int = 1, form: str = "EBMS-049") -> Sequence[Signal]:
    """Return what the party says about a message, all of it readable."""
    found = receiver.signals(message.message_id, expected=expected)
    readable(found, form=form)
    return found


def is_rejected_with(signals: Sequence[Signal], codes: Sequence[Code]) -> bool:
    """Tell whether there is a MessageError with one of the codes, severe, and no Acknowledgment beside it."""
    lists = [signal.message.error_list for signal in signals if signal.message is not None and signal.message.error_list is not None]
    # Whether highestSeverity agrees is for EBMS-094.
    found = [error for one in lists for error in one.errors if error.severity == Severity.ERROR]
    return any(error.code in codes for error in found) and not of_kind(signals, Kind.ACKNOWLEDGMENT)


def seen_of(outcome: HttpOutcome, signals: Sequence[Signal], deliveries: int) -> str:
    """Return all that came of a message as a person reads it."""
    given = "and given to the application" if deliveries else "and not given to the application"
    return f"HTTP {status(outcome)}, {told(signals)}, {given}"


def judge_rejection(
    receiver: Receiver,
    judge: Judge,
    good: Message,
    sent: tuple[Message, HttpOutcome],
    codes: Sequence[Code],
    *,
    allows_5xx: bool = False,
) -> None:
    """Judge that what was sent got a MessageError with one of ``codes`` (or 5xx where the party could not send one), and was not delivered."""
    message, outcome = sent
    allowed = allows_5xx and status(outcome) >= _SERVER_ERROR
    signals = () if allowed else signals_of(receiver, message, form="EBMS-094")
    deliveries = receiver.deliveries(good)
    holds = not deliveries and (allowed or is_rejected_with(signals, codes))
    fault = ", or HTTP 5xx" if allows_5xx else ""
    expected = f"MessageError {' or '.join(codes)} of severity Error{fault}, and not given to the application"
    judge.that(judge.requirements[0], holds, expected=expected, seen=seen_of(outcome, signals, deliveries))


def judge_kept_away(receiver: Receiver, judge: Judge, good: Message, sent: tuple[Message, HttpOutcome], codes: Sequence[Code]) -> None:
    """Judge only that what was sent was neither acknowledged nor delivered; that nothing is said of it at all is a note."""
    requirement, (message, outcome) = judge.requirements[0], sent
    is_5xx = status(outcome) >= _SERVER_ERROR
    signals = () if is_5xx else signals_of(receiver, message, form="EBMS-094")
    deliveries = receiver.deliveries(good)
    seen, wanted = seen_of(outcome, signals, deliveries), f"MessageError {' or '.join(codes)}, or HTTP 5xx"
    if deliveries or of_kind(signals, Kind.ACKNOWLEDGMENT):
        judge.that(requirement, holds=False, expected=f"no Acknowledgment and nothing for the application, but {wanted}", seen=seen)
        return
    is_told = is_5xx or is_rejected_with(signals, codes)
    judge.findings(requirement, () if is_told else [Finding(requirement, "the answer", wanted, seen, is_note=True)])


def judge_acceptance(receiver: Receiver, judge: Judge, good: Message, outcome: HttpOutcome, *, is_noticed: bool = True) -> None:
    """Judge that a message was acknowledged, and (where the application would notice) delivered."""
    signals = signals_of(receiver, good)
    is_acked = bool(of_kind(signals, Kind.ACKNOWLEDGMENT)) and not of_kind(signals, Kind.ERROR)
    is_delivered = not is_noticed or receiver.is_delivered(good)
    seen = f"HTTP {status(outcome)}, {told(signals)}" + ("" if is_delivered else ", and the application did not get it")
    expected = "an Acknowledgment" + (", and the payload at the application" if is_noticed else "")
    judge.that(judge.requirements[0], is_2xx(outcome) and is_acked and is_delivered, expected=expected, seen=seen)


def acknowledged(receiver: Receiver) -> tuple[Message, Signal, Message]:
    """Send a good message and return it with its Acknowledgment; raises :class:`NotTestedError` when none comes."""
    good = receiver.good()
    receiver.post(good)
    found = of_kind(signals_of(receiver, good), Kind.ACKNOWLEDGMENT)
    if not found or found[0].message is None:
        raise NotTestedError(Reason.NO_TRAFFIC, "a valid message is not acknowledged; see EBMS-046")
    return good, found[0], found[0].message


# -- writing ---------------------------------------------------------------------------------------------------------------------------------


def at_offset(moment: datetime, hours: int) -> str:
    """Return a moment as it is written ``hours`` east of UTC."""
    local = moment.astimezone(UTC) + timedelta(hours=hours)
    return f"{local:%Y-%m-%dT%H:%M:%S}{'-' if hours < 0 else '+'}{abs(hours):02d}:00"


def now() -> datetime:
    """Return the wall clock."""
    return datetime.now(UTC)


def past_moments(receiver: Receiver) -> tuple[datetime, datetime]:
    """Return two moments in the past, the first the earlier one, and both within the term of the CPA."""
    start, at = receiver.agreement.cpa.start, now()
    sent = at - 2 * _HOUR if start is None else max(at - 2 * _HOUR, start.at)
    return sent, sent + (at - sent) / 2


def expired(message: Message, receiver: Receiver) -> Message:
    """Return the message as one of which the time to live is over."""
    sent, until = past_moments(receiver)
    return replace(message, timestamp=write_moment(sent), time_to_live=write_moment(until))


def edited(message: Message, old: bytes, new: bytes) -> Outgoing:
    """Return the bytes of a message with one piece of its envelope replaced."""
    outgoing = write_message(message)
    if old not in outgoing.soap:
        raise ValueError(f"the envelope has no {old!r}")
    soap = outgoing.soap.replace(old, new, 1)
    return replace(outgoing, soap=soap, body=outgoing.body.replace(outgoing.soap, soap, 1))
