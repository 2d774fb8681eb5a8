"""The validatieservice over a real socket: a SOAP client that knows only its WSDL, and requests that bend or break the profile."""

import asyncio
import logging
import re
from datetime import UTC, datetime

import httpx
import pytest
import zeep
import zeep.wsa

from conformance import specs
from conformance.berichtenbox.app import create_app
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.wus_face import PATH
from conformance.messages.guard import etree, parse, schema
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.validatie import (
    ACTION,
    NS_SHARED,
    RESPONSE_ACTION,
    SCHEMA,
    Abonnement,
    FaultName,
    Klant,
    ValidatieAanvraag,
    read_antwoord,
)
from conformance.transport import soap
from conformance.transport.serving import PEER
from conformance.transport.soap import ANONYMOUS, CONTENT_TYPE, FAULT_ACTION, NS_SOAP, NS_WSA, SOAP_FAULT_ACTION, Addressing
from conformance.transport.tls import PeerCertificate

OIN, CLIENT_OIN, LOGIUS = "00000099000000001000", "00000099000000003000", "00000099000000002000"
BSN, OTHER, REFUSER = "999990019", "999990007", "999990020"
S, W, K = f"{{{NS_SOAP}}}", f"{{{NS_WSA}}}", f"{{{NS_SHARED}}}"
HEADERS = {"Content-Type": CONTENT_TYPE, "SOAPAction": f'"{ACTION}"'}
NO_ANSWER = r"reset by peer|disconnected without sending a response|closed connection without sending complete message body"


def asking(*keys, oin=OIN, bericht_type="BELAST"):
    """Return a question about these citizens."""
    return ValidatieAanvraag(oin, bericht_type, tuple(Klant(key) for key in keys))


def enveloped(*keys, **changes):
    return soap.write_envelope(asking(*keys, **changes).to_element())


GOOD = enveloped(BSN)


@pytest.fixture
def wus():
    """A plain client that asks in SOAP."""
    with httpx.Client(timeout=30, headers=HEADERS, verify=False, trust_env=False) as client:
        yield client


