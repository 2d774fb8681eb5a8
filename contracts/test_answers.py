"""GLOBE-R-A-Result as message pacts: what the reference Afnemer makes of each answer on abonnementen."""

import uuid
from collections.abc import Callable

import pytest

from conformance.berichtenbox.register import DEFAULT_OIN, default_cpa_id
from conformance.contracts.matching import packed
from conformance.contracts.published import AFNEMER, BERICHTENBOX, HANDLER, REFUSES
from conformance.contracts.states import BSNS
from conformance.messages.abonnement import Soort, plain_antwoord
from conformance.messages.envelope import SERVICE, Action

STATE = "an answer on abonnementen waits"
REFUSER = BSNS[1]


def document(verzoek_id: str, voorkeuren: dict[str, bool]) -> bytes:
    return plain_antwoord(DEFAULT_OIN, verzoek_id, [(int(bsn), is_actief) for bsn, is_actief in voorkeuren.items()])


@pytest.fixture
def receives(contract, offline, gateway, gzip_file) -> Callable[..., tuple[bool, dict[str, bool]]]:
    """Put an answer in the pact, let the Afnemer receive it, and return whether its request is answered, and what was recorded."""

    def receive(soort: Soort, about: str, voorkeuren: dict[str, bool], *, is_plain: bool = False, is_refused: bool = False, **given: object):
        description = f"abonnementen: {about}"
        # Another one for each: an answer to what was answered before need not be read.
        verzoek_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"verzoek {about}"))
        content = document(verzoek_id, voorkeuren)[: -40 if is_refused else None]
        offline.abonnees.new_guid = lambda: verzoek_id
        offline.abonnees.request(soort, BSNS[:3] if soort is Soort.BSN_LIJST else (), "2026-11-24T12:00:00Z" if soort is Soort.MUTATIES else None)
        message_id = f"{uuid.uuid5(uuid.NAMESPACE_URL, description)}@berichtenbox.example"
        pact = contract(AFNEMER, BERICHTENBOX)
        parameters = {"soort": soort.value, "verzoekId": verzoek_id, "bsn": list(BSNS[:3]), "messageId": message_id, **given}
        message = pact.upon_receiving(description, "Async").given(STATE, parameters)
        if is_plain:
            message.with_body(content.decode(), "text/xml")
        else:
            message.with_binary_body(gzip_file(content), "application/gzip").with_matching_rules(packed())
        message.with_metadata({"cpaId": default_cpa_id(DEFAULT_OIN), "service": SERVICE, "action": Action.A_RESULT.value, "messageId": message_id})
        if is_refused:
            message.set_comment(HANDLER, REFUSES)

        def handle(body: str | bytes, metadata: dict[str, object]) -> None:
            payload = body if isinstance(body, bytes) else str(body).encode()
            gateway.offer(metadata["action"], payload, metadata["contentType"], metadata["messageId"])
            offline.abonnees.receive()

        pact.verify(handle, "Async")
        return offline.abonnees.preferences(verzoek_id)

    return receive


def test_everybody_who_takes_letters(receives):
    """
    The answer on all abonnementen names who takes letters.
    """
    told = receives(Soort.ALLES, "alles", dict.fromkeys(BSNS[:3], True))

    assert told == (True, dict.fromkeys(BSNS[:3], True))


def test_who_is_absent_from_the_answer_on_a_list_takes_none(receives):
    """
    Of a list only those stand in the answer who take letters.
    """
    voorkeuren = {BSNS[0]: True, BSNS[2]: True}

    told = receives(Soort.BSN_LIJST, "bsn-lijst, one does not", voorkeuren, inactief=[REFUSER])

    assert told == (True, {BSNS[0]: True, REFUSER: False, BSNS[2]: True})


def test_changes_go_both_ways(receives):
    """
    The answer on mutaties says of each who changed whether they take letters now.
    """
    voorkeuren = {BSNS[0]: True, REFUSER: False, BSNS[2]: True}

    told = receives(Soort.MUTATIES, "mutaties", voorkeuren, inactief=[REFUSER])

    assert told == (True, {BSNS[0]: True, REFUSER: False, BSNS[2]: True})


def test_answer_may_be_plain_xml(receives):
    """
    An answer that is not packed is an answer.
    """
    voorkeuren = dict.fromkeys(BSNS[:3], True)

    told = receives(Soort.BSN_LIJST, "not packed", voorkeuren, is_plain=True, faults=[{"naam": "answer-plain"}])

    assert told == (True, dict.fromkeys(BSNS[:3], True))


def test_answer_may_name_nobody(receives):
    """
    An empty answer says that nobody of the list takes letters.
    """
    told = receives(Soort.BSN_LIJST, "nobody", {}, inactief=list(BSNS[:3]))

    assert told == (True, dict.fromkeys(BSNS[:3], False))


def test_answer_that_breaks_off_changes_nothing(receives):
    """
    Of an answer that cannot be read nothing is recorded, and the request stays open.
    """
    voorkeuren = dict.fromkeys(BSNS[:3], True)

    told = receives(Soort.BSN_LIJST, "cannot be read", voorkeuren, is_refused=True, faults=[{"naam": "answer-unreadable"}])

    assert told == (False, {})
