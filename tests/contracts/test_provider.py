"""Holding the simulated Berichtenbox against pacts: of a directory and of a broker, right, wrong and missing."""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from conformance.contracts.provider import BrokerError, Verified, verify_broker, verify_directory
from conformance.contracts.published import PactFileError
from conformance.transport.serving import bind, config_of, serving

WORKS = [{"name": "the connection works"}]
NOBODY = [{"name": "de maan is vol"}]
PATH = "/service/rest/v19/ebms/messages/unprocessed"
NOTHING_WAITS = {
    "type": "Synchronous/HTTP",
    "description": "niets wacht",
    "providerStates": WORKS,
    "request": {"method": "GET", "path": PATH},
    "response": {"status": 200},
}
RESULT = {
    "type": "Asynchronous/Messages",
    "description": "een resultaat",
    "providerStates": [{"name": "a verwerkingsbericht waits", "params": {"messageId": "een@berichtenbox.example"}}],
    "contents": {"content": "", "contentType": "text/xml", "encoded": False},
    "metadata": {"messageId": "een@berichtenbox.example"},
}


def pact(*interactions: object, provider: str = "berichtenbox") -> dict[str, object]:
    return {
        "consumer": {"name": "gemeente"},
        "provider": {"name": provider},
        "interactions": list(interactions),
        "metadata": {"pactSpecification": {"version": "4.0"}},
    }


def test_interactions_are_told_one_by_one(tmp_path):
    """
    Each interaction over HTTP and each message has its own outcome; what fails says where.
    """
    wrong = {**NOTHING_WAITS, "description": "iets anders", "response": {"status": 204}}
    (tmp_path / "pact.json").write_text(json.dumps(pact(NOTHING_WAITS, RESULT, wrong)))

    outcome = verify_directory(tmp_path, "berichtenbox")

    assert {item.description for item in outcome.interactions} == {"niets wacht", "een resultaat", "iets anders"}
    (failed,) = outcome.failed
    assert failed.consumer == "gemeente"
    assert "204" in failed.mismatches[0]


def test_pacts_with_others_are_left_out(tmp_path):
    """
    Only the pacts with the provider that is asked for are verified, and without any nothing is proven.
    """
    (tmp_path / "een.json").write_text(json.dumps(pact(NOTHING_WAITS, provider="MijnOverheid")))
    (tmp_path / "twee.json").write_text(json.dumps(pact({**NOTHING_WAITS, "response": {"status": 500}}, provider="bank")))

    outcome = verify_directory(tmp_path, "MijnOverheid")

    assert (len(outcome.interactions), outcome.failed) == (1, [])
    with pytest.raises(PactFileError, match="no pact has the provider 'berichtenbox'; there is 'MijnOverheid', 'bank'"):
        verify_directory(tmp_path, "berichtenbox")


@pytest.mark.parametrize(
    ("interaction", "text"),
    [
        ({**NOTHING_WAITS, "providerStates": NOBODY}, "the state 'de maan is vol' is not known; known are"),
        ({**RESULT, "providerStates": WORKS}, "no message waits for 'een resultaat'"),
        ({**RESULT, "providerStates": [{"name": "a fault", "params": {"naam": 9}}]}, "9"),
    ],
)
def test_state_that_cannot_be_reached_is_explained(tmp_path, interaction, text):
    """
    An unknown state, or one in which no message waits, fails its interaction and says why.
    """
    (tmp_path / "pact.json").write_text(json.dumps(pact(interaction)))

    outcome = verify_directory(tmp_path, "berichtenbox")

    assert {item.description for item in outcome.failed} == {interaction["description"], "provider states"}
    assert text in outcome.failed[-1].mismatches[0]


def test_pact_that_breaks_the_verifier_fails(tmp_path):
    """
    A pact with interactions that Pact cannot read is not green.
    """
    (tmp_path / "pact.json").write_text(json.dumps(pact({"type": "Iets/Nieuws", "description": "onbekend"})))

    outcome = verify_directory(tmp_path, "berichtenbox")

    assert outcome.failed
    assert isinstance(outcome.failed[0], Verified)


def test_pact_reports_to_nobody(tmp_path, capfd, caplog):
    """
    Pact is told not to tell a stranger that it is used, and writes and logs nothing by itself: it quotes whole messages.
    """
    (tmp_path / "pact.json").write_text(json.dumps(pact({**NOTHING_WAITS, "response": {"status": 404}})))

    verify_directory(tmp_path, "berichtenbox")

    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name.startswith("pact")] == []
    assert os.environ["PACT_DO_NOT_TRACK"] == "true"


@pytest.fixture
def broker() -> Iterator[Callable[..., str]]:
    """Serve a broker with pacts of one provider, and return its URL."""
    with contextlib.ExitStack() as opened:

        def started(provider: str, *pacts: dict[str, object]) -> str:
            bound = bind("127.0.0.1", 0)
            url = f"http://127.0.0.1:{bound.getsockname()[1]}"

            async def index(_request: Request) -> Response:
                links = {"pb:provider-pacts-for-verification": {"href": f"{url}/pacts/{{provider}}", "templated": True}}
                return JSONResponse({"_links": links})

            async def listed(request: Request) -> Response:
                if request.path_params["name"] != provider:
                    return Response(status_code=404)
                links = [{"href": f"{url}/pact/{number}", "name": f"pact {number}"} for number, _ in enumerate(pacts)]
                found = [{"shortDescription": "latest", "_links": {"self": link}, "verificationProperties": {"notices": []}} for link in links]
                return JSONResponse({"_embedded": {"pacts": found}, "_links": {"self": {"href": f"{url}/pacts/{provider}"}}})

            async def one(request: Request) -> Response:
                return JSONResponse({**pacts[request.path_params["number"]], "_links": {}})

            routes = [Route("/", index), Route("/pacts/{name}", listed, methods=["GET", "POST"]), Route("/pact/{number:int}", one)]
            opened.enter_context(serving(config_of(Starlette(routes=routes), None), bound))
            return url

        yield started


def test_pacts_of_a_broker_are_verified(broker):
    """
    What a broker has for this provider is verified.
    """
    url = broker("berichtenbox", pact(NOTHING_WAITS), pact({**NOTHING_WAITS, "description": "anders", "response": {"status": 404}}))

    outcome = verify_broker(url, "berichtenbox")

    assert {item.description for item in outcome.interactions} == {"niets wacht", "anders"}
    assert [item.description for item in outcome.failed] == ["anders"]


def test_broker_without_pacts_proves_nothing(broker):
    """
    A broker that has no pact with this provider is never green.
    """
    url = broker("bank", pact(NOTHING_WAITS, provider="bank"))

    with pytest.raises(PactFileError, match="the broker gives no pact with the provider 'berichtenbox'"):
        verify_broker(url, "berichtenbox")


def test_broker_that_is_away_is_no_verdict():
    """
    Where no broker answers nothing is known; a URL that is none is a mistake.
    """
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(BrokerError, match=f"the broker at http://127.0.0.1:{port} does not answer"):
        verify_broker(f"http://iemand:geheim@127.0.0.1:{port}", "berichtenbox")
    with pytest.raises(PactFileError, match="expected the http or https URL"):
        verify_broker("broker", "berichtenbox")


def test_broker_is_told_once_who_asks(broker, monkeypatch):
    """
    A name in the URL and another one in the environment is a mistake.
    """
    monkeypatch.setenv("PACT_BROKER_USERNAME", "iemand")
    url = broker("berichtenbox").replace("http://", "http://ander:geheim@")

    with pytest.raises(PactFileError, match="say who asks in one way only"):
        verify_broker(url, "berichtenbox")
