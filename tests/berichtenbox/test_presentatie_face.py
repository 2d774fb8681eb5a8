"""The berichtpresentatie: what a citizen sees and does, the mistakes of who asks, and the NL API Design Rules over its description."""

import re
import uuid
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from conformance.berichtenbox.ledger import LedgerError
from conformance.berichtenbox.presentatie_face import as_shown
from conformance.berichtenbox.presentatie_http import HEADERS, VERSION
from conformance.berichtenbox.sql_presentatie import _COUNT, _OF_ID, _PAGE
from conformance.messages.batch import Bijlage
from conformance.messages.moments import write_moment
from conformance.messages.verwerkingsbericht import VerwerkingsCode

ANNA, BART = "999990019", "999990020"
ONE = "aaaaaaaa-0000-4000-8000-000000000001"
PDF = b"%PDF-1.7 a\n"
METHODS = ("get", "put", "post", "patch", "delete")


def of(bsn):
    """Return the header that names a citizen."""
    return {"X-Ontvanger": f"BSN:{bsn}"}


@pytest.fixture
def citizen(urls, make):
    """A client of Anna's app, that holds each answer against the description, its headers included."""
    description = make.description("berichtpresentatie")

    def check(response):
        description.check(response)
        assert {name: response.headers.get(name) for name in HEADERS} == HEADERS

    with httpx.Client(base_url=urls.presentatie, timeout=30, headers=of(ANNA), event_hooks={"response": [check]}) as client:
        yield client


@pytest.fixture
def post(live, make):
    """Delivers letters in one batch, of which each is answered for."""

    def delivered(*berichten):
        live.accept(make.envelope(live, make.batch(*berichten, at=live.clock.now()).to_xml(), f"{uuid.uuid4()}@afnemer.example"))
        live.settle()

    return delivered


def patch(client, body, bericht_id=ONE, **headers):
    """Send a merge patch; a body that is no bytes as JSON."""
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    return client.patch(f"/berichten/{bericht_id}", headers={"Content-Type": "application/merge-patch+json"} | headers, **sent)


def listed(client, **query):
    """Return the ids on a page."""
    return [item["berichtId"] for item in client.get("/berichten", params=query).json()["berichten"]]


