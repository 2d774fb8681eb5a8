"""Afnemers that ask the validatieservice wrongly, or take its answers for what they are not."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import httpx

from conformance.afnemer.defects.registry import defect
from conformance.afnemer.reference.gateway import TemporaryTroubleError
from conformance.afnemer.reference.validating import ValidationRefusedError, Validator
from conformance.messages.guard import etree
from conformance.messages.validatie import Element, FaultName, Klant, ValidatieAanvraag, ValidatieAntwoord
from conformance.transport import soap
from conformance.transport.ebms2.http import HttpOutcome
from conformance.transport.ebms2.posting import Poster

_S = f"{{{soap.NS_SOAP}}}"
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


# -- asking ----------------------------------------------------------------------------------------------------------------------------------


@defect("VAL-001", also="VAL-002")
class asks_about_five_hundred_at_once(Validator):
    """Has another norm in mind."""

    def groups(self, bsns: Sequence[str]) -> Iterator[Sequence[str]]:
        for start in range(0, len(bsns), 500):
            yield bsns[start : start + 500]


@defect("VAL-002")
class asks_about_the_first_250_only(Validator):
    """Knows the norm, and forgets the rest."""

    def groups(self, bsns: Sequence[str]) -> Iterator[Sequence[str]]:
        yield bsns[:250]


@defect("VAL-003", pitfall=23)
class names_itself_by_a_urn(Validator):
    """Writes its OIN as another standard does."""

    def aanvraag_of(self, bericht_type: str, bsns: Sequence[str]) -> ValidatieAanvraag:
        return replace(super().aanvraag_of(bericht_type, bsns), leverancier_code=f"urn:osb:oin:{self.oin}")


@defect("VAL-004", also="VAL-002 VAL-023", pitfall=38)
class asks_in_lower_case(Validator):
    """Has the BerichtType from a table of its own."""

    def aanvraag_of(self, bericht_type: str, bsns: Sequence[str]) -> ValidatieAanvraag:
        return super().aanvraag_of(bericht_type.lower(), bsns)


@defect("VAL-004", also="VAL-023")
class asks_about_its_first_bericht_type(Validator):
    """Takes what a citizen wants of one BerichtType for what they want of all."""

    first = ""

    def aanvraag_of(self, bericht_type: str, bsns: Sequence[str]) -> ValidatieAanvraag:
        self.first = self.first or bericht_type
        return super().aanvraag_of(self.first, bsns)


@defect("VAL-005")
class asks_about_nobody(Validator):
    """Ends each list with a question about nobody."""

    def validate(self, bericht_type: str, bsns: Sequence[str]) -> dict[str, bool]:
        outcomes = super().validate(bericht_type, bsns)
        self.post(self.request_of(self.aanvraag_of(bericht_type, ())))
        return outcomes


@defect("VAL-006", also="VAL-002 VAL-007 VAL-022 VAL-023", pitfall=24)
class writes_a_bsn_as_it_is_read(Validator):
    """Groups the digits for a person."""

    def aanvraag_of(self, bericht_type: str, bsns: Sequence[str]) -> ValidatieAanvraag:
        klanten = tuple(Klant(f"{bsn[:4]}.{bsn[4:6]}.{bsn[6:]}") for bsn in bsns)
        return replace(super().aanvraag_of(bericht_type, bsns), klanten=klanten)


@defect("VAL-007", pitfall=24)
class asks_about_what_is_no_bsn(Validator):
    """Leaves the elfproef to the service."""

    def is_possible(self, _bsn: str) -> bool:
        return True


@defect("VAL-008")
class leaves_the_soap_action_out(Validator):
    """Sends no SOAPAction."""

    def headers(self) -> Mapping[str, str]:
        return {"content-type": soap.CONTENT_TYPE}


@defect("VAL-008")
class speaks_another_soap(Validator):
    """Sends SOAP 1.2."""

    def headers(self) -> Mapping[str, str]:
        return {"content-type": "application/soap+xml; charset=utf-8"}


@defect("VAL-019")
class signs_its_questions(Validator):
    """Has WS-Security switched on."""

    def request_of(self, aanvraag: ValidatieAanvraag) -> bytes:
        envelope = etree.fromstring(super().request_of(aanvraag))
        header = etree.Element(f"{_S}Header")
        etree.SubElement(header, f"{{{_SECURITY}}}Security")
        envelope.insert(0, header)
        return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


@defect("VAL-020", also="VAL-025", pitfall=33)
class asks_about_each_citizen_by_itself(Validator):
    """Asks as often as it has letters."""

    def groups(self, bsns: Sequence[str]) -> Iterator[Sequence[str]]:
        yield from ([bsn] for bsn in bsns)


@defect("VAL-021")
class counts_who_is_asked_twice(Validator):
    """Takes the second time for a mistake, and gives nothing back."""

    def validate(self, bericht_type: str, bsns: Sequence[str]) -> dict[str, bool]:
        outcomes = super().validate(bericht_type, bsns)
        if len(outcomes) != len(bsns):
            raise ValueError(f"{len(bsns)} asked and {len(outcomes)} answered")
        return outcomes


# -- reading ---------------------------------------------------------------------------------------------------------------------------------


@defect("VAL-009", pitfall=9)
class reads_only_the_word_true(Validator):
    """Compares a boolean as text."""

    def read(self, outcome: HttpOutcome) -> ValidatieAntwoord:
        antwoord = super().read(outcome)
        body = b"" if outcome.answer is None else outcome.answer.body
        if b"true</" in body:
            return antwoord
        return ValidatieAntwoord(tuple(replace(item, is_bericht_sturen=False) for item in antwoord.abonnementen))


@defect("VAL-010", also="VAL-011 VAL-012 VAL-013 VAL-014")
class reads_by_place(Validator):
    """Gives the first outcome to the first citizen."""

    def outcomes_of(self, antwoord: ValidatieAntwoord, asked: Sequence[str]) -> dict[str, bool]:
        return {bsn: item.is_bericht_sturen for bsn, item in zip(asked, antwoord.abonnementen, strict=False)}


@defect("VAL-011", pitfall=10)
class takes_who_is_missing_for_a_no(Validator):
    """Begins with a no for everybody."""

    def outcomes_of(self, antwoord: ValidatieAntwoord, asked: Sequence[str]) -> dict[str, bool]:
        return dict.fromkeys(asked, False) | super().outcomes_of(antwoord, asked)


@defect("VAL-011")
class takes_who_is_missing_for_a_yes(Validator):
    """Keeps only who refuses."""

    def outcomes_of(self, antwoord: ValidatieAntwoord, asked: Sequence[str]) -> dict[str, bool]:
        return dict.fromkeys(asked, True) | super().outcomes_of(antwoord, asked)


@defect("VAL-012")
class crashes_on_a_second_outcome(Validator):
    """Expects each citizen once."""

    def outcomes_of(self, antwoord: ValidatieAntwoord, asked: Sequence[str]) -> dict[str, bool]:
        keys = [item.klant.key for item in antwoord.abonnementen if item.klant is not None]
        if len(set(keys)) < len(keys):
            raise RuntimeError("duplicate key")
        return super().outcomes_of(antwoord, asked)


@defect("VAL-013")
class takes_whoever_is_in_the_answer(Validator):
    """Does not remember whom it asked about."""

    def validate(self, bericht_type: str, bsns: Sequence[str]) -> dict[str, bool]:
        outcomes: dict[str, bool] = {}
        for group in self.groups([bsn for bsn in dict.fromkeys(bsns) if self.is_possible(bsn)]):
            outcomes |= self.ask(bericht_type, group)
        return outcomes

    def outcomes_of(self, antwoord: ValidatieAntwoord, asked: Sequence[str]) -> dict[str, bool]:
        keys = [item.klant.key for item in antwoord.abonnementen if item.klant is not None]
        return super().outcomes_of(antwoord, [*asked, *(key for key in keys if key)])


@defect("VAL-014", pitfall=10)
class crashes_on_a_nil_klant(Validator):
    """Expects that each Abonnement has its klant."""

    def outcomes_of(self, antwoord: ValidatieAntwoord, asked: Sequence[str]) -> dict[str, bool]:
        if any(item.klant is None for item in antwoord.abonnementen):
            raise RuntimeError("no klant")
        return super().outcomes_of(antwoord, asked)


@defect("VAL-022", also="VAL-002 VAL-023")
class takes_a_no_for_an_error(Validator):
    """Gives back only who takes it."""

    def outcomes_of(self, antwoord: ValidatieAntwoord, asked: Sequence[str]) -> dict[str, bool]:
        return {bsn: takes for bsn, takes in super().outcomes_of(antwoord, asked).items() if takes}


@defect("VAL-023")
class remembers_citizens_without_their_bericht_type(Validator):
    """Asks about each citizen once, whatever is sent."""

    def ask(self, bericht_type: str, bsns: Sequence[str]) -> dict[str, bool]:
        known: dict[str, bool] = self.__dict__.setdefault("_known", {})
        new = [bsn for bsn in bsns if bsn not in known]
        known |= super().ask(bericht_type, new) if new else {}
        return {bsn: known[bsn] for bsn in bsns if bsn in known}


@defect("VAL-026", pitfall=41)
class fetches_entities_of_the_validatieservice(Validator):
    """Lets its SOAP client go and get what a document names."""

    def read(self, outcome: HttpOutcome) -> ValidatieAntwoord:
        body = b"" if outcome.answer is None else outcome.answer.body
        for url in re.findall(rb'SYSTEM "(http[^"]+)"', body):
            httpx.get(url.decode(), trust_env=False)
        return super().read(outcome)


# -- trouble ---------------------------------------------------------------------------------------------------------------------------------


@defect("VAL-015")
class takes_a_refusal_for_a_yes(Validator):
    """Sends all the same when its question is wrong."""

    def ask(self, bericht_type: str, bsns: Sequence[str]) -> dict[str, bool]:
        try:
            return super().ask(bericht_type, bsns)
        except ValidationRefusedError:
            return dict.fromkeys(bsns, True)


@defect("VAL-015")
class repeats_a_refused_question(Validator):
    """Hopes for another answer to the same question."""

    def ask(self, bericht_type: str, bsns: Sequence[str]) -> dict[str, bool]:
        for _ in range(20):
            try:
                return super().ask(bericht_type, bsns)
            except ValidationRefusedError:
                continue
        return {}


@defect("VAL-016", also="VAL-002")
class keeps_a_register_that_is_down_as_a_no(Validator):
    """Takes a fault for an outcome, and does not ask again."""

    def ask(self, bericht_type: str, bsns: Sequence[str]) -> dict[str, bool]:
        refused: set[str] = self.__dict__.setdefault("_refused", set())
        self._is_down = False
        outcomes = super().ask(bericht_type, bsns)
        if self._is_down:
            refused.update(bsns)
        return {bsn: takes and bsn not in refused for bsn, takes in outcomes.items()}

    def refuse_fault(self, fault: Element) -> None:
        self._is_down = fault.find(f"detail/{{*}}{FaultName.DEPENDENT_SERVICE}") is not None
        super().refuse_fault(fault)


@defect("VAL-017", "VAL-024")
class takes_silence_for_a_yes(Validator):
    """Would rather send too much when the service is down."""

    def without_answer(self, bsns: Sequence[str]) -> dict[str, bool]:
        return dict.fromkeys(bsns, True)


@defect("VAL-018", bulk=True)
class waits_a_second_for_an_outcome(Validator):
    """Has the time-out of a web page."""

    def post(self, body: bytes) -> HttpOutcome:
        with Poster(timeout_s=1.0) as hasty:
            return hasty.post(self.url, soap.CONTENT_TYPE, body, self.headers())


@defect("VAL-024", also="VAL-017")
class takes_what_it_cannot_read_for_a_yes(Validator):
    """Looks at the status of HTTP, and no further."""

    def read(self, outcome: HttpOutcome) -> ValidatieAntwoord:
        try:
            return super().read(outcome)
        except TemporaryTroubleError:
            raise
        except ValueError:
            self._is_unreadable = True
            raise

    def without_answer(self, bsns: Sequence[str]) -> dict[str, bool]:
        is_unreadable, self._is_unreadable = getattr(self, "_is_unreadable", False), False
        return dict.fromkeys(bsns, True) if is_unreadable else {}
