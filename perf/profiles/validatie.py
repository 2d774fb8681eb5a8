"""A thousand questions of 250 BSNs an hour to the validatieservice: SNO-VAL-01 and SNO-VAL-03.

locust -f perf/profiles/validatie.py -H http://127.0.0.1:8800 --headless --scale 0.01
"""

from typing import Any

from conformance.berichtenbox.wus_face import PATH
from conformance.load.generator import ScheduledUser, Session, listen
from conformance.load.validatie import HEADERS, NAME, Questions, WrongAnswer, truth_of

listen("validatie")
_OK = 200


class Asker(ScheduledUser):
    """Asks the validatieservice about reserved test BSNs."""

    questions: Questions

    def on_start(self) -> None:
        """Make the questions of this run."""
        self.questions = questions_of(self.session)

    def send(self, number: int) -> None:
        """Ask one question, and hold the answer against it."""
        asked = self.questions.asked(number)
        body: Any = self.questions.body(asked)  # bytes go as they are, whatever the types say
        with self.client.post(PATH, data=body, headers=HEADERS, name=NAME, catch_response=True) as answer:
            if answer.status_code != _OK:
                self.fail(answer, f"status {answer.status_code}")
                return
            try:
                self.questions.check(asked, answer.content or b"")
            except WrongAnswer as error:
                self.fail(answer, str(error))


def questions_of(session: Session) -> Questions:
    """Return the questions of a run; who takes letters is known of a Berichtenbox that the kit started."""
    told = session.plan.connection
    truth = truth_of(int(told["citizens_seed"])) if "citizens_seed" in told else None
    return Questions(told["oin"], told["bericht_type"], session.plan.seed, truth)
