"""HTTP as values."""

import pytest

from conformance.transport.ebms2.http import EMPTY, Effect, HttpAnswer, HttpRequest, effect_of, fault_answer, signal_answer, text_answer
from conformance.transport.ebms2.writing import Outgoing


@pytest.mark.parametrize(
    ("effect", "statuses"),
    [
        (Effect.TAKEN, (200, 202, 204, 299)),
        (Effect.AGAIN, (408, 429, 500, 502, 503, 504, 599)),
        (Effect.FINAL, (100, 199, 300, 307, 308, 400, 401, 403, 404, 413, 499, 501, 505, 510, 600)),
    ],
)
def test_status_has_an_effect(effect, statuses):
    """
    2xx is taken, what may pass is tried again, and all else is final.
    """
    assert {effect_of(status) for status in statuses} == {effect}


def test_repr_hides_the_content():
    """
    Neither headers nor a body stand in a log.
    """
    assert repr(HttpAnswer(500, {"a": "b"}, b"abc")) == "<HttpAnswer 500: 3 bytes>"
    assert "secret" not in repr(HttpRequest("POST", "/", {"x": "secret"}, b"secret"))


def test_answers_have_their_shapes():
    """
    Empty is 204; a signal is 200 with SOAPAction; a Fault is 500 in XML; a text ends its line.
    """
    signal = signal_answer(Outgoing("text/xml; charset=UTF-8", b"<x/>", b"<x/>"))

    assert (EMPTY.status, EMPTY.body, EMPTY.is_success) == (204, b"", True)
    assert (signal.status, signal.headers, signal.body) == (200, {"content-type": "text/xml; charset=UTF-8", "soapaction": '"ebXML"'}, b"<x/>")
    assert text_answer(403, "No.", allow="x").headers == {"content-type": "text/plain; charset=UTF-8", "allow": "x"}
    assert text_answer(403, "No.").body == b"No.\n"
    assert b"<faultcode>soap:Server</faultcode><faultstring>a ??b &#60;</faultstring>" in fault_answer("a \x00\ud800b <", "Server").body
    assert not fault_answer("x").is_success
