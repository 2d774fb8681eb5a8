"""SOAP 1.1 by its bytes: which envelopes are read, which Fault the others get, and what is written."""

import io

import pytest

from conformance.messages.guard import etree, parse
from conformance.transport import soap
from conformance.transport.soap import (
    ANONYMOUS,
    CONTENT_TYPE,
    FAULT_ACTION,
    NONE,
    NS_SOAP,
    NS_WSA,
    Addressing,
    FaultCode,
    MediaTypeRefused,
    SoapFault,
)

ACTION = "urn:example:Ask"
QUOTED = f'"{ACTION}"'
ASK = '<v:Ask xmlns:v="urn:example">tekst</v:Ask>'
WSA = {"To": "https://berichtenbox.example/wus?OIN=00000099000000002000", "Action": ACTION, "MessageID": "urn:uuid:1"}
ATTRIBUTES = " ".join(f'a{number}=""' for number in range(2001))
LAUGHS = "".join(f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 10))


def wsa(without=(), **changes):
    """Return header blocks of WS-Addressing; a value is text, or XML when it starts with <."""
    return "".join(f'<w:{name} xmlns:w="{NS_WSA}">{value}</w:{name}>' for name, value in {**WSA, **changes}.items() if name not in without)


def address(value, more=""):
    return f"<w:Address>{value}</w:Address>{more}"


def enveloped(body=ASK, header=None, namespace=NS_SOAP, *, tail=""):
    shown = "" if header is None else f"<s:Header>{header}</s:Header>"
    return f'<s:Envelope xmlns:s="{namespace}">{shown}<s:Body>{body}</s:Body>{tail}</s:Envelope>'.encode()


def read(data, content_type=CONTENT_TYPE, soap_action=QUOTED):
    return soap.read_request(content_type, soap_action, data, ACTION)


def fault_of(data, **rest):
    with pytest.raises(SoapFault) as caught:  # each test looks at the text
        read(data, **rest)
    return caught.value


@pytest.mark.parametrize("soap_action", ['""', QUOTED, f" {QUOTED} "])
@pytest.mark.parametrize("content_type", ["text/xml", "text/xml; charset=utf-8", 'TEXT/XML;charset="UTF-8"', "text/xml; charset=us-ascii"])
def test_a_request_is_read(soap_action, content_type):
    """
    An empty SOAPAction and the one of the operation are both taken, in every spelling of the media type; without WS-Addressing there is none.
    """
    request = read(enveloped(), content_type, soap_action)

    assert (request.content.tag, request.content.text, request.addressing) == ("{urn:example}Ask", "tekst", None)


@pytest.mark.parametrize("header", ["", '<x:Own xmlns:x="urn:x">1</x:Own>', '<x:Own xmlns:x="urn:x" s:mustUnderstand="0"/>'])
def test_a_header_that_nobody_needs_to_understand_is_passed_over(header):
    """
    An empty Header, and a block of somebody else, do no harm.
    """
    assert read(enveloped(header=header)).addressing is None


def test_a_block_for_another_actor_is_not_ours():
    """
    What must be understood by somebody else on the way need not be understood here; what is for the next one must.
    """
    block = '<x:Own xmlns:x="urn:x" s:mustUnderstand="1" s:actor="{}"/>'

    assert read(enveloped(header=block.format("urn:someone"))).addressing is None
    assert fault_of(enveloped(header=block.format("http://schemas.xmlsoap.org/soap/actor/next"))).code is FaultCode.MUST_UNDERSTAND


def test_the_addressing_of_a_request_is_read():
    """
    With WS-Addressing its action and MessageID are known; mustUnderstand on its headers is fine, and a sender may name itself.
    """
    header = wsa(From=address("urn:a"), ReplyTo=address(ANONYMOUS), FaultTo=address(NONE)).replace("<w:To", '<w:To s:mustUnderstand="1"')

    assert read(enveloped(header=header)).addressing == Addressing(ACTION, "urn:uuid:1", to=WSA["To"])


def test_the_content_stands_on_its_own():
    """
    Prefixes that the Envelope declares still mean something in the content, as the value of an xsi:type needs.
    """
    body = '<v:Ask xmlns:v="urn:example" a="1"><v:Key xmlns:i="urn:i" i:type="x:string">1</v:Key></v:Ask>'

    content = read(enveloped(body).replace(b"<s:Envelope", b'<s:Envelope xmlns:x="urn:types"')).content

    assert content.getparent() is None
    assert (content.get("a"), content.nsmap["x"], content[0].nsmap["x"]) == ("1", "urn:types", "urn:types")


