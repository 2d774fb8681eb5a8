"""Hostile requests against the running Berichtenbox: each gets a refusal of its own kind, or is accepted and ends in the ledger as what it is.

Nothing crashes, nothing takes long, memory stays bounded, and what was accepted before is still there and is processed.
"""

import base64
import contextlib
import gzip
import json
import resource
import socket
import time
import uuid
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import pytest

from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.ledger import State
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.batch import Batch, Bericht, Bijlage
from conformance.messages.moments import write_moment

pytestmark = pytest.mark.attack

OIN = "00000099000000001000"
LONGEST_S = 20.0
MOST_MEMORY = 400_000_000
V = "http://schemas.rdw.nl/GEB/BerichtVerwerkService/Types/2009/01"
PROPERTIES = {
    "cpaId": f"MIJNOVERHEID-EBMS-BB-2-0_{OIN}",
    "fromPartyId": f"urn:osb:oin:{OIN}",
    "fromRole": "SR",
    "service": "urn:osb:services:MIJNOVERHEID.ebMS.BB.2.0",
    "action": "GLOBE-R-BV-Request",
}
JSON_VALUES = (None, True, 1, -1.5, 10**30, "x", "", [], ["x"], [[]], {}, {"x": {}})


class Target:
    """A running Berichtenbox that holds one accepted message, and what an attacker needs."""

    def __init__(self, box, urls, client):
        self.box, self.urls, self.client = box, urls, client

    def post(self, body, **headers):
        """Post bytes to the operation that takes messages."""
        return self.client.post(f"{self.urls.adapter}/ebms/messages", content=body, headers=headers)

    def send(self, payload, **changes):
        """Post a payload in a proper request."""
        source = {"contentType": "text/xml", "content": base64.b64encode(payload).decode()}
        return self.post(json.dumps({"properties": PROPERTIES | changes, "dataSources": [source]}).encode())

    def outcome(self, answer):
        """Return the last offer, once it is processed."""
        assert (answer.status_code, answer.text[-16:]) == (200, "@afnemer.example"), answer.text[:200]
        self.box.settle()
        return self.box.ledger.offers(0)[-1]

    def codes(self):
        """Return what became of the berichten, without the one that was there before."""
        return [item.code.value for item in self.box.ledger.berichten(0)][1:]


def batch_of(*berichten):
    """Return a batch of today, or one with one valid bericht."""
    batch_id = str(uuid.uuid4())
    made = berichten or (Bericht(batch_id, str(uuid.uuid4()), "BELAST", "Uw aanslag", "999990019"),)
    return Batch(batch_id, write_moment(datetime.now(UTC)), OIN, made)


@pytest.fixture
def target(tmp_path):
    """A running Berichtenbox with one message in it; afterwards that one must be processed, and nobody may have cost too much."""
    started, memory = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with SqlLedger(f"sqlite:///{tmp_path}/ledger.db", is_durable=False) as ledger:
        box = Berichtenbox(ledger)
        with running(box) as urls, httpx.Client(timeout=LONGEST_S, verify=False) as client:
            made = Target(box, urls, client)
            before = made.send(batch_of().to_xml(), messageId="before")
            yield made
            box.settle()
            after = made.send(batch_of().to_xml())
            box.settle()
            counted = ledger.counts()
        assert (before.status_code, after.status_code) == (200, 200)
        assert ledger.message("before@afnemer.example").state is State.PROCESSED
        assert ledger.berichten(0)[0].code == ledger.berichten(0)[-1].code == "Verwerkt"
        assert State.ACCEPTED not in counted
    assert time.perf_counter() - started < LONGEST_S
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) * 1024 < MOST_MEMORY


def refused(answer, status=500):
    """Check that an answer is a refusal with words of its own, and no crash."""
    assert answer.status_code == status, answer.text[:200]
    assert 0 < len(answer.text) < 2_000
    assert "internal error" not in answer.text
    assert "Traceback" not in answer.text
    return answer.text


# -- JSON ----------------------------------------------------------------------------------------------------------------------------------------


