"""CPAs, URL mappings and certificate mappings of the adapter face."""

from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest

from conformance.berichtenbox import adapter_admin
from conformance.berichtenbox.cpas import new_test_cpa
from conformance.berichtenbox.register import ConnectionConfig

CPA = "MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000"
SOURCE = "https://logius.example/ebms?a=b c%2Fd"
ONE, OTHER = "MAMCAQE=", "MAMCAQI="  # base64 of a DER sequence


@pytest.fixture
def text(live):
    """The text of another CPA, valid now."""
    now = live.clock.now()
    connection = ConnectionConfig(cpa_id="CPA/2").connection()
    return new_test_cpa(connection, now - timedelta(days=1), now + timedelta(days=1))


def put(adapter, source=SOURCE, destination="http://127.0.0.1:1/"):
    """Set a URL mapping."""
    return adapter.post("/urlMappings", json={"source": source, "destination": destination})


def test_the_cpa_of_the_test_connection_is_there(adapter):
    """
    It is listed, and shown as XML.
    """
    assert adapter.get("/cpas").json() == [CPA]
    assert CPA in adapter.get(f"/cpas/{CPA}").text


def test_a_cpa_is_kept_shown_and_deleted(adapter, text):
    """
    The id comes back bare; the list is sorted; after deletion it is unknown.
    """
    kept = adapter.post("/cpas", content=text)
    listed = adapter.get("/cpas").json()
    path = f"/cpas/{quote('CPA/2', safe='')}"
    shown = adapter.get(path).text
    deleted = [adapter.delete(path).status_code, adapter.delete(path).status_code, adapter.get(path).status_code]

    assert (kept.status_code, kept.text, listed) == (200, "CPA/2", ["CPA/2", CPA])
    assert "CollaborationProtocolAgreement" in shown
    assert deleted == [204, 404, 404]


def test_a_cpa_is_replaced_only_when_asked(adapter, text):
    """
    Twice is a bad request, unless overwrite is true.
    """
    answers = [adapter.post("/cpas", content=text, params=query) for query in ({}, {}, {"overwrite": "true"})]

    assert [answer.status_code for answer in answers] == [200, 400, 200]
    assert answers[1].text == "java.lang.IllegalArgumentException: Did not insert CPA CPA/2! CPA already exists."


@pytest.mark.parametrize("path", ["/cpas", "/cpas/validate"])
def test_a_wrong_cpa_is_refused_as_by_the_adapter(adapter, text, path):
    """
    No XML is a bad request; a proposed CPA is a 500.
    """
    broken, proposed = adapter.post(path, content=b"\xff<a"), adapter.post(path, content=text.replace("agreed", "proposed"))

    assert (broken.status_code, broken.text[:34]) == (400, "org.xml.sax.SAXParseException; lin")
    assert (proposed.status_code, proposed.text) == (500, "CPA Status is proposed!")


def test_validating_keeps_nothing(adapter, text):
    """
    A valid CPA is judged, and not kept.
    """
    assert adapter.post("/cpas/validate", content=text).status_code == 204
    assert adapter.get("/cpas").json() == [CPA]


def test_caches_are_emptied(adapter):
    """
    The three cache operations do nothing, with 204.
    """
    assert {adapter.delete(f"/{name}/cache").status_code for name in ("cpas", "urlMappings", "certificateMappings")} == {204}


def test_a_url_mapping_is_set_replaced_listed_and_deleted_by_an_empty_destination(adapter):
    """
    Sorted by source; the last destination counts; an empty one deletes.
    """
    answers = [put(adapter), put(adapter, "http://a.example"), put(adapter, destination="http://b.example")]
    listed = adapter.get("/urlMappings").json()
    answers += [put(adapter, destination=""), put(adapter, destination="")]

    assert {answer.status_code for answer in answers} == {204}
    assert listed == [{"source": "http://a.example", "destination": "http://127.0.0.1:1/"}, {"source": SOURCE, "destination": "http://b.example"}]
    assert [item["source"] for item in adapter.get("/urlMappings").json()] == ["http://a.example"]


@pytest.mark.parametrize(
    ("source", "path"),
    [
        (SOURCE, quote(SOURCE, safe="")),
        ("http://a.example/x/y", "http://a.example/x/y"),
        ("http://a.example/x/y", "http:/a.example/x/y"),
        ("http://a.example/%41", "http%3A%2F%2Fa.example%2F%2541"),
        ("http://a.example/%41", "http://a.example/%41"),
    ],
)
def test_a_url_mapping_is_deleted_by_its_source_raw_or_encoded(adapter, source, path):
    """
    Clients differ: encoded, raw, or with slashes that something merged on the way.
    """
    put(adapter, source)

    assert [adapter.delete(f"/urlMappings/{path}").status_code for _ in range(2)] == [204, 404]
    assert adapter.get("/urlMappings").json() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "Source invalid"),
        (b"[]", "Source invalid"),
        (b'{"source": "ftp://x", "destination": ""}', "Source invalid"),
        (b'{"source": 1}', "Source invalid"),
        (b'{"source": "http://x"}', "Destination invalid"),
        (b'{"source": "http://x", "destination": "x"}', "Destination invalid"),
    ],
)
def test_a_wrong_url_mapping_is_refused(adapter, body, said):
    """
    500 with the words of the adapter.
    """
    answer = adapter.post("/urlMappings", content=body)

    assert (answer.status_code, answer.text) == (500, said)


def test_certificate_mappings_are_set_listed_and_deleted(adapter):
    """
    By source and CPA; one without a CPA shows none, and is another one.
    """
    for cpa in ({}, {"cpaId": CPA}):
        assert adapter.post("/certificateMappings", json={"source": ONE, "destination": OTHER} | cpa).status_code == 204
    listed = adapter.get("/certificateMappings").json()
    deleted = [adapter.request("DELETE", "/certificateMappings", content=ONE, params=query).status_code for query in ({"cpaId": CPA}, {}, {})]

    assert listed == [{"source": ONE, "destination": OTHER}, {"source": ONE, "destination": OTHER, "cpaId": CPA}]
    assert deleted == [204, 204, 404]


@pytest.mark.parametrize("source", [None, 1, "", "!", "AAAA", "MAMCAQE"])
def test_what_is_no_certificate_is_refused(adapter, source):
    """
    Not base64, or not the start of a DER sequence: 500.
    """
    answer = adapter.post("/certificateMappings", json={"source": source, "destination": OTHER})

    assert (answer.status_code, "CertificateException" in answer.text) == (500, True)


def test_there_is_an_end_to_what_is_kept(adapter, text, monkeypatch):
    """
    More than so many CPAs or mappings are refused.
    """
    monkeypatch.setattr(adapter_admin, "_MOST_KEPT", 1)
    put(adapter)
    adapter.post("/certificateMappings", json={"source": ONE, "destination": OTHER})
    refused = [
        adapter.post("/cpas", content=text),
        put(adapter, "http://b.example"),
        adapter.post("/certificateMappings", json={"source": OTHER, "destination": ONE}),
    ]

    assert [answer.status_code for answer in refused] == [500] * 3
    assert refused[0].text == "at most 1 CPAs are kept; delete some first"


def test_the_mtom_variants_are_not_there(adapter):
    """
    What is not described answers as something unknown.
    """
    assert isinstance(adapter.post("/ebms/messages/mtom"), httpx.Response)
    assert adapter.post("/ebms/messages/mtom").status_code == 405
