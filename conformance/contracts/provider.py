"""Holds the simulated Berichtenbox against pacts: over HTTP on all its faces, and as the messages that it has waiting for an Afnemer.

Every interaction gets a new Berichtenbox, so that none depends on another. Pact asks for its states and messages over HTTP, below ``/_pact``.
"""

import base64
import contextlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from conformance.berichtenbox.app import create_app
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.http import DroppableProtocol, bare
from conformance.berichtenbox.sql import SqlLedger
from conformance.contracts.published import PactFileError, read_pacts
from conformance.contracts.states import ContractBox, States
from conformance.masking import mask
from conformance.transport.serving import bind, config_of, serving
from conformance.verdicts import ExitCode

os.environ["PACT_DO_NOT_TRACK"] = "true"  # before the import: it would tell a stranger that it is used
from pact import Verifier  # after the line above

_HOST: Final = "127.0.0.1"
_BELOW: Final = "/_pact/"
_STATE: Final = "/_pact/state"
_MESSAGE: Final = "/_pact/message"
_BROKER_S: Final = 10.0
_ANSWER_MS: Final = 20_000
_LONGEST: Final = 400
_SILENCE: Final = logging.NullHandler()


class BrokerError(RuntimeError):
    """A Pact broker that does not answer."""

    exit_code = ExitCode.UNREACHABLE


