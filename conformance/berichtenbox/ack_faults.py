"""How the Berichtenbox acknowledges a message: as it should, or as a fault of the ebMS2 face has it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from conformance.berichtenbox.faults import Fault
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2 import signals
from conformance.transport.ebms2.http import EMPTY, signal_answer
from conformance.transport.ebms2.model import EbmsError, Message, Side
from conformance.transport.ebms2.receiving import Outcome, Reception
from conformance.transport.ebms2.writing import Outgoing, write_message


@dataclass(frozen=True, slots=True)
class Leaving:
    """One signal: whether it leaves (now, or in the answer that is given already), and whether it is what a copy of the message gets too."""

    signal: Message
    outgoing: Outgoing
    leaves: bool = True
    is_answer: bool = True


@dataclass(frozen=True, slots=True)
class Acknowledging:
    """What becomes of a message, with the signals that it causes and how long they wait on the business clock."""

    reception: Reception
    leaving: tuple[Leaving, ...]
    delay: timedelta = timedelta()


def plainly(reception: Reception) -> Acknowledging:
    """Answer as a good Berichtenbox does."""
    if reception.signal is None or reception.signal_bytes is None:
        return Acknowledging(reception, ())
    return Acknowledging(reception, (Leaving(reception.signal, reception.signal_bytes),))


@dataclass(frozen=True, slots=True)
class Making:
    """What is needed to make a signal: an id, the wall clock, and where an ErrorList goes."""

    new_message_id: Callable[[], str]
    now: datetime
    error_url: str


def bent(reception: Reception, faults: Sequence[Fault], making: Making) -> Acknowledging:
    """Answer a message that is accepted, as ``faults`` have it."""
    found = plainly(reception)
    for fault in faults:
        real = next((one for one in found.leaving if one.is_answer), None)
        if real is not None:
            found = _BENDS[fault.name](found, real, fault, making)
    return found


def _error_list(found: Acknowledging, _real: Leaving, fault: Fault, making: Making) -> Acknowledging:
    reception = found.reception
    if reception.received is None:
        return found
    error = EbmsError(str(fault.parameters["error"]), "//Header/MessageHeader", "a fault that was set")
    signal = signals.error_of(reception.received.message, error, making.new_message_id(), making.now)
    send_to = None if reception.send_to is None else making.error_url
    return _answering(replace(reception, outcome=Outcome.REJECTED, error=error, send_to=send_to), signal, write_message(signal))


def _in_answer(found: Acknowledging, real: Leaving, _fault: Fault, _making: Making) -> Acknowledging:
    reception = replace(found.reception, send_to=None, answer=signal_answer(real.outgoing))
    return replace(found, reception=reception, leaving=(real,))


def _twice(found: Acknowledging, real: Leaving, fault: Fault, _making: Making) -> Acknowledging:
    copies = [replace(real, is_answer=False)] * (int(fault.parameters["copies"]) - 1)
    return replace(found, leaving=(*found.leaving, *copies))


_BENDS: Final[Mapping[str, Callable[[Acknowledging, Leaving, Fault, Making], Acknowledging]]] = {
    "error-list": _error_list,
    "ack-shape": lambda found, real, fault, _: _answering(found.reception, *_shaped(real.signal, str(fault.parameters["shape"]))),
    "ack-in-answer": _in_answer,
    "ack-twice": _twice,
    "ack-late": lambda found, _real, fault, _: replace(found, delay=timedelta(seconds=float(fault.parameters["delay_s"]))),
    "ack-foreign": lambda found, real, fault, making: _held(
        found, real, _foreign(real.signal, str(fault.parameters["what"]), making.new_message_id())
    ),
    "ack-lost": lambda found, real, _fault, _making: _held(found, real, None),
}


def _answering(reception: Reception, signal: Message, outgoing: Outgoing) -> Acknowledging:
    answer = signal_answer(outgoing) if reception.send_to is None else EMPTY
    return plainly(replace(reception, signal=signal, signal_bytes=outgoing, answer=answer))


def _held(found: Acknowledging, real: Leaving, instead: Message | None) -> Acknowledging:
    """Keep the real acknowledgment back; a copy of the message still gets it. Another may leave instead."""
    held = replace(real, leaves=False)
    if instead is None:
        return replace(found, reception=replace(found.reception, answer=EMPTY), leaving=(held,))
    outgoing = write_message(instead)
    answer = signal_answer(outgoing) if found.reception.send_to is None else EMPTY
    return replace(found, reception=replace(found.reception, answer=answer), leaving=(held, Leaving(instead, outgoing, is_answer=False)))


def _foreign(signal: Message, what: str, message_id: str) -> Message:
    """Return an acknowledgment that does not belong to the message: of another one, under another CPA, or between other parties."""
    other = replace(signal, message_id=message_id)
    if what == "cpa":
        return replace(other, cpa_id=f"{signal.cpa_id}-foreign")
    if what == "parties":
        stranger = Side((PartyId("urn:osb:oin", "00000099000000009999"),))
        return replace(other, sender=stranger)
    reference = f"never-sent.{signal.ref_to_message_id}"
    block = None if signal.acknowledgment is None else replace(signal.acknowledgment, ref_to_message_id=reference)
    return replace(other, ref_to_message_id=reference, acknowledgment=block)


def _shaped(signal: Message, shape: str) -> tuple[Message, Outgoing]:
    """Return an acknowledgment as other products write it, which is allowed all the same."""
    block = signal.acknowledgment
    if shape == "multipart":
        return signal, write_message(signal, is_multipart_signal=True)
    if shape == "with-role":
        signal = replace(signal, sender=replace(signal.sender, role="SP"), receiver=replace(signal.receiver, role="SR"), duplicate_elimination=True)
    elif block is not None:
        signal = replace(signal, acknowledgment=replace(block, actor=None))
    return signal, write_message(signal)
