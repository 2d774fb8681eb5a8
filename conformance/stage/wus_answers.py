"""What the cases of a validatieservice share: a question as it goes out, and what its answer comes to."""

from collections.abc import Mapping
from typing import Final

from conformance.messages.guard import XmlRefused, etree, parse
from conformance.messages.validatie import NS_SERVICE, NS_SHARED, FaultName, UnreadableValidatie, ValidatieAanvraag, read_antwoord
from conformance.transport import soap
from conformance.transport.ebms2.http import HttpAnswer
from conformance.transport.soap import NS_SOAP

_S: Final = f"{{{NS_SOAP}}}"
_ANSWER: Final = f"{{{NS_SERVICE}}}ValidateAbonnementenResponse"


def written(question: ValidatieAanvraag) -> bytes:
    """Return a question in its envelope."""
    return soap.write_envelope(question.to_element())


def content_of(answer: HttpAnswer) -> etree._Element | None:
    """Return the first child of the Body, ``None`` when there is none to read."""
    try:
        body = parse(answer.body).find(f"{_S}Body")
    except XmlRefused:
        return None
    return None if body is None or not len(body) else body[0]


def has_data(answer: HttpAnswer) -> bool:
    """Tell whether an answer holds what was asked, whatever else is wrong with it."""
    return _ANSWER.encode()[1:].partition(b"}")[2] in answer.body and b"isBerichtSturen" in answer.body


def fault_of(answer: HttpAnswer) -> str:
    """Return the code of the Fault in an answer, without prefix; empty when it is none."""
    content = content_of(answer)
    if content is None or content.tag != f"{_S}Fault":
        return ""
    return (content.findtext("faultcode") or "").strip().rpartition(":")[2]


def has_fault(answer: HttpAnswer, name: FaultName) -> bool:
    """Tell whether an answer is a Fault with this element of the WSDL in its detail."""
    content = content_of(answer)
    return bool(fault_of(answer)) and content is not None and content.find(f"detail/{{{NS_SHARED}}}{name}") is not None


def told(answer: HttpAnswer) -> str:
    """Return what an answer is, in a few words."""
    if not answer.status:
        return "no handshake"
    fault, data = fault_of(answer), " with who wants letters" if has_data(answer) else ""
    named = next((f" {name}" for name in FaultName if has_fault(answer, name)), "")
    return f"HTTP {answer.status}{f', Fault {fault}{named}' if fault else ''}{data}"


def outcomes(answer: HttpAnswer) -> Mapping[str, bool] | None:
    """Return who wants letters by BSN, ``None`` when the answer cannot be read as one."""
    content = content_of(answer)
    try:
        read = None if content is None else read_antwoord(content)
    except UnreadableValidatie:
        return None
    return None if read is None else {one.klant.key: one.is_bericht_sturen for one in read.abonnementen if one.klant and one.klant.key}
