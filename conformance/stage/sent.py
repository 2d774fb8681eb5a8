"""Everything that the Afnemer sent over ebMS2 in a run, as the wire rules read it; each request is read once."""

from collections.abc import Sequence
from dataclasses import replace

from conformance.berichtenbox.ebms_face import PATH
from conformance.berichtenbox.wire import Exchange
from conformance.messages.envelope import ROLE_AFNEMER
from conformance.stage.scene import Scene
from conformance.transport.cpa import Cpa
from conformance.transport.ebms2.agreements import Agreement
from conformance.transport.ebms2.wire_rules import Agreed
from conformance.transport.ebms2.wire_sent import Sent, SentPart, SentRequest, read_sent


def agreed_in(cpa: Cpa) -> Agreed:
    """Return what the CPA asks of the Afnemer's messages; raises ``AgreementError`` when it cannot send a batch under it."""
    own = {flat for party in cpa.parties if ROLE_AFNEMER in party.roles for flat in party.flat_ids}
    return Agreed.of(Agreement(cpa, own))


def request_of(exchange: Exchange, agreed: Agreed) -> SentRequest:
    """Return a request of the Afnemer as the wire rules have it."""
    return SentRequest(
        kind=exchange.kind,
        method=exchange.method,
        path=exchange.target if agreed.path == PATH else None,  # else something between both sides gives requests another path
        http_version=exchange.http_version,
        headers=exchange.headers,
        parts=tuple(SentPart(part.headers, part.sha256) for part in exchange.parts),
        soap=exchange.soap,
        size=exchange.size,
        wall=exchange.wall,
        peer=exchange.peer,
        seq=exchange.seq,
    )


class Traffic:
    """What was sent in the run of a stage over ebMS2. Raises ``AgreementError`` when the CPA is of no use."""

    def __init__(self, scene: Scene, cpa: Cpa) -> None:
        self._scene = scene
        self.agreed = agreed_in(cpa)
        self._read_until = scene.run_mark
        self._messages: list[Sent] = []
        self._exchanges: dict[int, Exchange] = {}

    def messages(self) -> Sequence[Sent]:
        """Return the messages for the application, and what may be meant as one, in the order in which they came."""
        for exchange in self._scene.box.exchanges(self._read_until):
            self._read_until = replace(self._read_until, exchange=exchange.seq)
            sent = read_sent(request_of(exchange, self.agreed)) if exchange.is_incoming else None
            if sent is not None and sent.is_user_message:
                self._messages.append(sent)
                self._exchanges[exchange.seq] = exchange
        return self._messages

    def exchange_of(self, sent: Sent) -> Exchange:
        """Return the exchange of a message."""
        return self._exchanges[sent.request.seq]
