"""Generated exchanges with the REST face of an adapter, where a Berichtenbox offers one.

Schemathesis makes calls of its OpenAPI, and Hypothesis sequences of sending, polling and processing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import requests
import schemathesis
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import FailureGroup

from conformance.berichtenbox.pushing import exchange_of
from conformance.berichtenbox.wire import Exchange
from conformance.berichtenbox.wus_face import PATH as WUS_PATH
from conformance.limits import limits
from conformance.messages.envelope import ROLE_AFNEMER, SERVICE, Action, Envelope, Part
from conformance.stage.box_stage import BoxStage
from conformance.stage.described import CHECKS, operations, told
from conformance.stage.hunting import Caught, Depth, hunt
from conformance.stage.judging import NotTestedError
from conformance.transport import adapter
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome
from conformance.transport.ebms2.writing import Outgoing
from conformance.verdicts import Reason

_TIMEOUT_S: Final = 30.0
_OK: Final = 200
_DONE: Final = 204
_FEWER: Final = 10
_MODES: Final = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
_A_WHILE: Final = timedelta(minutes=1)
_UNPROCESSED: Final = "/ebms/messages/unprocessed"


class GeneratingRest:
    """Talks to the adapter face of a Berichtenbox; ``close`` it."""

    def __init__(self, stage: BoxStage) -> None:
        self._stage, self._receiver = stage, stage.receiver
        self._depth = Depth(stage.depth)
        self._base = stage.wus_url.removesuffix(WUS_PATH) + adapter.REST_PATH
        self._session = requests.Session()
        self._session.trust_env = False
        if stage.certificates is not None:
            files = stage.certificates.files_of("client")
            self._session.cert, self._session.verify = (str(files.certificate), str(files.key)), str(files.roots)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @property
    def is_offered(self) -> bool:
        """Whether there is such a face."""
        answer = self._call("GET", _UNPROCESSED)
        return answer.status_code == _OK and answer.headers.get("content-type", "").startswith("application/json")

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        began = datetime.now(UTC)
        try:
            answer = self._session.send(request, timeout=_TIMEOUT_S, allow_redirects=False, verify=self._session.verify, cert=self._session.cert)
        except requests.RequestException as error:
            raise NotTestedError(Reason.UNREACHABLE, f"the adapter face gives no HTTP answer: {type(error).__name__}") from None
        self._receiver.gateway.note(_exchange(request, answer, began))
        return answer

    def _call(self, method: str, path: str, body: bytes | None = None) -> requests.Response:
        headers = {} if body is None else {"content-type": "application/json"}
        return self._send(requests.Request(method, self._base + path, headers=headers, data=body).prepare())

    # -- one call --------------------------------------------------------------------------------------------------------------------------

    def calls(self) -> Caught[Any] | None:
        """Make calls of each operation about messages, valid and invalid: the answer is one that is described."""
        found = (self._hunt_operation(operation, mode) for operation in operations("ebms-adapter", "/ebms/") for mode in _MODES)
        return next((caught for caught in found if caught is not None), None)

    def _hunt_operation(self, operation: Any, mode: Any) -> Caught[Any] | None:
        def wrong_with(case: Any) -> str:
            self._receiver.begin()
            known = case.as_transport_kwargs(base_url=self._base)
            parts = {name: known[name] for name in ("method", "url", "headers", "params", "json", "data", "cookies") if name in known}
            answer = self._send(requests.Request(**parts).prepare())
            try:
                case.validate_response(answer, checks=CHECKS)
            except FailureGroup as failures:
                return f"{operation.label}: HTTP {answer.status_code}: {told(failures.exceptions)}"
            return ""

        seed, examples = self._receiver.sender.seed, max(3, self._depth.examples // _FEWER)
        try:
            return hunt(operation.as_strategy(generation_mode=mode), wrong_with, examples=examples, seed=seed)
        except Unsatisfiable:
            return None  # whatever stands in its path is valid: there is nothing invalid to call it with

    # -- sequences -------------------------------------------------------------------------------------------------------------------------

    def sequences(self) -> Caught[Sequence[str]] | None:
        """Send, poll and process in any order: what waits is there until it is processed, and what was never there can be processed too."""
        steps = st.lists(st.sampled_from(("send again", "poll", "process", "process unknown")), min_size=1, max_size=5)
        examples = max(3, self._depth.examples // _FEWER)
        return hunt(steps, self._wrong_sequence, examples=examples, seed=self._receiver.sender.seed)

    def _wrong_sequence(self, steps: Sequence[str]) -> str:
        self._receiver.begin()
        body = self._request()
        message_id = self._call("POST", "/ebms/messages", body).text
        if not self._receiver.wait(lambda: bool(self._waiting(message_id))):
            return "send: no result within the time to react"
        result, waits = self._waiting(message_id)[0], True
        for step in steps:
            if step == "send again":
                self._call("POST", "/ebms/messages", body)
                self._receiver.reach.settle()
            elif step != "poll":
                waits = waits and step != "process"
                status = self._call("PATCH", f"/ebms/messages/{result if step == 'process' else uuid.uuid4()}").status_code
                if status != _DONE:
                    return f"{step}: HTTP {status}"
            found = self._waiting(message_id)
            if found != ([result] if waits else []):
                return f"{step}: {len(found)} results wait, expected {int(waits)}"
        self._call("PATCH", f"/ebms/messages/{result}")
        return ""

    def wrong_offers(self) -> str:
        """Leave a result where it is, and return what is wrong with when it is offered again; empty when nothing is.

        Raises :class:`NotTestedError` when time cannot be made to pass: nobody waits for a week.
        """
        pass_time = self._receiver.reach.pass_time
        if pass_time is None:
            raise NotTestedError(Reason.KIT_LIMIT, "the clock of this Berichtenbox cannot be moved, and nobody waits for a week")
        message_id = self._call("POST", "/ebms/messages", self._request()).text
        if not self._receiver.wait(lambda: bool(self._waiting(message_id))):
            raise NotTestedError(Reason.NO_TRAFFIC, "there is no result on a plain batch; see EBMS-100")
        offers = [len(self._waiting(message_id))]
        window = limits().reoffer_window
        for step in (limits().reoffer_interval + _A_WHILE, window - limits().reoffer_interval, limits().reoffer_interval):
            pass_time(step)
            self._receiver.reach.settle()
            offers.append(len(self._waiting(message_id)))
        at_first, after_one, within, after = offers
        if not at_first < after_one < within:
            return f"offered {at_first} times at first, {after_one} after a day and {within} after {window.days}"
        return f"offered {after - within} times more on day {window.days + 1}" if after > within else ""

    def _request(self) -> bytes:
        receiver = self._receiver
        own, part = receiver.agreement.own.ids[0].flat, Part(receiver.batch().to_xml(), "text/xml", "berichten.xml", None)
        envelope = Envelope(receiver.agreement.cpa_id, own, ROLE_AFNEMER, SERVICE, Action.BV_REQUEST, message_id=str(uuid.uuid4()), parts=(part,))
        return adapter.write_message_request(envelope)

    def _waiting(self, message_id: str) -> list[str]:
        """Return the results on a message that wait."""
        answer = self._call("GET", f"{_UNPROCESSED}?refToMessageId={message_id}")
        return [str(one) for one in answer.json()] if answer.status_code == _OK else []


def _exchange(request: requests.PreparedRequest, answer: requests.Response, began: datetime) -> Exchange:
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    outgoing = Outgoing(str(request.headers.get("content-type", "")), body, body)
    outcome = HttpOutcome(HttpAnswer(answer.status_code, dict(answer.headers), answer.content))
    exchange = exchange_of("", str(request.url), outgoing, outcome, "", began, began)
    return replace(exchange, method=str(request.method), headers=tuple((name, str(value)) for name, value in request.headers.items()))
