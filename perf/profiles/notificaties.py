"""Letters at the norm, and whether their notifications leave in order and as fast as it says: SNO-BES-02, SNO-NOT-01 and SNO-NOT-02.

locust -f perf/profiles/notificaties.py -H http://127.0.0.1:8800 --headless --scale 0.01
"""

import secrets
import time

import gevent
import httpx

from conformance.load.generator import ScheduledUser, Session, listen
from conformance.load.notificaties import ABSENT, ACCEPTED, FACT
from conformance.load.notificaties_following import Follower
from conformance.load.notificaties_letters import HEADERS, PATH, Letters

_BEGAN = "began"
_CONTROL_S = 300.0
_OK = 200

listen("notificaties")


class Sender(ScheduledUser):
    """Offers letters over the adapter face; beside it the list of notifications is read."""

    letters: Letters

    def on_start(self) -> None:
        """Make the letters of this run."""
        if ABSENT not in self.session.facts[_BEGAN]:
            self.letters = Letters(self.session.plan.connection, self.session.facts[_BEGAN])

    def send(self, number: int) -> None:
        """Offer one batch, and remember when it was accepted."""
        session = self.session
        if ABSENT in session.facts[_BEGAN]:
            session.begin -= session.plan.window_s  # there is nothing to wait for
            return
        sent, name = time.time(), "aanleveren"
        with self.client.post(PATH, data=self.letters.body(number).decode(), headers=HEADERS, name=name, catch_response=True) as answer:
            if answer.status_code == _OK:
                session.tally.note(ACCEPTED, [number, session.index, sent, time.time()])
            else:
                answer.failure(f"status {answer.status_code}")

    @classmethod
    def prepare(cls, session: Session) -> None:
        """Find out whether there is a list, and where it is."""
        with cls._control(session) as control:
            session.facts[_BEGAN] = Follower(control).begin(secrets.token_hex(6))

    @classmethod
    def accompany(cls, session: Session) -> None:
        """Read the list until all notifications left."""
        began = session.facts[_BEGAN]
        if ABSENT in began:
            session.facts[FACT] = began
            return
        with cls._control(session) as control:
            session.facts[FACT] = Follower(control, gevent.sleep).follow(session.plan, began, session.begin + session.plan.window_s)

    @classmethod
    def _control(cls, session: Session) -> httpx.Client:
        verify = cls.tls_context() if session.plan.target.startswith("https:") else False
        return httpx.Client(base_url=session.plan.target, timeout=_CONTROL_S, verify=verify)
