"""The BerichtenboxValidatieService of a Berichtenbox: questions that are right, and questions with one thing wrong."""

from collections.abc import Callable
from typing import Final

import pytest

from conformance.messages.guard import XmlRefused, parse
from conformance.messages.validatie import ACTION, NS_SERVICE, RESPONSE_ACTION, UnreadableValidatie, read_antwoord
from conformance.stage.box_stage import BoxStage
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.stage.wus_answers import content_of, fault_of, has_data, told, written
from conformance.transport.ebms2.http import HttpAnswer
from conformance.transport.handshakes import FailedHandshake
from conformance.transport.misbehaving import NO_CERTIFICATE, OLD_VERSION, OLDEST_VERSION
from conformance.transport.pki import WRONG_OIN
from conformance.transport.soap import ANONYMOUS, NS_SOAP, NS_WSA, FaultCode
from conformance.verdicts import Reason

pytestmark = needs("berichtenbox")

_SERVER_ERROR: Final = 500
_S, _W = f"{{{NS_SOAP}}}", f"{{{NS_WSA}}}"
_UTF_8: Final = frozenset({"", "utf-8", "utf8"})
_ACCENTED: Final = "één"
"""A Key that is no BSN, with a letter whose bytes differ between UTF-8 and ISO-8859-1."""


# -- asking ----------------------------------------------------------------------------------------------------------------------------------


def _edited(content: bytes, old: bytes, new: bytes) -> bytes:
    if old not in content:
        raise ValueError(f"the question has no {old!r}")
    return content.replace(old, new, 1)


def _with_headers(content: bytes, *headers: str) -> bytes:
    """Return a question with these blocks in its header."""
    block = f'<soap:Header xmlns:wsa="{NS_WSA}">{"".join(headers)}</soap:Header><soap:Body>'
    return _edited(content, b"<soap:Body>", block.encode())


def _addressed(stage: BoxStage, reply_to: str = ANONYMOUS) -> tuple[bytes, str]:
    """Return a question with WS-Addressing, and its MessageID."""
    message_id = f"urn:uuid:{stage.receiver.handler.new_ping(stage.receiver.agreement.cpa_id).message_id.partition('@')[0]}"
    headers = (
        f"<wsa:To>{stage.wus_url}</wsa:To>",
        f"<wsa:Action>{ACTION}</wsa:Action>",
        f"<wsa:MessageID>{message_id}</wsa:MessageID>",
        f"<wsa:ReplyTo><wsa:Address>{reply_to}</wsa:Address></wsa:ReplyTo>",
    )
    return _with_headers(written(stage.question()), *headers), message_id


@pytest.fixture
def stage(berichtenbox: BoxStage) -> BoxStage:
    """Give a Berichtenbox that answers a plain question: who refuses everything proves nothing by refusing what is wrong."""
    answer = berichtenbox.ask(written(berichtenbox.question()))
    if not has_data(answer):
        raise NotTestedError(Reason.NO_TRAFFIC, f"the validatieservice does not answer a plain question: {told(answer)}; see WUS-004")
    return berichtenbox


# -- judging ---------------------------------------------------------------------------------------------------------------------------------


def _judge_fault(judge: Judge, answer: HttpAnswer, code: FaultCode = FaultCode.CLIENT) -> None:
    holds = fault_of(answer).partition(".")[0] == code and not has_data(answer)
    judge.that(judge.requirements[0], holds, expected=f"a Fault {code}, and no data", seen=told(answer))


def _judge_refused(judge: Judge, requirement: str, answer: HttpAnswer, *, also: bool = True, seen: str = "") -> None:
    holds = not has_data(answer) and not 200 <= answer.status < 300 and also
    judge.that(requirement, holds, expected="a refusal without data", seen=f"{told(answer)}{seen}")


# -- who may ask -----------------------------------------------------------------------------------------------------------------------------


@needs("tls")
@decides("WUS-001")
def test_client_without_a_certificate_is_refused(stage: BoxStage, judge: Judge) -> None:
    """Who shows no certificate gets no answer."""
    _judge_refused(judge, "WUS-001", stage.ask(written(stage.question()), client=NO_CERTIFICATE))


