"""Who decides each requirement, and which deliberate defect fails it: what the generated coverage file is made of."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from conformance.afnemer.defects import DEFECTS
from conformance.berichtenbox.defects import RESULT_DEFECTS
from conformance.berichtenbox.generated_defects import GENERATED_DEFECTS
from conformance.berichtenbox.service_defects import SERVICE_DEFECTS
from conformance.berichtenbox.wire_defects import WIRE_DEFECTS
from conformance.catalogue import catalogue
from conformance.rules.grading import rule_requirements
from conformance.stage.running import collected


def deciders() -> Mapping[str, Sequence[str]]:
    """Return, for each requirement, the rule and the cases that decide it; for a norm the commands that judge it and what it comes down to."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for requirement in rule_requirements():
        found[requirement].append("rule")
    for case, requirements, _ in collected():
        for requirement in requirements:
            if case.partition("[")[0] not in found[requirement]:
                found[requirement].append(case.partition("[")[0])
    for norm in catalogue().values():
        found[norm.id] += norm.judged_by
    return {requirement: sorted(names) for requirement, names in sorted(found.items()) if names}


def defects() -> Mapping[str, Sequence[str]]:
    """Return, for each requirement, the defects that must fail it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for defect in DEFECTS.values():
        for requirement in defect.fails:
            found[requirement].append(defect.name)
    for wrong in RESULT_DEFECTS:
        found[wrong.fails].append(f"berichtenbox {wrong.name}")
    for deviant in (*WIRE_DEFECTS, *SERVICE_DEFECTS, *GENERATED_DEFECTS):
        for requirement in deviant.fails:
            found[requirement].append(f"berichtenbox {deviant.name}")
    return {requirement: sorted(names) for requirement, names in sorted(found.items())}
