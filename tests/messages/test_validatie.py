"""ValidateAbonnementen: what is written is valid, what the schema lets through is read, and the rest is refused without a BSN in the text."""

import pytest

from conformance.messages.guard import etree, parse, schema
from conformance.messages.validatie import (
    ACTION,
    NS_SERVICE,
    NS_SHARED,
    NS_TYPES,
    SCHEMA,
    Abonnement,
    FaultName,
    Klant,
    UnreadableValidatie,
    ValidatieAanvraag,
    ValidatieAntwoord,
    fault_element,
    read_aanvraag,
    read_antwoord,
)

OIN = "00000099000000001000"
NAMES = f'xmlns:s="{NS_SERVICE}" xmlns:t="{NS_TYPES}" xmlns:k="{NS_SHARED}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
NIL = 'i:nil="true"'


def aanvraag(inner):
    return parse(f"<s:ValidateAbonnementen {NAMES}>{inner}</s:ValidateAbonnementen>".encode())


def antwoord(inner):
    return parse(f"<s:ValidateAbonnementenResponse {NAMES}>{inner}</s:ValidateAbonnementenResponse>".encode())


def fields(klanten, code=f"<t:berichtleverancierCode>{OIN}</t:berichtleverancierCode>"):
    inner = f"{code}<t:berichtTypeCode>BELAST</t:berichtTypeCode>{klanten}"
    return f"<s:validateAbonnementenAanvraag>{inner}</s:validateAbonnementenAanvraag>"


def resulting(*abonnementen):
    return f"<s:ValidateAbonnementenResult>{''.join(abonnementen)}</s:ValidateAbonnementenResult>"


@pytest.mark.parametrize(
    "asked",
    [
        ValidatieAanvraag(OIN, "BELAST", (Klant("999990019"), Klant("999990007", None), Klant(None), Klant(None, None), Klant(""))),
        ValidatieAanvraag(OIN, "BELAST", ()),
        ValidatieAanvraag(None, None, None),
        ValidatieAanvraag("", "", ()),
    ],
)
def test_a_question_is_written_and_read_again(asked):
    """
    Whatever is nil, empty or absent comes back as it was, and what is written is valid.
    """
    element = asked.to_element()

    assert schema(SCHEMA).validate(element)
    assert read_aanvraag(parse(etree.tostring(element))) == asked


@pytest.mark.parametrize(
    "answer",
    [
        ValidatieAntwoord((Abonnement(Klant("999990019"), is_bericht_sturen=True), Abonnement(Klant("999990007"), is_bericht_sturen=False))),
        ValidatieAntwoord(()),
    ],
)
def test_an_answer_is_written_and_read_again(answer):
    """
    Each citizen keeps his own answer, and what is written is valid.
    """
    element = answer.to_element()

    assert schema(SCHEMA).validate(element)
    assert read_antwoord(parse(etree.tostring(element))) == answer


def test_an_answer_about_nobody_has_a_nil_klant():
    """
    An Abonnement without klant is written as nil, for the element must be there.
    """
    element = ValidatieAntwoord((Abonnement(None, is_bericht_sturen=False),)).to_element()

    assert schema(SCHEMA).validate(element)
    assert element[0][0][0].attrib == {"{http://www.w3.org/2001/XMLSchema-instance}nil": "true"}


@pytest.mark.parametrize("inner", ["", f"<s:validateAbonnementenAanvraag {NIL}/>"])
def test_a_question_may_lack_everything(inner):
    """
    The schema allows no aanvraag at all, and a nil one: both read as nothing asked.
    """
    assert read_aanvraag(aanvraag(inner)) == ValidatieAanvraag(None, None, None)


def test_nil_is_read_wherever_the_schema_allows_it():
    """
    A nil code, a nil Klant and a nil Key read as nothing; nil that is false counts as its text.
    """
    klanten = f'<t:klanten><k:Klant {NIL}/><k:Klant><k:Key {NIL}/></k:Klant><k:Klant><k:Key i:nil="0">999990019</k:Key></k:Klant></t:klanten>'

    read = read_aanvraag(aanvraag(fields(klanten, code=f"<t:berichtleverancierCode {NIL}/>")))

    assert read == ValidatieAanvraag(None, "BELAST", (Klant(None, None), Klant(None, None), Klant("999990019", None)))


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("1", True), (" true ", True), ("false", False), ("0", False), ("\n0", False)])
def test_a_boolean_has_four_spellings(text, expected):
    """
    True, 1, false and 0 are all valid, with blanks around them as well.
    """
    given = f"<t:Abonnement><t:klant><k:Key>999990019</k:Key></t:klant><t:isBerichtSturen>{text}</t:isBerichtSturen></t:Abonnement>"

    (read,) = read_antwoord(antwoord(resulting(given))).abonnementen

    assert read == Abonnement(Klant("999990019", None), is_bericht_sturen=expected)


