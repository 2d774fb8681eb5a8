"""What a rule answers, and what it may know beyond the message itself."""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from conformance.masking import STARS, mask

_LONGEST_QUOTE: Final = 200
# Also within a name; beside a hex digit it is a piece of a GUID.
_NINE_DIGITS: Final = re.compile(r"(?<![0-9a-fA-F])[0-9]{9}(?![0-9a-fA-F])")


def quoted(text: str) -> str:
    """Return what a finding may show of ``text``: no BSN, and no more than a person reads."""
    shown = _NINE_DIGITS.sub(STARS, mask(text[: 2 * _LONGEST_QUOTE]))
    return shown if len(shown) <= _LONGEST_QUOTE else shown[: _LONGEST_QUOTE - 1] + "…"


@dataclass(frozen=True, slots=True)
class Objection:
    """What a rule has against a message: what it expected and what it saw (never a BSN). A note weighs as a warning."""

    expected: str
    seen: str
    where: str = ""
    is_note: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """An objection with its requirement and place; ``bericht`` is the index of the bericht in its batch, or ``None`` for the whole message."""

    requirement: str
    where: str
    expected: str
    seen: str
    is_note: bool = False
    bericht: int | None = None

    def __str__(self) -> str:
        return f"{self.requirement} at {self.where}: expected {self.expected}, seen {self.seen}"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of a bericht that was offered before: its letter, its citizen, and whether it was stored."""

    digest: str
    gebruiker_id: str = field(repr=False)
    is_stored: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection that a message travels over: its CPA, both parties (flat) and the OINs registered under it."""

    cpa_id: str
    afnemer_party: str
    logius_party: str
    oins: frozenset[str]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a rule may know. ``None`` or empty means unknown: rules that need it do not speak, and do not count as decided.

    ``received`` is the moment of receipt on the business clock; ``batches`` maps a lower-case BatchID to the lower-case BerichtIDs offered under it;
    ``earlier`` maps a lower-case BerichtID to what was offered before; ``message_ids`` holds the ebMS MessageIds seen before;
    ``request`` is, for a result, the BatchID and the BerichtIDs of the batch that it answers; ``verzoeken`` holds the VerzoekIds of earlier
    abonnementaanvragen, in which case counts.
    """

    received: datetime | None = None
    connection: Connection | None = None
    bericht_types: Mapping[str, bool] | None = None
    batches: Mapping[str, frozenset[str]] | None = None
    earlier: Mapping[str, Earlier] | None = None
    message_ids: Container[str] | None = None
    request: tuple[str, frozenset[str]] | None = None
    verzoeken: Container[str] | None = None


@dataclass(frozen=True, slots=True)
class Grading:
    """What the rules say of one message: their findings, the requirements on which they could decide, and whether the schema takes it."""

    findings: tuple[Finding, ...] = ()
    decided: frozenset[str] = field(default_factory=frozenset)
    is_schema_valid: bool = True

    def of(self, requirement: str) -> tuple[Finding, ...]:
        """Return the findings on one requirement."""
        return tuple(finding for finding in self.findings if finding.requirement == requirement)
