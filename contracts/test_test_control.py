"""Test-control as an HTTP pact: how the kit asks an Afnemer to act, and what it makes of each answer."""

from collections.abc import Callable
from typing import Any

import pytest
from pact import match

from conformance.afnemer.driver import Refused, Verb
from conformance.afnemer.drivers.http import ROUTES, HttpCaller
from conformance.contracts.matching import GUID
from conformance.contracts.published import AFNEMER
from conformance.contracts.states import BATCH_ID, BERICHT_ID, BSNS, VERZOEK_ID

KIT = "conformance-kit"
PLACE = {"berichtId": BERICHT_ID, "batchId": BATCH_ID}
REACHED = ("the Berichtenbox can be reached", {})


def guid(example: str) -> object:
    return match.regex(example, regex=f"^{GUID}$")


@pytest.fixture
def call(contract) -> Callable[..., Any]:
    """Put a call of a verb in the pact with its answer, make it, and return what the kit reads."""
    pact = contract(KIT, AFNEMER)

    def made(
        description: str,
        verb: Verb,
        answer: object,
        body: dict[str, object] | None = None,
        subject: str = "",
        state: tuple[str, dict[str, object]] = REACHED,
        status: int | None = None,
    ) -> Any:
        route = ROUTES[verb]
        asked = pact.upon_receiving(f"test-control: {description}").given(*state).with_request(route.method, route.path.format(subject=subject))
        if body is not None:
            asked.with_body(body, "application/json")
        content_type = "application/json" if status is None else "application/problem+json"
        asked.will_respond_with(status or route.status).with_body(answer, content_type)
        with pact.serve(addr="127.0.0.1") as server:
            caller = HttpCaller(str(server.url), 10)
            try:
                return caller.call(verb, body, subject or None)
            finally:
                caller.close()

    return made


def test_afnemer_is_there(call):
    """
    An Afnemer that can act says so.
    """
    told = call("is it there", Verb.GEZONDHEID, {"status": "ok"})

    assert told == {"status": "ok"}


def test_letters_are_delivered(call):
    """
    The ids of what is delivered come in the order asked.
    """
    letters = [
        {"bsn": BSNS[0], "berichtType": "BELAST"},
        {"bsn": BSNS[1], "berichtType": "PASPOORT", "onderwerp": "Uw paspoort verloopt", "tekst": "Maak een afspraak."},
    ]
    ids = {"berichtId": guid(BERICHT_ID), "batchId": guid(BATCH_ID)}

    told = call("deliver two letters", Verb.BERICHTEN, {"berichten": [ids, ids]}, {"berichten": letters, "perBatch": 1})

    assert told == {"berichten": [PLACE, PLACE]}


def test_place_of_a_bericht(call):
    """
    Of a bericht that is under way there is no code yet.
    """
    place = {**PLACE, "status": "aangeboden", "verwerkingsCode": None, "verwerkt": 0}

    told = call("where a bericht stands", Verb.BERICHT, place, subject=BERICHT_ID, state=("a bericht is under way", PLACE))

    assert told == place


@pytest.mark.parametrize("verb", [Verb.BERICHT, Verb.ABONNEMENT])
def test_unknown_subject_is_an_answer(call, verb):
    """
    404 on what is looked up says that it is not known.
    """
    problem = {"title": match.type("Not Found"), "status": 404}

    told = call(f"an unknown {verb}", verb, problem, subject="7f0f2d8e-58b2-4a52-8a7d-0d8b8d7e1a09", status=404)

    assert told is None


def test_herlevering_counts(call):
    """
    A herlevering tells how many berichten go again.
    """
    window = {"vanaf": "2026-11-24T08:00:00Z", "tot": "2026-11-24T12:00:00Z"}

    told = call("deliver again", Verb.HERLEVERING, {"aantal": match.integer(0)}, window)

    assert told == {"aantal": 0}


def test_abonnementen_are_requested(call):
    """
    A request for abonnementen has an id.
    """
    told = call("request abonnementen", Verb.ABONNEMENTEN, {"verzoekId": guid(VERZOEK_ID)}, {"soort": "bsn-lijst", "bsn": list(BSNS[:2])})

    assert told == {"verzoekId": VERZOEK_ID}


def test_impossible_request_is_refused(call):
    """
    What an Afnemer cannot ask it refuses with 422, and the kit hears why.
    """
    problem = {"title": match.type("Unprocessable Content"), "status": 422, "detail": match.type("mutaties without vanaf need a request before them")}

    with pytest.raises(Refused, match="need a request before them"):
        call("mutaties since nothing", Verb.ABONNEMENTEN, problem, {"soort": "mutaties"}, status=422)


def test_recorded_voorkeuren(call):
    """
    What was recorded from an answer is told by BSN.
    """
    voorkeuren = [{"bsn": BSNS[0], "actief": True}, {"bsn": BSNS[1], "actief": False}]
    state = ("an answer on abonnementen was received", {"verzoekId": VERZOEK_ID, "voorkeuren": voorkeuren})

    told = call("what was recorded", Verb.ABONNEMENT, {"status": "ontvangen", "voorkeuren": voorkeuren}, subject=VERZOEK_ID, state=state)

    assert told == {"status": "ontvangen", "voorkeuren": voorkeuren}


def test_outcomes_of_a_validatie(call):
    """
    Each citizen who is asked about has an outcome.
    """
    uitkomsten = {"uitkomsten": [{"bsn": BSNS[0], "berichtSturen": True}]}

    told = call("ask who takes letters", Verb.VALIDATIE, uitkomsten, {"berichtType": "BELAST", "bsn": [BSNS[0]]})

    assert told == uitkomsten
