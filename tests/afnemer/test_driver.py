"""What a driver asks, and which answers it takes."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import yaml
from jsonschema import Draft202012Validator

from conformance import specs
from conformance.afnemer.driver import (
    AfnemerStatus,
    Attachment,
    BadAnswer,
    BerichtStatus,
    CannotDo,
    Delivered,
    Driver,
    DriverError,
    Letter,
    Outcome,
    Preference,
    Refused,
    TimedOut,
    Unreachable,
    Verb,
)

DOCUMENT = yaml.safe_load(specs.path("openapi/test-control.yaml").read_text())
MOMENT = datetime(2026, 3, 1, 9, 0, tzinfo=timezone(timedelta(hours=1)))
STATUS = {"berichtId": "b-1", "batchId": "B-1", "status": "verwerkt", "verwerkingsCode": "000", "verwerkt": 1}


class AnswersWith:
    """A caller that answers the same whatever it is asked, and remembers what that was."""

    def __init__(self, answer):
        self.answer, self.asked, self.closed = answer, [], False

    def __repr__(self):
        return "<AnswersWith>"

    def call(self, verb, body=None, subject=None):
        self.asked.append((verb, body, subject))
        return self.answer

    def settle(self):
        return True

    def restart(self):
        return True

    def advance(self, seconds):
        return seconds == 60

    def close(self):
        self.closed = True


def conforms(value, schema):
    """Tell whether a value has the shape that the interface describes."""
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]})
    return list(validator.iter_errors(value)) == []


def test_health_takes_ok():
    """
    An Afnemer that says ok is well.
    """
    caller = AnswersWith({"status": "ok"})

    Driver(caller).health()

    assert caller.asked == [("gezondheid", None, None)]


def test_delivery_asks_what_the_interface_describes():
    """
    A letter goes out as JSON, with what is not given left to the Afnemer.
    """
    caller = AnswersWith({"berichten": [{"berichtId": "b-1", "batchId": "B-1"}, {"berichtId": "b-2", "batchId": "B-1", "more": 1}]})
    full = Letter("999990020", "PASPOORT", "Onderwerp", "", (Attachment("brief", b"%PDF-1.4\xff"),), MOMENT)

    delivered = Driver(caller).deliver([Letter("999990019", "BELAST"), full], per_batch=2)

    ((verb, body, subject),) = caller.asked
    assert delivered == (Delivered("b-1", "B-1"), Delivered("b-2", "B-1"))
    assert (verb, subject, body["perBatch"]) == (Verb.BERICHTEN, None, 2)
    assert body["berichten"][0] == {"bsn": "999990019", "berichtType": "BELAST"}
    assert body["berichten"][1]["publicatieDatum"] == "2026-03-01T08:00:00.000Z"
    assert base64.b64decode(body["berichten"][1]["bijlagen"][0]["bytes"]) == b"%PDF-1.4\xff"
    assert conforms(json.loads(json.dumps(body)), "BerichtenVerzoek")


def test_delivery_leaves_the_batches_to_the_afnemer():
    """
    Without a number per batch the key stays away.
    """
    caller = AnswersWith({"berichten": [{"berichtId": "b-1", "batchId": "B-1"}]})

    Driver(caller).deliver([Letter("999990019", "BELAST")])

    assert "perBatch" not in caller.asked[0][1]


@pytest.mark.parametrize("change", [{}, {"verwerkingsCode": None}, {"berichtId": "B-1"}])
def test_status_is_read(change):
    """
    A status comes back as a value; the case of a BerichtID does not count.
    """
    answer = STATUS | change

    status = Driver(AnswersWith(answer)).status("b-1")

    assert status == BerichtStatus(answer["berichtId"], "B-1", AfnemerStatus.VERWERKT, answer["verwerkingsCode"], 1)


def test_status_of_an_unknown_bericht_is_none():
    """
    What the Afnemer does not know has no status.
    """
    caller = AnswersWith(None)

    assert Driver(caller).status("b-1") is None
    assert caller.asked == [(Verb.BERICHT, None, "b-1")]


def test_redelivery_asks_for_a_window():
    """
    The window goes out in Zulu, the number comes back.
    """
    caller = AnswersWith({"aantal": 3})

    count = Driver(caller).redeliver(MOMENT, MOMENT.astimezone(UTC) + timedelta(hours=1))

    assert count == 3
    assert caller.asked[0][1] == {"vanaf": "2026-03-01T08:00:00.000Z", "tot": "2026-03-01T09:00:00.000Z"}
    assert conforms(caller.asked[0][1], "HerleveringVerzoek")


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("alles",), {"soort": "alles"}),
        (("bsn-lijst", ["999990007"]), {"soort": "bsn-lijst", "bsn": ["999990007"]}),
        (("mutaties", (), MOMENT), {"soort": "mutaties", "vanaf": "2026-03-01T08:00:00.000Z"}),
    ],
)
def test_abonnementen_are_requested(arguments, body):
    """
    A request names its kind, and only what belongs to it.
    """
    caller = AnswersWith({"verzoekId": "v-1"})

    assert Driver(caller).request_abonnementen(*arguments) == "v-1"
    assert caller.asked[0][1] == body
    assert conforms(body, "AbonnementenVerzoek")


def test_preferences_are_read():
    """
    The preferences that the Afnemer recorded come back as values.
    """
    caller = AnswersWith({"status": "ontvangen", "voorkeuren": [{"bsn": "999990007", "actief": False}]})

    assert Driver(caller).abonnementen("v-1") == ("ontvangen", (Preference("999990007", actief=False),))


def test_unknown_request_is_a_bad_answer():
    """
    A request that the Afnemer made itself cannot be unknown.
    """
    with pytest.raises(BadAnswer, match=r"v-1.*does not know it"):
        Driver(AnswersWith(None)).abonnementen("v-1")


def test_outcomes_are_read():
    """
    The outcomes of a validation come back as values.
    """
    caller = AnswersWith({"uitkomsten": [{"bsn": "999990007", "berichtSturen": True}]})

    assert Driver(caller).validate("BELAST", ["999990007"]) == (Outcome("999990007", bericht_sturen=True),)
    assert conforms(caller.asked[0][1], "ValidatieVerzoek")


def test_settling_restarting_and_closing_are_passed_on():
    """
    What only some callers can do is left to them.
    """
    caller = AnswersWith(None)
    driver = Driver(caller)

    driver.close()

    assert driver.settle()
    assert driver.restart()
    assert driver.advance(60)
    assert caller.closed
    assert repr(driver) == "<Driver over <AnswersWith>>"


LETTER = [Letter("999990019", "BELAST")]
WRONG = {
    "no object": (lambda d: d.health(), ["ok"], "a JSON object"),
    "health null": (lambda d: d.health(), None, "got null"),
    "not ok": (lambda d: d.health(), {"status": "ko"}, "status to be 'ok', got 'ko'"),
    "no key": (lambda d: d.health(), {}, "status to be 'ok', got no such key"),
    "unhashable": (lambda d: d.health(), {"status": []}, "status to be 'ok'"),
    "echo": (lambda d: d.deliver(LETTER), {"berichten": [LETTER[0].to_json()]}, r"berichten\[0\]\.berichtId"),
    "too few": (lambda d: d.deliver(LETTER), {"berichten": []}, "1 berichten, in the order asked, got 0"),
    "too many": (lambda d: d.deliver(LETTER), {"berichten": [{"berichtId": "b", "batchId": "B"}] * 2}, "got 2"),
    "no array": (lambda d: d.deliver(LETTER), {"berichten": "b-1"}, "berichten to be an array"),
    "no objects": (lambda d: d.deliver(LETTER), {"berichten": ["b-1"]}, r"berichten\[0\] to be a JSON object"),
    "empty id": (lambda d: d.deliver(LETTER), {"berichten": [{"berichtId": " ", "batchId": "B"}]}, "not empty"),
    "half a surrogate": (lambda d: d.deliver(LETTER), {"berichten": [{"berichtId": "\ud800", "batchId": "B"}]}, "berichtId to be a text"),
    "numeric id": (lambda d: d.deliver(LETTER), {"berichten": [{"berichtId": "b", "batchId": 7}]}, r"berichten\[0\]\.batchId"),
    "another bericht": (lambda d: d.status("b-2"), STATUS, "the one asked for, 'b-2'"),
    "unknown status": (lambda d: d.status("b-1"), STATUS | {"status": "weg"}, "status to be one of aangeboden, verwerkt"),
    "numeric code": (lambda d: d.status("b-1"), STATUS | {"verwerkingsCode": 100}, "verwerkingsCode"),
    "count as a text": (lambda d: d.status("b-1"), STATUS | {"verwerkt": "1"}, "verwerkt to be a whole number"),
    "count as a truth": (lambda d: d.status("b-1"), STATUS | {"verwerkt": True}, "verwerkt to be a whole number"),
    "negative count": (lambda d: d.redeliver(MOMENT, MOMENT), {"aantal": -1}, "aantal to be a whole number from 0"),
    "request": (lambda d: d.request_abonnementen("alles"), {"verzoekId": None}, "verzoekId"),
    "abonnement": (lambda d: d.abonnementen("v"), {"status": "klaar", "voorkeuren": []}, "one of open, ontvangen"),
    "actief": (lambda d: d.abonnementen("v"), {"status": "open", "voorkeuren": [{"bsn": "1", "actief": 1}]}, "true or false"),
    "uitkomst": (lambda d: d.validate("X", ["1"]), {"uitkomsten": [{"bsn": "1"}]}, r"uitkomsten\[0\]\.berichtSturen"),
}


@pytest.mark.parametrize(("ask", "answer", "text"), WRONG.values(), ids=WRONG)
def test_wrong_shape_is_a_bad_answer(ask, answer, text):
    """
    An answer of another shape is refused, and the error names the key.
    """
    with pytest.raises(BadAnswer, match=text):
        ask(Driver(AnswersWith(answer)))


def test_error_says_everything_on_two_lines():
    """
    An error says what was tried, the verb, what was expected, what came, and what to do next.
    """
    error = BadAnswer(Verb.BERICHT, "a status", "html", "look at the log")
    error.step = "trying the driver"

    assert str(error) == "trying the driver: bericht: expected a status, got html\n  Hint: look at the log"
    assert (error.expected, error.got, error.verb) == ("a status", "html", Verb.BERICHT)


def test_bsns_in_errors_are_masked():
    """
    No error, nor its fields, shows a BSN.
    """
    errors = [
        BadAnswer(Verb.BERICHT, "999990019", "999990019", "999990019"),
        Refused("BSN 999990019"),
        Unreachable("999990019", hint="999990019"),
        TimedOut("999990019"),
        CannotDo("999990019"),
    ]

    shown = " ".join(f"{error} {error!r} {vars(error)}" for error in errors)

    assert "999990019" not in shown
    assert "9999*****" in shown


def test_long_answer_is_quoted_in_short():
    """
    An error quotes the start of a large answer, on one line.
    """
    with pytest.raises(DriverError, match="JSON object") as caught:
        Driver(AnswersWith("regel\n" * 100_000)).health()

    assert len(str(caught.value)) < 400
    assert len(Refused("x\n" * 100_000).detail) <= 200
