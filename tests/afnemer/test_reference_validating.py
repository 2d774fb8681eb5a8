"""The validatieservice as the reference Afnemer asks it: a yes is what it said in so many words, and nothing else."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from conformance.afnemer.reference.store import Store
from conformance.afnemer.reference.validating import TRIES, ValidationRefusedError, Validator, content_of
from conformance.messages.guard import etree, parse
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.validatie import ACTION, Abonnement, FaultName, Klant, UnreadableValidatie, ValidatieAntwoord, fault_element, read_aanvraag
from conformance.transport import soap
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome, Trouble, TroubleKind
from conformance.transport.soap import FaultCode, SoapFault

OIN = "00000099000000001000"
ONE, TWO, THREE = "999990007", "999990019", "999990020"
NOW = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
WEEK_S = 7 * 24 * 3600.0
DOWN = HttpOutcome(trouble=Trouble(TroubleKind.TIMEOUT, "did not answer in time"))


class Service:
    """The validatieservice: answers what was put ready, or else that everybody takes it."""

    def __init__(self):
        self.asked, self.ready, self.is_closed = [], [], False

    def post(self, url, content_type, body, headers):
        assert (url, content_type, headers["soapaction"]) == ("http://wus.example/", "text/xml; charset=utf-8", f'"{ACTION}"')
        self.asked.append(read_aanvraag(content_of(body)))
        return self.ready.pop(0) if self.ready else answer(*((klant.key, True) for klant in self.asked[-1].klanten))

    def close(self):
        self.is_closed = True

    @property
    def keys(self):
        return [[klant.key for klant in aanvraag.klanten] for aanvraag in self.asked]


def http(body, status=200):
    return HttpOutcome(HttpAnswer(status, {}, body))


def answer(*outcomes, status=200):
    """Return an answer with these outcomes: BSN, and whether they take it."""
    found = ValidatieAntwoord(tuple(Abonnement(None if bsn is None else Klant(bsn), takes) for bsn, takes in outcomes))
    return http(soap.write_envelope(found.to_element()), status)


def fault(code, text="het kan niet", name=None, status=500):
    details = [] if name is None else [fault_element(name, text)]
    return http(soap.write_fault(SoapFault(code, text, details=details)), status)


@pytest.fixture
def service():
    """A service that is well."""
    return Service()


@pytest.fixture
def validator(service, tmp_path):
    """An Afnemer's side of it, with a database."""
    with closing(Store(tmp_path / "afnemer.db")) as store, closing(Validator(OIN, store, "http://wus.example/", service, lambda: NOW)) as made:
        yield made


def known(validator, *bsns):
    return sorted(validator.store.checks(bsns))


# -- asking ----------------------------------------------------------------------------------------------------------------------------------


def test_question_is_as_the_wsdl_has_it(validator, service):
    """
    The OIN, the BerichtType and the BSN of each citizen, without a header of any kind; the outcomes are kept with their moment.
    """
    service.ready = [answer((TWO, False), (ONE, True))]

    assert validator.validate("BELAST", [ONE, TWO]) == {ONE: True, TWO: False}
    (aanvraag,) = service.asked
    assert (aanvraag.leverancier_code, aanvraag.bericht_type, [klant.rol for klant in aanvraag.klanten]) == (OIN, "BELAST", ["Burger"] * 2)
    assert known(validator, ONE, TWO) == [(int(ONE), "BELAST", True, NOW.timestamp()), (int(TWO), "BELAST", False, NOW.timestamp())]
    assert b"Header" not in validator.request_of(aanvraag)


def test_many_citizens_go_in_few_requests(validator, service):
    """
    No request has more than 250 klanten, and no BSN goes twice.
    """
    bsns = list(reserved_test_bsns())
    outcomes = validator.validate("BELAST", bsns + bsns)

    assert [len(keys) for keys in service.keys] == [250, 250, 250, 159]
    assert outcomes == dict.fromkeys(bsns, True)


