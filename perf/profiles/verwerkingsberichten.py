"""Results at the national peak, and then those of six days in which nobody could fetch them: SNO-VWB-01 and SNO-VWB-02.

    locust -f perf/profiles/verwerkingsberichten.py --headless --scale 0.01

Without ``-H``, the test-control URL of an Afnemer, the reference Afnemer is started.
"""

from conformance.load.generator import Session, listen
from conformance.load.generator.afnemer import AfnemerUser
from conformance.load.verwerkingsberichten import DELIVERY, FACT, SIZE
from conformance.load.verwerkingsberichten_driving import begin, finish

_BEGAN = "began"

listen("verwerkingsberichten")


class Sender(AfnemerUser):
    """Has letters delivered whose results come at once."""

    def send(self, number: int) -> None:
        """Have one batch delivered."""
        self.deliver(number, SIZE, DELIVERY)

    @classmethod
    def prepare(cls, session: Session) -> None:
        """See where the ledger stands."""
        cls.stand(session)
        with cls.following(session) as following:
            session.facts[_BEGAN] = begin(following)

    @classmethod
    def accompany(cls, session: Session) -> None:
        """Follow the Afnemer at the peak, and after six days."""
        with cls.following(session) as following:
            left_s = session.plan.window_s - session.elapsed_s
            session.facts[FACT] = finish(following, session.plan, session.facts[_BEGAN], left_s, following.watch())