@pytest.fixture
def ask(wus, urls):
    """Post a question, and return the response."""

    def post(content=GOOD, **headers):
        return wus.post(urls.wus, content=content, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return post


def body_of(response, status=200):
    """Return the one child of the Body of a response, which is UTF-8 and valid by its own schema."""
    assert (response.status_code, response.headers["content-type"]) == (status, CONTENT_TYPE), response.text
    (child,) = parse(response.content).find(f"{S}Body")
    return child


def answers(response):
    """Return who wants letters, by BSN in the order of the answer."""
    content = body_of(response)
    assert schema(SCHEMA).validate(content)
    return [(item.klant.key, item.is_bericht_sturen) for item in read_antwoord(content).abonnementen]


def fault_of(response):
    """Return (code, text, names in the detail or ``None``) of a Fault."""
    fault = body_of(response, 500)
    assert fault.tag == f"{S}Fault"
    detail = fault.find("detail")
    return fault.findtext("faultcode"), fault.findtext("faultstring"), None if detail is None else [entry.tag for entry in detail]


def headers_of(response):
    """Return the headers of WS-Addressing by name; empty when there is no Header."""
    header = parse(response.content).find(f"{S}Header")
    return {} if header is None else {child.tag.removeprefix(W): child.text for child in header}


# -- a client that knows only the WSDL ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def service(urls):
    """Make a zeep client; it sends WS-Addressing by itself when the WSDL has actions, which ``addresses_itself`` takes away."""
    sessions = []

    def make(*plugins, addresses_itself=True):
        client = zeep.Client(f"{urls.wus}?wsdl", transport=transport(), plugins=list(plugins), settings=zeep.Settings(strict=True))
        if not addresses_itself:
            client.service._binding.get("ValidateAbonnementen").abstract.wsa_action = None
        return client.service.ValidateAbonnementen

    def transport():
        made = zeep.Transport()
        made.session.trust_env = False
        sessions.append(made.session)
        return made

    yield make
    for session in sessions:
        session.close()


class Recorder(zeep.Plugin):
    """Keeps what goes out and comes in."""

    def egress(self, envelope, http_headers, *_):
        self.sent = envelope
        return envelope, http_headers

    def ingress(self, envelope, http_headers, _):
        self.received = envelope
        return envelope, http_headers


def parameters(*keys, oin=OIN, bericht_type="BELAST"):
    return {"berichtleverancierCode": oin, "berichtTypeCode": bericht_type, "klanten": {"Klant": [{"Key": key, "Rol": "Burger"} for key in keys]}}


@pytest.mark.parametrize(("plugins", "addresses_itself"), [((), True), ((), False), ((zeep.wsa.WsAddressingPlugin(),), False)])
def test_a_soap_client_asks(service, live, plugins, addresses_itself):
    """
    From the WSDL alone, with and without WS-Addressing, a client learns who wants letters: not who refused them, nor who is unknown.
    """
    live.set_burger(REFUSER, wants=False)
    recorder = Recorder()
    operation = service(*plugins, recorder, addresses_itself=addresses_itself)

    found = operation(parameters(BSN, REFUSER, "111222333", "x"))

    assert [(item.klant.Key, item.klant.Rol, item.isBerichtSturen) for item in found] == [
        (BSN, "Burger", True),
        (REFUSER, "Burger", False),
        ("111222333", "Burger", False),
        ("x", "Burger", False),
    ]
    uses_addressing = bool(plugins) or addresses_itself
    sent, received = (envelope.find(f".//{W}{name}") for envelope, name in ((recorder.sent, "MessageID"), (recorder.received, "RelatesTo")))
    assert (sent is not None, received is not None) == (uses_addressing, uses_addressing)
    assert not uses_addressing or sent.text == received.text


@pytest.mark.parametrize("addresses_itself", [True, False])
def test_a_soap_client_sees_both_faults(service, live, addresses_itself):
    """
    An ApplicationFault and a DependentServiceFault reach a client as faults with the detail that the WSDL declares.
    """
    operation = service(addresses_itself=addresses_itself)
    live.fault("register-down")

    with pytest.raises(zeep.exceptions.Fault, match="the register of abonnementen cannot be reached") as down:
        operation(parameters(BSN))
    with pytest.raises(zeep.exceptions.Fault, match="the request has 0 klanten") as wrong:
        operation(parameters())

    assert (down.value.code, down.value.detail[0].tag) == ("soap:Server", f"{K}DependentServiceFault")
    assert (wrong.value.code, wrong.value.detail[0].tag) == ("soap:Client", f"{K}ApplicationFault")
    assert wrong.value.detail[0].findtext(f"{K}Message") == "the request has 0 klanten: expected 1 to 250"


def test_the_wsdl_declares_what_is_answered(service):
    """
    The binding is SOAP 1.1, document/literal, with the action of the koppelvlak and both faults.
    """
    binding = service()._proxy._binding
    operation = binding.get("ValidateAbonnementen")

    assert (type(binding).__name__, operation.style, operation.soapaction) == ("Soap11Binding", "document", ACTION)
    assert {str(name) for name in operation.faults} == {f"{name}Fault" for name in FaultName}
    assert operation.abstract.wsa_action == ACTION


def test_the_wsdl_can_be_read_from_its_file():
    """
    Without a server the WSDL leads to the schemas beside it.
    """
    client = zeep.Client(str(specs.path("wsdl/validatieservice.wsdl")))

    assert client.get_type(f"{K}Klant").name == "Klant"


# -- its description ---------------------------------------------------------------------------------------------------------------------------


def locations(document):
    """Return the addresses in a WSDL or a schema."""
    names = ("schemaLocation", "location")
    return [value for element in parse(document).iter("*") for name in names if (value := element.get(name))]


def test_every_address_in_the_description_is_the_one_that_was_called(wus, urls):
    """
    Whatever a client loads next comes from the same server, down to the last schema.
    """
    seen, left = set(), [f"{urls.wus}?wsdl"]
    while left:
        url = left.pop()
        response = wus.get(url)
        assert (response.status_code, response.headers["content-type"]) == (200, CONTENT_TYPE)
        seen.add(url)
        left.extend(found for found in locations(response.content) if found not in seen and found != urls.wus)

    assert {url.removeprefix(urls.wus) for url in seen} == {"?wsdl", "?xsd=validatie-dienst", "?xsd=validatie-types", "?xsd=validatie-gedeeld"}


@pytest.mark.parametrize("query", ["?WSDL", "?Wsdl=1", "?singleWsdl&wsdl"])
def test_the_wsdl_is_asked_for_in_many_ways(wus, urls, query):
    """
    Toolkits differ in how they spell the question.
    """
    assert wus.get(urls.wus + query).status_code == 200


@pytest.mark.parametrize("name", ["", "berichten", "../limits", "validatie-dienst.xsd", "validatie-dienst%00"])
def test_a_schema_that_is_not_there_is_not_found(wus, urls, name):
    """
    Only the three schemas of the service are served, and no path of the caller is followed.
    """
    assert wus.get(f"{urls.wus}?xsd={name}").status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_only_a_post_asks(wus, urls, method):
    """
    Another method is not allowed, and says which one is.
    """
    response = wus.request(method, urls.wus)

    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


def called(box, method="POST", *, url="https://berichtenbox.example", peer=None, content=None, headers=None):
    """Call the app without a socket, as a server with TLS would."""
    committer = GroupCommitter(box.ledger, lambda: None)
    app = create_app(box, committer)

    async def secured(scope, receive, send):
        if peer is not None:
            scope.setdefault("extensions", {})[PEER] = peer
        await app(scope, receive, send)

    async def call():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=secured), base_url=url) as client:
            return await client.request(method, PATH + ("?wsdl" if method == "GET" else ""), content=content, headers=headers)

    try:
        return asyncio.run(call())
    finally:
        committer.stop()


