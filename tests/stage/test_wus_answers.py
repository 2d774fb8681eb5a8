"""What an answer of the validatieservice comes to, right or broken."""

import pytest

from conformance.messages.validatie import Abonnement, FaultName, Klant, ValidatieAanvraag, ValidatieAntwoord, fault_element
from conformance.stage.wus_answers import fault_of, has_data, has_fault, outcomes, told, written
from conformance.transport import soap
from conformance.transport.ebms2.http import HttpAnswer
from conformance.transport.soap import FaultCode, SoapFault

ONE, TWO = "999990007", "999990019"


def data(*abonnementen):
    """Return an answer with these."""
    return HttpAnswer(200, {}, soap.write_envelope(ValidatieAntwoord(abonnementen).to_element()))


def fault(*details):
    """Return a Fault with these in its detail."""
    return HttpAnswer(500, {}, soap.write_fault(SoapFault(FaultCode.CLIENT, "nee", details=list(details))))


def test_outcomes_are_by_bsn():
    """
    Who is nil, or has no Key, is left out.
    """
    wanted = [Abonnement(klant, is_bericht_sturen=True) for klant in (Klant(ONE), None, Klant(None))]
    answer = data(*wanted, Abonnement(Klant(TWO), is_bericht_sturen=False))

    assert outcomes(answer) == {ONE: True, TWO: False}
    assert (has_data(answer), fault_of(answer), told(answer)) == (True, "", "HTTP 200 with who wants letters")


@pytest.mark.parametrize("body", [b"", b"<stuk", b"<x/>", soap.write_envelope(ValidatieAanvraag(None, None, ()).to_element())])
def test_what_is_no_answer_has_no_outcomes(body):
    """
    What cannot be read, and what is another message, says nothing of anybody.
    """
    answer = HttpAnswer(200, {}, body)

    assert outcomes(answer) is None
    assert (has_data(answer), has_fault(answer, FaultName.APPLICATION)) == (False, False)


def test_fault_is_known_by_its_detail():
    """
    Only the element of the WSDL makes it that Fault.
    """
    named, bare = fault(fault_element(FaultName.APPLICATION, "nee")), fault()

    assert [has_fault(named, name) for name in FaultName] == [True, False]
    assert not has_fault(bare, FaultName.APPLICATION)
    assert told(named) == "HTTP 500, Fault Client ApplicationFault"
    assert told(bare) == "HTTP 500, Fault Client"
    assert told(HttpAnswer(0)) == "no handshake"


def test_question_is_written_in_its_envelope():
    """
    It is SOAP 1.1 with the question in its Body.
    """
    assert b"ValidateAbonnementen" in written(ValidatieAanvraag("00000099000000001000", "BELAST", (Klant(ONE),)))
