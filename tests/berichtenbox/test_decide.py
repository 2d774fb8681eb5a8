"""Which VerwerkingsCode each bericht gets, and which check comes first."""

from dataclasses import replace
from datetime import timedelta

import pytest

from conformance.berichtenbox.decide import Circumstances, decide, refusing
from conformance.messages.batch import Bijlage
from conformance.messages.identities import NIL_GUID
from conformance.messages.moments import write_moment
from conformance.messages.verwerkingsbericht import Resultaat
from conformance.rules.findings import Connection, Knowledge
from conformance.rules.grading import grade_offer

OIN = "00000099000000001000"
EVERYBODY = Circumstances(frozenset(), lambda _oin, _kind, _bsn: True)
NOBODY = Circumstances(frozenset(), lambda _oin, _kind, _bsn: False)


@pytest.fixture
def decided(make):
    """Grade a batch and decide it, on the day that the fixtures live in."""

    def decide_it(batch, circumstances=EVERYBODY):
        connection = Connection("CPA", f"urn:osb:oin:{OIN}", "urn:osb:oin:00000099000000002000", frozenset({OIN}))
        known = Knowledge(received=make.now, connection=connection, bericht_types={"BELAST": True, "OUD": False})
        grading, read = grade_offer(batch.to_xml(), known)
        return decide(read, grading, circumstances)

    return decide_it


def moment(make, **by):
    """Return a moment some time from now, as text."""
    return write_moment(make.now + timedelta(**by))


def big():
    """Return bijlagen that are too big together."""
    return (Bijlage.from_octets(b"%PDF-" + b"x" * 300_000, "Een", 1), Bijlage.from_octets(b"%PDF-" + b"x" * 300_000, "Twee", 2))


def test_a_valid_bericht_is_stored(decided, make):
    """
    Nothing against it: Verwerkt, NA, with its own id and type.
    """
    bericht = make.bericht()

    assert decided(make.batch(bericht)) == (Resultaat(bericht.bericht_id, "BELAST", "Verwerkt", "NA"),)


def test_each_refusal_has_its_code(decided, make):
    """
    One batch with a bericht for each check: each gets its own code and stadium, the good one is stored.
    """
    batch = make.batch(
        make.bericht(),
        make.bericht(bericht_type="OUD"),
        make.bericht(bericht_type="NIEUW"),
        make.bericht(publicatie_datum=moment(make, days=14)),
        make.bericht(bijlagen=big()),
        make.bericht("11111111-0000-4000-8000-000000000001"),
        make.bericht(gebruiker_id="999990020"),
    )
    circumstances = Circumstances({"11111111-0000-4000-8000-000000000001"}, lambda _oin, _kind, bsn: bsn != "999990020")

    assert [(item.code.value, item.stadium) for item in decided(batch, circumstances)] == [
        ("Verwerkt", "NA"),
        ("BerichtTypeNietOndersteund", "ValidatieBerichtType"),
        ("BerichtTypeNietOndersteund", "ValidatieBerichtType"),
        ("PublicatieDatumLigtTeVerInDeToekomst", "ValidatieBerichtType"),
        ("BijlageTeGroot", "StoreMessage"),
        ("BerichtBestaatAl", "StoreMessage"),
        ("NietActiefOfGeabonneerd", "ValidatieGebruiker"),
    ]


@pytest.mark.parametrize(("days", "code"), [({"days": -12, "hours": -23}, "Verwerkt"), ({"days": -14}, "AanmaakDatumLigtTeVerInHetVerleden")])
def test_an_old_batch_is_refused_in_each_bericht(decided, make, days, code):
    """
    AanmaakDatum is of the batch: all its berichten share the fate.
    """
    batch = make.batch(make.bericht(), make.bericht(), aanmaak_datum=moment(make, **days))

    assert [item.code for item in decided(batch)] == [code, code]


@pytest.mark.parametrize("oin", ["00000099000000009000", "urn:osb:oin:00000099", "1234"])
def test_a_strange_oin_refuses_the_batch(decided, make, oin):
    """
    The OIN of another, with a prefix, or none at all: one result with the nil BerichtID for all.
    """
    batch = make.batch(make.bericht(), make.bericht(), bericht_leverancier_id=oin)

    assert decided(batch) == (Resultaat(NIL_GUID, "Onbekend", "OinInCPAKomtNietOvereenMetOinInBericht", "ValidatieBerichtType"),)