@pytest.mark.parametrize("url", ["https://berichtenbox.example", "https://berichtenbox.example:8443", "http://[::1]:8800"])
def test_the_address_is_the_one_of_the_caller(box, url):
    """
    Behind TLS, or under another name, the service is where the caller found it.
    """
    found = locations(called(box, "GET", url=url).content)

    assert f"{url}{PATH}" in found
    assert all(location.startswith(f"{url}{PATH}") or "schemas" in location for location in found)


@pytest.mark.attack
def test_a_strange_host_does_not_break_out_of_the_wsdl(box):
    """
    What a caller writes in Host stays a value.
    """
    response = called(box, "GET", headers={"Host": 'a"/><x:evil xmlns:x="urn:x"/><y z="'})

    assert response.status_code == 200
    assert [element for element in parse(response.content).iter("*") if "evil" in str(element.tag)] == []


# -- answers -----------------------------------------------------------------------------------------------------------------------------------


def test_an_answer_is_soap_1_1(ask):
    """
    One child in the Body, schema-valid, in UTF-8, the citizens in the order of the question and a repeated one each time.
    """
    assert answers(ask(enveloped(BSN, OTHER, BSN))) == [(BSN, True), (OTHER, True), (BSN, True)]


@pytest.mark.parametrize(("bericht_type", "expected"), [("BELAST", True), ("OUD", False), ("ONBEKEND", False), ("belast", False)])
def test_the_answer_is_per_bericht_type(ask, live, bericht_type, expected):
    """
    Nobody gets letters of a BerichtType that does not exist or is not active.
    """
    live.set_bericht_type("OUD", is_active=False)

    assert answers(ask(enveloped(BSN, bericht_type=bericht_type))) == [(BSN, expected)]


def test_someone_who_subscribes_is_known_at_once(ask, live):
    """
    The register is asked anew each time.
    """
    live.set_burger(BSN, wants=False)
    before = answers(ask())
    live.set_burger(BSN, wants=True)

    assert (before, answers(ask())) == ([(BSN, False)], [(BSN, True)])


def test_an_impossible_bsn_is_an_answer_and_not_a_fault(ask, live):
    """
    What fails the elfproef wants nothing, not even when somebody put it in the register.
    """
    live.set_burger("123456789", wants=True)

    assert answers(ask(enveloped("123456789", " 999990019", "\u0669"))) == [("123456789", False), (" 999990019", False), ("\u0669", False)]