def test_json_of_the_wrong_shape_is_refused_at_every_level(target):
    """
    Any JSON value in the place of any other: a refusal in words, or a message that the shape allows.
    """
    good = {"properties": PROPERTIES, "dataSources": [{"contentType": "text/xml", "content": "YQ=="}]}
    bodies = list(JSON_VALUES)
    bodies += [good | {key: value} for key in ("properties", "dataSources", "extra") for value in JSON_VALUES]
    bodies += [good | {"properties": PROPERTIES | {key: value}} for key in (*PROPERTIES, "toPartyId", "messageId", "x") for value in JSON_VALUES]
    bodies += [good | {"dataSources": [value]} for value in JSON_VALUES]
    bodies += [
        good | {"dataSources": [good["dataSources"][0] | {key: value}]}
        for key in ("name", "contentId", "contentType", "content", "x")
        for value in JSON_VALUES
    ]
    statuses = set()
    for body in bodies:
        answer = target.post(json.dumps(body).encode())
        statuses.add(answer.status_code)
        if answer.status_code != 200:
            refused(answer)

    assert statuses == {200, 500}
    assert target.codes() == []


NO_REQUESTS = [
    b"",
    b"\0" * 100,
    b"\xff\xfe{\0}\0",
    b"\xff\xff\xff",
    b'{"properties": "\xed\xa0\x80"}',
    b'{"properties": {"cpaId": "\\ud800"}, "dataSources": []}',
    b"NaN",
    b'{"properties": {"cpaId": NaN}}',
    b'{"properties": ' + b"9" * 100_000 + b"}",
    b'{"properties": 1e999999}',
    b'{"a":1}' * 1000,
    b"<xml/>",
    b"--boundary\r\nContent-Type: application/json\r\n\r\n{}\r\n--boundary--",
    b'{"properties": {"cpaId": "' + b"x" * 1_000_000 + b'"}}',
    b'{"' + b"x" * 1_000_000 + b'": 1}',
]


def test_what_is_no_message_request_is_refused(target):
    """
    Broken encodings, numbers without end, other formats: refused in words, and nothing is stored.
    """
    for body in NO_REQUESTS:
        refused(target.post(body, **{"Content-Type": "application/json"}))

    assert len(target.box.ledger.offers(0)) == 1


def test_deep_json_is_refused(target):
    """
    A hundred thousand levels do not exhaust the stack.
    """
    for opening in (b"[", b'{"a":', b'{"properties":', b'{"properties":{"cpaId":', b'{"properties":{},"dataSources":[{"content":'):
        assert refused(target.post(opening * 100_000)) == "the body is not JSON", opening


def test_broken_base64_is_refused(target):
    """
    Only what is base64 from start to end is taken.
    """
    for content in ("@@@@", "YQ", "YQ==YQ==", "Y Q==", "\u00e9", "YQ==\n", "=" * 1000):
        body = json.dumps({"properties": PROPERTIES, "dataSources": [{"contentType": "text/xml", "content": content}]})

        assert refused(target.post(body.encode())) == "dataSource.content is not base64", content


def test_an_id_of_a_megabyte_is_refused(target):
    """
    No id is longer than a thousand characters.
    """
    for key in ("messageId", "conversationId", "refToMessageId", "cpaId", "fromPartyId", "action"):
        assert refused(target.send(b"<a/>", **{key: "x" * 1_000_000})) == f"properties.{key} is a text of at most 1000 characters"


STRANGE = ["\r\nX-Injected: 1", "\0", "<script>alert(1)</script>", "' OR 1=1 --", "../../etc/passwd", "\u202e", "%00", "%s%n"]


def test_strange_ids_are_only_text(target):
    """
    What could mean something elsewhere is text here: it comes back as it was, in the body and nowhere else.
    """
    for name in STRANGE:
        answer = target.send(batch_of().to_xml(), messageId=name)
        offer = target.outcome(answer)

        assert offer.envelope.message_id == f"{name}@afnemer.example"
        assert "x-injected" not in answer.headers
    assert target.codes() == ["Verwerkt"] * len(STRANGE)


def test_ten_thousand_parts_are_taken_or_refused(target):
    """
    Many small parts are only many parts.
    """
    source = {"contentType": "text/plain", "content": "YQ=="}
    answer = target.post(json.dumps({"properties": PROPERTIES, "dataSources": [source] * 10_000}).encode())

    assert len(target.outcome(answer).envelope.parts) == 10_000


# -- bodies --------------------------------------------------------------------------------------------------------------------------------------