@pytest.mark.parametrize(
    "inner", ["", f"<s:ValidateAbonnementenResult {NIL}/>", "<s:ValidateAbonnementenResult/>", resulting(f"<t:Abonnement {NIL}/>")]
)
def test_an_answer_may_say_nothing(inner):
    """
    No result, a nil one, an empty one and a nil Abonnement all answer for nobody.
    """
    assert read_antwoord(antwoord(inner)) == ValidatieAntwoord(())


def test_a_nil_klant_in_an_answer_is_nobody():
    """
    An Abonnement whose klant is nil is read, and matches no citizen.
    """
    given = f"<t:Abonnement><t:klant {NIL}/><t:isBerichtSturen>1</t:isBerichtSturen></t:Abonnement>"

    assert read_antwoord(antwoord(resulting(given))).abonnementen == (Abonnement(None, is_bericht_sturen=True),)


@pytest.mark.parametrize(
    ("inner", "where"),
    [
        ("<s:ValidateAbonnementenAanvraag/>", "at ValidateAbonnementen/ValidateAbonnementenAanvraag"),
        (fields("<t:klanten><k:Klant><k:Rol>Bedrijf</k:Rol></k:Klant></t:klanten>"), "at ValidateAbonnementen/.*/Rol"),
        (fields("<t:klanten><t:Klant/></t:klanten>"), "at ValidateAbonnementen/.*/Klant"),
        (fields("<t:klanten><k:Klant><k:Rol>Burger</k:Rol><k:Key>999990019</k:Key></k:Klant></t:klanten>"), "at ValidateAbonnementen/.*/Key"),
        (fields("<t:klanten><k:Klant><k:Bsn>999990019</k:Bsn></k:Klant></t:klanten>"), "at ValidateAbonnementen/.*/Bsn"),
        (fields(""), "at ValidateAbonnementen/validateAbonnementenAanvraag"),
    ],
)
def test_a_question_that_is_not_valid_is_refused(inner, where):
    """
    The text says at which element it went wrong, and shows no BSN.
    """
    with pytest.raises(UnreadableValidatie, match=rf"no valid ValidateAbonnementen, {where}") as caught:
        read_aanvraag(aanvraag(inner))

    assert "999990019" not in str(caught.value)


def test_one_message_is_not_the_other():
    """
    The schema knows both messages: an answer is no question all the same, nor the other way round.
    """
    with pytest.raises(UnreadableValidatie, match="is not a ValidateAbonnementen in namespace"):
        read_aanvraag(antwoord(""))
    with pytest.raises(UnreadableValidatie, match="is not a ValidateAbonnementenResponse in namespace"):
        read_antwoord(aanvraag(""))


@pytest.mark.parametrize("name", FaultName)
def test_a_fault_has_a_message(name):
    """
    Both faults hold one Message in the shared namespace, and have an action of their own.
    """
    element = fault_element(name, "stuk")

    assert schema("validatie-gedeeld.xsd").validate(element)
    assert (element.tag, element[0].text) == (f"{{{NS_SHARED}}}{name}", "stuk")
    assert name.action == f"{ACTION}{name}Fault"


def test_what_is_shown_of_a_message_holds_no_bsn():
    """
    The repr of a question, an answer and a Klant leave the BSN out.
    """
    klant = Klant("999990019")
    asked, answered = ValidatieAanvraag(OIN, "BELAST", (klant,)), ValidatieAntwoord((Abonnement(klant, is_bericht_sturen=True),))

    assert repr(asked) == "<ValidatieAanvraag BELAST: 1 klanten>"
    assert repr(answered) == "<ValidatieAntwoord: 1 of 1 want it>"
    assert repr(klant) == "Klant(rol='Burger')"