def problem(answer, status):
    """Return problem details that name no citizen."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert not re.search(r"[0-9]{8}", answer.text)
    assert answer.json()["status"] == status
    return answer.json()


def mistakes(answer):
    """Return where a request was wrong."""
    return [(item["in"], item["location"]) for item in problem(answer, 400)["errors"]]


# -- what a citizen sees ---------------------------------------------------------------------------------------------------------------------


def test_a_citizen_sees_own_letters_and_nobody_elses(citizen, post, make):
    """
    What is Verwerkt is there for who it was for; what was refused is not there.
    """
    post(make.bericht(ONE), make.bericht(gebruiker_id=BART), make.bericht(bericht_type="ANDERS"))

    shown = citizen.get("/berichten").json()

    assert (shown["totalElements"], shown["totalPages"], shown["page"], shown["pageSize"]) == (1, 1, 1, 25)
    (letter,) = shown["berichten"]
    assert letter.pop("publicatietijdstip").endswith("Z")
    assert letter == {
        "berichtId": ONE,
        "afzender": "00000099000000001000",
        "berichtType": "BELAST",
        "onderwerp": "Uw aanslag",
        "gelezen": False,
        "map": None,
    }


def test_an_empty_berichtenbox_has_no_pages(citizen):
    """
    Somebody without letters sees none.
    """
    assert citizen.get("/berichten").json() == {"berichten": [], "page": 1, "pageSize": 25, "totalElements": 0, "totalPages": 0}


def test_letters_come_in_pages_newest_first(citizen, post, make):
    """
    Each letter stands on one page, the latest at the top; behind the last page is nothing.
    """
    ids = [str(uuid.uuid4()) for _ in range(5)]
    post(*(make.bericht(one) for one in ids[:3]))
    post(*(make.bericht(one) for one in ids[3:]))

    pages = [listed(citizen, page=number, pageSize=2) for number in (1, 2, 3, 4)]

    assert pages == [ids[:2:-1], [ids[2], ids[1]], [ids[0]], []]
    assert citizen.get("/berichten", params={"pageSize": 2}).json()["totalPages"] == 3


def test_a_letter_shows_what_the_afnemer_wrote(citizen, post, make):
    """
    Its text, with the line breaks that a citizen sees, and all else that is in it; the id counts in any case.
    """
    texts = {"bericht_tekst": "Geachte,\\r\\nZie bijlage\nhier", "referentie": "R-1", "eind_datum_handelings_termijn": "2026-12-01T12:00:00+01:00"}
    post(make.bericht(), make.bericht(ONE, bijlagen=(Bijlage.from_octets(PDF, "Tweede", 2), Bijlage.from_octets(PDF, "Eerste", 1)), **texts))

    shown = citizen.get(f"/berichten/{ONE.upper()}").json()

    assert shown["tekst"] == "Geachte,\nZie bijlage hier"
    assert (shown["referentie"], shown["eindeHandelingstermijn"]) == ("R-1", "2026-12-01T11:00:00.000Z")
    assert shown["bijlagen"] == [{"bijlageId": 1, "omschrijving": "Eerste"}, {"bijlageId": 2, "omschrijving": "Tweede"}]
    assert {name: shown[name] for name in ("berichtId", "onderwerp", "gelezen")} == {"berichtId": ONE, "onderwerp": "Uw aanslag", "gelezen": False}


def test_a_letter_without_anything_optional(citizen, post, make):
    """
    No text is an empty one; the rest is null or empty.
    """
    post(make.bericht(ONE, bericht_tekst=None))

    shown = citizen.get(f"/berichten/{ONE}").json()

    assert (shown["tekst"], shown["referentie"], shown["eindeHandelingstermijn"], shown["bijlagen"]) == ("", None, None, [])


@pytest.mark.parametrize(("text", "shown"), [("a\\r\\nb", "a\nb"), ("a\r\nb", "a b"), ("a\nb", "a b"), ("a\\nb", "a\\nb"), ("", "")])
def test_only_the_four_characters_break_a_line(text, shown):
    """
    A real line break is a blank, and nothing else is a break.
    """
    assert as_shown(text) == shown


def test_a_letter_is_there_from_its_publicatie_datum_on(citizen, post, make, live):
    """
    Before that moment on the business clock it is not there, not for its citizen either; a date in the past is now.
    """
    moments = [write_moment(live.clock.now() + timedelta(days=days)) for days in (1, -1)]
    post(make.bericht(ONE, publicatie_datum=moments[0]), make.bericht(publicatie_datum=moments[1]))
    before = len(listed(citizen)), citizen.get(f"/berichten/{ONE}").status_code

    live.advance(days=2)

    assert before == (1, 404)
    assert listed(citizen)[0] == ONE
    assert citizen.get(f"/berichten/{ONE}").json()["publicatietijdstip"] == moments[0]


def test_what_a_calamity_takes_is_gone_until_it_is_delivered_again(citizen, post, make, live):
    """
    A lost letter is not there; delivered again it is, as a new one.
    """
    post(make.bericht(ONE))
    patch(citizen, {"gelezen": True})
    live.lose(hours=4)
    gone = listed(citizen), citizen.get(f"/berichten/{ONE}").status_code
    post(make.bericht(ONE))

    assert gone == ([], 404)
    assert citizen.get(f"/berichten/{ONE}").json()["gelezen"] is False


def test_a_letter_that_is_processed_twice_is_there_once(citizen, post, make, live):
    """
    Also when a fault says Verwerkt where BerichtBestaatAl belongs.
    """
    post(make.bericht(ONE))
    live.answer(ANNA, VerwerkingsCode.VERWERKT)
    post(make.bericht(ONE))

    assert [item.code for item in live.ledger.berichten(0)] == [VerwerkingsCode.VERWERKT] * 2
    assert [item.published is None for item in live.ledger.berichten(0)] == [False, True]
    assert listed(citizen) == [ONE]


# -- what a citizen does ---------------------------------------------------------------------------------------------------------------------


def test_a_letter_is_marked_and_moved(citizen, post, make):
    """
    Each patch changes what it names, and nothing else; an empty one changes nothing. Reading marks nothing.
    """
    post(make.bericht(ONE))
    citizen.get(f"/berichten/{ONE}")
    bodies = [{}, {"gelezen": True}, {"map": "Belasting 2026"}, {"gelezen": False}, {"map": None, "gelezen": True}]

    answers = [patch(citizen, body).json() for body in bodies]

    assert [(one["gelezen"], one["map"]) for one in answers] == [
        (False, None),
        (True, None),
        (True, "Belasting 2026"),
        (False, "Belasting 2026"),
        (True, None),
    ]
    assert citizen.get("/berichten").json()["berichten"][0]["gelezen"] is True


def test_what_a_citizen_did_outlives_a_restart(citizen, post, make, ledger, live):
    """
    It stands in the ledger once it is answered.
    """
    post(make.bericht(ONE))
    patch(citizen, {"map": "Archief"})

    assert ledger.presentatie.letter(ONE, live.clock.now()).inzage.folder == "Archief"


def test_a_deleted_letter_is_gone(citizen, post, make, live):
    """
    404 from then on, for every operation; the ledger still has it as evidence.
    """
    post(make.bericht(ONE))

    first, second = citizen.delete(f"/berichten/{ONE}"), citizen.delete(f"/berichten/{ONE}")

    assert first.status_code == 204
    assert "deleted" in problem(second, 404)["detail"]
    assert [answer.status_code for answer in (citizen.get(f"/berichten/{ONE}"), patch(citizen, {"gelezen": True}))] == [404, 404]
    assert (listed(citizen), citizen.get("/berichten").json()["totalElements"]) == ([], 0)
    assert [item.bericht_id for item in live.ledger.berichten(0)] == [ONE]


def test_a_patch_does_not_bring_back_what_is_deleted_meanwhile(citizen, post, make, live, monkeypatch):
    """
    Deleted after the patch looked and before it wrote: the letter stays deleted.
    """
    post(make.bericht(ONE))
    found = live.ledger.presentatie.letter(ONE, live.clock.now())
    citizen.delete(f"/berichten/{ONE}")
    answers = iter([found])
    look = live.ledger.presentatie.letter
    monkeypatch.setattr(live.ledger.presentatie, "letter", lambda *asked: next(answers, None) or look(*asked))

    assert problem(patch(citizen, {"gelezen": True}), 404)
    assert listed(citizen) == []


def test_a_bijlage_is_a_download(citizen, post, make):
    """
    The very bytes, under a name that says nothing about the letter.
    """
    post(make.bericht(ONE, bijlagen=(Bijlage.from_octets(PDF + b"2", "Over 999990019", 2), Bijlage.from_octets(PDF, "Eerste", 1))))

    answers = [citizen.get(f"/berichten/{ONE}/bijlagen/{number}") for number in (1, 2)]

    assert [answer.content for answer in answers] == [PDF, PDF + b"2"]
    assert [answer.headers["content-disposition"] for answer in answers] == [f'attachment; filename="bijlage-{number}.pdf"' for number in (1, 2)]
    assert {answer.headers["content-type"] for answer in answers} == {"application/pdf"}


def test_a_bijlage_that_is_not_there_is_not_found(citizen, post, make, live):
    """
    Another number, or what a fault let through though it is not base64.
    """
    live.answer(ANNA, VerwerkingsCode.VERWERKT)
    post(make.bericht(ONE, bijlagen=(Bijlage("@@@@", "Kapot", "1"),)))

    assert "no such bijlage" in problem(citizen.get(f"/berichten/{ONE}/bijlagen/2"), 404)["detail"]
    assert "not base64" in problem(citizen.get(f"/berichten/{ONE}/bijlagen/1"), 404)["detail"]


# -- mistakes --------------------------------------------------------------------------------------------------------------------------------


def test_somebody_elses_letter_is_forbidden(citizen, post, make):
    """
    403 for every operation, also after its citizen deleted it, and nothing of it is told or changed.
    """
    post(make.bericht(ONE, gebruiker_id=BART, onderwerp="Geheim", bijlagen=(Bijlage.from_octets(PDF, "Geheim", 1),)))
    path = f"/berichten/{ONE}"

    answers = [citizen.get(path), citizen.delete(path), patch(citizen, {"gelezen": True}), citizen.get(f"{path}/bijlagen/1")]
    untouched = citizen.get(path, headers=of(BART)).json()
    citizen.delete(path, headers=of(BART))

    for answer in (*answers, citizen.get(path)):
        assert problem(answer, 403)["detail"] == "this bericht is somebody else's"
    assert untouched["gelezen"] is False


def test_an_unknown_letter_is_not_found(citizen):
    """
    404 for an id that was never offered.
    """
    assert problem(citizen.get(f"/berichten/{uuid.uuid4()}"), 404)


@pytest.mark.parametrize("given", [None, "", ANNA, "BSN:12345678", "BSN:9999900190", "bsn:999990019", "OIN:00000099000000001000", "BSN:٩٩٩٩٩٠٠١٩"])
def test_who_asks_must_say_for_whom(urls, make, given):
    """
    The header has one form, and no other; what was sent is not repeated.
    """
    headers = {} if given is None else {"X-Ontvanger": given.encode()}
    answer = httpx.get(f"{urls.presentatie}/berichten", headers=headers)

    make.description("berichtpresentatie").check(answer)
    assert mistakes(answer) == [("header", "X-Ontvanger")]


def test_two_citizens_at_once_is_a_mistake(citizen):
    """
    Nobody asks for two.
    """
    assert mistakes(citizen.get("/berichten", headers=[("X-Ontvanger", f"BSN:{bsn}") for bsn in (ANNA, BART)])) == [("header", "X-Ontvanger")]


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "page=1.5", "page=", "page=1&page=2", "page=1000001", "page=01", "page=٣"])
@pytest.mark.parametrize("name", ["page", "pageSize"])
def test_a_page_is_a_whole_number(citizen, name, query):
    """
    From 1, once, and bounded.
    """
    assert mistakes(citizen.get(f"/berichten?{query.replace('page', name)}")) == [("query", name)]


def test_a_page_has_at_most_a_hundred_letters(citizen):
    """
    A hundred is answered, more is a mistake.
    """
    assert citizen.get("/berichten?pageSize=100&page=1000000").status_code == 200
    assert mistakes(citizen.get("/berichten?pageSize=101")) == [("query", "pageSize")]


def test_all_mistakes_are_told_at_once(citizen):
    """
    In header, path, query and body together, and without a word of what was sent.
    """
    everything = patch(citizen, {"gelezen": "999990019", "map": "999990019/", "999990019": 1}, "999990019?bsn=999990019", **of("x"))
    other = citizen.get("/berichten?page=0&pageSize=x&bsn=999990019", headers=of("x"))
    third = citizen.get("/berichten/x/bijlagen/0?y=1")

    assert mistakes(everything) == [
        ("body", "#"),
        ("body", "#/gelezen"),
        ("body", "#/map"),
        ("header", "X-Ontvanger"),
        ("path", "berichtId"),
        ("query", ""),
    ]
    assert mistakes(other) == [("header", "X-Ontvanger"), ("query", ""), ("query", "page"), ("query", "pageSize")]
    assert mistakes(third) == [("path", "bijlageId"), ("path", "berichtId"), ("query", "")]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 9_000, b"1" * 5_000])
def test_a_patch_is_a_json_object(citizen, post, make, body):
    """
    Anything else is a mistake in the body.
    """
    post(make.bericht(ONE))

    assert mistakes(patch(citizen, body)) == [("body", "#")]


@pytest.mark.parametrize("body", [{"gelezen": None}, {"gelezen": 1}, {"map": ""}, {"map": " x"}, {"map": "x" * 41}, {"map": "x\n"}, {"map": 1}])
def test_a_patch_has_the_right_members(citizen, post, make, body):
    """
    Also what JSON can say and a database cannot keep, such as half a character, is refused; nothing changes.
    """
    post(make.bericht(ONE))

    assert mistakes(patch(citizen, body)) == [("body", f"#/{next(iter(body))}")]
    assert mistakes(patch(citizen, b'{"map": "\\ud800"}')) == [("body", "#/map")]
    assert patch(citizen, {}).json()["map"] is None


@pytest.mark.parametrize("kind", ["application/json", "", "text/plain"])
def test_a_patch_is_a_merge_patch(citizen, kind):
    """
    Another kind of content is 415; a charset does not matter.
    """
    assert "application/merge-patch+json" in problem(patch(citizen, {}, **{"Content-Type": kind}), 415)["detail"]
    assert problem(patch(citizen, {}, **{"Content-Type": "Application/Merge-Patch+JSON; charset=utf-8"}), 404)


def test_a_body_that_is_too_large_is_refused(citizen):
    """
    Marks and a map take no ten thousand bytes.
    """
    assert "at most 10000 are read" in problem(patch(citizen, b" " * 10_001), 413)["detail"]


@pytest.mark.parametrize("path", ["/", "/berichten/", f"/berichten/{ONE}/", f"/berichten/{ONE}/bijlagen", "/x"])
def test_an_unknown_path_is_a_problem(citizen, path):
    """
    With a trailing slash it is another one: not there, and no redirect.
    """
    assert problem(citizen.get(path), 404)


@pytest.mark.parametrize(("path", "methods"), [("/berichten", {"GET", "HEAD"}), (f"/berichten/{ONE}", {"GET", "HEAD", "PATCH", "DELETE"})])
def test_an_unknown_method_is_a_problem(citizen, path, methods):
    """
    Whoever uses another method is told which there are.
    """
    answer = citizen.put(path)

    assert problem(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == methods


def test_a_head_is_a_get_without_its_body(urls):
    """
    With the same headers.
    """
    answer, whole = (httpx.request(method, f"{urls.presentatie}/berichten", headers=of(ANNA)) for method in ("HEAD", "GET"))

    assert (answer.status_code, answer.content) == (200, b"")
    assert {**answer.headers, "date": ""} == {**whole.headers, "date": ""}


def test_a_crash_of_ours_is_a_problem_without_details(citizen, live, monkeypatch):
    """
    500 with the class of the error alone, and the headers of every answer.
    """

    def fails(*_arguments):
        raise LedgerError("secret 999990019")

    monkeypatch.setattr(live.ledger.presentatie, "count", fails)

    assert problem(citizen.get("/berichten"), 500)["detail"] == "internal error (LedgerError); the log of the Berichtenbox has the rest"


def test_what_the_database_says_is_logged_without_values(ledger, make):
    """
    An error of the database carries its statement, and not the BSN that was asked for.
    """
    with pytest.raises(LedgerError, match="datatype mismatch") as caught:
        ledger.presentatie.page(ANNA, make.now, 0, "many")

    assert ANNA not in f"{caught.value} {caught.value.__cause__}"


def test_the_face_describes_itself(citizen, make):
    """
    openapi.json stands at the base, and is the description that the answers here are held against.
    """
    assert citizen.get("/openapi.json").json() == make.description("berichtpresentatie").document


# -- how quick it is -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (_PAGE, "INDEX bericht_of_citizen (gebruiker_id=? AND is_lost=? AND published<?)"),
        (_COUNT, "COVERING INDEX bericht_of_citizen (gebruiker_id=? AND is_lost=? AND published<?)"),
        (_OF_ID, "INDEX bericht_by_id (bericht_id=?)"),
    ],
)
def test_every_question_is_answered_from_an_index(ledger, statement, index):
    """
    With a hundred thousand letters nothing goes through all of them, and nothing is sorted.
    """
    with ledger._reader.connect() as connection:
        compiled = statement.compile(dialect=connection.dialect)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", tuple(1 for _ in compiled.positiontup))
        steps = [row.detail for row in plan]

    assert steps == [f"SEARCH bericht USING {index}", "SEARCH inzage USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN"]


# -- the NL API Design Rules over the description --------------------------------------------------------------------------------------------


@pytest.fixture
def document(make):
    """The description."""
    return make.description("berichtpresentatie").document


def operations(document):
    """Yield (path, operation, parameters) of every operation, references resolved."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                both = [*item.get("parameters", ()), *item[method].get("parameters", ())]
                yield path, item[method], [resolved(document, parameter) for parameter in both]


