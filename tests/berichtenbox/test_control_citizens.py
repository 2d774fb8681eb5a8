"""The control face about citizens: who there are, what was asked about them, and what happens above the norm."""

from datetime import timedelta

import jsonschema
import pytest

from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.berichtenbox.population import citizens
from conformance.berichtenbox.usage import Excess
from conformance.messages.bsns import BsnList
from conformance.sno.nights import Night

OIN = "00000099000000001000"
OTHER = "00000099000000003000"
REGISTER = "bsn,actief,oin,berichttype,wil\n999990007,ja,,,\n999990019,nee,,,\n999990020,ja,,,\n"
CSV = {"content-type": "text/csv; charset=utf-8"}


def problem(answer, status=400):
    """Return the detail of a problem."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    return answer.json()["detail"]


def takers(box, oin=OIN, bericht_type="BELAST"):
    """Return who of three citizens takes letters."""
    return set(box.register.wanting(oin, bericht_type, ["999990007", "999990019", "999990020"]))


# -- one citizen -----------------------------------------------------------------------------------------------------------------------------


def test_an_account_is_closed_and_opened(control, live):
    """
    From then on the citizen takes no letters, and later again; the BSN is in the body.
    """
    assert control.post("/burgers", json={"bsn": "999990019", "actief": False}).status_code == 204
    closed = takers(live)
    assert control.post("/burgers", json={"bsn": "999990019", "actief": True}).status_code == 204

    assert closed == {"999990007", "999990020"}
    assert takers(live) == {"999990007", "999990019", "999990020"}


def test_a_citizen_wants_no_letters_of_this_afnemer(control, live):
    """
    Without an OIN it is that of the connection, without a BerichtType every one.
    """
    assert control.post("/burgers", json={"bsn": "999990019", "wil": False}).status_code == 204

    assert takers(live) == takers(live, bericht_type="PASPOORT") == {"999990007", "999990020"}
    assert "999990019" in takers(live, OTHER)


def test_a_citizen_wants_a_type_of_another_afnemer(control, live):
    """
    Account and voorkeur can be said together.
    """
    for bericht_type, wants in (("", False), ("BELAST", True)):
        body = {"bsn": "999990019", "actief": True, "wil": wants, "oin": OTHER, "berichtType": bericht_type}
        assert control.post("/burgers", json=body).status_code == 204

    assert "999990019" in takers(live, OTHER)
    assert "999990019" not in takers(live, OTHER, "PASPOORT")
    assert "999990019" in takers(live)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "give bsn, a text of 9 digits, and actief or wil, true or false"),
        ({"bsn": "999990019"}, "give bsn"),
        ({"bsn": 999990019, "actief": True}, "give bsn"),
        ({"bsn": "1", "actief": True}, "give bsn"),
        ({"bsn": "999990019", "actief": 1}, "give bsn"),
        ({"bsn": "999990019", "actief": None}, "give bsn"),
        ({"bsn": "999990019", "actief": True, "wil": "ja"}, "give bsn"),
        ({"bsn": "999990019", "actief": False, "oin": OTHER}, "oin and berichtType go with wil"),
        ({"bsn": "999990019", "actief": False, "berichtType": "BELAST"}, "oin and berichtType go with wil"),
        ({"bsn": "999990019", "actief": False, "wil": False, "oin": "1"}, "oin is a text of 20 digits"),
        ({"bsn": "999990019", "actief": False, "wil": False, "oin": 1}, "oin is a text of 20 digits"),
        ({"bsn": "999990019", "actief": False, "wil": False, "berichtType": "TEVEELTEKENS"}, "berichtType is a text of at most 8"),
        ({"bsn": "999990019", "actief": False, "wil": False, "berichtType": None}, "berichtType is a text of at most 8"),
        ({"bsn": "999990019", "actief": False, "naam": "x"}, "unknown key 'naam'"),
    ],
)
def test_a_wrong_change_is_refused(control, live, body, said):
    """
    The answer says what is wrong and quotes no BSN; nothing is changed.
    """
    detail = problem(control.post("/burgers", json=body))

    assert said in detail
    assert "999990019" not in detail
    assert "999990019" in takers(live)


# -- all of them -----------------------------------------------------------------------------------------------------------------------------


def test_citizens_are_counted_and_not_told(control):
    """
    At first they are the 909 reserved test BSNs.
    """
    assert control.get("/burgers").json() == {"burgers": 909}


def test_a_register_replaces_all(control, live):
    """
    Who is not in it has no account any more.
    """
    answer = control.put("/burgers", content=REGISTER, headers=CSV)

    assert (answer.status_code, answer.json()) == (200, {"burgers": 3})
    assert takers(live) == {"999990007", "999990020"}
    assert not live.register.wants("999990032", OIN)


def test_a_wrong_register_changes_nothing(control, live):
    """
    The line and the column are told, and the BSN is not.
    """
    detail = problem(control.put("/burgers", content=REGISTER + "999990032,misschien,,,\n", headers=CSV))

    assert detail == "body:5: column actief: expected ja or nee (true or false, 1 or 0)."
    assert control.get("/burgers").json() == {"burgers": 909}
    assert live.register.wants("999990019", OIN)


def test_a_register_is_sent_as_what_it_is(control):
    """
    Another kind of body is refused with 415.
    """
    assert problem(control.put("/burgers", json={}), 415) == "the body is a register: send it as text/csv"
    assert problem(control.put("/burgers", content=REGISTER), 415)


def test_a_register_that_is_too_large_is_refused(control, monkeypatch):
    """
    As any other body.
    """
    monkeypatch.setattr("conformance.berichtenbox.http.LARGEST_BODY", 50)

    assert problem(control.put("/burgers", content=REGISTER, headers=CSV), 413) == f"the body has {len(REGISTER)} bytes, at most 50 are read"


def test_a_population_is_made(control, live):
    """
    So many, and of them the part that is not active: the same ones for the same seed.
    """
    answer = control.post("/burgers/maken", json={"aantal": 2_000, "seed": 42, "inactief": 0.5})
    active = {f"{bsn:09d}" for bsn, is_active in citizens(2_000, 42, inactive_share=0.5) if is_active}

    assert (answer.status_code, answer.json()) == (200, {"burgers": 2_000})
    assert live.register.wanting(OIN, "BELAST", [f"{bsn:09d}" for bsn, _ in citizens(2_100, 1)]) == active


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "give aantal and seed, whole numbers"),
        ({"aantal": 5}, "give aantal and seed"),
        ({"aantal": True, "seed": 1}, "give aantal and seed"),
        ({"aantal": 5, "seed": "1"}, "give aantal and seed"),
        ({"aantal": -1, "seed": 1}, "a population has 0 to 20000000 citizens"),
        ({"aantal": 20_000_001, "seed": 1}, "a population has 0 to 20000000 citizens"),
        ({"aantal": 5, "seed": 1, "inactief": 2}, "a number from 0 to 1"),
        ({"aantal": 5, "seed": 1, "inactief": "x"}, "inactief is a number"),
    ],
)
def test_a_population_that_cannot_be_made_is_refused(control, body, said):
    """
    Everybody is still there.
    """
    assert said in problem(control.post("/burgers/maken", json=body))
    assert control.get("/burgers").json() == {"burgers": 909}


# -- what was asked --------------------------------------------------------------------------------------------------------------------------


def asked(box, soort, **fields):
    """Put a question on the record."""
    bevraging = Bevraging(**{"asked": soort, "oin": OIN, "moment": box.clock.now(), "wall": box.wall()} | fields)
    box.ledger.write([lambda writing: writing.citizens.add_bevraging(bevraging)])


def test_questions_are_shown_without_whom_they_were_about(control, live, make):
    """
    Each with what it asked and what became of it; of those after a number only the later ones.
    """
    asked(live, Asked.MUTATIES, verzoek_id="999990007", moment=make.now, vanaf=make.now - timedelta(days=1))
    bsns = BsnList.of(["999990019", "999990020"])
    asked(live, Asked.VALIDATIE, moment=make.now, bsns=bsns, count=2, note="above the quota of the hour: refused", is_answered=False)

    answer = control.get("/bevragingen")
    first, second = answer.json()["bevragingen"]
    later = control.get("/bevragingen", params={"na": first["nummer"]}).json()["bevragingen"]

    assert first == {
        "nummer": 1,
        "soort": "mutaties",
        "oin": OIN,
        "verzoekId": "9999*****",
        "moment": "2026-11-24T12:00:00.000Z",
        "vanaf": "2026-11-23T12:00:00.000Z",
        "aantal": 0,
        "opmerking": "",
        "beantwoord": True,
    }
    assert second == first | {
        "nummer": 2,
        "soort": "validatie",
        "verzoekId": "",
        "vanaf": None,
        "aantal": 2,
        "opmerking": "above the quota of the hour: refused",
        "beantwoord": False,
    }
    assert later == [second]
    assert not any(bsn in answer.text for bsn in ("999990007", "999990019", "999990020"))


def test_a_number_of_a_question_is_a_number(control):
    """
    As of any other list.
    """
    assert "na is a sequence number" in problem(control.get("/bevragingen", params={"na": "x"}))


def test_nothing_was_used_at_first(control):
    """
    No night, no hour.
    """
    assert control.get("/gebruik").json() == {"nachten": [], "uren": [], "overdag": []}


def test_use_of_a_night_is_told_beside_the_norm(control, live, make):
    """
    All Afnemers together, the share of each, and a sentence on what was exceeded.
    """
    start = Night(make.now.date()).start
    for count, oin in ((100, OIN), (51, OTHER)):
        for minute in range(count):
            live.abonnementen.usage.rule(Asked.MUTATIES, oin, start + timedelta(minutes=minute))
    live.abonnementen.usage.rule(Asked.ALLES, OIN, start)
    live.abonnementen.usage.rule(Asked.ALLES, OIN, make.now)

    shown = control.get("/gebruik").json()
    (night,) = shown["nachten"]

    assert (night["nacht"], night["van"], night["tot"]) == ("2026-11-24", "2026-11-24T22:00:00.000Z", "2026-11-25T06:00:00.000Z")
    assert night["soorten"] == [
        {
            "soort": "mutaties",
            "totaal": 151,
            "norm": 150,
            "overschreden": True,
            "aandelen": [{"oin": OIN, "aantal": 100}, {"oin": OTHER, "aantal": 51}],
        },
        {"soort": "alles", "totaal": 1, "norm": 225, "overschreden": False, "aandelen": [{"oin": OIN, "aantal": 1}]},
    ]
    assert night["overschrijdingen"] == ["night of 2026-11-24: 151 requests for mutaties, at most 150; of this Afnemer 100"]
    assert shown["overdag"] == [{"soort": "alles", "oin": OIN, "moment": "2026-11-24T12:00:00.000Z"}]
    assert shown["uren"] == []


def test_use_of_an_hour_is_told_beside_the_norm(control, live, make):
    """
    By the clock hour, with the most in any sixty minutes beside it.
    """
    for minutes, bsns in ((30, 250 * 600), (75, 250 * 600), (200, 250 * 1_001)):
        live.abonnementen.usage.rule(Asked.VALIDATIE, OIN, make.now + timedelta(minutes=minutes), bsns)

    first, second, third = control.get("/gebruik").json()["uren"]

    assert (first["van"], first["totaal"], first["norm"], first["soort"], first["overschreden"]) == (
        "2026-11-24T12:00:00.000Z",
        600,
        1_000,
        "validatie",
        False,
    )
    assert (second["totaal"], second["meesteIn60Minuten"], second["overschrijdingen"]) == (600, 1_200, [])
    assert "1200 bevragingen" in second["opmerkingen"][0]
    assert (third["overschreden"], third["aandelen"]) == (True, [{"oin": OIN, "aantal": 1_001}])
    assert "1001 bevragingen, at most 1000; of this Afnemer 1001" in third["overschrijdingen"][0]


# -- what happens above the norm -------------------------------------------------------------------------------------------------------------


def test_what_happens_above_the_norm_is_set_and_shown(control, live):
    """
    At first everything is answered; what is left out becomes what it was.
    """
    at_first = control.get("/beleid").json()
    answer = control.put("/beleid", json={"bovenNorm": "uitstellen", "anderen": {"alles": 225, "validatie": 0}})
    usage = live.abonnementen.usage
    seen = (usage.excess, dict(usage.others))
    afterwards = control.put("/beleid", json={"anderen": {"bsn-lijst": 3}}).json()

    assert at_first == {"bovenNorm": "aanvaarden", "anderen": {}}
    assert (
        answer.json() == control.put("/beleid", json=answer.json()).json() == {"bovenNorm": "uitstellen", "anderen": {"alles": 225, "validatie": 0}}
    )
    assert seen == (Excess.POSTPONE, {"alles": 225, "validatie": 0})
    assert afterwards == {"bovenNorm": "aanvaarden", "anderen": {"bsn-lijst": 3}}


def test_what_others_asked_counts(control, live, make):
    """
    The next request is above the norm, and is refused when that was said.
    """
    control.put("/beleid", json={"bovenNorm": "weigeren", "anderen": {"alles": 225}})

    ruling = live.abonnementen.usage.rule(Asked.ALLES, OIN, Night(make.now.date()).start)

    assert ruling.is_refused


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"bovenNorm": "negeren"}, "bovenNorm is one of aanvaarden, uitstellen, weigeren"),
        ({"bovenNorm": None}, "bovenNorm is one of"),
        ({"bovenNorm": ["weigeren"]}, "bovenNorm is one of"),
        ({"bovenNorm": "weigeren", "anderen": []}, "anderen is an object with numbers for alles, bsn-lijst, mutaties, validatie"),
        ({"bovenNorm": "weigeren", "anderen": {"iets": 1}}, "anderen is an object"),
        ({"bovenNorm": "weigeren", "anderen": {"alles": "1"}}, "alles is a number"),
        ({"bovenNorm": "weigeren", "anderen": {"alles": -1}}, "whole numbers from 0"),
        ({"bovenNorm": "weigeren", "anderen": {"alles": 1.5}}, "whole numbers from 0"),
        ({"boven": "weigeren"}, "unknown key 'boven'"),
    ],
)
def test_a_wrong_policy_is_refused(control, body, said):
    """
    It stays as it was.
    """
    assert said in problem(control.put("/beleid", json=body))
    assert control.get("/beleid").json() == {"bovenNorm": "aanvaarden", "anderen": {}}


# -- the description -------------------------------------------------------------------------------------------------------------------------


def test_every_example_fits_its_schema(make):
    """
    What people copy from the description works.
    """
    document = make.description("control").document
    contents = [
        content
        for item in [*document["paths"].values(), {"shared": {"responses": document["components"]["responses"]}}]
        for operation in item.values()
        if isinstance(operation, dict)
        for body in [operation.get("requestBody", {}), *operation.get("responses", {}).values()]
        for content in body.get("content", {}).values()
    ]
    checked = 0
    for content in contents:
        for example in [*filter(None, [content.get("example")]), *(named["value"] for named in content.get("examples", {}).values())]:
            jsonschema.Draft202012Validator({"components": document["components"], **content["schema"]}).validate(example)
            checked += 1

    assert checked >= 10


def test_the_description_names_what_the_code_names(make):
    """
    What is asked, and what happens above the norm.
    """
    schemas = make.description("control").document["components"]["schemas"]

    assert schemas["Soort"]["enum"] == [str(soort) for soort in Asked]
    assert schemas["Norm"]["enum"] == [str(excess) for excess in Excess]