def talk(target, data, *, until_closed=True):
    """Send bytes over a socket of one's own, and return what comes back."""
    where, received = urlsplit(target.urls.url), b""
    with socket.create_connection((where.hostname, where.port), timeout=5) as connection, contextlib.suppress(TimeoutError, ConnectionError):
        for piece in data:
            connection.sendall(piece)
        while until_closed and (chunk := connection.recv(65_536)):
            received += chunk
            if b"\r\n\r\n" in received:
                break
    return received


def head_of(**headers):
    """Return the head of a POST."""
    lines = [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
    return "\r\n".join(["POST /service/rest/v19/ebms/messages HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(target):
    """
    413 on the announcement alone.
    """
    answer = talk(target, [head_of(Content_Length=10**12)])

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_grows_too_large_is_refused_on_the_way(target, monkeypatch):
    """
    Without an announcement, reading stops at the limit.
    """
    monkeypatch.setattr("conformance.berichtenbox.http.LARGEST_BODY", 1_000_000)
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"

    assert talk(target, [head_of(Transfer_Encoding="chunked"), *[chunk] * 20]).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_is_shorter_than_announced_stores_nothing(target):
    """
    A client that leaves halfway has sent nothing.
    """
    body = json.dumps({"properties": PROPERTIES}).encode()
    talk(target, [head_of(Content_Length=len(body) + 1), body], until_closed=False)

    assert len(target.box.ledger.offers(0)) == 1


def test_more_than_was_announced_is_another_request(target):
    """
    What follows the announced length is not part of the message.
    """
    body = json.dumps({"properties": PROPERTIES}).encode()
    answer = talk(target, [head_of(Content_Length=len(body)), body + b"garbage\r\n\r\n"])

    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))


NO_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    b"GET / HTTP/9.9\r\n\r\n",
    b"\r\n" * 100 + b"x\r\n\r\n",
    b"POST " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
    head_of(Content_Length="-1"),
    head_of(Content_Length="1, 2"),
    head_of(Content_Length="5", Transfer_Encoding="chunked") + b"0\r\n\r\n",
    head_of(Transfer_Encoding="chunked") + b"FFFFFFFFFFFFFFFFF\r\nx",
]


def test_what_is_no_http_is_refused_or_dropped(target):
    """
    TLS on the plain port, other versions, endless lines and lengths that contradict: no crash.
    """
    for data in NO_HTTP:
        answer = talk(target, [data])

        assert b"internal error" not in answer, data[:100]
        assert b" 200 " not in answer.partition(b"\r\n")[0], data[:100]


# -- payloads ------------------------------------------------------------------------------------------------------------------------------------

VALID = batch_of().to_xml()
BODY = VALID.partition(b"?>")[2].strip()
LAUGHS = b"<!DOCTYPE x [<!ENTITY a 'ha'>" + b"".join(b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12)) + b"]>"


HOSTILE = {
    "laughs": LAUGHS + BODY.replace(b"Uw aanslag", b"&m;"),
    "quadratic": b"<!DOCTYPE x [<!ENTITY a '" + b"x" * 50_000 + b"'>]>" + BODY.replace(b"Uw aanslag", b"&a;" * 50_000),
    "file-entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + BODY.replace(b"Uw aanslag", b"&e;"),
    "parameter-entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>' + BODY,
    "external-dtd": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">' + BODY,
    "utf-7": b'<?xml version="1.0" encoding="UTF-7"?>' + BODY,
    "ebcdic": b'<?xml version="1.0" encoding="EBCDIC-CP-NL"?>' + BODY,
    "no-utf-16": b'<?xml version="1.0" encoding="UTF-16"?>' + BODY,
    "wrong-bom": b"\xff\xfe" + BODY,
    "invalid-utf-8": BODY.replace(b"Uw aanslag", b"\xff\xfe\xc3"),
    "null-byte": BODY.replace(b"Uw aanslag", b"a\0b"),
    "null-reference": BODY.replace(b"Uw aanslag", b"&#0;"),
    "noncharacter": BODY.replace(b"Uw aanslag", b"&#xFFFE;"),
    "unclosed": b"<a>" * 100_000,
    "deep": b"<a>" * 1_000 + b"</a>" * 1_000,
    "attributes": b"<a " + b" ".join(b'a%d="x"' % number for number in range(100_000)) + b"/>",
    "elements": b"<a>" + b"<b/>" * 1_000_000 + b"</a>",
    "long-text": b"<a>" + b"x" * 11_000_000 + b"</a>",
    "long-name": b"<" + b"a" * 5_000_000,
    "comment": b"<!--" + b"-" * 1_000_000,
    "cdata": b"<![CDATA[" * 100_000,
    "gzip-bomb": gzip.compress(b"<a>" + b" " * 50_000_000 + b"</a>"),
    "gzip": gzip.compress(VALID),
    "empty": b"",
    "null": b"\0",
    "every-byte": bytes(range(256)) * 100,
    "mismatch": b"<a xmlns:x='u'><x:b></x:c></a>",
    "xinclude": b'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd" parse="text"/></a>',
    "stylesheet": b'<?xml-stylesheet href="http://127.0.0.1:1/x.xsl"?><a/>',
    "schema-location": b'<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="u http://127.0.0.1:1/x.xsd"/>',
}


