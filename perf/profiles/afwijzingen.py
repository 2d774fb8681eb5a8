"""Every VerwerkingsCode and wrong results in the busiest hour, and what an Afnemer makes of them: SNO-AFN-02.

    locust -f perf/profiles/afwijzingen.py --headless --scale 0.01

Without ``-H``, the test-control URL of an Afnemer, the reference Afnemer is started.
"""

from conformance.load.afwijzingen import DELIVERY, FACT, SIZE
from conformance.load.afwijzingen_driving import begin, finish
from conformance.load.generator import Session, listen
from conformance.load.generator.afnemer import AfnemerUser

_BEGAN = "began"

listen("afwijzingen")


class Refused(AfnemerUser):
    """Has letters delivered of which about half is refused."""

    def send(self, number: int) -> None:
        """Have one batch delivered."""
        self.deliver(number, SIZE, DELIVERY)

    @classmethod
    def prepare(cls, session: Session) -> None:
        """Set what the Berichtenbox will tell."""
        cls.stand(session)
        with cls.following(session) as following:
            session.facts[_BEGAN] = begin(following, session.plan)

    @classmethod
    def accompany(cls, session: Session) -> None:
        """Follow the Afnemer until it is done with every refusal."""
        with cls.following(session) as following:
            left_s = session.plan.window_s - session.elapsed_s
            session.facts[FACT] = finish(following, session.facts[_BEGAN], left_s, following.watch())