@pytest.mark.parametrize(("number", "status"), [(1, 200), (250, 200), (251, 500), (2000, 500)])
def test_a_question_is_about_1_to_250_citizens(ask, number, status):
    """
    The 251st makes an ApplicationFault of the whole question.
    """
    response = ask(enveloped(*(reserved_test_bsns() * 3)[:number]))

    if status == 200:
        assert len(answers(response)) == number
    else:
        assert fault_of(response) == ("soap:Client", f"the request has {number} klanten: expected 1 to 250", [f"{K}ApplicationFault"])


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (asking(), "the request has 0 klanten"),
        (ValidatieAanvraag(OIN, "BELAST", None), "the request has 0 klanten"),
        (asking(BSN, oin=None), "berichtleverancierCode is nil or empty"),
        (asking(BSN, oin=""), "berichtleverancierCode is nil or empty"),
        (asking(BSN, bericht_type=None), "berichtTypeCode is nil or empty"),
        (asking(BSN, bericht_type=""), "berichtTypeCode is nil or empty"),
        (asking(BSN, None), "Klant 2 has no Key"),
        (asking(""), "Klant 1 has no Key"),
        (asking(BSN, oin=LOGIUS), "not authorised: the berichtleverancierCode is not an OIN of this connection"),
        (asking(BSN, oin=BSN), "not authorised: the berichtleverancierCode is not an OIN of this connection"),
    ],
)
def test_a_question_that_the_service_cannot_take(ask, asked, text):
    """
    What the schema lets through and the service needs all the same is an ApplicationFault that says so, and repeats nothing.
    """
    code, told, detail = fault_of(ask(soap.write_envelope(asked.to_element())))

    assert (code, detail) == ("soap:Client", [f"{K}ApplicationFault"])
    assert told.startswith(text)
    assert BSN not in told


def test_an_absent_aanvraag_is_an_application_fault(ask):
    """
    The schema even allows an empty question.
    """
    root = asking(BSN).to_element()
    root.remove(root[0])

    assert fault_of(ask(soap.write_envelope(root)))[2] == [f"{K}ApplicationFault"]


def test_an_intermediair_asks_for_its_client(ask):
    """
    The other OIN of the connection may be asked for too.
    """
    assert answers(ask(enveloped(BSN, oin=CLIENT_OIN))) == [(BSN, True)]


def certificate(oin):
    at = datetime(2026, 11, 24, tzinfo=UTC)
    return PeerCertificate(oin, "x", "x", at, at, "RSA", 3072, is_signed_well=True, der=b"")


@pytest.mark.parametrize(
    ("peer", "asked", "is_allowed"),
    [
        (OIN, OIN, True),
        (OIN, CLIENT_OIN, True),
        (CLIENT_OIN, CLIENT_OIN, True),
        (CLIENT_OIN, OIN, False),
        (LOGIUS, OIN, False),
        ("", OIN, False),
    ],
)
def test_a_certificate_asks_for_its_own_or_as_an_intermediair(box, peer, asked, is_allowed):
    """
    The holder of the connection asks for itself and its clients; a client asks for itself; a stranger for nobody.
    """
    response = called(box, peer=certificate(peer), content=enveloped(BSN, oin=asked), headers=HEADERS)

    if is_allowed:
        assert answers(response) == [(BSN, True)]
    else:
        assert fault_of(response)[1:] == (
            "not authorised: the OIN of the client certificate may not ask for this berichtleverancierCode",
            [f"{K}ApplicationFault"],
        )


# -- the profile -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("soap_action", "is_taken"), [('""', True), (f'"{ACTION}"', True), (ACTION, False), ('"urn:x"', False), ("", False)])
def test_two_values_of_soap_action_are_taken(ask, soap_action, is_taken):
    """
    WUS-03: empty and equal to the action are fine, with quotes; another one is a Fault Client.
    """
    response = ask(SOAPAction=soap_action)

    assert answers(response) == [(BSN, True)] if is_taken else fault_of(response)[0] == "soap:Client"


def test_a_request_in_another_encoding_is_refused(ask):
    """
    WUS-05: a text is refused rather than corrupted.
    """
    latin = b'<?xml version="1.0" encoding="ISO-8859-1"?>' + GOOD.partition(b"?>")[2].replace(b"BELAST", "BELAST\u00c9".encode("latin-1"))

    assert fault_of(ask(latin, Content_Type="text/xml; charset=iso-8859-1"))[1].startswith("0009")
    assert fault_of(ask(latin))[1].startswith("0009")


def test_two_children_in_a_body_are_refused(ask):
    """
    WUS-06: one question at a time.
    """
    child = etree.tostring(asking(BSN).to_element())

    assert fault_of(ask(GOOD.replace(child, child * 2))) == ("soap:Client", "0001 the Body holds 2 elements: expected one", None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Burger", b"Bedrijf"),
        (b"k:Key", b"k:Bsn"),
        (b"validateAbonn", b"ValidateAbonn"),
        (b"s:ValidateAbonnementen", b"s:ValidateAbonnementenResponse"),
    ],
)
def test_an_invalid_body_gets_a_fault_without_data(ask, old, new):
    """
    WUS-07: HTTP 500, Fault Client, a detail because the Body is to blame, and nothing of what was asked.
    """
    response = ask(GOOD.replace(old, new))

    code, text, detail = fault_of(response)
    assert (code, text[:4], detail) == ("soap:Client", "0004", [])
    assert BSN not in response.text
    assert "isBerichtSturen" not in response.text