@pytest.mark.parametrize("bsn", ["12345678", "999990008", "", "9999900070", "x"])
def test_what_is_no_bsn_is_not_asked(validator, service, bsn):
    """
    It gets a no without a question, and a list of only such asks nothing.
    """
    assert validator.validate("BELAST", [bsn, ONE, bsn]) == {bsn: False, ONE: True}
    assert validator.validate("BELAST", [bsn]) == {bsn: False}
    assert service.keys == [[ONE]]


# -- what comes back -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "takes"), [("1", True), ("0", False), ("true", True), ("false", False)])
def test_booleans_are_read_as_the_schema_writes_them(validator, service, text, takes):
    """
    A 1 is a yes.
    """
    plain = answer((ONE, True)).answer.body
    service.ready = [http(plain.replace(b">true<", f">{text}<".encode()))]

    assert validator.validate("BELAST", [ONE]) == {ONE: takes}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(TWO, True), (ONE, False)], {ONE: False, TWO: True}),
        ([(ONE, True)], {ONE: True}),
        ([], {}),
        ([(ONE, True), (TWO, True), (THREE, True)], {ONE: True, TWO: True}),
        ([(ONE, True), (None, True)], {ONE: True}),
        ([(ONE, True), (ONE, True)], {ONE: True}),
        ([(ONE, True), (ONE, False), (TWO, False)], {TWO: False}),
    ],
    ids=["order", "missing", "empty", "extra", "nil", "twice", "contradiction"],
)
def test_outcome_is_what_was_said_of_that_bsn(validator, service, told, expected):
    """
    Who is missing, or is told two things, has no outcome; who was not asked about is ignored. Only outcomes are kept.
    """
    service.ready = [answer(*told)]

    assert validator.validate("BELAST", [ONE, TWO]) == expected
    assert {f"{bsn:09}": takes for bsn, _, takes, _ in known(validator, ONE, TWO, THREE)} == expected
    assert len(service.asked) == 1


TROUBLE = {
    "no answer": DOWN,
    "register down": fault(FaultCode.SERVER, name=FaultName.DEPENDENT_SERVICE),
    "register down, as client": fault(FaultCode.CLIENT, name=FaultName.DEPENDENT_SERVICE),
    "server": fault(FaultCode.SERVER),
    "server, in 200": fault(FaultCode.SERVER, status=200),
    "503": http(b"<html>onderhoud</html>", 503),
    "503 with xml": http(soap.write_envelope(etree.Element("storing")), 503),
    "408": http(b"", 408),
    "429": http(b"", 429),
    "500 with data": answer((ONE, True), status=500),
}


@pytest.mark.parametrize("outcome", TROUBLE.values(), ids=TROUBLE)
def test_trouble_is_asked_again_once(validator, service, outcome):
    """
    The second answer counts; when the trouble lasts there is no outcome, and the next question is asked all the same.
    """
    service.ready = [outcome]
    first = validator.validate("BELAST", [ONE])
    service.ready = [outcome] * TRIES
    second = validator.validate("BELAST", [TWO])

    assert (first, second, TRIES) == ({ONE: True}, {}, 2)
    assert service.keys == [[ONE], [ONE], [TWO], [TWO]]
    assert known(validator, TWO) == []


def test_trouble_of_one_request_leaves_the_others(validator, service):
    """
    Of many citizens only those of the request that failed have no outcome.
    """
    bsns = list(reserved_test_bsns())[:300]
    service.ready = [DOWN] * TRIES

    assert validator.validate("BELAST", bsns) == dict.fromkeys(bsns[250:], True)


UNUSABLE = {
    "no xml": http(b"Storing"),
    "no envelope": http(b"<a/>"),
    "no body": http(f"<s:Envelope xmlns:s='{soap.NS_SOAP}'/>".encode()),
    "empty body": http(f"<s:Envelope xmlns:s='{soap.NS_SOAP}'><s:Body/></s:Envelope>".encode()),
    "another message": http(soap.write_envelope(etree.Element("a"))),
    "not valid": http(answer((ONE, True)).answer.body.replace(b">true<", b">ja<")),
    "doctype": http(answer((ONE, True)).answer.body.replace(b"?>", b"?><!DOCTYPE a SYSTEM 'http://x.invalid/'>", 1)),
    "404": http(b"", 404),
    "redirect": answer((ONE, True), status=302),
}