@needs("tls")
@decides("WUS-002")
def test_old_tls_is_refused(stage: BoxStage, judge: Judge) -> None:
    """Who has nothing newer than TLS 1.0, or 1.1, gets no handshake."""
    for name in (OLDEST_VERSION, OLD_VERSION):
        found = stage.greet(stage.wus_url, name)
        is_refused = isinstance(found, FailedHandshake)
        judge.that("WUS-002", is_refused, expected=f"no handshake in {name.upper()}", seen="a handshake")


@needs("tls")
@decides("WUS-012")
def test_oin_of_another_is_refused(stage: BoxStage, judge: Judge) -> None:
    """A question for an Afnemer whose OIN is not that of the certificate gets no answer."""
    _judge_refused(judge, "WUS-012", stage.ask(written(stage.question(oin=WRONG_OIN))))


# -- what is right ---------------------------------------------------------------------------------------------------------------------------


@decides("WUS-003")
@pytest.mark.parametrize("soap_action", [pytest.param('""', id="empty"), pytest.param(f'"{ACTION}"', id="of_the_wsdl")])
def test_soapaction_is_accepted(stage: BoxStage, judge: Judge, soap_action: str) -> None:
    """The SOAPAction may be empty, as Digikoppeling says, or that of the WSDL."""
    answer = stage.ask(written(stage.question()), soap_action=soap_action)

    judge.that("WUS-003", answer.status == 200 and has_data(answer), expected=f"an answer to SOAPAction {soap_action}", seen=told(answer))


@decides("WUS-003")
def test_another_soapaction_is_refused(stage: BoxStage, judge: Judge) -> None:
    """The SOAPAction of another operation gets a Fault."""
    _judge_fault(judge, stage.ask(written(stage.question()), soap_action=f'"{NS_SERVICE}/Anders"'))


@decides("WUS-004")
def test_answer_is_valid(berichtenbox: BoxStage, judge: Judge) -> None:
    """The answer is SOAP 1.1 in UTF-8, and the one element in its Body is valid and about who was asked."""
    keys = (berichtenbox.receiver.citizen(), berichtenbox.receiver.citizen())
    answer = berichtenbox.ask(written(berichtenbox.question(*keys)))

    judge.that("WUS-004", not (wrong := _wrong_with(answer, keys)), expected="a valid answer in SOAP 1.1 and UTF-8", seen=wrong)


def _wrong_with(answer: HttpAnswer, keys: tuple[str, ...]) -> str:
    media, _, rest = answer.headers.get("content-type", "").lower().partition(";")
    charset = rest.partition("charset=")[2].strip(' "')
    if answer.status != 200 or media.strip() != "text/xml" or charset not in _UTF_8:
        return f"{told(answer)}, Content-Type {answer.headers.get('content-type', 'absent')}"
    try:
        root = parse(answer.body)
        declared = (root.getroottree().docinfo.encoding or "").lower()
        body = root.find(f"{_S}Body")
        if declared not in _UTF_8 or root.tag != f"{_S}Envelope" or body is None or len(body) != 1:
            return "no envelope of SOAP 1.1 in UTF-8 with one element in its Body"
        answered = {one.klant.key for one in read_antwoord(body[0]).abonnementen if one.klant}
    except (XmlRefused, UnreadableValidatie) as error:
        return str(error)
    return "" if answered == set(keys) else f"an answer about {len(answered)} citizens, of whom {len(answered & set(keys))} were asked"


@decides("WUS-009")
def test_addressed_question_gets_an_addressed_answer(stage: BoxStage, judge: Judge) -> None:
    """The answer to a question with WS-Addressing says to which it belongs, and has a MessageID of its own."""
    content, message_id = _addressed(stage)
    answer = stage.ask(content)

    try:
        header = parse(answer.body).find(f"{_S}Header")
    except XmlRefused:
        header = None
    found = {} if header is None else {str(block.tag): (block.text or "").strip() for block in header}
    own = found.get(f"{_W}MessageID", "")
    holds = found.get(f"{_W}RelatesTo") == message_id and found.get(f"{_W}Action") == RESPONSE_ACTION and own not in {"", message_id}
    shown = ", ".join(f"{name.removeprefix(_W)} {text}" for name, text in found.items()) or "no WS-Addressing"
    judge.that("WUS-009", holds, expected="RelatesTo, the Action of the answer, and a new MessageID", seen=f"{told(answer)}: {shown}")