def test_a_hostile_payload_is_accepted_as_bytes_and_refused_as_a_batch(target):
    """
    The adapter queues bytes; the Berichtenbox reads them with care: processed, not valid, and no bericht of it.
    """
    for name, payload in HOSTILE.items():
        offer = target.outcome(target.send(payload))

        assert (offer.state, offer.grading.is_schema_valid) == (State.PROCESSED, False), name
        assert offer.envelope.parts[0].content == payload, name
        assert target.codes() == [], name


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"Uw aanslag", b"x" * 1_000_000, "XmlValidatieTegenXsdValtNegatiefUit"),
        (b"Uw aanslag", b"<a/>" * 1000, "XmlValidatieTegenXsdValtNegatiefUit"),
        (b"BELAST", b"' OR 1", "BerichtTypeNietOndersteund"),
        (b">999990019<", b">999990019' OR 1=1<", "NietActiefOfGeabonneerd"),
        (b">999990019<", b">" + b"9" * 1_000_000 + b"<", "NietActiefOfGeabonneerd"),
        (b"Burger", b"Bedrijf", "XmlValidatieTegenXsdValtNegatiefUit"),
        (b"Uw aanslag", "\u202e\u0000".replace("\0", "").encode() * 10, "Verwerkt"),
    ],
    ids=["long", "deep", "type", "injection", "number", "enumeration", "direction"],
)
def test_a_hostile_bericht_ends_as_its_code(target, old, new, code):
    """
    What can be read as a batch gets a result.
    """
    target.outcome(target.send(VALID.replace(old, new)))

    assert target.codes() == [code]


def test_a_valid_batch_in_another_encoding_is_read(target):
    """
    UTF-16 with a byte order mark is XML too.
    """
    text = VALID.decode().replace("UTF-8", "UTF-16")
    target.outcome(target.send(text.encode("utf-16")))

    assert target.codes() == ["Verwerkt"]


def test_a_broken_pdf_is_only_a_bijlage(target):
    """
    A PDF that is none, or that loops, is graded and stored.
    """
    batch_id = str(uuid.uuid4())
    bijlagen = (
        Bijlage.from_octets(b"%PDF-1.7\n" + b"1 0 obj<</Length 2 0 R>>stream\n" * 1000, "Een", 1),
        Bijlage.from_octets(b"%PDF-1.7\ntrailer<</Root 1 0 R/Prev 9>>startxref 9 %%EOF", "Twee", 2),
    )
    bericht = Bericht(batch_id, str(uuid.uuid4()), "BELAST", "Uw aanslag", "999990019", bijlagen=bijlagen)
    target.outcome(target.send(Batch(batch_id, write_moment(datetime.now(UTC)), OIN, (bericht,)).to_xml()))

    assert target.codes() == ["Verwerkt"]


# -- the other operations ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/cpas", "/cpas/validate"])
def test_a_hostile_cpa_is_a_bad_request(target, path):
    """
    Read with the same care: 400 with the words of a parser.
    """
    for content in (LAUGHS + b"<a/>", b"<a>" * 100_000, b"\xff" * 100_000, b"<a>" + b"x" * 3_000_000 + b"</a>", b""):
        answer = target.client.post(target.urls.adapter + path, content=content)

        assert refused(answer, 400).startswith("org.xml.sax.SAXParseException"), content[:100]


