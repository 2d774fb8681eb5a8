"""What the record says of a question to the validatieservice that breaks a rule, without a BSN."""

import pytest

from conformance.berichtenbox import wus_remarks
from conformance.berichtenbox.wus_remarks import Remark
from conformance.messages.validatie import Klant, ValidatieAanvraag
from conformance.transport import soap

OIN = "00000099000000001000"
BSN, OTHER, IMPOSSIBLE = "999990007", "999990019", "999990008"
SECURITY = b'xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"'
SIGNATURE = b'<d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"/>'


def question(*keys, code=OIN):
    return ValidatieAanvraag(code, "BELAST", tuple(Klant(key) for key in keys))


def remarks(asked):
    return [str(remark) for remark in wus_remarks.on_question(asked, {OIN})]


def envelope(header=b"", on_root=b""):
    written = soap.write_envelope(question(BSN).to_element())
    return written.replace(b"<soap:Body>", header + b"<soap:Body>").replace(b"<soap:Envelope ", b"<soap:Envelope " + on_root + b" ")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (question(BSN, OTHER), []),
        (question(), ["VAL-005: no klanten"]),
        (ValidatieAanvraag(OIN, "BELAST", None), ["VAL-005: no klanten"]),
        (question(BSN, code=None), ["VAL-003: berichtleverancierCode that is nil is no OIN of this connection"]),
        (question(BSN, code=f"urn:osb:oin:{OIN}"), [f"VAL-003: berichtleverancierCode urn:osb:oin:{OIN} is no OIN of this connection"]),
        (question(BSN, code=OTHER), ["VAL-003: berichtleverancierCode 9999***** is no OIN of this connection"]),
        (question("9999.90.007", BSN), ["VAL-006: 1 of 2 Keys are no 9 digits; the first one has 11 characters, of which 9 digits"]),
        (question(None), ["VAL-006: 1 of 1 Keys are no 9 digits; the first one has 0 characters, of which 0 digits"]),
        (question(BSN, IMPOSSIBLE), ["VAL-007: 1 of 2 Keys cannot be a BSN"]),
        (question(*[BSN] * 251), ["VAL-001: 251 klanten"]),
    ],
)
def test_question_is_remarked_on(asked, said):
    """
    Each rule that a readable question breaks is named, with what is seen of it and no BSN.
    """
    assert remarks(asked) == said
    assert BSN not in "".join(said)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (envelope(), []),
        (envelope(on_root=SECURITY), []),
        (envelope(b"<soap:Header><w:Security/></soap:Header>", SECURITY), ["VAL-019: a WS-Security header"]),
        (envelope(b"<soap:Header>" + SIGNATURE + b"</soap:Header>"), ["VAL-019: a signature"]),
        (b"<secext", []),
    ],
)
def test_signature_is_remarked_on(data, said):
    """
    A WS-Security header counts where it stands, and not where its namespace is only declared; what cannot be read says nothing of it.
    """
    assert [str(remark) for remark in wus_remarks.on_message(data)] == said


def test_note_is_read_as_it_was_written():
    """
    A note has a line a remark, whatever its text; other notes have none.
    """
    found = [Remark("VAL-008", "0004 no valid\n  element: line 3"), Remark("VAL-019", "a WS-Security header")]

    note = wus_remarks.written(found)

    assert note == "VAL-008: 0004 no valid element: line 3\nVAL-019: a WS-Security header"
    assert [str(remark) for remark in wus_remarks.read(note)] == note.splitlines()
    assert wus_remarks.read("") == []
