"""A Berichtenbox on a ledger of its own, with a clock that stands still, and one that runs behind a real socket."""

import contextlib
import itertools
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
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
from conformance.berichtenbox.ledger import Offer, OfferedResult
from conformance.berichtenbox.register import ConnectionConfig
from conformance.berichtenbox.sql import SqlLedger
from conformance.berichtenbox.wire import Exchange
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import Envelope, Part
from conformance.messages.guard import parse
from conformance.messages.moments import write_moment
from conformance.messages.verwerkingsbericht import Verwerkingsbericht, read_verwerkingsbericht
from conformance.transport.adapter import read_message, write_message_request
from conformance.transport.cpa import Cpa, Terms, new_cpa, read_cpa
from conformance.transport.ebms2 import signals
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome, HttpRequest
from conformance.transport.ebms2.knowledge import KnownStatus
from conformance.transport.ebms2.model import EbmsError, Message
from conformance.transport.ebms2.names import Kind, MessageStatus
from conformance.transport.ebms2.posting import Poster
from conformance.transport.ebms2.reading import read_message as read_ebms
from conformance.transport.ebms2.receiving import MessageHandler
from conformance.transport.ebms2.writing import Outgoing
from conformance.transport.ebms2.writing import write_message as write_ebms
from conformance.transport.endpoint import Endpoint
from conformance.transport.pki import Pki
from conformance.transport.pki import load as load_pki
from conformance.transport.tls import client_context, first_certificate, server_context

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
    with SqlLedger(database, is_durable=False) as opened:
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


@cache
def _document(name: str) -> Any:
    """Return an OpenAPI file: reading one takes longer than most tests."""
    return yaml.safe_load(specs.path(f"openapi/{name}.yaml").read_text(encoding="utf-8"))


class Description:
    """An OpenAPI file: which operations there are, and what they may answer."""

    def __init__(self, name: str) -> None:
        self.document = _document(name)
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
        for value in ("[^/]+", ".+"):  # an id of the adapter may hold a slash
            for template in sorted(self.document["paths"], key=lambda known: (known.count("{"), -len(known))):
                if re.fullmatch(re.sub(r"{[^}]*}", value, template), path):
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


