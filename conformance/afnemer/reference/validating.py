"""Asks the BerichtenboxValidatieService who takes letters of a BerichtType: a yes is only what it said in so many words.

No outcome is no outcome: not a yes, not a no. What becomes of a letter then is decided by who sends it. Each method does one thing, for a defect
to do it wrong.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from conformance.afnemer.reference.gateway import PermanentTroubleError, TemporaryTroubleError
from conformance.afnemer.reference.voorkeuren import EVERY_TYPE, Voorkeuren
from conformance.limits import limits
from conformance.masking import mask
from conformance.messages.guard import XmlRefused, local_name, parse
from conformance.messages.identities import passes_elfproef
from conformance.messages.validatie import ACTION, Element, FaultName, Klant, UnreadableValidatie, ValidatieAanvraag, ValidatieAntwoord, read_antwoord
from conformance.transport import soap
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome
from conformance.transport.ebms2.posting import Poster

TRIES: Final = 2
_LONGEST_TEXT: Final = 500
_TEMPORARY: Final = frozenset({408, 429})
_SERVER_ERRORS: Final = 500
_S: Final = f"{{{soap.NS_SOAP}}}"
Recipient = tuple[str, str]
"""A BSN, and the BerichtType of what is sent."""


class ValidationRefusedError(ValueError):
    """The service refuses the question: asking the same again is of no use. The text is its own, masked."""


class Validator:
    """Asks, in as few requests as are allowed, and keeps every outcome with its moment; ``url`` is that of the service."""

    def __init__(self, oin: str, store: Voorkeuren, url: str, poster: Poster, now: Callable[[], datetime]) -> None:
        self.oin = oin
        self.store = store
        self.url = url
        self.poster = poster
        self.now = now

    def close(self) -> None:
        """Close the connections."""
        self.poster.close()

    # -- who takes it ----------------------------------------------------------------------------------------------------------------------

    def checked(self, recipients: Collection[Recipient]) -> Mapping[Recipient, bool]:
        """Return whether recipients take what is sent, asking about those whose last check is too old; who is left out has no outcome.

        Raises :class:`ValidationRefusedError` when the service refuses to answer.
        """
        known = self.known(recipients)
        for bericht_type in sorted({bericht_type for _, bericht_type in recipients}):
            stale = [bsn for bsn, wanted in recipients if wanted == bericht_type and (bsn, wanted) not in known]
            if stale:
                known |= {(bsn, bericht_type): takes for bsn, takes in self.validate(bericht_type, stale).items()}
        return known

    def known(self, recipients: Collection[Recipient]) -> dict[Recipient, bool]:
        """Return what checks that still count say, without asking: the newest one, of the BerichtType or of the abonnement."""
        newest: dict[tuple[int, str], tuple[float, bool]] = {}
        for bsn, bericht_type, takes, at in self.store.checks([bsn for bsn, _ in recipients]):
            if self.is_fresh(at):
                newest[bsn, bericht_type] = (at, not takes)  # of two at the same moment, the no
        found = {}
        for recipient in recipients:
            checks = [newest[key] for wanted in (recipient[1], EVERY_TYPE) if (key := (int(recipient[0]), wanted)) in newest]
            if checks:
                found[recipient] = not max(checks)[1]
        return found

    def is_fresh(self, at: float) -> bool:
        """Tell whether a check of that moment (seconds since the epoch) still counts."""
        return self.now().timestamp() - at <= limits().abonnement_check_max_age.total_seconds()

    # -- asking ----------------------------------------------------------------------------------------------------------------------------

    def validate(self, bericht_type: str, bsns: Sequence[str]) -> dict[str, bool]:
        """Return whether citizens take letters of a BerichtType; who is left out has no outcome. Raises :class:`ValidationRefusedError`."""
        asked = dict.fromkeys(bsns)
        outcomes = dict.fromkeys((bsn for bsn in asked if not self.is_possible(bsn)), False)
        for group in self.groups([bsn for bsn in asked if bsn not in outcomes]):
            outcomes |= self.ask(bericht_type, group)
        return {bsn: outcomes[bsn] for bsn in asked if bsn in outcomes}

    def is_possible(self, bsn: str) -> bool:
        """Tell whether this can be a BSN: what cannot is not asked."""
        return passes_elfproef(bsn)

    def groups(self, bsns: Sequence[str]) -> Iterator[Sequence[str]]:
        """Split citizens over requests."""
        most = limits().validatie_klanten_max
        for start in range(0, len(bsns), most):
            yield bsns[start : start + most]

    def ask(self, bericht_type: str, bsns: Sequence[str]) -> dict[str, bool]:
        """Return and keep the outcomes of one request, made once more at once when the service is in trouble."""
        body = self.request_of(self.aanvraag_of(bericht_type, bsns))
        for _ in range(TRIES):
            try:
                outcomes = self.outcomes_of(self.read(self.post(body)), bsns)
            except TemporaryTroubleError:
                continue
            except (PermanentTroubleError, XmlRefused, UnreadableValidatie):
                break
            self.record(bericht_type, outcomes)
            return outcomes
        return self.without_answer(bsns)

    def aanvraag_of(self, bericht_type: str, bsns: Sequence[str]) -> ValidatieAanvraag:
        """Return the question about at most 250 citizens."""
        return ValidatieAanvraag(self.oin, bericht_type, tuple(Klant(bsn) for bsn in bsns))

    def request_of(self, aanvraag: ValidatieAanvraag) -> bytes:
        """Return the SOAP message of a question: not signed, for the service does not take that."""
        return soap.write_envelope(aanvraag.to_element())

    def headers(self) -> Mapping[str, str]:
        """Return the HTTP headers of a question."""
        return {"content-type": soap.CONTENT_TYPE, "soapaction": f'"{ACTION}"'}

    def post(self, body: bytes) -> HttpOutcome:
        """POST a question."""
        return self.poster.post(self.url, soap.CONTENT_TYPE, body, self.headers())

    def record(self, bericht_type: str, outcomes: Mapping[str, bool]) -> None:
        """Keep outcomes with their moment."""
        self.store.keep_voorkeuren(((int(bsn), takes) for bsn, takes in outcomes.items()), self.now().timestamp(), bericht_type)

    def without_answer(self, _bsns: Sequence[str]) -> dict[str, bool]:
        """Return what holds for citizens when the service did not answer: nothing."""
        return {}

    # -- reading ---------------------------------------------------------------------------------------------------------------------------

    def read(self, outcome: HttpOutcome) -> ValidatieAntwoord:
        """Return the answer; raises for a fault, trouble, and what cannot be read."""
        answer = outcome.answer
        if answer is None:
            raise TemporaryTroubleError("the validatieservice gave no answer")
        try:
            content = content_of(answer.body)
        except (XmlRefused, UnreadableValidatie):
            self.refuse_status(answer)
            raise
        if content.tag == f"{_S}Fault":
            self.refuse_fault(content)
        self.refuse_status(answer)
        return read_antwoord(content)

    def refuse_status(self, answer: HttpAnswer) -> None:
        """Raise for a status that is not one of success: of the service in trouble, or of something that will be so tomorrow."""
        if answer.status >= _SERVER_ERRORS or answer.status in _TEMPORARY:
            raise TemporaryTroubleError(f"the validatieservice answers {answer.status}")
        if not answer.is_success:
            raise PermanentTroubleError(f"the validatieservice answers {answer.status}")

    def refuse_fault(self, fault: Element) -> None:
        """Raise for a Fault: the question is wrong, or the service cannot answer now."""
        declared = {local_name(entry) for detail in fault.findall("detail") for entry in detail}
        code = (fault.findtext("faultcode") or "").rpartition(":")[2].strip().partition(".")[0]
        if FaultName.DEPENDENT_SERVICE in declared or (code == soap.FaultCode.SERVER and FaultName.APPLICATION not in declared):
            raise TemporaryTroubleError("the validatieservice cannot answer now")
        raise ValidationRefusedError(f"the validatieservice refuses: {mask(_text_of(fault))[:_LONGEST_TEXT]}")

    def outcomes_of(self, antwoord: ValidatieAntwoord, asked: Sequence[str]) -> dict[str, bool]:
        """Return the outcome of each citizen who was asked about, by Key; who is missing, or is told two things, has none."""
        told: dict[str, set[bool]] = {bsn: set() for bsn in asked}
        for abonnement in antwoord.abonnementen:
            key = abonnement.klant.key if abonnement.klant is not None else None
            if key in told:
                told[key].add(abonnement.is_bericht_sturen)
        return {bsn: outcomes.pop() for bsn, outcomes in told.items() if len(outcomes) == 1}


def content_of(data: bytes) -> Element:
    """Return the one child of the Body of a SOAP envelope; raises ``XmlRefused`` and ``UnreadableValidatie``."""
    root = parse(data, soap.LIMITS)
    body = root.find(f"{_S}Body")
    if root.tag != f"{_S}Envelope" or body is None or len(body) != 1:
        raise UnreadableValidatie("the answer is no SOAP 1.1 envelope with one element in its Body")
    return body[0]


def _text_of(fault: Element) -> str:
    """Return what a Fault says in words: its Message, or else its faultstring."""
    messages = [element.text for detail in fault.findall("detail") for element in detail.iter() if local_name(element) == "Message"]
    text = next((text for text in messages if text and text.strip()), None) or fault.findtext("faultstring") or "without an explanation"
    return " ".join(text[: 4 * _LONGEST_TEXT].split())