@pytest.mark.parametrize("path", ["/urlMappings", "/certificateMappings"])
def test_a_hostile_mapping_is_refused(target, path):
    """
    Any JSON value, deep JSON and half of a surrogate pair: 500 in words, and the list can still be read.
    """
    bodies = [
        json.dumps(value).encode() for value in (*JSON_VALUES, {"source": {}, "destination": []}, {"source": "\ud800", "destination": "\ud800"})
    ]
    for body in (*bodies, b"[" * 100_000, b"\xff"):
        refused(target.client.post(target.urls.adapter + path, content=body))

    assert target.client.get(target.urls.adapter + path).json() == []


STRANGE_PATHS = [
    ("GET", "/ebms/messages/%00"),
    ("GET", "/ebms/messages/%ff%fe"),
    ("GET", "/ebms/messages/" + "x" * 20_000),
    ("PATCH", "/ebms/messages/%ff"),
    ("PATCH", "/ebms/events/%ed%a0%80"),
    ("GET", "/ebms/messages/%00/status"),
    ("PUT", "/ebms/messages/%2e%2e%2f"),
    ("GET", "/ebms/messages/unprocessed?messageId=%ff%00&cpaId=%ed%a0%80"),
    ("GET", "/ebms/messages/unprocessed?" + "cpaId=x&" * 5_000),
    ("GET", "/ebms/events/unprocessed?eventTypes=%ff"),
    ("POST", "/ebms/ping/%ff/from/%00/to/%ed%a0%80"),
    ("GET", "/cpas/%ff"),
    ("DELETE", "/cpas/%00"),
    ("DELETE", "/urlMappings/%ff%00"),
]


def test_hostile_paths_and_queries_are_no_crash(target):
    """
    Null bytes, broken UTF-8 and endless names: an answer that the face has, or a refusal by the server.
    """
    for method, path in STRANGE_PATHS:
        answer = target.client.request(method, target.urls.adapter + path)

        assert answer.status_code in {200, 204, 400, 404, 500}, (method, path[:100])
        assert "internal error" not in answer.text, (method, path[:100])


def test_the_control_face_refuses_json_of_the_wrong_shape(target):
    """
    Any JSON value for any key of any operation: done, or problem details; and every list can still be read.
    """
    keys = {
        ("POST", "/klok"): ("uren", "seconden"),
        ("POST", "/fouten"): ("naam", "op", "overslaan", "keren", "kans", "seed", "maximaalOpRij", "waarden"),
        ("POST", "/burgers"): ("bsn", "actief"),
        ("PUT", "/berichttypes/A"): ("actief",),
        ("POST", "/calamiteit"): ("x",),
    }
    fault = {"naam": "slow", "kans": 0.5, "seed": 1}
    for (method, path), names in keys.items():
        for name in names:
            for value in (*JSON_VALUES, "\ud800", "x" * 100_000, 10**400):
                base = fault if name in ("kans", "seed", "maximaalOpRij") else {"naam": "gzip"} if path == "/fouten" else {}
                answer = target.client.request(method, target.urls.control + path, content=json.dumps(base | {name: value}))
                assert answer.status_code in {200, 201, 204, 400}, (path, name, str(value)[:40], answer.text[:200])
    shown = [target.client.get(target.urls.control + path).status_code for path in ("/fouten", "/berichttypes", "/klok", "/stand", "/aanleveringen")]
    target.box.faults.clear()

    assert shown == [200] * 5


def test_no_value_of_a_fault_stops_the_processing(target):
    """
    A fault that was taken can strike: whatever its values, the message is processed.
    """
    kinds = target.client.get(f"{target.urls.control}/foutsoorten").json()["foutsoorten"]
    for kind in kinds:
        if kind["op"] != ["result"]:
            continue
        for name in kind["waarden"]:
            for value in (*JSON_VALUES, 1000, 0.0001, "Verwerkt", [0, 10**20]):
                target.client.post(f"{target.urls.control}/fouten", json={"naam": kind["naam"], "waarden": {name: value}})
    for _ in range(3):
        target.send(batch_of().to_xml())
    target.box.settle()
    target.box.faults.clear()

    assert target.box.ledger.counts()["processed"] == 4