def test_an_invalid_document_refuses_the_batch(decided, make):
    """
    One Onderwerp that is too long: the whole batch is refused, with the nil BerichtID.
    """
    batch = make.batch(make.bericht(), make.bericht(onderwerp="x" * 51))

    assert decided(batch) == (Resultaat(NIL_GUID, "Onbekend", "XmlValidatieTegenXsdValtNegatiefUit", "ValidatieBerichtType"),)


def test_every_check_comes_in_its_order(decided, make):
    """
    A bericht with everything wrong is refused for the first thing; take that away, and the next one shows.
    """
    circumstances = replace(NOBODY, stored={"11111111-0000-4000-8000-000000000001"})
    bericht = make.bericht(
        "11111111-0000-4000-8000-000000000001",
        onderwerp="x" * 51,
        bericht_type="OUD",
        publicatie_datum=moment(make, days=20),
        bijlagen=big(),
        gebruiker_id="999990020",
    )
    batch = make.batch(bericht, bericht_leverancier_id="00000099000000009000", aanmaak_datum=moment(make, days=-20))
    codes = []
    for on_batch, on_bericht in (
        ({}, {}),
        ({}, {"onderwerp": "goed"}),
        ({"bericht_leverancier_id": OIN}, {}),
        ({"aanmaak_datum": moment(make)}, {}),
        ({}, {"bericht_type": "BELAST"}),
        ({}, {"publicatie_datum": None}),
        ({}, {"bijlagen": ()}),
        ({}, {"bericht_id": "11111111-0000-4000-8000-000000000002"}),
        ({}, {"gebruiker_id": "999990019"}),
    ):
        batch = replace(batch, **on_batch, berichten=(replace(batch.berichten[0], **on_bericht),))
        wants = replace(circumstances, wants=lambda _oin, _kind, bsn: bsn == "999990019")
        codes += [item.code.value for item in decided(batch, wants)]

    assert codes == [
        "XmlValidatieTegenXsdValtNegatiefUit",
        "OinInCPAKomtNietOvereenMetOinInBericht",
        "AanmaakDatumLigtTeVerInHetVerleden",
        "BerichtTypeNietOndersteund",
        "PublicatieDatumLigtTeVerInDeToekomst",
        "BijlageTeGroot",
        "BerichtBestaatAl",
        "NietActiefOfGeabonneerd",
        "Verwerkt",
    ]


def test_a_note_refuses_nothing(decided, make):
    """
    Between 500 000 and 512 000 bytes nobody knows: such bijlagen are noted, and stored.
    """
    bijlage = Bijlage.from_octets(b"%PDF-" + b"x" * 506_000, "Een", 1)

    assert [item.code for item in decided(make.batch(make.bericht(bijlagen=(bijlage,))))] == ["Verwerkt"]


def test_an_id_twice_in_a_batch_exists_already(decided, make):
    """
    The second bericht with an id, in whatever case, is one that exists already; after a refusal it may come.
    """
    one, refused = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
    batch = make.batch(
        make.bericht(one), make.bericht(one.upper()), make.bericht(refused, bericht_type="OUD"), make.bericht(refused), make.bericht(refused)
    )

    assert [item.code for item in decided(batch)] == ["Verwerkt", "BerichtBestaatAl", "BerichtTypeNietOndersteund", "Verwerkt", "BerichtBestaatAl"]


def test_ids_come_back_as_they_were_written(decided, make):
    """
    The BerichtID is echoed verbatim.
    """
    bericht = make.bericht("AAAAAAAA-0000-4000-8000-00000000000f")

    assert decided(make.batch(bericht))[0].bericht_id == bericht.bericht_id


def test_who_takes_letters_is_asked_with_the_oin_and_type_of_the_letter(decided, make):
    """
    The abonnement is on the organisation of the letter.
    """
    asked = []
    decided(make.batch(make.bericht()), Circumstances((), lambda *who: bool(asked.append(who))))

    assert asked == [(OIN, "BELAST", "999990019")]


def test_what_the_berichtenbox_refuses_for_is_told(make):
    """
    Of a valid batch only the findings that refuse count; of an invalid document all of them; notes never do.
    """

    def refused(**changes):
        known = Knowledge(received=make.now, bericht_types={"BELAST": True, "OUD": False})
        return refusing(grade_offer(make.batch(make.bericht(**changes)).to_xml(), known)[0])

    assert refused() == refused(bericht_tekst="Regel\nregel") == ()
    assert refused(bericht_type="OUD") == ("AANL-056",)
    assert refused(onderwerp="x" * 51) != ()
    assert refused(bijlagen=(Bijlage.from_octets(b"%PDF-" + b"x" * 506_000, "Een", 1),)) == ()
