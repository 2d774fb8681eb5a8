"""A day delivered again by an Afnemer while its ordinary letters go on: SNO-AFN-01.

    locust -f perf/profiles/herlevering.py --headless --scale 0.01

Without ``-H``, the test-control URL of an Afnemer, the reference Afnemer is started.
"""

from dataclasses import asdict

from conformance.load.afnemers import live_citizen
from conformance.load.generator import Session, listen
from conformance.load.generator.afnemer import AfnemerUser
from conformance.load.herlevering import FACT, LIVE, LIVE_SIZE
from conformance.load.herlevering_driving import Filled, fill, redeliver

_FILLED = "filled"

listen("herlevering")


class Live(AfnemerUser):
    """The ordinary letters; beside it everything is delivered again."""

    def send(self, number: int) -> None:
        """Have some new letters delivered."""
        self.deliver(number, LIVE_SIZE, LIVE, live_citizen())

    @classmethod
    def prepare(cls, session: Session) -> None:
        """Have everything offered that is to come again."""
        cls.stand(session)
        with cls.following(session) as following:
            session.facts[_FILLED] = asdict(fill(following, session.plan))

    @classmethod
    def accompany(cls, session: Session) -> None:
        """Ask for the herlevering, and follow it to its end."""
        with cls.following(session) as following:
            session.facts[FACT] = redeliver(following, session.plan, Filled(**session.facts[_FILLED]), lambda: session.elapsed_s)