@pytest.mark.parametrize("content_type", ["", "application/soap+xml; charset=utf-8", "application/json", "multipart/related; type=text/xml"])
def test_another_media_type_is_no_soap_1_1(content_type):
    """
    SOAP 1.2, MTOM and whatever else are refused by their media type.
    """
    with pytest.raises(MediaTypeRefused, match=r"SOAP 1\.1 travels as text/xml; charset=utf-8"):
        read(enveloped(), content_type)


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (enveloped(), "text/xml; charset=iso-8859-1"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + enveloped(ASK.replace("tekst", "caf\u00e9")).decode().encode("latin-1"), "text/xml"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + enveloped(), CONTENT_TYPE),
        (enveloped().decode().encode("utf-16"), "text/xml"),
        (enveloped().decode().encode("utf-16-le"), "text/xml"),
        (b'<?xml version="1.0" encoding="EBCDIC"?>' + enveloped(), CONTENT_TYPE),
    ],
    ids=["header", "document", "both", "utf-16", "utf-16 without mark", "unknown"],
)
def test_only_utf_8_is_read(data, content_type):
    """
    Another encoding, said by the header or by the document, is refused rather than corrupted.
    """
    fault = fault_of(data, content_type=content_type)

    assert (fault.code, str(fault)[:5]) == (FaultCode.CLIENT, "0009 ")


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (b"", "Client", "0001"),
        (b"<a", "Client", "0001"),
        (enveloped(ASK.replace("tekst", "caf\u00e9")).decode().encode("latin-1"), "Client", "0001"),
        (ASK.encode(), "Client", "the root of the document is no SOAP Envelope"),
        (enveloped(namespace="http://www.w3.org/2003/05/soap-envelope"), "VersionMismatch", "not one of SOAP 1.1"),
        (b"<Envelope/>", "VersionMismatch", "not one of SOAP 1.1"),
        (f'<s:Envelope xmlns:s="{NS_SOAP}"/>'.encode(), "Client", "at most one Header, then one Body"),
        (enveloped(tail="<s:Body/>"), "Client", "at most one Header, then one Body"),
        (enveloped(tail="<s:Header/>"), "Client", "at most one Header, then one Body"),
        (enveloped(ASK + ASK), "Client", "the Body holds 2 elements: expected one"),
        (enveloped(""), "Client", "the Body holds 0 elements: expected one"),
        (enveloped(header='<x:Own xmlns:x="urn:x" s:mustUnderstand="1"/>'), "MustUnderstand", "{urn:x}Own"),
        (enveloped(header=f'<w:Own xmlns:w="{NS_WSA}" s:mustUnderstand="true"/>'), "MustUnderstand", "Own"),
        (enveloped(header='<w:To xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" s:mustUnderstand="1"/>'), "MustUnderstand", "2004/08"),
    ],
)
def test_a_broken_envelope_gets_its_fault(data, code, text):
    """
    Each way to break an envelope has its fault code and says what was expected.
    """
    fault = fault_of(data)

    assert fault.code == code
    assert text in str(fault)
    assert not fault.is_about_body


@pytest.mark.attack
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"<!DOCTYPE a>" + enveloped(), "DOCTYPE"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + enveloped("&x;"), "DOCTYPE"),
        (f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]>'.encode() + enveloped("&l9;"), "DOCTYPE"),
        (enveloped("<a>" * 30 + "</a>" * 30), "nested deeper than 24"),
        (enveloped("<a>" * 5000 + "</a>" * 5000), "depth"),
        (enveloped("<a/>" * 450_000), "at most 400000 are read"),
        (enveloped("x" * 2_000_000), "at most 2000000 are read"),
        (enveloped(f"<a {ATTRIBUTES}/>"), "at most 2000 are read"),
    ],
    ids=["doctype", "external", "laughs", "nested", "deep", "elements", "large", "attributes"],
)
def test_a_hostile_document_gets_a_fault(data, text):
    """
    Entities, depth, size and numbers are refused before anybody looks at the content.
    """
    fault = fault_of(data)

    assert fault.code is FaultCode.CLIENT
    assert text in str(fault)


@pytest.mark.parametrize("soap_action", [None, "", ACTION, '"urn:example:Other"', f"'{ACTION}'"])
def test_another_soap_action_is_refused(soap_action):
    """
    None at all, one without quotes and the one of another operation are all refused (WS002).
    """
    fault = fault_of(enveloped(), soap_action=soap_action)

    assert (fault.code, str(fault)[:4]) == (FaultCode.CLIENT, "0003")
    assert QUOTED in str(fault)


