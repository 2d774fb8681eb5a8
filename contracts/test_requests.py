"""GLOBE-R-BV-Request and GLOBE-R-A-Request as message pacts: what the simulated Berichtenbox makes of what an Afnemer sends."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from conformance.berichtenbox.ledger import State
from conformance.berichtenbox.register import DEFAULT_OIN, default_cpa_id
from conformance.berichtenbox.sql import SqlLedger
from conformance.contracts.matching import GUID, MOMENT, regex, xml_path
from conformance.contracts.published import AFNEMER, BERICHTENBOX
from conformance.contracts.states import BATCH_ID, BERICHT_ID, BSNS, VERZOEK_ID, ContractBox, States
from conformance.messages.abonnement import AbonnementAanvraag, names, read_antwoord
from conformance.messages.batch import NS_BATCH, Batch, Bericht
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope, Part
from conformance.messages.guard import parse
from conformance.messages.identities import LOGIUS_TEST_OIN, flat_party
from conformance.messages.verwerkingsbericht import read_verwerkingsbericht

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NS_BERICHT = "http://schemas.rdw.nl/GEB/BerichtenProsessor/Bericht/Types/2009/01"
ROOT, INFO = f"{{{NS_BATCH}}}Berichten", f"{{{NS_BATCH}}}BatchInformatie"
BERICHT = (ROOT, f"{{{NS_BERICHT}}}Bericht", f"{{{NS_BERICHT}}}BerichtInformatie")
BATCH_RULES = {
    "body": {
        xml_path(ROOT, INFO, f"{{{NS_BATCH}}}BatchID", "#text"): regex(GUID),
        xml_path(ROOT, INFO, f"{{{NS_BATCH}}}AanmaakDatum", "#text"): regex(MOMENT),
        xml_path(*BERICHT, f"{{{NS_BERICHT}}}BatchID", "#text"): regex(GUID),
        xml_path(*BERICHT, f"{{{NS_BERICHT}}}BerichtID", "#text"): regex(GUID),
    }
}
AANVRAAG = f"{{{names().namespace}}}{names().aanvraag}"
AANVRAAG_RULES = {
    "body": {
        xml_path(AANVRAAG, names().verzoek_id, "#text"): regex(GUID),
        xml_path(AANVRAAG, names().mutatie_datum, "#text"): regex(MOMENT),
    }
}
PARTIES = {
    "cpaId": default_cpa_id(DEFAULT_OIN),
    "fromPartyId": flat_party(DEFAULT_OIN),
    "fromRole": ROLE_AFNEMER,
    "toPartyId": flat_party(LOGIUS_TEST_OIN),
    "toRole": ROLE_LOGIUS,
    "service": SERVICE,
}


@pytest.fixture
def box(tmp_path) -> Iterator[ContractBox]:
    """A Berichtenbox on the moment of the pacts."""
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ContractBox(ledger, wall=lambda: AT)


@pytest.fixture
def processes(contract, box) -> Callable[..., tuple[State, bytes]]:
    """Put a message in the pact, let the Berichtenbox process it, and return what became of it, and what waits then."""

    def process(description: str, action: Action, content: bytes, rules: dict[str, object]) -> tuple[State, bytes]:
        pact = contract(BERICHTENBOX, AFNEMER)
        message = pact.upon_receiving(description, "Async").with_body(content.decode(), "text/xml").with_matching_rules(rules)
        message.with_metadata({**PARTIES, "action": action.value})
        since = box.mark()

        def handle(body: str, metadata: dict[str, object]) -> None:
            box.accept(
                Envelope(
                    metadata["cpaId"],
                    metadata["fromPartyId"],
                    metadata["fromRole"],
                    metadata["service"],
                    metadata["action"],
                    metadata["toPartyId"],
                    metadata["toRole"],
                    conversation_id=box.new_guid(),
                    message_id=f"{box.new_guid()}@afnemer.example",
                    parts=(Part(str(body).encode(), metadata["contentType"]),),
                )
            )
            box.settle()

        pact.verify(handle, "Async")
        found = States(box).first()
        return box.offers(since)[-1].state, b"" if found is None else found[1]

    return process


def letter(number: int, bericht_type: str = "BELAST") -> Bericht:
    bericht_id = BERICHT_ID[:-1] + str(number)
    return Bericht(BATCH_ID, bericht_id, bericht_type, "Bericht van uw gemeente", BSNS[number], "Een bericht.")


@pytest.mark.parametrize(
    ("description", "berichten"),
    [("batch: one bericht", (letter(0),)), ("batch: two berichten", (letter(0), letter(1, "PASPOORT")))],
)
def test_batch_is_processed(processes, description, berichten):
    """
    A batch as the reference Afnemer makes it is stored, bericht by bericht.
    """
    content = Batch(BATCH_ID, "2026-11-24T12:00:00Z", DEFAULT_OIN, berichten).to_xml()

    state, waiting = processes(description, Action.BV_REQUEST, content, BATCH_RULES)

    told = read_verwerkingsbericht(parse(waiting))
    assert state is State.PROCESSED
    assert [item.code for item in told.resultaten] == ["Verwerkt"] * len(berichten)


@pytest.mark.parametrize(
    ("description", "bsns", "mutatie_datum"),
    [
        ("request: alles", None, None),
        ("request: bsn-lijst", BsnList.of(BSNS[:3]), None),
        ("request: mutaties", None, "2026-11-24T08:00:00Z"),
    ],
)
def test_request_is_answered(processes, description, bsns, mutatie_datum):
    """
    A request for abonnementen as the reference Afnemer makes it is answered, under its VerzoekId.
    """
    content = AbonnementAanvraag(DEFAULT_OIN, VERZOEK_ID, bsns, mutatie_datum).to_xml()

    state, waiting = processes(description, Action.A_REQUEST, content, AANVRAAG_RULES)

    assert state is State.PROCESSED
    assert read_antwoord([waiting]).verzoek_id == VERZOEK_ID
