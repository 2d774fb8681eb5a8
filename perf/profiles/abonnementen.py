"""The requests of a night to the abonnementservice, over the adapter face: SNO-ABO-01 and SNO-ABO-03 to 05.

locust -f perf/profiles/abonnementen.py -H http://127.0.0.1:8800 --headless --duration 60s
"""

import base64
from functools import cache
from typing import Any

import gevent

from conformance.berichtenbox.population import citizens
from conformance.load.abonnementen import CITIZENS, INACTIVE, RESERVED, Answers, Verzoeken
from conformance.load.collecting import Collecting, Queue
from conformance.load.filling import POST_PATH, new_token
from conformance.load.generator import ScheduledUser, Session, client_of, listen
from conformance.load.leveringen import Ids, request_around
from conformance.messages.envelope import Action
from conformance.norms import duration

listen("abonnementen")
_OK = 200
_JSON = {"content-type": "application/json"}


class Abonnee(ScheduledUser):
    """Asks for abonnementen; one greenlet beside the users fetches the answers."""

    verzoeken: Verzoeken
    around: tuple[bytes, bytes]

    @classmethod
    def prepare(cls, session: Session) -> None:
        """Draw the ids of this run."""
        session.facts["token"] = new_token()

    def on_start(self) -> None:
        """Make what every request shares."""
        self.verzoeken = verzoeken_of(self.session)
        self.around = request_around(self.session.plan.connection, Action.A_REQUEST)

    def send(self, number: int) -> None:
        """Ask once."""
        head, tail = self.around
        body: Any = head + base64.b64encode(self.verzoeken.document(number)) + tail
        with self.client.post(POST_PATH, data=body, headers=_JSON, name=self.verzoeken.kind(number).value, catch_response=True) as answer:
            if answer.status_code != _OK:
                self.fail(answer, f"status {answer.status_code}: {(answer.text or '')[:100]}")

    @classmethod
    def accompany(cls, session: Session) -> None:
        """Fetch the answers, and hold them against the requests."""
        plan, term = session.plan, duration("SNO-ABO-01", "term").total_seconds()
        answers = Answers(verzoeken_of(session), truth_of(session))
        with client_of(session) as client:
            queue = Queue(client, plan.connection["cpa_id"], Action.A_RESULT)
            collecting = Collecting(plan, client, term, lambda: session.elapsed_s, gevent.sleep)

            def take_new() -> bool:
                came = False
                for message_id, envelope in queue.new():
                    at = session.elapsed_s + collecting.moved_s
                    if any(answers.take(part.content, at) for part in envelope.parts):
                        queue.mark(message_id)
                        came = True
                return came

            collecting.until(lambda: len(answers.came) >= plan.volume, take_new)
        session.facts.update(answers.to_json(), moved_s=collecting.moved_s)


def verzoeken_of(session: Session) -> Verzoeken:
    """Return the requests of a run."""
    known = CITIZENS if "citizens_seed" in session.plan.connection else RESERVED
    return Verzoeken(session.plan, Ids(session.facts["token"]), _numbers(known))


@cache
def _numbers(count: int) -> list[int]:
    # Made once: for each of hundreds of users it would take seconds, in which nobody sends anything.
    return [number for number, _ in citizens(count, 0)]


def truth_of(session: Session) -> frozenset[int] | None:
    """Return who takes letters, where the kit made the citizens itself."""
    seed = session.plan.connection.get("citizens_seed")
    if seed is None:
        return None
    return frozenset(number for number, is_active in citizens(CITIZENS, int(seed), inactive_share=INACTIVE) if is_active)
