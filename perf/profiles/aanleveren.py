"""Berichten at the rate of a second, an hour or a day, 95 % of them with a bijlage: SNO-BER-01 to 04 and SNO-OPS-04.

locust -f perf/profiles/aanleveren.py -H http://127.0.0.1:8800 --headless --phase burst --scale 0.1
"""

from collections import Counter
from typing import Any

import gevent
import httpx

from conformance.berichtenbox.control_face import PATH as CONTROL_PATH
from conformance.berichtenbox.population import citizens
from conformance.load.aanleveren import NAME, UNACCEPTED, Results, size_of
from conformance.load.collecting import Collecting, Queue
from conformance.load.filling import new_token
from conformance.load.generator import ScheduledUser, Session, client_of, listen
from conformance.load.leveringen import Batches, Ids
from conformance.load.plan import EBMS
from conformance.load.sending import Wire, wire_of
from conformance.messages.bsns import bsn_text
from conformance.messages.envelope import Action
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.norms import duration

listen("aanleveren")
_RESERVED = 909
_CODES = frozenset(map(str, VerwerkingsCode))


class Leverancier(ScheduledUser):
    """Delivers batches to the reserved test BSNs; one greenlet beside the users fetches the results."""

    wires: dict[str, Wire] = {}  # noqa: RUF012  # all users of a process share the templates of a run

    @classmethod
    def prepare(cls, session: Session) -> None:
        """Draw the ids of this run, and see what the ledger holds already."""
        session.facts["token"] = new_token()
        if session.plan.settings["face"] == EBMS:
            with client_of(session) as client:
                session.facts["before"] = dict(_decided(client))

    def on_start(self) -> None:
        """Make the templates before the first batch is due."""
        self._wire()

    def send(self, number: int) -> None:
        """Deliver one batch."""
        wire = self._wire()
        posting = wire.posting(number)
        body: Any = posting.body  # bytes go as they are, whatever the types say
        with self.client.post(posting.path, data=body, headers=dict(posting.headers), name=NAME, catch_response=True) as answer:
            objection = wire.objection(answer.status_code, answer.content or b"")
            if objection:
                self.fail(answer, objection)
                self.session.tally.note(UNACCEPTED, number)

    def _wire(self) -> Wire:
        token = self.session.facts["token"]
        if token not in self.wires:
            batches = batches_of(self.session)
            batches.make_ready()
            self.wires[token] = wire_of(self.session.plan.connection, batches, self.session.plan.settings["face"])
        return self.wires[token]

    @classmethod
    def accompany(cls, session: Session) -> None:
        """Fetch the results, or over ebMS2 see what was decided."""
        with client_of(session) as client:
            collecting = Collecting(session.plan, client, duration("SNO-BER-04", "term").total_seconds(), lambda: session.elapsed_s, gevent.sleep)
            if session.plan.settings["face"] == EBMS:
                _watch_decisions(session, client, collecting)
            else:
                _fetch_results(session, client, collecting)
            session.facts["moved_s"] = collecting.moved_s


def batches_of(session: Session) -> Batches:
    """Return the batches of a run."""
    bsns = [bsn_text(number) for number, _ in citizens(_RESERVED, 0)]
    return Batches(session.plan.connection, Ids(session.facts["token"]), size_of(session.plan.settings), bsns)


def _fetch_results(session: Session, client: httpx.Client, collecting: Collecting) -> None:
    results = Results(session.plan, Ids(session.facts["token"]), size_of(session.plan.settings))
    queue = Queue(client, session.plan.connection["cpa_id"], Action.BV_RESULT)

    def take_new() -> bool:
        came = False
        for message_id, envelope in queue.new():
            at = session.elapsed_s + collecting.moved_s
            if any(results.take(part.content, at) for part in envelope.parts):
                queue.mark(message_id)
                came = True
        return came

    collecting.until(lambda: results.is_complete, take_new)
    session.facts.update(results.to_json())


def _watch_decisions(session: Session, client: httpx.Client, collecting: Collecting) -> None:
    """Ask the control face of a simulated Berichtenbox what it decided; another one has none, and nothing is known then."""
    before, wanted = Counter(session.facts["before"]), session.plan.volume * size_of(session.plan.settings)
    decided = _decided(client) - before
    if not _has_control(client):
        return

    def take_new() -> bool:
        nonlocal decided
        known, decided = decided, _decided(client) - before
        return decided != known

    collecting.until(lambda: decided.total() >= wanted, take_new)
    session.facts["codes"] = dict(decided)


def _has_control(client: httpx.Client) -> bool:
    try:
        return client.get(f"{CONTROL_PATH}/stand").is_success
    except httpx.HTTPError:
        return False


def _decided(client: httpx.Client) -> Counter[str]:
    """Return how many berichten have each code, by the ledger."""
    try:
        answer = client.get(f"{CONTROL_PATH}/stand")
        return Counter({code: times for code, times in answer.json().items() if code in _CODES} if answer.is_success else {})
    except (httpx.HTTPError, ValueError):
        return Counter()
