"""Asks an Afnemer to act: the seven verbs of test-control, as values in and values out.

How a verb reaches the Afnemer is the business of a :class:`Caller`; what an answer must look like is checked here, once, for all of them.
An Afnemer is reached, answers in time, agrees, can do it at all, and answers test-control: each step has its own error below :class:`DriverError`.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

from conformance.masking import mask
from conformance.messages.identities import same_guid
from conformance.messages.moments import write_moment

_READ_FOR_QUOTE: Final = 4_000
_QUOTED: Final = 200
_Read = TypeVar("_Read")


class Verb(StrEnum):
    """What an Afnemer can be asked to do."""

    GEZONDHEID = "gezondheid"
    BERICHTEN = "berichten"
    BERICHT = "bericht"
    HERLEVERING = "herlevering"
    ABONNEMENTEN = "abonnementen"
    ABONNEMENT = "abonnement"
    VALIDATIE = "validatie"


LOOKS_UP: Final = {Verb.BERICHT: "berichtId", Verb.ABONNEMENT: "verzoekId"}  # the verbs that name a subject, for which "unknown" is an answer


# -- what can go wrong -----------------------------------------------------------------------------------------------------------------------


class DriverError(RuntimeError):
    """The Afnemer could not be driven. Every text is masked.

    ``what`` happened, during which ``verb``, and a ``hint`` what to do next; ``step`` says what the kit was busy with, and may be set later.
    """

    def __init__(self, what: str, *, verb: Verb | None = None, hint: str = "") -> None:
        self.what, self.verb, self.hint, self.step = mask(what), verb, mask(hint), ""
        super().__init__(self.what)

    def __str__(self) -> str:
        lead = "".join(f"{part}: " for part in (self.step, self.verb) if part)
        return f"{lead}{self.what}" + (f"\n  Hint: {self.hint}" if self.hint else "")


class Unreachable(DriverError):  # noqa: N818  # the sentence reads "the Afnemer is unreachable"
    """There is no connection: nothing was asked."""


class TimedOut(DriverError):  # noqa: N818  # idem
    """The answer did not come, or not completely: whether it was done is unknown."""


class Refused(DriverError):  # noqa: N818  # idem
    """The Afnemer's own checks refused what was asked; ``detail`` is its explanation."""

    def __init__(self, detail: str, *, verb: Verb | None = None) -> None:
        self.detail = quote(detail)
        super().__init__(f"the Afnemer refused: {self.detail}", verb=verb)


class CannotDo(DriverError):  # noqa: N818  # idem
    """The Afnemer, or the driver, does not offer this verb."""


class BadAnswer(DriverError):  # noqa: N818  # idem
    """What came back is not test-control: a wrong status, no JSON, or another shape."""

    def __init__(self, verb: Verb, expected: str, got: str, hint: str = "see specs/openapi/test-control.yaml") -> None:
        self.expected, self.got = mask(expected), mask(got)
        super().__init__(f"expected {expected}, got {got}", verb=verb, hint=hint)


def quote(text: str) -> str:
    """Return the start of what somebody else wrote, masked, on one line."""
    return " ".join(mask(text[:_READ_FOR_QUOTE])[:_QUOTED].split())


# -- values ----------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attachment:
    """A bijlage to send along: its omschrijving and the octets of the PDF."""

    omschrijving: str
    octets: bytes

    def to_json(self) -> dict[str, Any]:
        """Return the bijlage of test-control; the octets become base64 text."""
        return {"omschrijving": self.omschrijving, "bytes": base64.b64encode(self.octets).decode("ascii")}


@dataclass(frozen=True, slots=True)
class Letter:
    """A bericht that the Afnemer is asked to send; what is ``None`` is left to the Afnemer."""

    bsn: str
    bericht_type: str
    onderwerp: str | None = None
    tekst: str | None = None
    bijlagen: tuple[Attachment, ...] = ()
    publicatie_datum: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the bericht of test-control; ``publicatie_datum`` must be aware."""
        value: dict[str, Any] = {"bsn": self.bsn, "berichtType": self.bericht_type}
        if self.onderwerp is not None:
            value["onderwerp"] = self.onderwerp
        if self.tekst is not None:
            value["tekst"] = self.tekst
        if self.bijlagen:
            value["bijlagen"] = [bijlage.to_json() for bijlage in self.bijlagen]
        if self.publicatie_datum is not None:
            value["publicatieDatum"] = write_moment(self.publicatie_datum)
        return value


@dataclass(frozen=True, slots=True)
class Delivered:
    """The ids under which the Afnemer delivered a bericht."""

    bericht_id: str
    batch_id: str


class AfnemerStatus(StrEnum):
    """Where a bericht stands, according to the Afnemer."""

    AANGEBODEN = "aangeboden"
    VERWERKT = "verwerkt"
    AFGEWEZEN = "afgewezen"
    OPNIEUW_AANGEBODEN = "opnieuw-aangeboden"
    ANDER_KANAAL = "ander-kanaal"
    HANDMATIG = "handmatig"


@dataclass(frozen=True, slots=True)
class BerichtStatus:
    """What the Afnemer knows of a bericht; ``verwerkt`` counts how often a result was applied."""

    bericht_id: str
    batch_id: str
    status: AfnemerStatus
    verwerkings_code: str | None
    verwerkt: int


@dataclass(frozen=True, slots=True)
class Preference:
    """Whether a citizen takes the letters of this Afnemer, as the Afnemer recorded it."""

    bsn: str
    actief: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the Afnemer, after asking, would send a bericht to a citizen."""

    bsn: str
    bericht_sturen: bool