def resolved(document, value):
    """Return what a reference refers to."""
    for step in value["$ref"].removeprefix("#/").split("/") if "$ref" in value else ():
        value = document[step] if step == "components" else value[step]
    return value


def responses(document):
    """Yield (status, response) of every operation, references resolved."""
    for _, operation, _ in operations(document):
        yield from ((status, resolved(document, response)) for status, response in operation["responses"].items())


def test_the_description_says_what_it_is(document):
    """
    OpenAPI 3.1, a full version that is the code's, a contact, and that all of it is our own reading.
    """
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", document["info"]["version"])
    assert document["info"]["version"] == VERSION == HEADERS["API-Version"]
    assert document["info"]["contact"].keys() >= {"name", "email", "url"}
    assert document["info"]["x-zekerheid"] == "aanname"
    assert "Certainty: aanname" in document["info"]["description"]


def test_the_major_version_stands_in_the_path(document):
    """
    v1, as in API-Version.
    """
    assert [re.search(r"/v(\d+)$", urlsplit(server["url"]).path)[1] for server in document["servers"]] == [VERSION.partition(".")[0]]


def test_paths_are_plural_nouns_in_kebab_case_without_a_trailing_slash(document):
    """
    Collections are Dutch plurals, each followed by the id of one of it.
    """
    paths = [path for path in document["paths"] if path != "/openapi.json"]
    words = [segment for path in paths for segment in path.split("/")[1:] if not segment.startswith("{")]

    assert not [path for path in document["paths"] if path.endswith("/")]
    assert all(re.fullmatch(r"(/[a-z]+(-[a-z]+)*(/\{[a-z][A-Za-z]*\})?)+", path) for path in paths)
    assert set(words) == {"berichten", "bijlagen"}
    assert "/openapi.json" in document["paths"]