class Party(Protocol):
    """What is held against a pact: an application, its states, and the messages that it sends."""

    app: ASGIApp

    def setup(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Reach a state; raises ``ValueError`` for an unknown one."""
        ...

    def renew(self) -> None:
        """Forget everything, for the next interaction."""
        ...

    def message(self, description: str) -> tuple[bytes, str, Mapping[str, str]] | None:
        """Return the message that is sent now: its payload, content type and metadata; ``None`` for none."""
        ...


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one interaction; without mismatches it is satisfied."""

    consumer: str
    description: str
    mismatches: tuple[str, ...] = ()


@dataclass(slots=True)
class Outcome:
    """What became of all interactions."""

    interactions: list[Verified] = field(default_factory=list)

    @property
    def failed(self) -> list[Verified]:
        """Those that are not satisfied."""
        return [item for item in self.interactions if item.mismatches]


# -- what can be verified ----------------------------------------------------------------------------------------------------------------------


def verify_directory(folder: Path, provider: str) -> Outcome:
    """Verify the pacts of a directory with this provider; raises ``PactFileError`` when there is none."""
    pacts = read_pacts(folder)
    ours = [pact.path for pact in pacts if pact.provider == provider]
    if not ours:
        found = ", ".join(sorted({repr(pact.provider) for pact in pacts}))
        raise PactFileError(f"{folder}: no pact has the provider {provider!r}; there is {found}.\n  Hint: name yours with --provider.")
    with simulated() as party:
        return verify_files(party, provider, ours)


def verify_broker(url: str, provider: str) -> Outcome:
    """Verify the pacts with this provider that a broker has; raises :class:`BrokerError`, and ``PactFileError`` when it has none.

    Who asks is taken from ``PACT_BROKER_USERNAME`` and ``PACT_BROKER_PASSWORD``, or ``PACT_BROKER_TOKEN``.
    """
    _check_broker(url)
    with simulated() as party, _standing(party) as standing:
        try:
            verifier = _verifier(provider, standing).broker_source(url)
        except ValueError as error:
            raise PactFileError(f"--broker: {error}.\n  Hint: say who asks in one way only.") from None
        outcome = _executed(verifier, standing)
    if not any(item.consumer for item in outcome.interactions):
        told = outcome.interactions[0].mismatches[0] if outcome.interactions else "it has nothing"
        hint = "name yours with --provider, and check who may ask"
        raise PactFileError(f"the broker gives no pact with the provider {provider!r} ({told}).\n  Hint: {hint}.")
    return outcome


def verify_files(party: Party, provider: str, files: Sequence[Path]) -> Outcome:
    """Verify pacts in files against a party."""
    with _standing(party) as standing:
        verifier = _verifier(provider, standing)
        for file in files:
            verifier.add_source(file)
        return _executed(verifier, standing)


def _check_broker(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PactFileError("--broker: expected the http or https URL of a Pact broker.")
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    try:
        httpx.get(where, timeout=_BROKER_S, trust_env=False)
    except httpx.HTTPError as error:
        raise BrokerError(f"the broker at {where} does not answer ({type(error).__name__}).\n  Hint: check --broker.") from None


# -- the party -------------------------------------------------------------------------------------------------------------------------------


class SimulatedBerichtenbox:
    """A simulated Berichtenbox with its states, as new for each interaction."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0
        self._open = contextlib.ExitStack()
        self.renew()

    def renew(self) -> None:
        """Begin again with an empty ledger."""
        self.close()
        self._count += 1
        ledger = self._open.enter_context(SqlLedger(f"sqlite:///{self._directory / f'ledger-{self._count}.db'}", is_durable=False))
        self.box = ContractBox(ledger)
        committer = GroupCommitter(ledger, self.box.wake)
        self._open.callback(committer.stop)
        self.app: ASGIApp = create_app(self.box, committer)
        self.states = States(self.box)

    def close(self) -> None:
        """Stop."""
        self._open.close()

    def setup(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Reach a state; raises ``ValueError`` for an unknown one."""
        self.states.setup(name, parameters)

    def message(self, _description: str) -> tuple[bytes, str, Mapping[str, str]] | None:
        """Return what waits longest for the Afnemer, whatever a pact calls it: its states decide what that is."""
        found = self.states.first()
        if found is None:
            return None
        offered, content = found
        return content, offered.envelope.parts[0].content_type, offered.envelope.named()


@contextlib.contextmanager
def simulated() -> Iterator[SimulatedBerichtenbox]:
    """Give a simulated Berichtenbox for as long as the block takes."""
    with tempfile.TemporaryDirectory(prefix="berichtenbox-") as directory:
        party = SimulatedBerichtenbox(Path(directory))
        try:
            yield party
        finally:
            party.close()


# -- standing before Pact ----------------------------------------------------------------------------------------------------------------------


class _Standing:
    """The party behind a socket, with the two addresses at which Pact asks for states and messages."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self.port = 0
        self.troubles: list[str] = []
        routes = [Route(_STATE, self._state, methods=["POST"]), Route(_MESSAGE, self._message, methods=["POST"])]
        self._own = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._own if scope["path"].startswith(_BELOW) else self._party.app)(scope, receive, send)

    async def _state(self, request: Request) -> Response:
        asked = await request.json()
        try:
            await run_in_threadpool(self._change, asked)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told with the interaction that asked for it
            self.troubles.append(f"{type(error).__name__}: {error}")
            return bare(str(error), 400)  # not a 500: Pact would try that again for two minutes
        return Response("{}", media_type="application/json")

    def _change(self, asked: Mapping[str, Any]) -> None:
        if asked["action"] == "teardown":
            self._party.renew()
        elif asked["state"]:
            self._party.setup(asked["state"], asked.get("params") or {})

    async def _message(self, request: Request) -> Response:
        description = (await request.json())["description"]
        found = await run_in_threadpool(self._party.message, description)
        if found is None:
            self.troubles.append(f"no message waits for {description!r}: give a state in which one does")
            return bare("no message waits", 404)
        content, content_type, metadata = found
        told = base64.b64encode(json.dumps({**metadata, "contentType": content_type}).encode()).decode()
        return Response(content, headers={"content-type": content_type, "pact-message-metadata": told})


@contextlib.contextmanager
def _standing(party: Party) -> Iterator[_Standing]:
    standing, bound = _Standing(party), bind(_HOST, 0)
    standing.port = bound.getsockname()[1]
    with serving(config_of(standing, None, DroppableProtocol), bound):
        yield standing


def _verifier(provider: str, standing: _Standing) -> Verifier:
    return (
        Verifier(provider, host=_HOST)
        .add_transport(protocol="http", port=standing.port, path="/", scheme="http")
        .add_transport(protocol="message", port=standing.port, path=_MESSAGE, scheme="http")
        .state_handler(f"http://{_HOST}:{standing.port}{_STATE}", teardown=True, body=True)
        .set_request_timeout(_ANSWER_MS)
        .set_coloured_output(enabled=False)
    )


def _executed(verifier: Verifier, standing: _Standing) -> Outcome:
    with _without_output():
        # What failed stands in the results; the error itself says no more than that something did.
        with contextlib.suppress(RuntimeError):
            verifier.verify()
        results = verifier.results
    outcome = Outcome([_verified(item) for item in results.get("interactionResults") or ()])
    told = [_text(error["mismatch"]) for error in results.get("errors") or () if not outcome.failed]
    if told:
        outcome.interactions.append(Verified("", "the pact itself", tuple(told)))
    if standing.troubles and outcome.failed:
        outcome.interactions.append(Verified("", "provider states", tuple(mask(text) for text in dict.fromkeys(standing.troubles))))
    return outcome


@contextlib.contextmanager
def _without_output() -> Iterator[None]:
    """Keep to itself what Pact writes past Python, and what it logs: it quotes messages with all that is in them."""
    kept, nowhere, logger = os.dup(1), os.open(os.devnull, os.O_WRONLY), logging.getLogger("pact")
    is_heard, logger.propagate = logger.propagate, False
    logger.addHandler(_SILENCE)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        logger.removeHandler(_SILENCE)
        logger.propagate = is_heard
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _verified(item: Mapping[str, Any]) -> Verified:
    mismatch = item.get("mismatch")
    texts = () if mismatch is None else tuple(_texts(mismatch))
    is_well = item.get("result") in (None, "OK") and mismatch is None
    return Verified(str(item.get("consumer", "")), str(item.get("description", "")), () if is_well else texts or ("not satisfied",))


def _texts(mismatch: Mapping[str, Any]) -> Iterator[str]:
    for found in mismatch.get("mismatches") or ():
        yield _text(found)
    if not mismatch.get("mismatches"):
        yield _text(mismatch)


def _text(found: Mapping[str, Any]) -> str:
    """Return one mismatch: where, and what; without the trace that follows some."""
    where = found.get("path") or found.get("key") or ""
    what = str(found.get("mismatch") or found.get("message") or found.get("error") or found.get("type") or found).partition("\n\nStack")[0]
    return mask(f"{found.get('type', '')} {where}: {what}".strip())[:_LONGEST]