def test_a_fault_quotes_no_bsn():
    """
    Nine digits in whatever a caller writes outside the Body come back masked.
    """
    fault = fault_of(enveloped(), soap_action='"999990019"')

    assert "999990019" not in str(fault)
    assert "9999*****" in str(fault)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (wsa(without=("To",)), "0005 wsa:To stands in the header 0 times"),
        (wsa(without=("Action",)), "0006 wsa:Action stands in the header 0 times"),
        (wsa(without=("MessageID",)), "0007 wsa:MessageID stands in the header 0 times"),
        (wsa() + wsa(without=("To", "Action")), "0007 wsa:MessageID stands in the header 2 times"),
        (wsa(To="/wus"), "0005 wsa:To is /wus: expected an absolute URI"),
        (wsa(MessageID="een twee"), "0007 wsa:MessageID is een twee: expected an absolute URI"),
        (wsa(MessageID="urn:" + "x" * 1001), "0007 wsa:MessageID is urn:x"),
        (wsa(Action="urn:example:Other"), "0006 wsa:Action is another one than of this operation"),
        (wsa(ReplyTo=address("https://elders.example/")), "0011 wsa:ReplyTo is https://elders.example/: expected"),
        (wsa(FaultTo=address("https://elders.example/")), "0011 wsa:FaultTo is https://elders.example/: expected"),
        (wsa(ReplyTo=address(ANONYMOUS, "<w:ReferenceParameters/>")), "0011 wsa:ReplyTo holds one wsa:Address and nothing else"),
        (wsa(From=""), "0011 wsa:From holds one wsa:Address and nothing else"),
    ],
)
def test_half_of_ws_addressing_is_refused(header, text):
    """
    Whoever uses WS-Addressing uses it as Digikoppeling asks, and never has the answer sent elsewhere.
    """
    fault = fault_of(enveloped(header=header))

    assert fault.code is FaultCode.CLIENT
    assert str(fault).startswith(text)
    assert fault.addressing is not None
    assert fault.action == FAULT_ACTION


def test_a_fault_knows_what_it_answers():
    """
    A request with WS-Addressing that fails later in the reading still has its MessageID with the fault; a broken one is not repeated.
    """
    broken = wsa(MessageID="een twee")

    assert fault_of(enveloped(ASK + ASK, header=wsa())).addressing.message_id == "urn:uuid:1"
    assert fault_of(enveloped(header=broken)).addressing.message_id == ""
    assert fault_of(enveloped(ASK + ASK)).addressing is None


# -- writing -----------------------------------------------------------------------------------------------------------------------------------


def written(data):
    """Return the Header (or ``None``) and the Body of an envelope of ours."""
    assert data.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    root = parse(data)
    assert root.tag == f"{{{NS_SOAP}}}Envelope"
    return root.find(f"{{{NS_SOAP}}}Header"), root.find(f"{{{NS_SOAP}}}Body")


def test_an_answer_is_one_element_in_a_body():
    """
    Without WS-Addressing there is no Header; text outside ASCII stays what it is.
    """
    content = etree.Element("{urn:example}Answer")
    content.text = "caf\u00e9 \U0001f4ec"

    header, body = written(soap.write_envelope(content))

    assert header is None
    assert [(child.tag, child.text) for child in body] == [("{urn:example}Answer", "caf\u00e9 \U0001f4ec")]


def test_an_answer_refers_to_its_request():
    """
    The headers of an answer are its own action and MessageID, the anonymous receiver, and the request that it answers.
    """
    addressing = Addressing(ACTION, "urn:uuid:1", to="urn:x").reply(f"{ACTION}Response", "urn:uuid:2")

    header, _ = written(soap.write_envelope(etree.Element("a"), addressing))

    assert {etree.QName(child).localname: child.text for child in header} == {
        "To": ANONYMOUS,
        "Action": f"{ACTION}Response",
        "MessageID": "urn:uuid:2",
        "RelatesTo": "urn:uuid:1",
    }


def test_an_answer_to_nothing_known_refers_to_nothing():
    """
    When the MessageID of the request could not be used, there is no RelatesTo.
    """
    header, _ = written(soap.write_envelope(etree.Element("a"), Addressing().reply(ACTION, "urn:uuid:2")))

    assert [etree.QName(child).localname for child in header] == ["To", "Action", "MessageID"]


@pytest.mark.parametrize(
    ("fault", "children"),
    [
        (SoapFault(FaultCode.SERVER, "stuk"), ["faultcode", "faultstring"]),
        (SoapFault(FaultCode.CLIENT, "stuk", is_about_body=True), ["faultcode", "faultstring", "detail"]),
        (SoapFault(FaultCode.CLIENT, "stuk", details=[etree.Element("{urn:example}Entry")]), ["faultcode", "faultstring", "detail"]),
    ],
)
def test_a_fault_is_written(fault, children):
    """
    The children of a Fault have no namespace, its code is a name of SOAP, and a detail says that the Body is to blame.
    """
    data = soap.write_fault(fault)

    _, body = written(data)
    (element,) = body
    prefixes = dict(prefix for _, prefix in etree.iterparse(io.BytesIO(data), events=["start-ns"]))
    assert element.tag == f"{{{NS_SOAP}}}Fault"
    assert [child.tag for child in element] == children
    assert (element[0].text, element[1].text) == (f"soap:{fault.code}", "stuk")
    assert prefixes["soap"] == NS_SOAP
    assert [entry.tag for detail in element[2:] for entry in detail] == [entry.tag for entry in fault.details]