def test_query_keys_and_properties_are_in_camel_case(document):
    """
    And the names of schemas in Pascal case.
    """
    query = [parameter["name"] for _, _, parameters in operations(document) for parameter in parameters if parameter["in"] == "query"]
    properties = [name for schema in document["components"]["schemas"].values() for name in schema.get("properties", {})]

    assert query == ["page", "pageSize"]
    assert all(re.fullmatch(r"[a-z][a-z0-9]*([A-Z][a-z0-9]*)*", name) for name in (*query, *properties))
    assert all(re.fullmatch(r"([A-Z][a-z0-9]*)+", name) for name in document["components"]["schemas"])


def test_nothing_that_names_a_citizen_stands_in_a_url(document):
    """
    The BSN is in a header of every operation on letters; what stands in paths and queries cannot hold one.
    """
    for path, _, parameters in operations(document):
        in_url = {parameter["name"] for parameter in parameters if parameter["in"] in ("path", "query")}
        assert in_url <= {"berichtId", "bijlageId", "page", "pageSize"}
        assert set(re.findall(r"\{([^}]*)\}", path)) == {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
        assert path == "/openapi.json" or [parameter["name"] for parameter in parameters if parameter["in"] == "header"] == ["X-Ontvanger"]
    assert re.fullmatch(document["components"]["parameters"]["BerichtId"]["schema"]["pattern"], ANNA) is None
    assert all(parameter["schema"].get("maximum", 0) < 10_000_000 for _, _, parameters in operations(document) for parameter in parameters)


def test_every_response_has_the_headers(document):
    """
    API-Version and those of the transport, with the values that are sent.
    """
    for _, response in responses(document):
        described = {name: resolved(document, header) for name, header in response["headers"].items()}
        assert {name: described[name]["schema"].get("const") for name in HEADERS} == HEADERS
        assert all(header["required"] for header in described.values())


def test_errors_are_problem_details(document):
    """
    With status, title and detail; invalid input is 400 and never 422, on each operation that takes any.
    """
    schemas = document["components"]["schemas"]
    for status, response in responses(document):
        if status >= "400":
            (kind,) = response["content"]
            schema = schemas[response["content"][kind]["schema"]["$ref"].rpartition("/")[2]]
            assert kind == "application/problem+json"
            assert {"status", "title", "detail"} <= set(schema["required"]) <= schema["properties"].keys()
    for _, operation, parameters in operations(document):
        assert ("400" in operation["responses"]) == bool(parameters)
        assert "422" not in operation["responses"]


def test_every_operation_has_an_id_and_standard_methods_only(document):
    """
    Unique ids, a tag that is described, and no other method.
    """
    ids = [operation["operationId"] for _, operation, _ in operations(document)]
    tags = {tag["name"] for tag in document["tags"]}

    assert len(set(ids)) == len(ids)
    assert all(set(operation["tags"]) <= tags for _, operation, _ in operations(document))
    assert all(set(item) <= {*METHODS, "parameters"} for item in document["paths"].values())


def test_times_have_a_zone_and_no_name_says_date_where_a_time_stands(document):
    """
    A moment is a date-time that ends in Z, and its name is not one of a date.
    """
    schemas = document["components"]["schemas"]
    moments = [name for schema in schemas.values() for name, value in schema.get("properties", {}).items() if "Tijdstip" in str(value)]

    assert set(moments) == {"publicatietijdstip", "eindeHandelingstermijn"}
    assert schemas["Tijdstip"]["format"] == "date-time"
    assert schemas["Tijdstip"]["pattern"].endswith("Z$")
    assert not [name for name in moments if re.search(r"datum|date", name, re.IGNORECASE)]
