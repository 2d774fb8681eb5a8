"""The sheet on which a message is graded: what the rules say of it, one after the other."""

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

from conformance.messages.batch import Batch
from conformance.rules.findings import Finding, Grading, Knowledge, Objection, quoted
from conformance.rules.registry import Rules, on_bericht


class Sheet:
    """Collects what the rules say while a message is graded."""

    def __init__(self, *decided: str) -> None:
        self.findings: list[Finding] = []
        self.decided: set[str] = set(decided)
        self.is_schema_valid = True

    def refuse(self, finding: Finding) -> None:
        """Note a finding that makes the document invalid."""
        self.is_schema_valid = False
        self.findings.append(finding)

    def ask(self, rules: Rules, subject: object, context: Sequence[object], place: str) -> None:
        """Ask every rule about one subject."""
        for requirement, objection in rules.ask(subject, *context):
            self.decided.add(requirement)
            if objection is not None:
                self.findings.append(_finding(requirement, place, objection))

    def ask_each(self, batch: Batch, known: Knowledge) -> None:
        """Ask every rule about the berichten of a batch; the findings stand bericht by bericht."""
        findings: list[Finding] = []
        for requirement, objections in on_bericht.ask_each(batch.berichten, batch, known):
            self.decided.add(requirement)
            findings += [_finding(requirement, f"Berichten/Bericht[{index + 1}]", objection, index) for index, objection in objections]
        self.findings += sorted(findings, key=attrgetter("bericht"))

    def grading(self) -> Grading:
        """Return what was collected, one finding per requirement and bericht: the schema and a rule may see the same fault."""
        kept: dict[tuple[str, int | None], Finding] = {}
        for finding in self.findings:
            kept.setdefault((finding.requirement, finding.bericht), finding)
        shown = tuple(_shown(finding) for finding in kept.values())
        return Grading(shown, frozenset(self.decided | {finding.requirement for finding in shown}), self.is_schema_valid)


def _shown(finding: Finding) -> Finding:
    return replace(finding, where=quoted(finding.where), expected=quoted(finding.expected), seen=quoted(finding.seen))


def _finding(requirement: str, place: str, objection: Objection, bericht: int | None = None) -> Finding:
    where = f"{place}/{objection.where}" if objection.where else place
    return Finding(requirement, where, objection.expected, objection.seen, objection.is_note, bericht)
