"""Citizens who read their letters, at least ten thousand times: SNO-PRE-01.

    locust -f perf/profiles/presentatie.py -H http://127.0.0.1:8800 --headless --scale 0.1

The Berichtenbox is filled first, over its adapter face, when its citizens have too few letters.
"""

from conformance.berichtenbox.presentatie_face import PATH
from conformance.load.filling import fill, reading
from conformance.load.generator import ScheduledUser, Session, client_of, listen
from conformance.load.presentatie import BIJLAGE, KINDS, LETTER, LETTERS, LIST, READERS, SIZES

listen("presentatie")
_OK = 200


class Reader(ScheduledUser):
    """Reads as citizens do, one after another."""

    @classmethod
    def prepare(cls, session: Session) -> None:
        """See that every reader has letters."""
        with client_of(session) as client:
            session.facts["letters"] = fill(client, session.plan.connection, READERS, LETTERS, SIZES)

    def send(self, number: int) -> None:
        """Read a list, a letter or a bijlage: each citizen in turn."""
        turn, kind = divmod(number, len(KINDS))
        bsns = list(self.session.facts["letters"])
        bsn = bsns[turn % len(bsns)]
        ids = self.session.facts["letters"][bsn]
        path = self._path(KINDS[kind], ids[turn // len(bsns) % len(ids)])
        with self.client.get(path, headers=dict(reading(bsn)), name=KINDS[kind], catch_response=True) as answer:
            if answer.status_code != _OK or not answer.content:
                self.fail(answer, f"status {answer.status_code}")

    @staticmethod
    def _path(kind: str, bericht_id: str) -> str:
        letter = f"{PATH}/berichten/{bericht_id}"
        return {LIST: f"{PATH}/berichten", LETTER: letter, BIJLAGE: f"{letter}/bijlagen/1"}[kind]
