"""The test-control interface over HTTP, against its own description and the kit's own driver."""

import asyncio
import contextlib
import json
import socket
import threading

import httpx
import pytest
import uvicorn
import yaml
from jsonschema import Draft202012Validator

from conformance import specs
from conformance.afnemer.driver import BadAnswer, CannotDo, Driver, Letter, Refused
from conformance.afnemer.drivers.http import ROUTES, HttpCaller
from conformance.afnemer.http_face import test_control_app as control_app
from conformance.afnemer.smoke import smoke_check

DOCUMENT = yaml.safe_load(specs.path("openapi/test-control.yaml").read_text())


class Sender:
    """An Afnemer that keeps its letters in memory."""

    def __init__(self):
        self.letters = {}

    def gezondheid(self):
        return {"status": "ok"}

    def berichten(self, verzoek):
        if any(letter["berichtType"] == "ONBEKEND" for letter in verzoek["berichten"]):
            raise ValueError("BerichtType ONBEKEND is niet ingericht voor 999990019")
        ids = [f"b/{len(self.letters) + number}" for number in range(len(verzoek["berichten"]))]
        self.letters.update(dict.fromkeys(ids, "B-1"))
        return {"berichten": [{"berichtId": id_, "batchId": "B-1"} for id_ in ids]}

    def bericht(self, bericht_id):
        if bericht_id not in self.letters:
            return None
        return {"berichtId": bericht_id, "batchId": "B-1", "status": "aangeboden", "verwerkingsCode": None, "verwerkt": 0}

    def herlevering(self, verzoek):
        return {"aantal": len(self.letters) if verzoek["vanaf"] < verzoek["tot"] else 0}

    def abonnementen(self, verzoek):
        return {"verzoekId": verzoek["soort"]}

    def abonnement(self, verzoek_id):
        return {"status": "ontvangen", "voorkeuren": [{"bsn": "999990007", "actief": True}]} if verzoek_id == "alles" else None

    def validatie(self, verzoek):
        return {"uitkomsten": [{"bsn": bsn, "berichtSturen": True} for bsn in verzoek["bsn"]]}


class Broken:
    """An Afnemer of which each verb goes wrong in another way."""

    def berichten(self, verzoek):
        return {"berichten": {1, 2}, "asked": verzoek}

    def bericht(self, bericht_id):
        return {"berichtId": 999990019}[bericht_id]

    def validatie(self, verzoek):
        raise NotImplementedError


@contextlib.contextmanager
def offered(party, **options):
    """Run test-control on ``party`` and yield its URL."""
    config = uvicorn.Config(control_app(party, **options), host="127.0.0.1", port=0, lifespan="off", log_config=None)
    # It listens at once, so that nobody comes too early.
    server, bound = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


@pytest.fixture(scope="module")
def url():
    with offered(Sender()) as url:
        yield url


def ask(url, method, path, body=None):
    """Send a request without any proxy of the environment."""
    with httpx.Client(trust_env=False, verify=False) as client:
        return client.request(method, url + path, content=body if isinstance(body, bytes | None) else json.dumps(body).encode())


def operations():
    """Return method, path and description of every operation."""
    paths = DOCUMENT["paths"].items()
    return [pytest.param(method.upper(), path, found, id=found["operationId"]) for path, methods in paths for method, found in methods.items()]