# -- asking ----------------------------------------------------------------------------------------------------------------------------------


class Caller(Protocol):
    """Brings one verb to the Afnemer, in whatever way."""

    def call(self, verb: Verb, body: Mapping[str, Any] | None = None, subject: str | None = None) -> Any:
        """Return the JSON value that the Afnemer answers, ``None`` for an unknown bericht or abonnement; raises :class:`DriverError`."""
        ...

    def settle(self) -> bool:
        """Tell whether the Afnemer says in so many words that it is idle, with everything done; ``False`` when that is not known."""
        ...

    def restart(self) -> bool:
        """Restart the Afnemer where that is possible, and tell whether it was restarted."""
        ...

    def advance(self, seconds: float) -> bool:
        """Move the clock by which the gateway of the Afnemer repeats its messages, and tell whether it was moved: the clock of others cannot be."""
        ...

    def close(self) -> None:
        """Let go of whatever is held."""
        ...


class Driver:
    """An Afnemer that can be asked to act; every method raises :class:`DriverError`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def __repr__(self) -> str:
        return f"<Driver over {self._caller!r}>"

    def health(self) -> None:
        """Return when the Afnemer says that it is well."""
        reader = _Reader(Verb.GEZONDHEID)
        answer = reader.an_object(self._caller.call(Verb.GEZONDHEID))
        reader.one_of(answer, "status", ("ok",))

    def deliver(self, letters: Sequence[Letter], per_batch: int | None = None) -> tuple[Delivered, ...]:
        """Have ``letters`` delivered now, ``per_batch`` in each batch; the answer has their order."""
        body: dict[str, Any] = {"berichten": [letter.to_json() for letter in letters]}
        if per_batch is not None:
            body["perBatch"] = per_batch
        reader = _Reader(Verb.BERICHTEN)
        delivered = reader.each(self._caller.call(Verb.BERICHTEN, body), "berichten", _delivered)
        if len(delivered) != len(letters):
            raise reader.wrong("berichten", f"{len(letters)} berichten, in the order asked", f"{len(delivered)}")
        return delivered

    def status(self, bericht_id: str) -> BerichtStatus | None:
        """Return where a bericht stands, ``None`` when the Afnemer does not know it."""
        answer = self._caller.call(Verb.BERICHT, subject=bericht_id)
        return None if answer is None else _bericht_status(answer, bericht_id)

    def redeliver(self, vanaf: datetime, tot: datetime) -> int:
        """Have everything delivered again that was offered in the window, and return how many berichten that are."""
        reader = _Reader(Verb.HERLEVERING)
        answer = self._caller.call(Verb.HERLEVERING, {"vanaf": write_moment(vanaf), "tot": write_moment(tot)})
        return reader.count(reader.an_object(answer), "aantal")

    def request_abonnementen(self, soort: str, bsn: Sequence[str] = (), vanaf: datetime | None = None) -> str:
        """Have abonnementen requested (``alles``, ``bsn-lijst``, ``mutaties``) and return the id of the request."""
        body: dict[str, Any] = {"soort": soort}
        if bsn:
            body["bsn"] = list(bsn)
        if vanaf is not None:
            body["vanaf"] = write_moment(vanaf)
        reader = _Reader(Verb.ABONNEMENTEN)
        return reader.text(reader.an_object(self._caller.call(Verb.ABONNEMENTEN, body)), "verzoekId")

    def abonnementen(self, verzoek_id: str) -> tuple[str, tuple[Preference, ...]]:
        """Return whether the answer is in (``open``, ``ontvangen``) and the preferences that the Afnemer recorded from it."""
        reader = _Reader(Verb.ABONNEMENT)
        answer = self._caller.call(Verb.ABONNEMENT, subject=verzoek_id)
        if answer is None:
            raise BadAnswer(Verb.ABONNEMENT, f"the request {verzoek_id!r} that the Afnemer made", "that it does not know it")
        status = reader.one_of(reader.an_object(answer), "status", ("open", "ontvangen"))
        return status, reader.each(answer, "voorkeuren", _preference)

    def validate(self, bericht_type: str, bsns: Sequence[str]) -> tuple[Outcome, ...]:
        """Have the Afnemer ask whether it may send; any number of BSNs, splitting them is its own job.

        The outcomes may be fewer than asked: of a BSN that is left out the outcome is not known.
        """
        answer = self._caller.call(Verb.VALIDATIE, {"berichtType": bericht_type, "bsn": list(bsns)})
        return _Reader(Verb.VALIDATIE).each(answer, "uitkomsten", _outcome)

    def settle(self) -> bool:
        """Tell whether the Afnemer says that it is idle with everything done; ``False`` when that is not known."""
        return self._caller.settle()

    def restart(self) -> bool:
        """Restart the Afnemer where that is possible, and tell whether it was restarted."""
        return self._caller.restart()

    def advance(self, seconds: float) -> bool:
        """Move the clock by which the gateway of the Afnemer repeats its messages, and tell whether it was moved."""
        return self._caller.advance(seconds)

    def close(self) -> None:
        """Let go of whatever is held."""
        self._caller.close()


# -- what an answer must look like -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads typed values from an answer; ``where`` is the path to the object that is being read. More keys than asked for are fine."""

    verb: Verb
    where: str = ""

    def wrong(self, key: str, expected: str, got: str) -> BadAnswer:
        path = f"{self.where}.{key}".strip(".")
        return BadAnswer(self.verb, f"{path} to be {expected}" if path else expected, got)

    def an_object(self, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.wrong("", "a JSON object", _shown(value))
        return value

    def value(self, answer: Mapping[str, Any], key: str, expected: str) -> Any:
        if key not in answer:
            raise self.wrong(key, expected, "no such key")
        return answer[key]

    def text(self, answer: Mapping[str, Any], key: str) -> str:
        value = self.value(answer, key, "a text")
        if not isinstance(value, str) or not value.strip() or not _is_unicode(value):
            raise self.wrong(key, "a text that is not empty", _shown(value))
        return value

    def text_or_null(self, answer: Mapping[str, Any], key: str) -> str | None:
        return None if answer.get(key) is None else self.text(answer, key)

    def one_of(self, answer: Mapping[str, Any], key: str, choices: Sequence[str]) -> str:
        expected = "one of " + ", ".join(choices) if len(choices) > 1 else repr(choices[0])
        value = self.value(answer, key, expected)
        if value not in choices:
            raise self.wrong(key, expected, _shown(value))
        return str(value)

    def count(self, answer: Mapping[str, Any], key: str) -> int:
        value = self.value(answer, key, "a whole number")
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.wrong(key, "a whole number from 0", _shown(value))
        return value

    def flag(self, answer: Mapping[str, Any], key: str) -> bool:
        value = self.value(answer, key, "true or false")
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false", _shown(value))
        return value

    def each(self, answer: Any, key: str, read: Callable[["_Reader", Mapping[str, Any]], _Read]) -> tuple[_Read, ...]:
        items = self.value(self.an_object(answer), key, "an array")
        if not isinstance(items, list | tuple):
            raise self.wrong(key, "an array", _shown(items))
        readers = (_Reader(self.verb, f"{key}[{position}]") for position in range(len(items)))
        return tuple(read(reader, reader.an_object(item)) for reader, item in zip(readers, items, strict=True))


def _delivered(reader: _Reader, item: Mapping[str, Any]) -> Delivered:
    return Delivered(reader.text(item, "berichtId"), reader.text(item, "batchId"))


def _preference(reader: _Reader, item: Mapping[str, Any]) -> Preference:
    return Preference(reader.text(item, "bsn"), reader.flag(item, "actief"))


def _outcome(reader: _Reader, item: Mapping[str, Any]) -> Outcome:
    return Outcome(reader.text(item, "bsn"), reader.flag(item, "berichtSturen"))


def _bericht_status(answer: Any, asked: str) -> BerichtStatus:
    reader = _Reader(Verb.BERICHT)
    item = reader.an_object(answer)
    bericht_id = reader.text(item, "berichtId")
    if not same_guid(bericht_id, asked):
        raise reader.wrong("berichtId", f"the one asked for, {asked!r}", _shown(bericht_id))
    return BerichtStatus(
        bericht_id,
        reader.text(item, "batchId"),
        AfnemerStatus(reader.one_of(item, "status", tuple(AfnemerStatus))),
        reader.text_or_null(item, "verwerkingsCode"),
        reader.count(item, "verwerkt"),
    )


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be written: JSON can escape half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    return quote("null" if value is None else repr(value))
