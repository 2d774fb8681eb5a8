"""A Berichtenbox on a ledger of its own, with a clock that stands still, and one that runs behind a real socket."""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest
import yaml

from conformance import specs
from conformance.berichtenbox.app import Urls, running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.register import ConnectionConfig
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import Envelope, Part
from conformance.messages.guard import parse
from conformance.messages.moments import write_moment
from conformance.messages.verwerkingsbericht import Verwerkingsbericht, read_verwerkingsbericht
from conformance.transport.adapter import read_message, write_message_request

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Wall:
    """A wall clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def tick(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def wall() -> Wall:
    """A wall clock that stands still."""
    return Wall()


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of a ledger in a file."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(database: str) -> Iterator[SqlLedger]:
    """An empty ledger."""
    with SqlLedger(database) as opened:
        yield opened


@pytest.fixture
def config() -> ConnectionConfig:
    """The connection of the test Afnemer, intermediair for one other organisation; BerichtType OUD is not active."""
    return ConnectionConfig(intermediair_for=("00000099000000003000",))


@pytest.fixture
def box(ledger: SqlLedger, config: ConnectionConfig, wall: Wall) -> Berichtenbox:
    """A Berichtenbox that works when it is told to settle."""
    made = Berichtenbox(ledger, config, seed=1, wall=wall)
    made.set_bericht_type("OUD", is_active=False)
    return made


@pytest.fixture
def live(ledger: SqlLedger, config: ConnectionConfig) -> Berichtenbox:
    """A Berichtenbox on the real wall clock, for a server."""
    return Berichtenbox(ledger, config)


@pytest.fixture
def urls(live: Berichtenbox) -> Iterator[Urls]:
    """Where that Berichtenbox listens."""
    with running(live) as where:
        yield where


@pytest.fixture
def adapter(urls: Urls) -> Iterator[httpx.Client]:
    """A client of the adapter face, that holds each answer against the description of that face."""
    hooks = {"response": [Description("ebms-adapter").check]}
    with httpx.Client(base_url=urls.adapter, timeout=30, event_hooks=hooks, verify=False) as client:
        yield client


@pytest.fixture
def control(urls: Urls) -> Iterator[httpx.Client]:
    """A client of the control face, that holds each answer against the description of that face."""
    hooks = {"response": [Description("control").check]}
    with httpx.Client(base_url=urls.control, timeout=30, event_hooks=hooks, verify=False) as client:
        yield client


class Description:
    """An OpenAPI file: which operations there are, and what they may answer."""

    def __init__(self, name: str) -> None:
        self.document = yaml.safe_load(specs.path(f"openapi/{name}.yaml").read_text(encoding="utf-8"))
        self.base = self.document["servers"][0]["url"]

    def operations(self) -> set[tuple[str, str]]:
        """Return (method, path) of every operation, without the names of parameters."""
        methods = ("get", "post", "put", "patch", "delete")
        paths = self.document["paths"].items()
        return {(method.upper(), re.sub(r"{[^}]*}", "{}", path)) for path, item in paths for method in methods if method in item}

    def check(self, response: httpx.Response) -> None:
        """Fail when an answer is not one that the description has for its operation."""
        response.read()
        operation = self._operation(response.request)
        if operation is None:
            assert response.status_code in (404, 405), f"{response.request} is not described, and was answered {response.status_code}"
            return
        described = operation["responses"].get(str(response.status_code))
        assert described is not None, f"{response.request} was answered {response.status_code}: {response.text[:200]}"
        self._check_body(response, self._resolved(described).get("content"))

    def _operation(self, request: httpx.Request) -> Any:
        path = request.url.raw_path.decode().partition("?")[0].removeprefix(self.base)
        for template in sorted(self.document["paths"], key=lambda known: (known.count("{"), -len(known))):
            if re.fullmatch(re.sub(r"{[^}]*}", ".+", template), path):
                return self.document["paths"][template].get(request.method.lower())
        return None

    def _resolved(self, value: Any) -> Any:
        for step in value["$ref"].removeprefix("#/").split("/") if "$ref" in value else ():
            value = self.document[step] if step == "components" else value[step]
        return value

    def _check_body(self, response: httpx.Response, content: Any) -> None:
        if content is None:
            assert response.content == b""
            return
        kind = response.headers["content-type"].partition(";")[0]
        assert kind in content, f"{response.request} was answered as {kind}"
        value = response.json() if kind.endswith("json") else response.text
        jsonschema.Draft202012Validator({"components": self.document["components"], **content[kind]["schema"]}).validate(value)


def make_bericht(bericht_id: str = "", **changes: Any) -> Bericht:
    """Return a valid bericht; its BatchID is filled in by the batch."""
    return replace(Bericht("", bericht_id or str(uuid.uuid4()), "BELAST", "Uw aanslag", "999990019", "Tekst"), **changes)


def make_batch(*berichten: Bericht, at: datetime = NOW, **changes: Any) -> Batch:
    """Return a valid batch of these berichten, or of one."""
    batch_id = changes.pop("batch_id", "") or str(uuid.uuid4())
    filled = tuple(bericht if bericht.batch_id else replace(bericht, batch_id=batch_id) for bericht in berichten or (make_bericht(),))
    return replace(Batch(batch_id, write_moment(at), "00000099000000001000", filled), **changes)


def make_envelope(box: Berichtenbox, payload: bytes | None, message_id: str | None = None, **changes: Any) -> Envelope:
    """Return the envelope of a payload on the connection of ``box``."""
    connection = box.connection
    envelope = Envelope(
        connection.cpa_id,
        connection.afnemer_party,
        "SR",
        "urn:osb:services:MIJNOVERHEID.ebMS.BB.2.0",
        "GLOBE-R-BV-Request",
        to_party=connection.logius_party,
        to_role="SP",
        message_id=message_id,
        parts=() if payload is None else (Part(payload),),
    )
    return replace(envelope, **changes)


def deliver(box: Berichtenbox, *batches: Batch) -> None:
    """Let the Berichtenbox accept batches, and do what is due."""
    for batch in batches:
        unique = str(uuid.uuid4())
        box.accept(replace(make_envelope(box, batch.to_xml(), f"{unique}@afnemer.example"), conversation_id=unique))
    box.settle()


def results_of(box: Berichtenbox) -> list[Verwerkingsbericht]:
    """Return every result that was offered, in that order; only for results that can be read."""
    return [read_result(item.envelope.parts[0].content) for item in box.ledger.results(0)]


def read_result(payload: bytes) -> Verwerkingsbericht:
    """Return the result that a payload holds."""
    return read_verwerkingsbericht(parse(payload))


class Sender:
    """An application that sends over the adapter face and reads its queue."""

    def __init__(self, box: Berichtenbox, client: httpx.Client) -> None:
        self._box, self.client = box, client

    def body(self, batch: Batch | bytes, message_id: str | None = None, **changes: Any) -> bytes:
        """Return a MessageRequest."""
        payload = batch if isinstance(batch, bytes) else batch.to_xml()
        return write_message_request(make_envelope(self._box, payload, message_id, **changes))

    def post(self, batch: Batch | bytes, message_id: str | None = None, **changes: Any) -> httpx.Response:
        """Send a message."""
        return self.client.post("/ebms/messages", content=self.body(batch, message_id, **changes), headers={"Content-Type": "application/json"})

    def send(self, batch: Batch | bytes, message_id: str | None = None, **changes: Any) -> str:
        """Send a message that must be accepted, and return its MessageId."""
        answer = self.post(batch, message_id, **changes)
        assert answer.status_code == 200, answer.text
        return answer.text

    def unprocessed(self, **filters: Any) -> list[str]:
        """Return the MessageIds that wait."""
        self._box.settle()
        answer = self.client.get("/ebms/messages/unprocessed", params=filters)
        assert answer.status_code == 200, answer.text
        found: list[str] = answer.json()
        return found

    def fetch(self, message_id: str, **query: str) -> httpx.Response:
        """Fetch a message by its percent-encoded id."""
        return self.client.get(f"/ebms/messages/{quoted(message_id)}", params=query)

    def result(self, message_id: str) -> Verwerkingsbericht:
        """Fetch and read a result."""
        return read_result(read_message(self.fetch(message_id).content).parts[0].content)

    def process(self, message_id: str) -> httpx.Response:
        """Mark a message as processed."""
        return self.client.patch(f"/ebms/messages/{quoted(message_id)}")


def quoted(text: str) -> str:
    """Return a path segment."""
    return quote(text, safe="")


@pytest.fixture
def sender(live: Berichtenbox, adapter: httpx.Client) -> Sender:
    """An application on the adapter face of the running Berichtenbox."""
    return Sender(live, adapter)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The functions above: tests cannot import them."""
    return SimpleNamespace(
        bericht=make_bericht,
        batch=make_batch,
        envelope=make_envelope,
        quoted=quoted,
        read=read_result,
        results_of=results_of,
        now=NOW,
        description=Description,
        sender=Sender,
    )


@pytest.fixture(name="deliver")
def _deliver(box: Berichtenbox) -> Callable[..., None]:
    """Let the Berichtenbox that stands still accept batches, and do what is due."""
    return partial(deliver, box)