def with_header(*blocks):
    return GOOD.replace(b"<soap:Body>", f"<soap:Header>{''.join(blocks)}</soap:Header><soap:Body>".encode())


def test_a_header_that_must_be_understood_is_refused_when_it_is_not(ask):
    """
    WUS-08: WS-Security is not part of this service, and a signature that nobody checks must not look checked.
    """
    block = '<x:Security xmlns:x="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" soap:mustUnderstand="{}"/>'

    assert fault_of(ask(with_header(block.format(1))))[0] == "soap:MustUnderstand"
    assert answers(ask(with_header(block.format(0)))) == [(BSN, True)]


def test_another_soap_version_is_refused(ask):
    """
    The Envelope of SOAP 1.2 is a VersionMismatch, its media type an HTTP 415.
    """
    soap12 = GOOD.replace(NS_SOAP.encode(), b"http://www.w3.org/2003/05/soap-envelope")

    assert fault_of(ask(soap12))[0] == "soap:VersionMismatch"
    assert ask(soap12, Content_Type="application/soap+xml; charset=utf-8").status_code == 415


ADDRESSED = Addressing(ACTION, "urn:uuid:7ca3c2a9-0000-4000-8000-000000000000", to="https://berichtenbox.example/")


def test_ws_addressing_is_answered_in_kind(ask):
    """
    WUS-09: the answer refers to the request, has an id of its own and the action of the response.
    """
    asked = soap.write_envelope(asking(BSN).to_element(), ADDRESSED)

    first, second = headers_of(ask(asked)), headers_of(ask(asked))

    assert first | {"MessageID": ""} == {"To": ANONYMOUS, "Action": RESPONSE_ACTION, "MessageID": "", "RelatesTo": ADDRESSED.message_id}
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", first["MessageID"])
    assert len({first["MessageID"], second["MessageID"], ADDRESSED.message_id}) == 3
    assert headers_of(ask()) == {}


def test_a_fault_is_addressed_too(ask, live):
    """
    Each fault has its own action: the declared ones as in the WSDL, the others that of SOAP.
    """
    live.fault("register-down")
    keys = ((BSN,), (), (BSN,))
    documents = [soap.write_envelope(asking(*asked).to_element(), ADDRESSED) for asked in keys]
    documents[2] = documents[2].replace(b"Burger", b"Bedrijf")

    found = [headers_of(ask(document)) for document in documents]

    assert [item["Action"] for item in found] == [FaultName.DEPENDENT_SERVICE.action, FaultName.APPLICATION.action, SOAP_FAULT_ACTION]
    assert {item["RelatesTo"] for item in found} == {ADDRESSED.message_id}
    assert headers_of(ask(enveloped())) == {}


@pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
def test_an_answer_is_never_sent_elsewhere(ask, urls, live, name):
    """
    WUS-10: another address is refused in the answer itself, and is never called.
    """
    elsewhere = f"{urls.url}/kanarie/{name}"
    asked = soap.write_envelope(asking(BSN).to_element(), ADDRESSED)
    endpoint = f"<wsa:{name}><wsa:Address>{elsewhere}</wsa:Address></wsa:{name}></soap:Header>"

    response = ask(asked.replace(b"</soap:Header>", endpoint.encode()))

    assert fault_of(response)[1].startswith(f"0011 wsa:{name} is ")
    assert headers_of(response)["Action"] == FAULT_ACTION
    assert [call.operation for call in live.ledger.calls(0)] == ["validatie"]


# -- hostile requests --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.attack
def test_an_external_entity_is_refused_and_not_fetched(ask, urls, live):
    """
    WUS-11: a DOCTYPE is refused, and nobody visits the URL in it.
    """
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{urls.url}/kanarie/e"><!ENTITY % p SYSTEM "{urls.url}/kanarie/p"> %p;]>'.encode()

    response = ask(doctype + GOOD.partition(b"?>")[2].replace(BSN.encode(), b"&e;"))

    assert fault_of(response)[:1] == ("soap:Client",)
    assert [call.operation for call in live.ledger.calls(0)] == ["validatie"]


