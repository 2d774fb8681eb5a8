"""The BerichtenboxValidatieService as an HTTP pact: the question of the reference Afnemer in SOAP, and what it makes of each answer."""

import pytest

from conformance.afnemer.reference.validating import ValidationRefusedError
from conformance.berichtenbox.register import DEFAULT_OIN
from conformance.berichtenbox.wus_face import PATH
from conformance.contracts.matching import regex, xml_path
from conformance.contracts.published import AFNEMER, BERICHTENBOX
from conformance.contracts.states import BSNS
from conformance.messages.validatie import ACTION, NS_SHARED, Abonnement, FaultName, Klant, ValidatieAanvraag, ValidatieAntwoord, fault_element
from conformance.transport import soap

ENVELOPE, BODY, FAULT = (f"{{{soap.NS_SOAP}}}{name}" for name in ("Envelope", "Body", "Fault"))
ASKED = BSNS[:2]


def question(bericht_type: str = "BELAST") -> str:
    return soap.write_envelope(ValidatieAanvraag(DEFAULT_OIN, bericht_type, tuple(map(Klant, ASKED))).to_element()).decode()


def answer(wants: list[bool]) -> str:
    told = tuple(Abonnement(Klant(bsn), want) for bsn, want in zip(ASKED, wants, strict=True))
    return soap.write_envelope(ValidatieAntwoord(told).to_element()).decode()


def refusal(code: soap.FaultCode, name: FaultName) -> str:
    return soap.write_fault(soap.SoapFault(code, "the text is free", details=[fault_element(name, "the text is free")])).decode()


def rules(name: FaultName) -> dict[str, object]:
    """Let the texts of a fault be free."""
    texts = [(ENVELOPE, BODY, FAULT, "faultstring"), (ENVELOPE, BODY, FAULT, "detail", f"{{{NS_SHARED}}}{name}", f"{{{NS_SHARED}}}Message")]
    return {"body": {xml_path(*path, "#text"): regex("(.|\\n)+") for path in texts}}


@pytest.fixture
def ask(contract, afnemer_at):
    """Put a question with its answer in the pact, and let the Afnemer ask."""
    pact = contract(AFNEMER, BERICHTENBOX)

    def asked(description: str, state: tuple[str, dict[str, object]], told: str, status: int = 200, more=None, bericht_type: str = "BELAST"):
        interaction = pact.upon_receiving(description).given(state[0], state[1]).with_request("POST", PATH)
        interaction.with_header("SOAPAction", f'"{ACTION}"').with_body(question(bericht_type), soap.CONTENT_TYPE)
        interaction.will_respond_with(status).with_body(told, soap.CONTENT_TYPE)
        if more is not None:
            interaction.with_matching_rules(more)
        with pact.serve(addr="127.0.0.1") as server:
            afnemer = afnemer_at(wus=f"{server.url}{PATH}")
            return afnemer.validatie({"berichtType": bericht_type, "bsn": list(ASKED)})

    return asked


def outcomes(wants: list[bool]) -> dict[str, object]:
    return {"uitkomsten": [{"bsn": bsn, "berichtSturen": want} for bsn, want in zip(ASKED, wants, strict=True)]}


def test_each_citizen_has_an_outcome(ask):
    """
    The answer says of each citizen whether they take these letters.
    """
    told = ask("validatie: one takes letters, one does not", ("citizens", {"actief": [ASKED[0]], "inactief": [ASKED[1]]}), answer([True, False]))

    assert told == outcomes([True, False])


def test_nobody_takes_letters_of_an_unknown_type(ask):
    """
    For a BerichtType that is not known the answer is no for everybody, and not a fault.
    """
    told = ask("validatie: an unknown BerichtType", ("the connection works", {}), answer([False, False]), bericht_type="ONBEKEND")

    assert told == outcomes([False, False])


def test_refused_question_is_not_an_outcome(ask):
    """
    An ApplicationFault means that the question is wrong: the Afnemer says so, and asks no second time.
    """
    fault = refusal(soap.FaultCode.CLIENT, FaultName.APPLICATION)

    with pytest.raises(ValidationRefusedError, match="refuses"):
        ask("validatie: refused", ("a fault", {"naam": "application-fault"}), fault, 500, rules(FaultName.APPLICATION))


def test_register_that_is_down_leaves_no_outcome(ask):
    """
    A DependentServiceFault says nothing of anybody: not a yes, not a no.
    """
    fault = refusal(soap.FaultCode.SERVER, FaultName.DEPENDENT_SERVICE)

    told = ask("validatie: a register is down", ("a fault", {"naam": "register-down"}), fault, 500, rules(FaultName.DEPENDENT_SERVICE))

    assert told == {"uitkomsten": []}
