"""Schemathesis calls every operation of every face that has a description, with what fits it and what does not: each answer is a described one.

On a Berichtenbox of its own: citizens, faults and the clock may become anything. The faces with XML bodies are called by `verify`.
"""

import re

import pytest
import requests
import schemathesis
import uvicorn
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import FailureGroup
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from conformance.afnemer.http_face import test_control_app as control_app
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of
from conformance.stage.described import CHECKS, operations, told
from conformance.stage.hunting import hunt
from conformance.transport.serving import bind, serving

MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
FACES = {"control": "/besturing/v1", "berichtpresentatie": "/presentatie/v1", "ebms-adapter": "/service/rest/v19"}
MOST_CITIZENS, LARGEST = 1_000, 20_000_000
NOT_FOUND, REFUSED = 404, 400
LINE_FEED = "%0A"
BSN = re.compile(r"(?<!\d)\d{9}(?!\d)")


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    """Where a Berichtenbox listens that is thrown away, with what an Afnemer needs to know of it."""
    file = tmp_path_factory.mktemp("openapi") / "ledger.db"
    with SqlLedger(f"sqlite:///{file}") as ledger:
        box = Berichtenbox(ledger, seed=1)
        with running(box) as found:
            yield found, connection_of(box, found, 1)


@pytest.fixture(scope="module")
def afnemer(urls):
    """Where the reference Afnemer offers test-control."""
    party = ReferenceAfnemer(urls[1])
    with bind("127.0.0.1", 0) as bound, serving(uvicorn.Config(control_app(party), lifespan="off", log_level="warning"), bound):
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    party.close()


class Caller:
    """Calls the operations of a description at ``base``, and keeps which statuses they were answered with."""

    def __init__(self, base):
        self.base, self.statuses, self.session = base, {}, requests.Session()
        self.session.trust_env = False

    def hunt(self, operation, mode, examples, seed):
        """Return what is wrong with an answer to the smallest call that gets one; empty when nothing is."""
        try:
            caught = hunt(operation.as_strategy(generation_mode=mode), self.wrong_with, examples=examples, seed=seed)
        except Unsatisfiable:
            return ""  # it takes nothing, or whatever there is: there is no wrong call
        return "" if caught is None else caught.wrong

    def wrong_with(self, case):
        if makes_many(case.body):
            return ""
        known = case.as_transport_kwargs(base_url=self.base)
        parts = {name: known[name] for name in ("method", "url", "headers", "params", "json", "data", "cookies") if name in known}
        request = requests.Request(**parts).prepare()
        answer = self.session.send(request, timeout=30, allow_redirects=False)
        label = case.operation.label
        if answer.status_code == NOT_FOUND and LINE_FEED in request.url:
            return ""  # the web framework routes no path with a line feed
        self.statuses.setdefault(label, set()).add(answer.status_code)
        return wrong_answer(case, answer, f"{request.url} {request.headers} {request.body}")

    def call_all(self, name, examples, seed):
        """Return what is wrong with answers of any operation, in any mode."""
        found = (self.hunt(operation, mode, examples, seed) for operation in operations(name, "/") for mode in MODES)
        return [wrong for wrong in found if wrong]


def makes_many(body):
    """Tell whether a call would make so many citizens that it takes minutes: that is for the tests of a population."""
    count = body.get("aantal") if isinstance(body, dict) else None
    return type(count) is int and MOST_CITIZENS < count <= LARGEST


def wrong_answer(case, answer, asked):
    """Return what is wrong with an answer: it is not described, or an error repeats a BSN; empty when nothing is."""
    repeated = set(BSN.findall(asked)) & set(BSN.findall(answer.text)) if answer.status_code >= REFUSED else set()
    if repeated:
        return f"{case.operation.label}: HTTP {answer.status_code} with the BSN of a citizen in it"
    try:
        case.validate_response(answer, checks=CHECKS)
    except FailureGroup as failures:
        return f"{case.operation.label}: HTTP {answer.status_code}: {told(failures.exceptions)}"
    return ""


@pytest.mark.slow  # many calls
@pytest.mark.parametrize("name", FACES)
def test_every_operation_answers_as_described(urls, name):
    """
    Whatever is called, nothing falls over; what fits the description is done and what does not is refused. Every operation was called.
    """
    caller = Caller(urls[0].url + FACES[name])

    assert caller.call_all(name, examples=20, seed=1) == []
    assert caller.statuses.keys() == {operation.label for operation in operations(name, "/")}


@pytest.mark.slow  # many calls
def test_test_control_answers_as_described(afnemer):
    """
    What the reference Afnemer is asked over HTTP, right or wrong, is done or refused as test-control describes.
    """
    caller = Caller(afnemer)

    assert caller.call_all("test-control", examples=20, seed=1) == []
    assert caller.statuses.keys() == {operation.label for operation in operations("test-control", "/")}


def crashing(_request):
    return PlainTextResponse("internal error", 500)


def untyped(_request):
    return PlainTextResponse("this is wrong", 400)


def bare(_request):
    return JSONResponse({"status": 400}, 400, media_type="application/problem+json")


async def repeating(request):
    text = (await request.body()).decode(errors="replace")
    return Response(f'{{"detail": "wrong: 999990019 {text[:9]}"}}', 400, media_type="application/problem+json")


@pytest.mark.parametrize(
    ("answering", "seen"),
    [
        (crashing, "Undocumented status code"),
        (untyped, "Undocumented Content-Type"),
        (bare, "required property"),
        (repeating, "the BSN of a citizen"),
    ],
)
def test_wrong_answers_are_seen(answering, seen):
    """
    A crash, an error without a type, one without its texts, and one that repeats a BSN are each found.
    """
    operation = next(one for one in operations("control", "/burgers") if one.label == "POST /burgers")
    app = Starlette(routes=[Route("/besturing/v1/burgers", answering, methods=["POST"])])
    with bind("127.0.0.1", 0) as bound, serving(uvicorn.Config(app, lifespan="off", log_level="warning"), bound):
        base = f"http://127.0.0.1:{bound.getsockname()[1]}/besturing/v1"
        case = operation.Case(body={"bsn": "999990019", "actief": True}, media_type="application/json")

        assert seen in Caller(base).wrong_with(case)


def test_large_population_is_left_to_others():
    """
    Only what makes very many citizens is not called; that no number, or too large a one, is refused, is tried.
    """
    assert [makes_many({"aantal": count}) for count in (MOST_CITIZENS, LARGEST, LARGEST + 1, True, "5000")] == [False, True, False, False, False]
    assert not makes_many([1])
