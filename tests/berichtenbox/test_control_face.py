"""The control face: each operation does what it says, and each mistake gets problem details."""

import httpx
import pytest

from conformance.berichtenbox.faults import KINDS


def moved(control, **by):
    """Move the clock, and return how far it is ahead."""
    return control.post("/klok", json=by).json()["voorSeconden"]


def problem(answer, status=400):
    """Return the detail of a problem."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    return answer.json()["detail"]


def test_the_clock_is_shown_moved_and_reset(control):
    """
    Ahead by days, hours and seconds together; a reset takes it back.
    """
    at_first = control.get("/klok").json()["voorSeconden"]
    moves = [moved(control, dagen=1), moved(control, uren=1), moved(control, seconden=0.5, uren=1)]
    reset = control.delete("/klok").json()["voorSeconden"]

    assert (at_first, reset) == (0, 0)
    assert moves == pytest.approx([86_400, 90_000, 93_600.5], abs=1)


@pytest.mark.parametrize("body", [{}, {"dagen": 0}, {"dagen": -1}, {"dagen": 367}, {"dagen": "1"}, {"uren": True}, {"dagen": 1e300}, {"dagen": None}])
def test_the_clock_refuses_other_steps(control, body):
    """
    Not back, not nowhere, not more than a year, and only by numbers.
    """
    assert "is a number" in (detail := problem(control.post("/klok", json=body))) or "the clock moves ahead by more than 0" in detail
    assert control.get("/klok").json()["voorSeconden"] == 0


def test_moving_the_clock_offers_again(control, sender, make, live):
    """
    What is due on the way is offered: after a day a result waits twice.
    """
    sender.send(make.batch(at=live.clock.now()))
    sender.unprocessed()

    moved(control, dagen=1)

    assert len(sender.unprocessed()) == 2


def test_a_scripted_fault_is_set_shown_and_struck(control, sender):
    """
    The answer is the fault as it is set; it strikes as it says, and shows how often.
    """
    made = control.post("/fouten", json={"naam": "unavailable", "op": "poll", "overslaan": 1, "keren": 2, "waarden": {"retry_after_s": 7}})
    polls = [sender.client.get("/ebms/messages/unprocessed") for _ in range(4)]
    (shown,) = control.get("/fouten").json()["fouten"]

    assert made.status_code == 201
    assert [answer.status_code for answer in polls] == [200, 503, 503, 200]
    assert polls[1].headers["retry-after"] == "7"
    assert shown == made.json() | {"overslaan": 0, "gedaan": 2}


def test_a_drawn_fault_is_set_with_its_seed(control):
    """
    A drawn fault shows its chance and seed.
    """
    made = control.post("/fouten", json={"naam": "slow", "kans": 0.25, "seed": 42, "maximaalOpRij": 2}).json()

    assert (made["op"], made["keren"], made["kans"], made["seed"], made["waarden"]) == ("post", None, 0.25, 42, {"delay_s": 0.2})


def test_a_fault_without_an_end(control):
    """
    ``keren`` null is always.
    """
    assert control.post("/fouten", json={"naam": "gzip", "keren": None}).json()["keren"] is None


def test_faults_are_cleared(control):
    """
    After DELETE none is set.
    """
    control.post("/fouten", json={"naam": "gzip"})

    assert control.delete("/fouten").status_code == 204
    assert control.get("/fouten").json() == {"fouten": []}


def test_every_fault_kind_is_listed_and_can_be_set_as_listed(control):
    """
    The list of kinds is complete, and each can be set at each of its points with the values that it shows.
    """
    kinds = control.get("/foutsoorten").json()["foutsoorten"]
    for kind in kinds:
        for point in kind["op"]:
            assert control.post("/fouten", json={"naam": kind["naam"], "op": point, "waarden": kind["waarden"]}).status_code == 201

    assert [kind["naam"] for kind in kinds] == list(KINDS)
    assert len(control.get("/fouten").json()["fouten"]) == sum(len(kind.points) for kind in KINDS.values())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "there is no fault ''"),
        ({"naam": "nonsense"}, "there is no fault 'nonsense'; known are"),
        ({"naam": "gzip", "op": "post"}, "cannot strike on 'post'"),
        ({"naam": "gzip", "op": []}, "cannot strike on"),
        ({"naam": "gzip", "keren": 0}, "times = '0'"),
        ({"naam": "gzip", "overslaan": None}, "skip = 'None'"),
        ({"naam": "gzip", "waarden": []}, "waarden is an object"),
        ({"naam": "gzip", "waarden": {"x": 1}}, "has no parameter 'x'"),
        ({"naam": "code", "waarden": {"code": "x"}}, "expected one of"),
        ({"naam": "slow", "waarden": {"delay_s": "x"}}, "expected a number"),
        ({"naam": "slow", "kans": 0.5}, "kans needs a seed"),
        ({"naam": "slow", "kans": 2, "seed": 1}, "chance = '2'"),
        ({"naam": "gzip", "soort": 1}, "unknown key 'soort'; known are"),
    ],
)
def test_a_wrong_fault_is_refused(control, body, said):
    """
    The detail says what is wrong; nothing is set.
    """
    assert said in problem(control.post("/fouten", json=body))
    assert control.get("/fouten").json() == {"fouten": []}


def test_bericht_types_are_made_and_closed(control, sender, make, live):
    """
    A BerichtType is made, used, and closed.
    """
    batches = [make.batch(make.bericht(bericht_type="NIEUW"), at=live.clock.now()) for _ in range(3)]
    for batch, is_active in zip(batches, (None, True, False), strict=True):
        if is_active is not None:
            assert control.put("/berichttypes/NIEUW", json={"actief": is_active}).status_code == 204
        sender.send(batch)
        live.settle()

    assert [item.code for item in live.ledger.berichten(0)] == ["BerichtTypeNietOndersteund", "Verwerkt", "BerichtTypeNietOndersteund"]
    assert {"naam": "NIEUW", "actief": False} in control.get("/berichttypes").json()["berichtTypes"]


@pytest.mark.parametrize(
    ("name", "body", "said"), [("A", {}, "give actief"), ("A", {"actief": "ja"}, "give actief"), ("A" * 9, {"actief": True}, "at most 8")]
)
def test_a_wrong_bericht_type_is_refused(control, name, body, said):
    """
    The name has at most eight characters, as in the schema, and actief is true or false.
    """
    assert said in problem(control.put(f"/berichttypes/{name}", json=body))


def test_a_calamity_loses_what_came_in(control, sender, make, live):
    """
    Two messages were there, and are gone.
    """
    for _ in range(2):
        sender.send(make.batch(at=live.clock.now()))
    live.settle()

    assert control.post("/calamiteit", json={"uren": 4}).json() == {"aanleveringen": 2}
    assert control.get("/stand").json() == {"lost": 2}
    assert sender.unprocessed() == []


@pytest.mark.parametrize("body", [{}, {"uren": 0}, {"uren": -4}, {"uren": 1e6}, {"uren": "vier"}])
def test_a_calamity_has_a_length(control, body):
    """
    Not nothing, not negative, not more than a year.
    """
    assert "uren" in problem(control.post("/calamiteit", json=body))


def test_the_ledger_is_shown_with_findings_and_without_bsns(control, sender, make, live):
    """
    Offers with what the rules say, refused ones with the reason, results and counts; no BSN in any of it.
    """
    bad = make.batch(make.bericht(gebruiker_id="999990007"), make.bericht(onderwerp="Aan 999990019"), at=live.clock.now())
    sender.send(bad, "999990020-first")
    sender.post(bad, cpa_id="CPA-999990032")
    sender.unprocessed()
    answers = [control.get(path) for path in ("/aanleveringen", "/verwerkingsberichten", "/stand")]
    first, second = answers[0].json()["aanleveringen"]

    assert (first["staat"], second["staat"]) == ("processed", "refused")
    assert "No CPA found for message.cpaId" in second["reden"]
    assert {finding["eis"] for finding in first["bevindingen"]}
    assert [item["status"] for item in answers[1].json()["verwerkingsberichten"]] == ["RECEIVED"]
    assert answers[2].json()["processed"] == 1
    assert not any(bsn in answer.text for answer in answers for bsn in ("999990007", "999990019", "999990020", "999990032"))


@pytest.mark.parametrize("path", ["/aanleveringen", "/verwerkingsberichten"])
def test_only_what_came_after_is_asked_for(control, sender, make, live, path):
    """
    ``na`` leaves out what has that number or a lower one.
    """
    for _ in range(2):
        sender.send(make.batch(at=live.clock.now()))
        live.settle()
    everything = control.get(path).json()[path[1:]]

    later = control.get(path, params={"na": everything[0]["nummer"]}).json()[path[1:]]

    assert (len(everything), later) == (2, everything[1:])


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "٣", "1" * 16])
def test_a_sequence_number_is_a_whole_number(control, after):
    """
    Anything else is refused.
    """
    assert "na is a sequence number" in problem(control.get("/aanleveringen", params={"na": after}))


def test_a_bericht_is_followed_through_its_offers(control, sender, make, live):
    """
    By its id in any case: each time that it was offered, with its code.
    """
    batch = make.batch(make.bericht("aaaaaaaa-0000-4000-8000-000000000001"), at=live.clock.now())
    for _ in range(2):
        sender.send(batch)
        live.settle()

    shown = control.get("/berichten/AAAAAAAA-0000-4000-8000-000000000001").json()

    assert shown["berichtId"] == "aaaaaaaa-0000-4000-8000-000000000001"
    assert [item["verwerkingsCode"] for item in shown["aanbiedingen"]] == ["Verwerkt", "BerichtBestaatAl"]


def test_an_unknown_bericht_is_not_found(control):
    """
    A problem with status 404.
    """
    assert problem(control.get("/berichten/nothing"), 404) == "no bericht with this id was offered"


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"dagen": NaN}', b'{"dagen": 1' + b"0" * 5000 + b"}"])
def test_a_body_that_is_no_json_object_is_refused(control, body):
    """
    Broken, deep or another JSON value: 400, and nothing happens.
    """
    assert problem(control.post("/klok", content=body))


def test_a_body_that_is_too_large_is_refused(control, monkeypatch):
    """
    Announced or not, more than the limit is not read.
    """
    monkeypatch.setattr("conformance.berichtenbox.http.LARGEST_BODY", 1000)

    assert problem(control.post("/klok", content=b" " * 1001), 413) == "the body has 1001 bytes, at most 1000 are read"
    assert problem(control.post("/klok", content=iter([b" " * 600] * 2)), 413) == "the body has more than 1000 bytes"


def test_the_face_describes_itself(control, make):
    """
    openapi.json is the description that the answers here are held against.
    """
    assert control.get("/openapi.json").json() == make.description("control").document


def test_unknown_paths_and_methods_are_refused(control):
    """
    404 and 405, by the framework.
    """
    assert (control.get("/nothing").status_code, control.put("/klok").status_code) == (404, 405)


# -- ebMS2 -----------------------------------------------------------------------------------------------------------------------------------


def test_cpa_can_be_downloaded(line, make):
    """
    The other side loads the very document under which this Berichtenbox speaks ebMS2.
    """
    answer = httpx.get(f"{line.urls.control}/cpa")

    make.description("control").check(answer)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
    assert answer.content == line.cpa_document


def test_without_ebms_there_is_no_cpa(control):
    """
    On a Berichtenbox with the adapter face alone there is nothing to load.
    """
    answer = control.get("/cpa")

    assert answer.status_code == 404
    assert "does not speak ebMS2" in answer.json()["detail"]