@pytest.mark.attack
@pytest.mark.parametrize("outcome", UNUSABLE.values(), ids=UNUSABLE)
def test_unreadable_answer_is_no_outcome(validator, service, outcome):
    """
    What cannot be understood is no yes, and asking again would not help.
    """
    service.ready = [outcome]

    assert validator.validate("BELAST", [ONE]) == {}
    assert len(service.asked) == 1
    assert known(validator, ONE) == []


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (fault(FaultCode.CLIENT, f"niet voor {ONE}", FaultName.APPLICATION), r"refuses: niet voor 9999\*\*\*\*\*"),
        (fault(FaultCode.SERVER, "mag niet", FaultName.APPLICATION), "refuses: mag niet"),
        (fault(FaultCode.CLIENT, "0004 schema"), "refuses: 0004 schema"),
        (fault(FaultCode.CLIENT, " "), "refuses: without an explanation|refuses: $"),
    ],
)
def test_refusal_is_told_and_not_repeated(validator, service, outcome, text):
    """
    A question that is wrong stays wrong: the text of the fault comes out, masked.
    """
    service.ready = [outcome]
    with pytest.raises(ValidationRefusedError, match=text):
        validator.validate("BELAST", [ONE])

    assert len(service.asked) == 1
    assert known(validator, ONE) == []


def test_content_of_an_envelope_is_one_element():
    """
    Two elements in the Body are no message.
    """
    both = f"<s:Envelope xmlns:s='{soap.NS_SOAP}'><s:Body><a/><b/></s:Body></s:Envelope>".encode()

    assert content_of(both.replace(b"<b/>", b"")).tag == parse(b"<a/>").tag
    with pytest.raises(UnreadableValidatie, match="one element in its Body"):
        content_of(both)


# -- who takes it ----------------------------------------------------------------------------------------------------------------------------


def test_only_who_is_not_known_is_asked(validator, service):
    """
    A check of at most seven days counts, of the type or of the abonnement; each type is asked apart.
    """
    at = NOW.timestamp()
    validator.store.keep_voorkeuren([(int(ONE), False)], at - WEEK_S)
    validator.store.keep_voorkeuren([(int(TWO), False)], at - WEEK_S - 1, "BELAST")
    recipients = {(ONE, "BELAST"), (TWO, "BELAST"), (TWO, "PASPOORT"), (THREE, "PASPOORT")}

    outcomes = validator.checked(recipients)

    assert outcomes == {recipient: recipient[0] != ONE for recipient in recipients}
    assert [sorted(keys) for keys in service.keys] == [[TWO], [TWO, THREE]]
    assert [aanvraag.bericht_type for aanvraag in service.asked] == ["BELAST", "PASPOORT"]
    assert validator.checked(recipients) == outcomes
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("abonnement", "of_type", "takes"),
    [((True, 1), (False, 2), True), ((False, 1), (True, 2), False), ((False, 2), (True, 1), True), ((True, 1), (False, 1), False)],
)
def test_newest_check_counts(validator, abonnement, of_type, takes):
    """
    Of an abonnement and an outcome for the type the newest counts; of two at one moment, the no.
    """
    for (is_actief, age), bericht_type in ((abonnement, ""), (of_type, "BELAST")):
        validator.store.keep_voorkeuren([(int(ONE), is_actief)], (NOW - timedelta(days=age)).timestamp(), bericht_type)

    assert validator.known({(ONE, "BELAST")}) == {(ONE, "BELAST"): takes}


def test_nobody_is_asked_about_nobody(validator, service):
    """
    Without recipients there is nothing to ask.
    """
    assert validator.checked(set()) == {}
    assert service.asked == []


def test_closing_lets_go_of_the_connections(validator, service):
    """
    What was opened is closed.
    """
    validator.close()

    assert service.is_closed