class Gateway:
    """The gateway of the Afnemer: it keeps what arrives, answers as the CPA says, and acknowledges apart only when it is told to."""

    def __init__(self, certificates: Pki | None = None) -> None:
        files = None if certificates is None else certificates.files_of("client")
        self.requests: list[HttpRequest] = []
        self.instead: list[Callable[[HttpRequest], HttpAnswer]] = []
        self.sent: dict[str, str] = {}
        self.box_url = ""
        self._count = itertools.count(1)
        self._came = threading.Condition()
        self.endpoint = Endpoint(self._answer_to, context=None if files is None else server_context(files), path="/ebms")
        self.poster = Poster(None if files is None else client_context(files))

    def speak(self, cpa: Cpa, box_url: str) -> None:
        """Use a CPA from now on, and forget what came."""
        party = next(party for party in cpa.parties if "SR" in party.roles)
        own = frozenset(party.flat_ids)
        self.cpa, self.box_url, self.handler = cpa, box_url, self._handler(cpa, own)
        self.requests.clear()
        self.instead.clear()

    def _handler(self, cpa: Cpa, own: frozenset[str]) -> MessageHandler:
        return MessageHandler(own, {cpa.cpa_id: cpa}.get, now=lambda: datetime.now(UTC), new_message_id=self.new_id)

    def new_id(self) -> str:
        return f"{next(self._count)}.{uuid.uuid4()}@afnemer.example"

    def answer_of(self, _message_id: str) -> None:
        return None

    def sent_under(self, message_id: str) -> str | None:
        return self.sent.get(message_id)

    def status_of(self, _message_id: str) -> KnownStatus:
        return KnownStatus(MessageStatus.NOT_RECOGNIZED)

    def _answer_to(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        with self._came:
            self._came.notify_all()
        return self.instead.pop(0)(request) if self.instead else self.handler.receive(request, self).answer

    def wait_for(self, holds: Callable[[], Any]) -> None:
        """Wait until something holds, which is looked at with each request."""
        with self._came:
            assert self._came.wait_for(holds, 10)

    def answer_next(self, *statuses: int, **headers: str) -> None:
        """Answer the next requests with these statuses."""
        self.instead += [lambda _request, status=status: HttpAnswer(status, headers) for status in statuses]

    @property
    def messages(self) -> list[Message]:
        """Everything that arrived and can be read, oldest first."""
        return [read_ebms(request.headers["content-type"], request.body).message for request in self.requests]

    def of(self, kind: Kind) -> list[Message]:
        """Return what arrived of one kind."""
        return [message for message in self.messages if message.kind is kind]

    def post(self, outgoing: Outgoing, headers: dict[str, str] | None = None) -> HttpOutcome:
        """Post to the Berichtenbox."""
        return self.poster.post(self.box_url, outgoing.content_type, outgoing.body, headers)

    def signal(self, message: Message) -> HttpOutcome:
        """Post a message of any kind."""
        return self.post(write_ebms(message))

    def message(self, envelope: Envelope, **changes: Any) -> Message:
        """Return a message of the Afnemer that the CPA allows, but for ``changes``."""
        message = replace(self.handler.new_message(replace(envelope, conversation_id=None)), **changes)
        self.sent[message.message_id] = message.cpa_id
        return message

    def acknowledge(self, message: Message, **changes: Any) -> HttpOutcome:
        """Acknowledge a message in a POST of its own."""
        return self.signal(replace(signals.acknowledgment_of(message, self.new_id(), datetime.now(UTC)), **changes))

    def refuse(self, message: Message, error: EbmsError) -> HttpOutcome:
        """Answer a message with a MessageError."""
        return self.signal(signals.error_of(message, error, self.new_id(), datetime.now(UTC)))

    def close(self) -> None:
        self.poster.close()
        self.endpoint.close()


class EbmsLine:
    """A running Berichtenbox that speaks ebMS2 with a gateway; it works when it is told to settle. Each test begins with a clean record."""

    interval_s, retries = 60, 2

    def __init__(self, gateway: Gateway, database: str, *, is_sync: bool = False, certificates: Pki | None = None, **config: Any) -> None:
        self.gateway, self.database, self._certificates = gateway, database, certificates
        self._config = ConnectionConfig(**config)
        self._terms = self._terms_of("mshSignalsOnly" if is_sync else "none")
        self.cpa_document = new_cpa(self._terms)
        self.cpa = read_cpa(self.cpa_document)
        self._opened = contextlib.ExitStack()
        self._open()
        self.mark = self.box.mark()

    def _terms_of(self, sync_reply: str) -> Terms:
        today = datetime.now(UTC).replace(microsecond=0)
        oins = {"SR": self._config.oin, "SP": self._config.logius_oin}
        urls = {"SR": self.gateway.endpoint.url, "SP": "http://127.0.0.1:9/ebms"}
        names = {"SR": "client", "SP": "server"}
        shown = {} if self._certificates is None else {role: self._certificates.files_of(name).certificate for role, name in names.items()}
        return Terms(
            cpa_id=self._config.connection().cpa_id,
            oins=oins,
            endpoints=urls,
            start=today - timedelta(days=1),
            end=today + timedelta(days=1),
            retries=self.retries,
            retry_interval=timedelta(seconds=self.interval_s),
            persist=timedelta(hours=1),
            certificates={role: first_certificate(file.read_bytes()) for role, file in shown.items()},
            sync_reply=sync_reply,
        )

    def _open(self) -> None:
        self.ledger = self._opened.enter_context(SqlLedger(self.database, is_durable=False))
        self.box = Berichtenbox(self.ledger, self._config, seed=1)
        files = None if self._certificates is None else self._certificates.files_of("server")
        self.box.connect(self.cpa, None if files is None else client_context(files), self.cpa_document)
        urls = self._opened.enter_context(running(self.box, works_by_itself=False, tls=files))
        self.urls = urls
        self.gateway.speak(self.cpa, urls.ebms)

    def begin(self) -> None:
        """Begin with a clean record."""
        self.box.fresh_start()
        self.gateway.speak(self.cpa, self.urls.ebms)
        self.mark = self.box.mark()

    def restart(self) -> None:
        """Stop the Berichtenbox as it is, with its work undone, and start one on the same database."""
        self.close()
        self._open()

    def close(self) -> None:
        self._opened.close()

    def batch(self) -> Batch:
        """Return a batch that the Berichtenbox takes."""
        return make_batch(at=self.box.clock.now())

    def message(self, batch: Batch | None = None, **changes: Any) -> Message:
        """Return a message with a batch, or with a new one."""
        return self.gateway.message(make_envelope(self.box, (batch or self.batch()).to_xml()), **changes)

    def send(self, batch: Batch | None = None, **changes: Any) -> tuple[Message, HttpOutcome]:
        """Send a batch, and return the message and how it was answered."""
        message = self.message(batch, **changes)
        return message, self.gateway.signal(message)

    def result(self) -> Message:
        """Send a batch, and return the result that is pushed."""
        self.send()
        self.box.settle()
        return self.gateway.of(Kind.USER)[-1]

    def pass_interval(self, times: int = 1) -> None:
        """Let as much time pass as there is between two copies."""
        for _ in range(times):
            self.box.advance(seconds=self.interval_s + 0.01)

    @property
    def offers(self) -> list[Offer]:
        return list(self.box.offers(self.mark))

    @property
    def results(self) -> list[OfferedResult]:
        return list(self.box.results(self.mark))

    @property
    def exchanges(self) -> list[Exchange]:
        return list(self.box.exchanges(self.mark))


class Held:
    """Holds up what the ledger writes, from when it is made until it may go on."""

    def __init__(self, ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started, self._may, self._write = threading.Event(), threading.Event(), ledger.write
        monkeypatch.setattr(ledger, "write", self._hold)

    def _hold(self, works: Any) -> None:
        self.started.set()
        assert self._may.wait(10)
        self._write(works)

    def release(self) -> None:
        self._may.set()


@pytest.fixture(scope="session")
def certificates(pki_directory: Path) -> Pki:
    """The test certificates."""
    return load_pki(pki_directory)


@pytest.fixture(scope="module")
def open_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., EbmsLine]]:
    """Open a line, asynchronous and over plain http unless it is told otherwise."""
    with contextlib.ExitStack() as opened:

        def open_one(certificates: Pki | None = None, **how: Any) -> EbmsLine:
            gateway = opened.enter_context(contextlib.closing(Gateway(certificates)))
            database = f"sqlite:///{tmp_path_factory.mktemp('line') / 'ledger.db'}"
            return opened.enter_context(contextlib.closing(EbmsLine(gateway, database, certificates=certificates, **how)))

        yield open_one


@pytest.fixture(scope="module")
def async_line(open_line: Callable[..., EbmsLine]) -> EbmsLine:
    """One line for a module; signals travel apart."""
    return open_line()


@pytest.fixture(scope="module")
def synchronous_line(open_line: Callable[..., EbmsLine]) -> EbmsLine:
    """One line for a module; signals are in the answer."""
    return open_line(is_sync=True)


@pytest.fixture
def line(async_line: EbmsLine) -> EbmsLine:
    """An asynchronous line with a clean record."""
    async_line.begin()
    return async_line


@pytest.fixture
def sync_line(synchronous_line: EbmsLine) -> EbmsLine:
    """A synchronous line with a clean record."""
    synchronous_line.begin()
    return synchronous_line


@pytest.fixture(params=["async", "sync"])
def any_line(request: pytest.FixtureRequest) -> EbmsLine:
    """Each of both lines."""
    found: EbmsLine = request.getfixturevalue({"async": "line", "sync": "sync_line"}[request.param])
    return found


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Callable[[SqlLedger], Held]:
    """Hold up a ledger."""
    return lambda ledger: Held(ledger, monkeypatch)


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
