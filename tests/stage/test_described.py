"""Answers of the XML faces beside their OpenAPI: what is described passes, and what is not is told in a sentence."""

import re

import pytest

from conformance.messages.validatie import Abonnement, Klant, ValidatieAntwoord
from conformance.stage.described import objection
from conformance.transport import soap
from conformance.transport.ebms2.http import HttpAnswer, fault_answer

WUS = "/wus/BerichtenboxValidatieService"
XML = {"content-type": "text/xml; charset=utf-8"}
ANSWER = soap.write_envelope(ValidatieAntwoord((Abonnement(Klant("999990007"), is_bericht_sturen=True),)).to_element())


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        pytest.param(WUS, HttpAnswer(200, XML, ANSWER), id="data"),
        pytest.param(WUS, fault_answer("it is wrong"), id="fault"),
        pytest.param(WUS, HttpAnswer(415, {"content-type": "text/plain"}, b"no SOAP"), id="no_soap"),
        pytest.param("/ebms", HttpAnswer(204), id="taken"),
        pytest.param("/ebms", HttpAnswer(202), id="taken_otherwise"),
        pytest.param("/ebms", fault_answer("it is wrong", "MustUnderstand"), id="fault_of_ebms"),
    ],
)
def test_described_answer_passes(path, answer):
    """
    What the description says may be answered.
    """
    assert objection(path, b"<a/>", answer) == ""


@pytest.mark.parametrize(
    ("path", "answer", "told"),
    [
        pytest.param(WUS, HttpAnswer(0), "no HTTP answer", id="nothing"),
        pytest.param(WUS, HttpAnswer(503), "HTTP 503: .*503", id="other_status"),
        pytest.param(WUS, HttpAnswer(500), "HTTP 500: .*Content-Type", id="bare_500"),
        pytest.param("/ebms", HttpAnswer(500), "HTTP 500: .*Content-Type", id="bare_500_of_ebms"),
        pytest.param(WUS, HttpAnswer(500, XML, b"boom"), "HTTP 500: .*deserialize", id="no_xml"),
        pytest.param(WUS, HttpAnswer(500, {"content-type": "text/html"}, b"<h1/>"), "HTTP 500: .*text/html", id="other_type"),
        pytest.param(WUS, HttpAnswer(500, XML, ANSWER), "HTTP 500: .*Fault", id="data_as_fault"),
        pytest.param(WUS, HttpAnswer(200, XML, fault_answer("x").body), "HTTP 200: .*ValidateAbonnementenResponse", id="fault_as_data"),
        pytest.param(WUS, fault_answer("x", "Server"), "HTTP 500: .*Server", id="fault_of_the_server"),
        pytest.param(WUS, HttpAnswer(200, XML, ANSWER.replace(b">true<", b">ja<")), "HTTP 200: .*isBerichtSturen", id="invalid_data"),
        pytest.param(WUS, HttpAnswer(200, XML, ANSWER.replace(b"Body>", b"Lijf>")), "HTTP 200: ", id="invalid_envelope"),
    ],
)
def test_other_answer_is_told(path, answer, told):
    """
    A status, a media type or a content that is not described.
    """
    found = objection(path, b"<a/>", answer)

    assert re.search(told, found), found
