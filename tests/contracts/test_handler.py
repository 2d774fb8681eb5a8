"""Offering messages to a handler: a URL or a command, right, wrong, silent or away."""

import contextlib
import shlex
import socket
import sys
from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from conformance.contracts.handler import HandlerError, HandlerUnreachableError, handler_of, verify_handler
from conformance.contracts.published import Message, State
from conformance.transport.serving import bind, config_of, serving

GOOD = Message("goed", b"<a/>", "text/xml", {"messageId": "1@x", "action": "A"}, (State("iets", {"a": 1}),))
BAD = Message("onleesbaar", b"<a", "text/xml", {"messageId": "2@x", "action": "A"}, is_refused=True)
READS_XML = "import sys,xml.dom.minidom as m\ntry: m.parseString(sys.stdin.buffer.read())\nexcept Exception: sys.exit('no XML')"


@pytest.fixture
def listen() -> Iterator[Callable[..., str]]:
    """Serve a handler that answers with what a function of the request's body and headers returns, and return its URL."""
    with contextlib.ExitStack() as opened:

        def started(answer: Callable[[bytes, dict[str, str]], Response]) -> str:
            async def post(request: Request) -> Response:
                return answer(await request.body(), dict(request.headers))

            bound = bind("127.0.0.1", 0)
            url = f"http://127.0.0.1:{bound.getsockname()[1]}/resultaat"
            opened.enter_context(serving(config_of(Starlette(routes=[Route("/resultaat", post, methods=["POST"])]), None), bound))
            return url

        yield started


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def test_url_that_reads_is_right(listen):
    """
    A handler that takes what can be read, and refuses the rest, does what the pact says; it is told what stands in the metadata.
    """
    seen = []

    def answer(body: bytes, headers: dict[str, str]) -> Response:
        seen.append(headers)
        return Response(status_code=204 if body == b"<a/>" else 422)

    handled = verify_handler([GOOD, BAD], handler_of(listen(answer), 5))

    assert [item.is_right for item in handled] == [True, True]
    assert (seen[0]["messageid"], seen[0]["action"], seen[0]["content-type"]) == ("1@x", "A", "text/xml")
    assert seen[0]["pact-provider-states"] == '[{"name": "iets", "params": {"a": 1}}]'


@pytest.mark.parametrize(("status", "right"), [(200, [True, False]), (400, [False, True]), (500, [False, True]), (302, [False, False])])
def test_url_that_answers_the_same_to_all_fails(listen, status, right):
    """
    Who takes everything, refuses everything or sends away does not read.
    """
    url = listen(lambda _body, _headers: Response("BSN 999990019", status))

    handled = verify_handler([GOOD, BAD], handler_of(url, 5))

    assert [item.is_right for item in handled] == right
    assert handled[0].answer.told.startswith(f"HTTP {status} BSN 9999*****")


def test_nobody_there_is_no_verdict():
    """
    Where nobody listens nothing is known of the handler.
    """
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(HandlerUnreachableError, match=f"nobody listens at 127.0.0.1:{port}"):
        verify_handler([GOOD], handler_of(f"http://127.0.0.1:{port}/", 5))


def test_handler_that_goes_away_fails():
    """
    A handler that was there for one message and not for the next fails on that one.
    """
    answers = iter([handler_of(python("pass"), 30)])

    def handler(message: Message):
        try:
            return next(answers)(message)
        except StopIteration:
            raise HandlerUnreachableError("weg") from None

    handled = verify_handler([GOOD, BAD], handler)

    assert [item.answer.has_taken for item in handled] == [True, None]
    assert "is there no more" in handled[1].answer.told


def test_url_that_never_answers_fails():
    """
    No answer is neither taken nor refused.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        handled = verify_handler([GOOD, BAD], handler_of(f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.1))

    assert [(item.is_right, item.answer.told) for item in handled] == [(False, "no answer (ReadTimeout)")] * 2


def test_command_that_reads_is_right():
    """
    A command takes a message with exit code 0, and says on stderr why it does not.
    """
    handled = verify_handler([GOOD, BAD], handler_of(python(READS_XML), 30))

    assert [item.is_right for item in handled] == [True, True]
    assert handled[1].answer.told == "exit code 1 no XML"


def test_command_has_the_metadata_in_its_environment():
    """
    A command finds the metadata under names in capitals.
    """
    names = ("MESSAGE_ID", "ACTION", "CONTENT_TYPE", "PROVIDER_STATES")
    code = f"import os,sys; sys.exit(' '.join(os.environ['BERICHTENBOX_' + name] for name in {names}))"

    (handled,) = verify_handler([GOOD], handler_of(python(code), 30))

    assert handled.answer.told == 'exit code 1 1@x A text/xml [{"name": "iets", "params": {"a": 1}}]'


@pytest.mark.parametrize(
    ("code", "told"),
    [("import os; os.kill(os.getpid(), 9)", "ended by signal 9"), ("import time; time.sleep(60)", "did not end within 0.5 s")],
)
def test_command_that_does_not_end_well_fails(code, told):
    """
    A command that is killed, or that does not end, neither takes nor refuses.
    """
    handled = verify_handler([BAD], handler_of(python(code), 0.5 if "sleep" in code else 30))

    assert [(item.is_right, item.answer.told) for item in handled] == [(False, told)]


def test_command_that_cannot_be_started_is_no_verdict():
    """
    Of a command that is not there nothing is known.
    """
    with pytest.raises(HandlerUnreachableError, match="cannot be started: No such file"):
        verify_handler([GOOD], handler_of("./is-er-niet", 5))


@pytest.mark.parametrize("text", ["ftp://127.0.0.1/", "http://", "http://127.0.0.1:poort/", "", "   ", "'open"])
def test_what_is_no_handler_is_refused(text):
    """
    A handler is an http or https URL, or a command.
    """
    with pytest.raises(HandlerError, match="--handler: "):
        handler_of(text, 5)
