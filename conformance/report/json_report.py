"""The report as one JSON document: what machines read, and what the HTML and JUnit reports are made from.

Masked here, once, so that nothing made from it can show a BSN. The same results give the same bytes but for ``started`` and ``finished``.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from conformance import __version__
from conformance.masking import masked_json
from conformance.report.model import KnownFailure, Report, RequirementVerdict
from conformance.verdicts import CaseResult

if TYPE_CHECKING:
    from conformance.catalogue import Catalogue

REPORT_VERSION = "1.0"
KIT_NAME = "berichtenbox-conformance"


def document(report: Report, catalogue: "Catalogue") -> dict[str, Any]:
    """Return the report in the shape of ``specs/report.schema.json``, with every BSN hidden."""
    run = report.run
    requirements = [_requirement(item, catalogue) for item in report.requirements]
    return {
        "report_version": REPORT_VERSION,
        "kit": {"name": KIT_NAME, "version": __version__},
        "started": _moment(run.started),
        "finished": _moment(run.finished),
        "profile": masked_json(run.profile),
        "face": run.face,
        "locked": run.locked,
        "selection": None if run.selection is None else sorted(set(run.selection)),
        "catalogue": report.catalogue_digest,
        "verdict": str(report.verdict),
        "summary": {str(verdict): count for verdict, count in report.summary.items()},
        "seed": run.seed,  # beside the masking: a seed of nine digits is no BSN, and repeats the run
        "notes": masked_json(run.notes),
        "broken_by": list(_broken_by(report)),
        "requirements": masked_json(requirements),
    }


def to_json(report: Mapping[str, Any]) -> bytes:
    """Return the bytes of ``report.json`` for a document of ``document``: UTF-8, indented, in stable order."""
    return (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _broken_by(report: Report) -> Iterable[dict[str, str]]:
    """Yield what breaks the run by itself, although no requirement says so."""
    causes = {
        "known-failure-expired": report.expired,
        "known-failure-no-longer-fails": report.outdated,
        "requirement-unknown": report.unknown,
    }
    return ({"id": id_, "cause": cause} for cause, ids in causes.items() for id_ in ids)


def _requirement(item: RequirementVerdict, catalogue: "Catalogue") -> dict[str, Any]:
    requirement = item.requirement
    rests_on = sorted({*requirement.contradictions, *(id_ for case in item.cases for id_ in case.contradictions)})
    return {
        "id": requirement.id,
        "subject": requirement.subject,
        "title": requirement.title_nl,
        "titles": {"nl": requirement.title_nl, "en": requirement.title_en},
        "level": str(requirement.level),
        "binds": str(requirement.binds),
        "source": requirement.source,
        "certainty": str(requirement.certainty),
        "verdict": str(item.verdict),
        "reason": item.reason and str(item.reason),
        "advice": {"nl": requirement.advice_nl, "en": requirement.advice_en},
        "contradictions": [_contradiction(id_, catalogue) for id_ in rests_on if id_ in catalogue.contradictions],
        "declaration": item.declaration,
        "known_failure": item.known_failure and _known_failure(item.known_failure),
        "cases": [_case(case) for case in item.cases],
    }


def _contradiction(id_: str, catalogue: "Catalogue") -> dict[str, Any]:
    found = catalogue.contradictions[id_]
    return {
        "id": id_,
        "subjects": {"nl": found.subject_nl, "en": found.subject_en},
        "a": found.a,
        "b": found.b,
        "kit": {"nl": found.kit_nl, "en": found.kit_en},
    }


def _known_failure(failure: KnownFailure) -> dict[str, str]:
    return {"reason": failure.reason, "owner": failure.owner, "until": failure.until.isoformat()}


def _case(case: CaseResult) -> dict[str, Any]:
    return {
        "id": case.case,
        "verdict": str(case.verdict),
        "reason": case.reason and str(case.reason),
        "message": case.message,
        "expected": case.expected,
        "seen": case.seen,
        "evidence": sorted(case.evidence),
    }
