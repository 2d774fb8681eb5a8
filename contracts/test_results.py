"""GLOBE-R-BV-Result as message pacts: what the reference Afnemer makes of each verwerkingsbericht."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from conformance.berichtenbox.register import DEFAULT_OIN, default_cpa_id
from conformance.berichtenbox.results import with_code
from conformance.contracts.matching import MOMENT, packed, regex, xml_path
from conformance.contracts.published import AFNEMER, BERICHTENBOX, HANDLER, REFUSES
from conformance.contracts.states import BATCH_ID, BERICHT_ID, BSNS
from conformance.messages.batch import NS_BATCH
from conformance.messages.envelope import SERVICE, Action
from conformance.messages.identities import NIL_GUID
from conformance.messages.verwerkingsbericht import UNREADABLE_TYPE, Resultaat, Stadium, Verwerkingsbericht, VerwerkingsCode

MOMENT_OF_ALL = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECOND_ID = "0b0d5a4e-61a5-4a5c-9df5-0f1f7a4b7a03"
STATE = "a verwerkingsbericht waits"
INFO = (f"{{{NS_BATCH}}}BerichtVerwerkResponse", "BatchInformatie")
RULES = {"body": {xml_path(*INFO, name, "#text"): regex(MOMENT) for name in ("DatumOntvangen", "DatumVerwerkt")}}
OUTCOMES = {
    VerwerkingsCode.VERWERKT: "verwerkt",
    VerwerkingsCode.TECHNISCH_PROBLEEM: "opnieuw-aangeboden",
    VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD: "ander-kanaal",
    VerwerkingsCode.BERICHT_TYPE_NIET_ONDERSTEUND: "handmatig",
    VerwerkingsCode.PUBLICATIE_DATUM: "handmatig",
    VerwerkingsCode.AANMAAK_DATUM: "opnieuw-aangeboden",
    VerwerkingsCode.BERICHT_BESTAAT_AL: "handmatig",
    VerwerkingsCode.BIJLAGE_TE_GROOT: "handmatig",
}


def resultaat(code: VerwerkingsCode = VerwerkingsCode.VERWERKT, bericht_id: str = BERICHT_ID) -> Resultaat:
    return with_code(Resultaat(bericht_id, "BELAST", code), code)


def document(*results: Resultaat) -> bytes:
    return Verwerkingsbericht.about(DEFAULT_OIN, BATCH_ID, MOMENT_OF_ALL, MOMENT_OF_ALL, results).to_xml()


def state(*told: tuple[str, str], **more: object) -> dict[str, object]:
    berichten = [{"berichtId": bericht_id, "code": code} for bericht_id, code in told or [(BERICHT_ID, "Verwerkt")]]
    return {"batchId": BATCH_ID, "berichten": berichten, **more}


@dataclass
class Told:
    """What the Afnemer made of the messages that it got: the status of the first bericht, how often that changed, and what it marked."""

    status: str
    times: int
    marked: list[str]


@pytest.fixture
def receives(contract, offline, gateway) -> Callable[..., Told]:
    """Put a message in the pact, let the Afnemer receive it, and tell what came of it."""
    for number, bericht_id in enumerate([BERICHT_ID, SECOND_ID]):
        offline.store.add_bericht(bericht_id, BATCH_ID, {"bsn": BSNS[number], "berichtType": "BELAST"}, "aangeboden")

    def receive(description: str, content: bytes, given: dict[str, object], *, is_packed: bool = False, is_refused: bool = False) -> Told:
        message_id = f"{uuid.uuid5(uuid.NAMESPACE_URL, description.removesuffix(', again'))}@berichtenbox.example"
        pact = contract(AFNEMER, BERICHTENBOX)
        message = pact.upon_receiving(description, "Async").given(STATE, {**given, "messageId": message_id})
        if is_packed:
            message.with_binary_body(content, "application/gzip").with_matching_rules(packed())
        else:
            message.with_body(content.decode(), "text/xml").with_matching_rules(RULES)
        message.with_metadata({"cpaId": default_cpa_id(DEFAULT_OIN), "service": SERVICE, "action": Action.BV_RESULT.value, "messageId": message_id})
        if is_refused:
            message.set_comment(HANDLER, REFUSES)

        def handle(body: str | bytes, metadata: dict[str, object]) -> None:
            payload = body if isinstance(body, bytes) else str(body).encode()
            gateway.offer(metadata["action"], payload, metadata["contentType"], metadata["messageId"])
            offline.receiver.receive()

        pact.verify(handle, "Async")
        found = offline.store.bericht(BERICHT_ID)
        return Told(found.status, found.verwerkt, gateway.marked)

    return receive


@pytest.mark.parametrize("code", OUTCOMES)
def test_each_code_gets_its_reaction(receives, code):
    """
    A bericht becomes what its VerwerkingsCode asks for.
    """
    told = receives(f"verwerkingsbericht: {code.value}", document(resultaat(code)), state((BERICHT_ID, code.value)))

    assert (told.status, told.times) == (OUTCOMES[code], 1)
    assert len(told.marked) == 1


@pytest.mark.parametrize("code", sorted(set(VerwerkingsCode) - set(OUTCOMES)))
def test_refusal_of_a_whole_batch_reaches_every_bericht(receives, offline, code):
    """
    With the nil BerichtID a result is about the whole batch.
    """
    content = document(Resultaat(NIL_GUID, UNREADABLE_TYPE, code, Stadium.BERICHT_TYPE))
    faults = [{"naam": "nil-bericht-id", "waarden": {"code": code.value}}]

    told = receives(f"verwerkingsbericht: {code.value}, for the whole batch", content, state(faults=faults))

    assert told.status == "handmatig"
    assert offline.store.bericht(SECOND_ID).status == "handmatig"


def test_batch_with_two_outcomes(receives, offline):
    """
    Each bericht of a batch has its own result.
    """
    refused = VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD
    content = document(resultaat(), resultaat(refused, SECOND_ID))

    told = receives("verwerkingsbericht: two berichten, one refused", content, state((BERICHT_ID, "Verwerkt"), (SECOND_ID, refused.value)))

    assert told.status == "verwerkt"
    assert offline.store.bericht(SECOND_ID).status == "ander-kanaal"


def test_result_that_comes_again_is_applied_once(receives):
    """
    A verwerkingsbericht that is offered again after it was processed, under the same MessageId, changes nothing and is marked again.
    """
    description = "verwerkingsbericht: offered"
    receives(description, document(resultaat()), state())

    told = receives(f"{description}, again", document(resultaat()), state(faults=[{"naam": "reoffer-same-id"}], isProcessed=True))

    assert (told.status, told.times) == ("verwerkt", 1)
    assert len(told.marked) == 2
    assert len(set(told.marked)) == 1


def test_packed_result_is_unpacked(receives, gzip_file):
    """
    A verwerkingsbericht may come as a gzip file.
    """
    told = receives("verwerkingsbericht: packed", gzip_file(document(resultaat())), state(faults=[{"naam": "gzip"}]), is_packed=True)

    assert told.status == "verwerkt"


@pytest.mark.parametrize(("fault", "is_nil"), [("stadium-absent", False), ("stadium-nil", True)])
def test_stadium_is_not_needed(receives, fault, is_nil):
    """
    Stadium may be absent, or nil.
    """
    content = document(Resultaat(BERICHT_ID, "BELAST", VerwerkingsCode.VERWERKT, None, is_nil))

    told = receives(f"verwerkingsbericht: {fault}", content, state(faults=[{"naam": fault}]))

    assert told.status == "verwerkt"


def test_result_that_breaks_off_is_left_alone(receives, gzip_file):
    """
    What cannot be read is not marked as processed, and no bericht changes.
    """
    faults = [{"naam": "unreadable-before"}, {"naam": "gzip"}]

    told = receives(
        "verwerkingsbericht: cannot be read", gzip_file(document(resultaat())[:200]), state(faults=faults), is_packed=True, is_refused=True
    )

    assert (told.status, told.times, told.marked) == ("aangeboden", 0, [])
