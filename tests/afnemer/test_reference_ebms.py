"""The reference Afnemer with a gateway of its own: real ebMS2 instead of the REST API of an adapter."""

from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.register import ConnectionConfig
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, Action, Part
from conformance.messages.verwerkingsbericht import Resultaat, Verwerkingsbericht, VerwerkingsCode
from conformance.transport import pki
from conformance.transport.ebms2.posting import Poster
from conformance.transport.ebms2.sending import DeliveryState

OIN = "00000099000000001000"


def now():
    """Return the wall clock."""
    return datetime.now(UTC)


class Party:
    """The reference Afnemer on a line to Logius."""

    def __init__(self, line, more=()):
        line.afnemer.close()
        self.line, self.logius = line, line.logius
        self.afnemer = ReferenceAfnemer(
            {
                "BERICHTENBOX_FACE": "ebms",
                "BERICHTENBOX_EBMS": line.urls[ROLE_LOGIUS],
                "BERICHTENBOX_CPA": str(line.cpa_file),
                "BERICHTENBOX_GATEWAY": line.urls[ROLE_AFNEMER],
                "BERICHTENBOX_CPA_ID": line.cpa_id,
                "BERICHTENBOX_OIN": line.oins[ROLE_AFNEMER],
                "BERICHTENBOX_LOGIUS_OIN": line.oins[ROLE_LOGIUS],
                "BERICHTENBOX_BERICHT_TYPES": "BELAST",
                "AFNEMER_MAP": str(line.directory),
                **dict(more),
            }
        )

    def close(self):
        self.afnemer.close()

    def deliver(self):
        """Have one letter delivered, and return its id and that of its batch."""
        (delivered,) = self.afnemer.berichten({"berichten": [{"bsn": "999990019", "berichtType": "BELAST"}]})["berichten"]
        return delivered["berichtId"], delivered["batchId"]

    def status(self, bericht_id):
        return self.afnemer.bericht(bericht_id)["status"]

    def send_result(self, bericht_id, batch_id):
        """Send the result that a bericht is stored."""
        (message_id,) = self.logius.waiting(self.line.cpa_id, Action.BV_REQUEST)
        result = Verwerkingsbericht.about(
            self.line.oins[ROLE_AFNEMER], batch_id, now(), now(), [Resultaat(bericht_id, "BELAST", VerwerkingsCode.VERWERKT)]
        )
        request = self.logius.fetch(message_id)
        return self.logius.send(replace(self.line.answering(request, Part(result.to_xml())), ref_to_message_id=message_id))


@pytest.fixture
def party(line):
    """The reference Afnemer over ebMS2."""
    with closing(Party(line)) as made:
        yield made


def test_letter_goes_and_its_result_comes_over_ebms(party):
    """
    A batch leaves as a message, and the result that Logius pushes is applied, acknowledged and marked.
    """
    ids = party.deliver()
    before = party.status(ids[0])
    result_id = party.send_result(*ids)
    is_settled = party.afnemer.settle()

    assert (before, is_settled, party.status(ids[0])) == ("aangeboden", True, "verwerkt")
    assert party.logius.store.delivery(result_id).state is DeliveryState.DELIVERED
    assert party.afnemer.gateway.waiting(party.line.cpa_id, Action.BV_RESULT) == []


@pytest.mark.parametrize("trouble", ["refused", "rejected", "expired"])
def test_what_was_sent_in_vain_goes_to_a_person(party, trouble):
    """
    A message that is refused, rejected or never acknowledged leaves its berichten on somebody's list, once.
    """
    if trouble == "rejected":
        party.logius.instead = [party.logius.reject]
    else:
        party.logius.answer_next(*[404 if trouble == "refused" else 204] * (1 + party.line.retries))
    bericht_id, _ = party.deliver()
    before = party.status(bericht_id)
    for _ in range(1 + party.line.retries):
        assert party.afnemer.advance(party.line.interval_s) is True
        party.logius.pump()
        assert party.afnemer.settle()

    assert (before, party.status(bericht_id)) == ("aangeboden", "handmatig")
    assert party.afnemer.gateway.failures() == []


@pytest.mark.parametrize("comes", ["before", "after"])
def test_result_outweighs_a_failure(party, comes):
    """
    A bericht that is stored stays so when its message expires without an Acknowledgment, and one that was given up is stored by its result.
    """
    ids = party.deliver()
    if comes == "before":
        party.send_result(*ids)
        party.afnemer.settle()
    party.afnemer.advance((1 + party.line.retries) * party.line.interval_s)
    party.afnemer.settle()
    meanwhile = party.status(ids[0])
    if comes == "after":
        party.send_result(*ids)
        party.afnemer.settle()

    assert meanwhile == {"before": "verwerkt", "after": "handmatig"}[comes]
    assert party.status(ids[0]) == "verwerkt"


def test_failure_of_an_offer_that_was_forgotten_is_told_once(party):
    """
    A crash between sending and noting leaves a message that belongs to no offer: nobody can act on it, and it is not told for ever.
    """
    party.logius.answer_next(404)
    bericht_id, _ = party.deliver()
    with party.afnemer.store.transaction():
        party.afnemer.store._do("DELETE FROM sent_message")
    party.afnemer.settle()

    assert party.status(bericht_id) == "aangeboden"
    assert party.afnemer.gateway.failures() == []


def test_waiting_for_an_acknowledgment_is_idle(party):
    """
    As long as nothing is due now there is nothing to do.
    """
    party.logius.answer_next(204)
    party.deliver()

    assert party.afnemer.settle() is True


def test_restart_keeps_endpoint_and_messages(party):
    """
    After a restart it listens at the same address, and applies what it acknowledged before.
    """
    ids = party.deliver()
    party.send_result(*ids)
    was_restarted = party.afnemer.restart()
    party.afnemer.settle()
    second = party.deliver()

    assert was_restarted is True
    assert (party.status(ids[0]), party.status(second[0])) == ("verwerkt", "aangeboden")


def test_validation_shows_the_certificate_of_the_gateway(make_line, pki_directory, tmp_path):
    """
    With two-way TLS the validatieservice is asked over it, and only with the client certificate it answers.
    """
    variables = {"BERICHTENBOX_TLS": str(pki_directory)}
    question = {"berichtType": "BELAST", "bsn": ["999990019"]}
    with ExitStack() as opened:
        ledger = opened.enter_context(SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False))
        box = Berichtenbox(ledger, ConnectionConfig(oin=OIN, bericht_types=("BELAST",)))
        urls = opened.enter_context(running(box, tls=pki.load(pki_directory).files_of("server")))
        party = opened.enter_context(closing(Party(make_line(certificates=pki_directory), {**variables, "BERICHTENBOX_WUS": urls.wus})))
        validated = party.afnemer.validatie(question)
        party.afnemer.validator.poster.close()
        party.afnemer.validator.poster = Poster()
        without = party.afnemer.validatie(question)

    assert validated == {"uitkomsten": [{"bsn": "999990019", "berichtSturen": True}]}
    assert without == {"uitkomsten": []}