@pytest.mark.attack
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>', 500),
        (GOOD.replace(b"Burger", b"<a>" * 100_000), 500),
        (GOOD.replace(b"Burger", b"<a>" * 300 + b"</a>" * 300), 500),
        (GOOD.replace(b"Burger", b"\0"), 500),
        (b"\xff" * 1000, 500),
        (b"", 500),
        (b"x" * 2_000_001, 413),
    ],
    ids=["entities", "open", "deep", "null", "no-text", "empty", "large"],
)
def test_hostile_content_is_answered(ask, content, status):
    """
    Bombs, depth and size end in a refusal, and the next question is answered as ever.
    """
    assert ask(content).status_code == status
    assert answers(ask()) == [(BSN, True)]


@pytest.mark.attack
def test_a_request_without_end_is_cut_off(wus, urls):
    """
    A body of unknown length is read up to the limit and no further.
    """
    response = wus.post(urls.wus, content=(b"x" * 100_000 for _ in range(1000)))

    assert response.status_code == 413


# -- faults and the record -----------------------------------------------------------------------------------------------------------------------


def test_each_question_goes_on_the_record_without_a_bsn(ask, live, caplog):
    """
    The ledger says how many citizens were asked about and what was answered; no log or record has a BSN.
    """
    caplog.set_level(logging.DEBUG, logger="conformance")
    for content in (enveloped(BSN, OTHER), enveloped(), GOOD.replace(b"Burger", b"Bedrijf")):
        ask(content)
    ask(Content_Type="text/plain")

    calls = live.ledger.calls(0)
    assert [(call.operation, call.subject, call.status) for call in calls] == [
        ("validatie", "2 klanten", 200),
        ("validatie", "0 klanten", 500),
        ("validatie", "unreadable", 500),
        ("validatie", "unreadable", 415),
    ]
    assert [call.note.partition(":")[0] for call in calls] == ["", "VAL-005", "VAL-008", "VAL-008"]
    assert BSN not in repr(calls) + caplog.text


@pytest.mark.parametrize(("name", "status"), [("unavailable", 503), ("error-500", 500)])
def test_a_fault_comes_instead_of_an_answer(ask, live, name, status):
    """
    The service fails as a server does, once, without SOAP around it; it is on the record.
    """
    live.fault(name, on="validate")

    response = ask()

    assert (response.status_code, response.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert answers(ask()) == [(BSN, True)]
    assert [(call.subject, call.status) for call in live.ledger.calls(0)] == [("unreadable", status), ("1 klanten", 200)]


def test_an_unavailable_service_may_say_when_to_come_back(ask, live):
    """
    Retry-After is there when the fault says so.
    """
    live.fault("unavailable", on="validate", retry_after_s=7)

    assert ask().headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("name", "subject"), [("reset-before-work", "unreadable"), ("reset-after-work", "1 klanten"), ("truncated-answer", "1 klanten")]
)
def test_a_dropped_connection_leaves_its_trace(ask, live, name, subject):
    """
    The caller gets nothing; the record says whether the question was read.
    """
    live.fault(name, on="validate")

    with pytest.raises(httpx.HTTPError, match=NO_ANSWER):
        ask()

    assert [(call.subject, call.status) for call in live.ledger.calls(0)] == [(subject, 0)]


def test_a_slow_service_answers_in_the_end(ask, live):
    """
    A delay changes nothing in the answer.
    """
    live.fault("slow", on="validate", delay_s=0.01)

    assert answers(ask()) == [(BSN, True)]
    assert live.faults.all()[0].fired == 1


def test_the_register_is_down_for_a_good_question_only(ask, live):
    """
    A question that is wrong anyway is told so, for waiting would not help.
    """
    live.fault("register-down", times=2)

    assert fault_of(ask(enveloped()))[2] == [f"{K}ApplicationFault"]
    assert fault_of(ask()) == ("soap:Server", "the register of abonnementen cannot be reached; ask again later", [f"{K}DependentServiceFault"])


def test_the_klant_comes_back_as_it_was_asked(ask):
    """
    A role that was left out is not made up.
    """
    asked = ValidatieAanvraag(OIN, "BELAST", (Klant(BSN, None),))

    content = body_of(ask(soap.write_envelope(asked.to_element())))

    assert read_antwoord(content).abonnementen == (Abonnement(Klant(BSN, None), is_bericht_sturen=True),)
