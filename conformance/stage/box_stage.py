"""The stage of cases with a Berichtenbox under test: who sends batches, who asks the validatieservice, and clients that do one thing wrong."""

import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from conformance.berichtenbox.pushing import exchange_of
from conformance.messages.validatie import ACTION, Klant, ValidatieAanvraag
from conformance.stage.box_receiver import BoxReceiver
from conformance.stage.judging import Judge, NotTestedError
from conformance.stage.secured import check_can_play
from conformance.stage.transcript import transcript
from conformance.transport import soap
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome, TroubleKind
from conformance.transport.ebms2.posting import Poster
from conformance.transport.ebms2.writing import Outgoing
from conformance.transport.handshakes import FailedHandshake
from conformance.transport.misbehaving import bad_client_contexts, careless_context
from conformance.transport.pki import Pki, PkiError
from conformance.transport.shown import Shown, Trust, shake
from conformance.transport.tls import client_context
from conformance.verdicts import Reason

_OWN: Final = "client"
_QUOTED_ACTION: Final = f'"{ACTION}"'


@dataclass(slots=True)
class BoxStage:
    """A Berichtenbox and what the kit knows of it: the receiver of batches, the URL of the validatieservice, and the test certificates (or none).

    ``depth`` says how much is generated: see ``conformance.stage.hunting``.
    """

    receiver: BoxReceiver
    wus_url: str
    logius_oin: str
    certificates: Pki | None = None
    depth: str = "quick"
    _clients: "_Clients | None" = field(default=None)

    @property
    def has(self) -> frozenset[str]:
        """What this run has that a case may need; the words are those of the ``needs`` marker."""
        agreement = self.receiver.agreement
        is_sync = any(channel.sync_reply != "none" for party in agreement.cpa.parties for channel in party.channels.values())
        return frozenset({"berichtenbox", "ebms", "sync" if is_sync else "async", *(["tls"] if self.certificates else [])})

    def now(self) -> datetime:
        """Return the moment on the wall clock."""
        return datetime.now(UTC)

    def begin(self) -> None:
        """Begin a case."""
        self.receiver.begin()

    def told(self, judge: Judge) -> str:
        """Return what went over the line in a case, as a person reads it."""
        seen = [*judge.exchanges, *self.receiver.gateway.exchanges(self.receiver.start)]
        # A transcript is written as the Berichtenbox sees it: what came in here, went out there.
        return transcript((), (), (), [replace(one, is_incoming=not one.is_incoming) for one in seen])

    # -- the validatieservice --------------------------------------------------------------------------------------------------------------

    def question(self, *keys: str, oin: str = "") -> ValidatieAanvraag:
        """Return who wants letters of this Afnemer, of these citizens or of one reserved test BSN."""
        klanten = tuple(Klant(key) for key in keys or (self.receiver.citizen(),))
        return ValidatieAanvraag(oin or self.receiver.sender.oin, self.receiver.sender.bericht_type, klanten)

    def ask(
        self,
        content: bytes,
        *,
        content_type: str = soap.CONTENT_TYPE,
        soap_action: str = _QUOTED_ACTION,
        client: str = "",
        line: Poster | None = None,
    ) -> HttpAnswer:
        """POST to the validatieservice as a good client, or as the bad one that ``client`` names; status 0 when nothing was answered.

        It goes over a connection of its own, or over ``line``. Raises :class:`NotTestedError` when nobody is there, or it takes too long.
        """
        headers = {"content-type": content_type, "soapaction": soap_action}
        outcome = self._post(client, self.wus_url, Outgoing(content_type, content, content), headers, line)
        return outcome.answer or HttpAnswer(0)

    def line(self) -> Poster:
        """Return a line to the Berichtenbox that is kept open, as a good client; who asks for it closes it."""
        return Poster(self._tls.context("") if self.certificates else None)

    # -- TLS -------------------------------------------------------------------------------------------------------------------------------

    @property
    def trust(self) -> Trust:
        """What this side knows of authorities; raises :class:`NotTestedError` in a run without TLS."""
        return Trust.of(self._tls.certificates.files_of(_OWN))

    @property
    def ebms_url(self) -> str:
        """Where batches go."""
        return self.receiver.url

    def greet(self, url: str, client: str = "") -> Shown | FailedHandshake:
        """Shake hands, by default as the Afnemer that takes anything; raises :class:`NotTestedError` when nobody is there."""
        try:
            return shake(url, self._tls.context(client))
        except OSError as error:
            raise NotTestedError(Reason.UNREACHABLE, f"nobody is there at {url}: {error}") from None

    def welcomed(self, url: str) -> Shown:
        """Return what the server shows to a good client; raises :class:`NotTestedError` when it shakes hands with nobody."""
        shown = self.greet(url)
        if isinstance(shown, FailedHandshake) or not shown.chain:
            seen = shown.got if isinstance(shown, FailedHandshake) else "no certificate"
            raise NotTestedError(Reason.NO_TRAFFIC, f"the Berichtenbox shakes hands with nobody: {seen}")
        return shown

    def post_as(self, client: str, outgoing: Outgoing) -> HttpOutcome:
        """POST a message as a bad client; raises :class:`NotTestedError` when nobody is there, or it takes too long."""
        return self._post(client, self.ebms_url, outgoing, None)

    @property
    def _tls(self) -> "_Clients":
        if self._clients is None:
            if self.certificates is None:
                raise NotTestedError(Reason.FACE_NOT_USED, "this run has no TLS")
            self._clients = _Clients(self.certificates)
        return self._clients

    def _post(self, client: str, url: str, outgoing: Outgoing, headers: Mapping[str, str] | None, line: Poster | None = None) -> HttpOutcome:
        context = self._tls.context(client) if self.certificates and line is None else None
        began = self.now()
        with contextlib.nullcontext(line) if line is not None else Poster(context) as poster:
            outcome = poster.post(url, outgoing.content_type, outgoing.body, headers)
        exchange = exchange_of("", url, outgoing, outcome, f"as the client {client}" if client else "", began, began)
        self.receiver.gateway.note(replace(exchange, headers=tuple(headers.items())) if headers else exchange)
        trouble = outcome.trouble
        if trouble is not None and trouble.kind in {TroubleKind.REFUSED, TroubleKind.TIMEOUT}:
            raise NotTestedError(Reason.UNREACHABLE, trouble.text)
        return outcome


class _Clients:
    """The clients of an Afnemer, good and bad, by name; they look at no server, for what is wrong with that is another requirement."""

    def __init__(self, certificates: Pki) -> None:
        self.certificates = certificates
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self, name: str) -> ssl.SSLContext:
        """Return a client; raises :class:`NotTestedError` when the directory of an older version lacks its certificate, or it cannot be played."""
        if not self._contexts:
            self._contexts = {"": client_context(self.certificates.files_of(_OWN)), _OWN: careless_context(self.certificates.files_of(_OWN))}
        if name not in self._contexts:
            try:
                self._contexts |= bad_client_contexts(self.certificates, _OWN)
            except PkiError as error:
                raise NotTestedError(Reason.KIT_LIMIT, str(error)) from None
            for context in self._contexts.values():
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
        if name not in ("", _OWN):
            check_can_play(self.certificates, name, _OWN)
        return self._contexts[name]
