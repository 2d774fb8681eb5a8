"""Who the Berichtenbox knows."""

import pytest

from conformance.berichtenbox.citizens import Voorkeur
from conformance.berichtenbox.register import ConnectionConfig, Register, default_accounts
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.batch import Bericht
from conformance.messages.identities import reserved_test_bsns

OIN = "00000099000000001000"
OTHER = "00000099000000003000"
NOBODY = "999990008"


@pytest.fixture
def ledger():
    """A ledger in memory with the default citizens."""
    with SqlLedger("sqlite://") as opened:
        opened.write([lambda writing: writing.citizens.add_accounts(default_accounts())])
        yield opened


@pytest.fixture
def register(ledger):
    """A register on that ledger."""
    return Register({"BELAST": True}, ledger.citizens)


def test_reserved_test_bsns_take_letters_until_told_otherwise(register):
    """
    A reserved BSN wants letters, an unknown one does not, nor does what is no BSN.
    """
    assert register.wanting(OIN, "BELAST", reserved_test_bsns()) == frozenset(reserved_test_bsns())
    assert register.wanting(OIN, "BELAST", [NOBODY, "", "99999", "x"]) == frozenset()
    assert register.wants("999990007", OIN)
    assert not register.wants(NOBODY, OIN)


def test_takers_are_told_by_sender_and_type(register, ledger, make, wall):
    """
    Of letters of several Afnemers and BerichtTypes, those that their citizen takes.
    """
    said = Voorkeur(999_990_007, OTHER, "BELAST", wants=False)
    ledger.write([lambda writing: writing.citizens.set_voorkeur(said, wall())])
    letters = [(oin, make.bericht(gebruiker_id=bsn)) for oin in (OIN, OTHER) for bsn in ("999990007", "999990019", NOBODY)]

    assert isinstance(letters[0][1], Bericht)
    assert register.takers(letters) == {(OIN, "BELAST", "999990007"), (OIN, "BELAST", "999990019"), (OTHER, "BELAST", "999990019")}


def test_a_register_survives_being_kept(register, ledger):
    """
    What is written as JSON is read back the same; citizens stand in the ledger.
    """
    other = Register({"PASPOORT": True}, ledger.citizens)
    register.set_bericht_type("OUD", is_active=False)

    other.load(register.to_json())

    assert other == register
    assert other.bericht_types == {"BELAST": True, "OUD": False}


def test_a_connection_has_the_defaults_of_the_test_connection():
    """
    Without a profile the CPA, the parties and the OIN are the test ones.
    """
    connection = ConnectionConfig().connection()

    assert connection.cpa_id == f"MIJNOVERHEID-EBMS-BB-2-0_{OIN}"
    assert (connection.afnemer_party, connection.logius_party) == (f"urn:osb:oin:{OIN}", "urn:osb:oin:00000099000000002000")


def test_an_intermediair_has_the_oins_of_its_clients():
    """
    The OINs under the CPA are its own and those of its clients; a CPA id that is given is kept.
    """
    connection = ConnectionConfig(OIN, cpa_id="CPA-1", intermediair_for=("00000099000000003000",)).connection()

    assert (connection.cpa_id, connection.oins) == ("CPA-1", frozenset({OIN, "00000099000000003000"}))


def test_logius_has_the_oin_of_the_cpa():
    """
    Logius' side of a connection is who the CPA says it is.
    """
    connection = ConnectionConfig(logius_oin="00000099000000004000").connection()

    assert connection.logius_party == "urn:osb:oin:00000099000000004000"