# -- what is wrong ---------------------------------------------------------------------------------------------------------------------------


@decides("WUS-005")
def test_other_encoding_garbles_nothing(stage: BoxStage, judge: Judge) -> None:
    """A question in ISO-8859-1 is refused, or its letters come back as they were."""
    text = written(stage.question(_ACCENTED)).decode().replace("UTF-8", "ISO-8859-1", 1)
    answer = stage.ask(text.encode("iso-8859-1"), content_type="text/xml; charset=iso-8859-1")

    try:
        content = content_of(answer) if has_data(answer) else None
        keys = None if content is None else [one.klant and one.klant.key for one in read_antwoord(content).abonnementen]
    except UnreadableValidatie:
        keys = []
    holds = not has_data(answer) or keys == [_ACCENTED]
    judge.that("WUS-005", holds, expected=f"a refusal, or an answer about {_ACCENTED}", seen=f"{told(answer)}, about {keys}")


@decides("WUS-006")
def test_two_questions_in_one_body_are_refused(stage: BoxStage, judge: Judge) -> None:
    """A Body with two elements gets a Fault."""
    content = written(stage.question())
    start, end = content.index(b"<soap:Body>") + len(b"<soap:Body>"), content.index(b"</soap:Body>")
    _judge_fault(judge, stage.ask(content[:end] + content[start:end] + content[end:]))


_INVALID: Final = [
    pytest.param(lambda content: _edited(content, b"</t:klanten>", b"</t:klanten><t:extra/>"), id="extra_element"),
    pytest.param(lambda content: _edited(content, b">Burger<", b">Bedrijf<"), id="unknown_rol"),
]


@decides("WUS-007")
@pytest.mark.parametrize("broken", _INVALID)
def test_invalid_question_is_refused(stage: BoxStage, judge: Judge, broken: Callable[[bytes], bytes]) -> None:
    """A question that the schema does not take gets HTTP 500 with a Fault, and nobody's answer."""
    answer = stage.ask(broken(written(stage.question())))

    holds = answer.status == _SERVER_ERROR and fault_of(answer).partition(".")[0] == FaultCode.CLIENT and not has_data(answer)
    judge.that("WUS-007", holds, expected="HTTP 500 with a Fault Client, and no data", seen=told(answer))


@decides("WUS-008")
def test_block_that_must_be_understood_is_refused(stage: BoxStage, judge: Judge) -> None:
    """A header block that nobody knows, and that must be understood, gets a Fault MustUnderstand."""
    block = '<x:Route xmlns:x="urn:example:extension" soap:mustUnderstand="1">1</x:Route>'
    _judge_fault(judge, stage.ask(_with_headers(written(stage.question()), block)), FaultCode.MUST_UNDERSTAND)


@decides("WUS-010")
def test_reply_to_another_address_is_never_called(stage: BoxStage, judge: Judge) -> None:
    """A ReplyTo with a real address is not called: the answer, or a Fault, comes on the connection of the question."""
    with stage.receiver.canary() as canary:
        answer = stage.ask(_addressed(stage, canary.url)[0])
        stage.receiver.quiet()
        fetches = canary.fetches

    seen = f"{told(answer)}, and {fetches} connections to that address"
    judge.that("WUS-010", not fetches, expected="no connection to the address in ReplyTo", seen=seen)


@decides("WUS-011")
def test_doctype_is_refused(stage: BoxStage, judge: Judge) -> None:
    """A question with a DOCTYPE and an external entity is refused, and nothing is fetched."""
    with stage.receiver.canary() as canary:
        doctype = f'<!DOCTYPE soap:Envelope [<!ENTITY buiten SYSTEM "{canary.url}">]>'.encode()
        content = _edited(written(stage.question(_ACCENTED)), b"<soap:Envelope", doctype + b"<soap:Envelope")
        answer = stage.ask(_edited(content, _ACCENTED.encode(), b"&buiten;"))
        fetches = canary.fetches

    _judge_refused(judge, "WUS-011", answer, also=not fetches, seen=f", and {fetches} fetches")
