"""Who the Berichtenbox knows."""

from conformance.berichtenbox.register import ConnectionConfig, Register

OIN = "00000099000000001000"


def test_reserved_test_bsns_take_letters_until_told_otherwise():
    """
    A reserved BSN wants letters, an unknown one does not.
    """
    register = Register({})

    assert register.wants("999990007", OIN)
    assert not register.wants("999990008", OIN)


def test_a_citizen_can_be_changed_both_ways():
    """
    What is said of a citizen wins from the list.
    """
    register = Register({})

    register.set_burger("999990007", wants=False)
    register.set_burger("999990008", wants=True)

    assert (register.wants("999990007", OIN), register.wants("999990008", OIN)) == (False, True)


def test_a_register_survives_being_kept():
    """
    What is written as JSON is read back the same.
    """
    register, other = Register({"BELAST": True}), Register({"PASPOORT": True})
    register.set_burger("999990019", wants=False)
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
