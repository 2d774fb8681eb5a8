"""The reference Afnemer as a handler of the published messages: what `berichtenbox contracts verify` asks of an organisation can be done."""

from collections.abc import Callable

import pytest

from conformance.contracts.handler import Answer, verify_handler
from conformance.contracts.published import Message, result_messages
from conformance.contracts.states import BSNS
from conformance.messages.abonnement import Soort


@pytest.fixture
def handler(offline, gateway) -> Callable[[Message], Answer]:
    """Let the reference Afnemer know what a message is about, receive it, and tell whether it was marked as processed."""

    def know(name: str, told: dict[str, object]) -> None:
        if name == "an answer on abonnementen waits":
            offline.abonnees.new_guid = lambda: told["verzoekId"]
            offline.abonnees.request(Soort.BSN_LIJST, BSNS[:3])
        for number, bericht in enumerate(told.get("berichten", ())):
            if offline.store.bericht(bericht["berichtId"]) is None:
                letter = {"bsn": BSNS[number], "berichtType": "BELAST"}
                offline.store.add_bericht(bericht["berichtId"], told["batchId"], letter, "aangeboden")

    def handle(message: Message) -> Answer:
        for state in message.states:
            know(state.name, dict(state.parameters))
        gateway.offer(message.metadata["action"], message.content, message.content_type, message.metadata["messageId"])
        before = len(gateway.marked)
        offline.abonnees.receive()
        offline.receiver.receive()
        return Answer(len(gateway.marked) > before, "")

    return handle


def test_reference_afnemer_handles_every_published_message(handler, offline):
    """
    All messages, one after another to one Afnemer, are handled as the pacts say; nothing is left to a person but what cannot be read.
    """
    messages = result_messages()

    handled = verify_handler(messages, handler)

    assert [item.message.description for item in handled if not item.is_right] == []
    assert len(offline.store.strays()) == sum(message.is_refused for message in messages)