def resolved(node):
    """Follow a reference to a response."""
    return DOCUMENT["components"]["responses"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def errors(value, schema):
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    return [error.message for error in validator.iter_errors(value)]


def check(response, operation):
    """Compare an answer with its description: a status that is described, its media type and its schema."""
    described = resolved(operation["responses"][str(response.status_code)])["content"]
    ((media_type, content),) = described.items()
    assert response.headers["content-type"] == media_type
    assert errors(response.json(), content["schema"]) == []


def test_description_has_exactly_the_verbs():
    """
    What is described is what the driver calls, with the same statuses.
    """
    described = {
        (operation.values[2]["operationId"], operation.values[0], operation.values[1].partition("{")[0], min(operation.values[2]["responses"]))
        for operation in operations()
    }

    assert described == {(verb.value, route.method, route.path.partition("{")[0], str(route.status)) for verb, route in ROUTES.items()}
    assert DOCUMENT["openapi"] == "3.1.0"


@pytest.mark.parametrize("schema", DOCUMENT["components"]["schemas"].values(), ids=DOCUMENT["components"]["schemas"])
def test_schemas_are_schemas(schema):
    """
    Every schema is a valid JSON Schema.
    """
    Draft202012Validator.check_schema(schema)

    assert schema["type"] == "object"


@pytest.mark.parametrize(("method", "path", "operation"), operations())
def test_examples_fit_their_schemas(method, path, operation):
    """
    Every example is what it exemplifies.
    """
    contents = [resolved(response)["content"] for response in operation["responses"].values()]
    if method == "POST":
        contents.append(operation["requestBody"]["content"])

    found = [error for content in contents for media in content.values() for error in errors(media["example"], media["schema"])]

    assert found == []
    assert path.startswith("/")


@pytest.mark.parametrize(("method", "path", "operation"), operations())
def test_answers_are_as_described(url, method, path, operation):
    """
    The example of a request gets the described answer.
    """
    body = operation["requestBody"]["content"]["application/json"]["example"] if method == "POST" else None

    response = ask(url, method, path.replace("{verzoekId}", "alles"), body)

    check(response, operation)


def test_driver_works_against_the_interface(url):
    """
    The kit's own driver and this interface understand each other, also about an id with a slash.
    """
    driver = Driver(HttpCaller(url, 10.0))

    smoke_check(driver, "999990019", "BELAST")

    assert driver.request_abonnementen("alles") == "alles"
    assert driver.abonnementen("alles")[0] == "ontvangen"
    with pytest.raises(Refused, match=r"ONBEKEND is niet ingericht voor 9999\*"):
        driver.deliver([Letter("999990019", "ONBEKEND")])
    driver.close()


BERICHT = {"bsn": "999990019", "berichtType": "BELAST"}
REFUSED = {
    "no json": ("/berichten", b"{", 400, "not JSON"),
    "not utf-8": ("/berichten", b'"\xff"', 400, "not JSON"),
    "deep": ("/berichten", b"[" * 100_000, 400, "not JSON"),
    "no object": ("/berichten", [], 400, "is an object"),
    "no key": ("/berichten", {}, 400, "lacks berichten"),
    "unknown key": ("/berichten", {"berichten": [BERICHT], "perbatch": 1}, 400, "has the unknown key 'perbatch'; known are berichten, perBatch"),
    "no letters": ("/berichten", {"berichten": []}, 400, "berichten is an array of at least 1"),
    "letter no object": ("/berichten", {"berichten": [BERICHT, "x"]}, 400, "berichten [1] is an object"),
    "number as bsn": ("/berichten", {"berichten": [BERICHT | {"bsn": 999990019}]}, 400, "berichten [0] bsn is a text"),
    "bijlagen no array": ("/berichten", {"berichten": [BERICHT | {"bijlagen": {}}]}, 400, "bijlagen is an array"),
    "no base64": ("/berichten", {"berichten": [BERICHT | {"bijlagen": [{"omschrijving": "x", "bytes": "*"}]}]}, 400, "bytes is base64 text"),
    "null bytes": ("/berichten", {"berichten": [BERICHT | {"bijlagen": [{"omschrijving": "x", "bytes": None}]}]}, 400, "bytes is base64 text"),
    "true bytes": ("/berichten", {"berichten": [BERICHT | {"bijlagen": [{"omschrijving": "x", "bytes": True}]}]}, 400, "bytes is base64 text"),
    "made up bytes": ("/berichten", {"berichten": [BERICHT | {"bijlagen": [{"omschrijving": "x", "bytes": 9}]}]}, 422, "not supported"),
    "no batch size": ("/berichten", {"berichten": [BERICHT], "perBatch": 0}, 400, "perBatch is a whole number from 1"),
    "true batch size": ("/berichten", {"berichten": [BERICHT], "perBatch": True}, 400, "perBatch is a whole number from 1"),
    "no zone": ("/berichten", {"berichten": [BERICHT | {"publicatieDatum": "2026-03-01T08:00:00"}]}, 400, "is a time of RFC 3339"),
    "no time": ("/herlevering", {"vanaf": 1, "tot": "2026-03-01T08:00:00Z"}, 400, "vanaf is a time of RFC 3339"),
    "soort": ("/abonnementen", {"soort": ["alles"]}, 400, "soort is one of alles, bsn-lijst, mutaties"),
    "no bsns": ("/validatie", {"berichtType": "BELAST", "bsn": []}, 400, "bsn is an array of at least 1"),
    "own check": ("/berichten", {"berichten": [BERICHT | {"berichtType": "ONBEKEND"}]}, 422, "niet ingericht voor 9999*****"),
}


@pytest.mark.parametrize(("path", "body", "status", "detail"), REFUSED.values(), ids=REFUSED)
def test_wrong_request_gets_problem_details(url, path, body, status, detail):
    """
    A request that is not as described, or that the Afnemer refuses, gets problem details that name the key.
    """
    response = ask(url, "POST", path, body)

    check(response, DOCUMENT["paths"][path]["post"])
    assert response.status_code == status
    assert detail in response.json()["detail"]
    assert response.json()["status"] == status


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/anders", 404), ("DELETE", "/berichten", 405), ("GET", "/berichten", 405)])
def test_what_does_not_exist_is_a_problem_too(url, method, path, status):
    """
    An unknown path or method is answered with problem details.
    """
    response = ask(url, method, path)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status


@pytest.mark.attack
def test_large_body_is_not_read():
    """
    Reading stops at the limit.
    """
    with offered(Sender(), largest_body=100) as url:
        response = ask(url, "POST", "/berichten", b'"' + b"x" * 1_000_000 + b'"')

    check(response, DOCUMENT["paths"]["/berichten"]["post"])
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (lambda driver: driver.health(), CannotDo, "answers 501"),
        (lambda driver: driver.validate("BELAST", ["999990019"]), CannotDo, "answers 501"),
        (lambda driver: driver.deliver([Letter("999990019", "BELAST")]), BadAnswer, "berichten returned what cannot be written as JSON"),
        (lambda driver: driver.status("999990019"), BadAnswer, r"got 500 .*KeyError: '9999\*"),
    ],
)
def test_broken_afnemer_is_answered(act, error, text):
    """
    An Afnemer that lacks a verb or breaks gets a status that says which.
    """
    with offered(Broken()) as url:
        driver = Driver(HttpCaller(url, 10.0))
        with pytest.raises(error, match=text):
            act(driver)
        driver.close()
