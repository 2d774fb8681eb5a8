"""The verdicts, their order, and what a case reports.

A requirement takes the highest verdict of its cases; a run is conformant only when every applicable MUST is decided and none failed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Verdict(StrEnum):
    """What a case or a requirement comes to, highest first."""

    KIT_ERROR = "kit-error"
    FAILED = "failed"
    NOT_TESTED = "not-tested"
    WARNING = "warning"
    DECLARED = "declared"
    PASSED = "passed"
    NOT_APPLICABLE = "not-applicable"


_ORDER = {verdict: rank for rank, verdict in enumerate(reversed(Verdict))}


def highest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that decides; raises ``ValueError`` for none at all, which is never green."""
    return max(verdicts, key=_ORDER.__getitem__)


class Reason(StrEnum):
    """Why something was not tested or is not applicable: a closed list."""

    NO_TRAFFIC = "no-traffic"  # the Afnemer sent nothing that could be graded
    NOT_SEEN = "not-seen"  # traffic came, but nothing of the kind that this requirement is about
    REFUSED_BY_AFNEMER = "refused-by-afnemer"  # the Afnemer refused what the case asked of it
    DRIVER_CANNOT = "driver-cannot"  # the driver lacks what this case needs
    DRIVER_ANSWER = "driver-answer"  # the driver answered something that is not test-control
    UNREACHABLE = "party-unreachable"
    TIMEOUT = "timeout"  # an unknown outcome: neither yes nor no
    KIT_LIMIT = "kit-limit"  # the kit was the bottleneck
    NO_CASE_RAN = "no-case-ran"  # a case exists, but it did not run
    UNDECLARED = "undeclared"  # the user declares this, and did not
    SERVICE_NOT_USED = "service-not-used"
    BINDS_LOGIUS = "binds-logius"  # not a duty of the party under test
    BINDS_AFNEMER = "binds-afnemer"  # idem
    OTHER_PARTY = "other-party"  # a duty of both, for which there are only cases with the other one
    ELEMENT_NOT_USED = "element-not-used"
    FACE_NOT_USED = "face-not-used"  # about a wire that this run does not have: ebMS2, TLS, or signals in the HTTP answer
    OTHER_COMMAND = "other-command"  # a load profile or a calculator judges this
    SCALED = "scaled"  # met at a scale, which never claims the norm
    NO_DATA = "no-data"  # the data that were supplied hold nothing to judge


class RunVerdict(StrEnum):
    """What a whole run comes to."""

    CONFORMANT = "conformant"
    NOT_CONFORMANT = "not-conformant"
    INCOMPLETE = "incomplete"
    KIT_ERROR = "kit-error"


class ExitCode(IntEnum):
    """The exit codes of every command that grades."""

    CONFORMANT = 0
    NOT_CONFORMANT = 1
    USAGE = 2
    UNREACHABLE = 3
    INCOMPLETE = 4
    KIT_ERROR = 70


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case's verdict on one requirement.

    ``case`` is the id of the case (``verwerkingsberichten/dubbel``) and ``message`` one sentence for people. ``expected`` and ``seen`` are the
    smallest quote that proves it, masked. ``evidence`` names files relative to the output directory; ``contradictions`` are the ids (``D4``) that it
    rests on.
    """

    requirement: str
    case: str
    verdict: Verdict
    message: str
    reason: Reason | None = None
    expected: str = ""
    seen: str = ""
    evidence: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
