"""The adapter face: the REST API of ebms-core v19, so that an application written for it talks to this Berichtenbox unchanged.

It plays the Afnemer's own adapter: what is posted goes to Logius, what Logius answers waits in the queue of unprocessed messages.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route

from conformance.berichtenbox.adapter_admin import admin_routes
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.citizens import Kept
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.faults import Point
from conformance.berichtenbox.http import BodyTooLarge, bare, json_bytes, no_content, read_body
from conformance.berichtenbox.kept import filled_base64, with_stand_in
from conformance.berichtenbox.ledger import Offer, OfferedResult, QueueFilter, Writing
from conformance.berichtenbox.trouble import refusing, spoiled, status_of
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope
from conformance.transport import adapter

_LONGEST_NUMBER: Final = 9
_SENT: Final = frozenset({Action.BV_REQUEST, Action.A_REQUEST})
_EVENTS: Final = frozenset({"RECEIVED", "DELIVERED", "FAILED", "EXPIRED"})
_Handler = Callable[[Request], Awaitable[Response]]


class AdapterFace:
    """The operations of the adapter, on one Berichtenbox."""

    def __init__(self, box: Berichtenbox, committer: GroupCommitter) -> None:
        self._box = box
        self._committer = committer

    def routes(self) -> list[BaseRoute]:
        """Return the routes below ``/service/rest/v19``."""
        message = "/ebms/messages/{message_id:path}"
        own = [
            Route("/ebms/messages", self._guarded(Point.POST, self.post), methods=["POST"]),
            Route("/ebms/messages/unprocessed", self._guarded(Point.POLL, self.unprocessed), methods=["GET"]),
            Route(f"{message}/status", self.status, methods=["GET"]),
            Route(message, self._guarded(Point.FETCH, self.fetch), methods=["GET"]),
            Route(message, self._guarded(Point.PROCESS, self.process), methods=["PATCH"]),
            Route(message, self._guarded(Point.POST, self.resend), methods=["PUT"]),
            Route("/ebms/events/unprocessed", self.events, methods=["GET"]),
            Route("/ebms/events/{message_id:path}", self.process_event, methods=["PATCH"]),
            Route("/ebms/ping/{cpa_id}/from/{from_party}/to/{to_party}", self.ping, methods=["POST"]),
        ]
        return [Mount(adapter.REST_PATH, routes=[*own, *admin_routes(self._box)])]

    def _guarded(self, point: Point, handler: _Handler) -> _Handler:
        """Let the faults that strike at ``point`` come before and after the work of ``handler``."""

        async def guarded(request: Request) -> Response:
            faults = {fault.name: fault for fault in self._box.faults.striking(point)}
            refused = await refusing(faults)
            if refused is not None:
                await self._note(point, request.path_params.get("message_id", ""), status_of(refused))
                return refused
            answer = await handler(request)
            return spoiled(answer, faults)

        return guarded

    async def _note(self, operation: str, subject: str, status: int) -> None:
        call = self._box.call_of(operation, subject, status)
        await self._committer.do(lambda writing: writing.add_call(call))

    # -- sending ---------------------------------------------------------------------------------------------------------------------------

    async def post(self, request: Request) -> Response:
        """Store a message and queue it: 200 with its MessageId, once it is on disk; any refusal is a 500, as the adapter gives."""
        try:
            envelope = adapter.read_message_request(await read_body(request))
        except BodyTooLarge as error:
            return bare(str(error), 413)
        except adapter.RequestRefused as error:
            await self._note(Point.POST, "", 500)
            return bare(str(error), 500)
        return await self._accept(self._completed(envelope))

    async def _accept(self, envelope: Envelope) -> Response:
        refusal = self._refusal(envelope)
        await self._committer.store(self._box.offer_of(envelope, refused_because=refusal))
        return bare(refusal, 500) if refusal else bare(envelope.message_id or "")

    def _refusal(self, envelope: Envelope) -> str:
        """Return what the CPA has against a message, in the words of the adapter; empty when nothing."""
        connection = self._box.connection
        if envelope.cpa_id != connection.cpa_id:
            return f"No CPA found for message.cpaId={envelope.cpa_id}"
        asked = f"MessageRequestProperties(cpaId={envelope.cpa_id}, fromPartyId={envelope.from_party}, fromRole={envelope.from_role}, "
        asked += f"service={envelope.service}, action={envelope.action})"
        sends = (connection.afnemer_party, ROLE_AFNEMER, SERVICE)
        if (envelope.from_party, envelope.from_role, envelope.service) != sends or envelope.action not in _SENT:
            return f"No CanSend action found for {asked}"
        if envelope.to_party not in (None, connection.logius_party) or envelope.to_role not in (None, ROLE_LOGIUS):
            return f"No CanReceive action found for {asked}"
        return ""

    def _completed(self, envelope: Envelope) -> Envelope:
        """Fill in what the sender left to the adapter: ids, and the receiver of the CPA. The host is appended to a given id, always."""
        host, unique = "afnemer.example", self._box.new_guid()
        parts = tuple(part if part.content_id else replace(part, content_id=self._box.new_guid()) for part in envelope.parts)
        message_id = f"{envelope.message_id or unique}@{host}"
        return replace(envelope, conversation_id=envelope.conversation_id or unique, message_id=message_id, parts=parts)

    async def resend(self, request: Request) -> Response:
        """Send a stored message again as a new one: a new MessageId, the same payload and conversation."""
        stored = self._stored(request)
        if stored is None:
            return bare("", 404)
        return await self._accept(self._completed(replace(stored.envelope, message_id=None)))

    # -- receiving -------------------------------------------------------------------------------------------------------------------------

    async def unprocessed(self, request: Request) -> Response:
        """Return the MessageIds of the results that wait, oldest first."""
        try:
            queue_filter, most = _queue_filter(request)
        except ValueError as error:
            return bare(str(error), 500)
        self._box.polls += 1
        return json_bytes(adapter.write_ids(self._box.ledger.unprocessed(queue_filter, most)))

    def _stored(self, request: Request) -> Offer | OfferedResult | None:
        return self._box.ledger.message(request.path_params["message_id"])

    async def fetch(self, request: Request) -> Response:
        """Return a stored message with its payload; ``process=true`` marks it before it is read, which loses it when the reader fails."""
        stored = self._stored(request)
        if stored is None:
            return bare("", 404)
        if request.query_params.get("process", "false").lower() == "true":
            await self._mark(stored.envelope.message_id or "", "fetch-and-process")
            stored = self._stored(request) or stored  # it is marked before it is read
        else:
            await self._note(Point.FETCH, stored.envelope.message_id or "", 200)
        if isinstance(stored, OfferedResult) and stored.kept is not None:
            return self._streamed(stored, stored.kept)
        return json_bytes(adapter.write_message(adapter.StoredMessage(stored.envelope, stored.wall, stored.status)))

    def _streamed(self, stored: OfferedResult, kept: Kept) -> Response:
        """Return a message of which the content comes from the ledger piece by piece."""
        body = adapter.write_message(adapter.StoredMessage(with_stand_in(stored.envelope), stored.wall, stored.status))
        return StreamingResponse(filled_base64(body, self._box.ledger.citizens.content(kept)), media_type="application/json")

    async def process(self, request: Request) -> Response:
        """Mark a result as processed; idempotent, and 204 for whatever is unknown."""
        message_id = request.path_params["message_id"]
        hook = self._box.before_marking
        if hook is not None:
            await run_in_threadpool(hook, message_id)
        await self._mark(message_id, Point.PROCESS)
        return no_content()

    async def _mark(self, message_id: str, operation: str) -> None:
        now, call = self._box.clock.now(), self._box.call_of(operation, message_id, 204)

        def mark(writing: Writing) -> None:
            writing.mark_processed(message_id, now)
            writing.add_call(call)

        await self._committer.do(mark)

    # -- transport -------------------------------------------------------------------------------------------------------------------------

    async def status(self, request: Request) -> Response:
        """Answer a StatusRequest as Logius' side does on this flow: it never ends well, and it is on the record who asked."""
        stored = self._stored(request)
        await self._note("status", request.path_params["message_id"], 404 if stored is None else 500)
        return bare("", 404) if stored is None else bare("No valid response received!", 500)

    async def events(self, request: Request) -> Response:
        """Return the transport events that were not seen yet."""
        kinds = request.query_params.getlist("eventTypes")
        unknown = [kind for kind in kinds if kind not in _EVENTS]
        if unknown:
            return bare(f"unknown event type {unknown[0][:40]!r}; known are {', '.join(sorted(_EVENTS))}", 500)
        try:
            queue_filter, most = _queue_filter(request)
        except ValueError as error:
            return bare(str(error), 500)
        found = self._box.ledger.events(queue_filter, kinds, most)
        return json_bytes(json.dumps([{"messageId": message_id, "type": kind} for message_id, kind in found]).encode())

    async def process_event(self, request: Request) -> Response:
        """Mark an event as seen, and a received message with it."""
        message_id, now = request.path_params["message_id"], self._box.clock.now()
        await self._committer.do(lambda writing: writing.mark_event(message_id, now))
        return no_content()

    async def ping(self, request: Request) -> Response:
        """Ping Logius' side: 204 when CPA and parties fit."""
        cpa_id, sender, receiver = (request.path_params[name] for name in ("cpa_id", "from_party", "to_party"))
        connection = self._box.connection
        if cpa_id != connection.cpa_id:
            return bare(f"No CPA found for cpaId={cpa_id}", 500)
        if sender != connection.afnemer_party:
            return bare(f"No fromParty found for cpaId={cpa_id}, fromPartyId={sender}", 500)
        if receiver != connection.logius_party:
            return bare(f"No toParty found for cpaId={cpa_id}, toPartyId={receiver}", 500)
        return no_content()


def _queue_filter(request: Request) -> tuple[QueueFilter, int]:
    """Return the filter and the most ids to give; raises ``ValueError`` for a maxNr that is no number."""
    given = {adapter.PROPERTIES[key]: value for key, value in request.query_params.items() if key in adapter.PROPERTIES}
    most = request.query_params.get("maxNr", "0")
    if not most.isascii() or not most.isdigit() or len(most) > _LONGEST_NUMBER:
        raise ValueError("maxNr is a whole number, 0 for all")
    return QueueFilter(**given), int(most)
