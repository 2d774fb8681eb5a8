"""Users that ask an Afnemer to act: what stands ready for them is in the facts of the run, and is started here when nobody else did."""

import atexit
import contextlib
from pathlib import Path
from typing import Any, Final

import gevent

from conformance.load.afnemer_following import Following
from conformance.load.afnemers import ASKED, BERICHTEN, LEDGER, letters, standing
from conformance.load.generator.session import Session
from conformance.load.generator.user import ScheduledUser
from conformance.load.plan import Setup
from conformance.profile import Profile

_STAND: Final = "stand"
_ACCEPTED: Final = 202
_ours: Final = contextlib.ExitStack()
atexit.register(_ours.close)


class AfnemerUser(ScheduledUser):
    """Has an Afnemer deliver letters."""

    abstract = True
    host = "http://127.0.0.1"  # Locust wants one; where the Afnemer is stands in the facts

    @classmethod
    def stand(cls, session: Session) -> None:
        """See that there is a Berichtenbox and an Afnemer: those of the command, or ours for as long as this process takes."""
        plan = session.plan
        if LEDGER in plan.connection:
            session.facts[_STAND] = [plan.target, dict(plan.connection)]
            return
        tls = plan.connection.get("tls")
        setup = Setup(Profile.default(), None, plan.seed, plan.settings, Path(tls) if tls else None, plan.target)
        found = _ours.enter_context(standing(setup))
        session.facts[_STAND] = [found.target, dict(found.connection)]

    @classmethod
    def following(cls, session: Session) -> Following:
        """Return what follows the Afnemer of a run."""
        target, connection = session.facts[_STAND]
        return Following(target, connection, gevent.sleep)

    def deliver(self, number: int, many: int, name: str, to: str | None = None) -> None:
        """Have delivery ``number`` of the schedule delivered in one batch, and count the letters that the Afnemer took."""
        target, connection = self.session.facts[_STAND]
        body: dict[str, Any] = {"berichten": letters(connection, number * many, many, to=to), "perBatch": many}
        with self.client.post(f"{target.rstrip('/')}{BERICHTEN}", json=body, name=name, catch_response=True) as answer:
            if answer.status_code == _ACCEPTED:
                self.session.tally.counts[ASKED] += many
            else:
                answer.failure(f"status {answer.status_code}")
