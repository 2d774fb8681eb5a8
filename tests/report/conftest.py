"""A small catalogue and a run over it in which every verdict occurs, for the tests of the reports."""

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from conformance.catalogue import Binds, Catalogue, Certainty, Contradiction, DecidedBy, Level, Requirement
from conformance.report.model import KnownFailure, Report, Run, grade
from conformance.verdicts import CaseResult, Reason, Verdict

GOLDEN = Path(__file__).parent / "golden"
SERVICES = ("aanleveren", "validatie")


def requirement(id_: str, **changes: Any) -> Requirement:
    """Make a confirmed MUST that binds the Afnemer, unless told otherwise."""
    values: dict[str, Any] = {
        "id": id_,
        "subject": id_.partition("-")[0],
        "title_nl": f"Eis {id_} staat in `specs`.",
        "title_en": f"Requirement {id_} is in `specs`.",
        "level": Level.MUST,
        "binds": Binds.AFNEMER,
        "source": "SNO 2023, 2.2.1",
        "certainty": Certainty.BEVESTIGD,
        "decided_by": DecidedBy.CASE,
        "service": "aanleveren",
        "contradictions": (),
        "pitfalls": (),
        "advice_nl": f"Herstel {id_} <vandaag>.",
        "advice_en": f"Repair {id_} <today>.",
        "declare_nl": "",
        "declare_en": "",
        "undecided_reason": None,
    }
    return Requirement(**(values | changes))


def result(id_: str, verdict: Verdict = Verdict.PASSED, case: str = "geval/een", **changes: Any) -> CaseResult:
    """Make the result of one case."""
    return CaseResult(id_, case, verdict, changes.pop("message", f"{verdict} by {case}"), **changes)


def make_run(*results: CaseResult, **changes: Any) -> Run:
    """Make a run of two minutes over the default profile."""
    profile = {"afnemer": {"name": "Gemeente Voorbeeld", "oin": "00000099000000001000", "services": list(SERVICES)}}
    values: dict[str, Any] = {
        "started": datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC),
        "finished": datetime(2026, 11, 24, 9, 2, 0, 500_000, tzinfo=UTC),
        "profile": profile,
        "seed": 123456789,
        "results": results,
    }
    return Run(**(values | changes))


def make_catalogue(*requirements: Requirement) -> Catalogue:
    """Make a catalogue with one contradiction, D4."""
    d4 = Contradiction(
        "D4",
        "Vanaf wanneer de 13 dagen tellen",
        "From when the 13 days count",
        "XSD: vanaf de aanleverdatum",
        "Aansluithandleiding: vanaf `AanmaakDatum`",
        "De kit toetst alleen waar beide lezingen gelijk zijn.",
        "The kit only tests where both readings agree.",
    )
    return Catalogue(requirements, [d4], "c0ffee" * 10 + "beef")


def run_of_everything() -> tuple[Run, Catalogue, dict[str, str], list[KnownFailure]]:
    """Return a run, with its catalogue, declarations and known failures, in which every verdict occurs."""
    catalogue = make_catalogue(
        requirement("AANL-001"),
        requirement("AANL-035", contradictions=("D4",)),
        requirement("AANL-036", level=Level.SHOULD, certainty=Certainty.AANNAME),
        requirement("AANL-075", certainty=Certainty.GEMELD),
        requirement("AANL-080"),
        requirement("HERL-001"),
        requirement("VAL-001", service="abonnementen"),
        requirement("VERW-001"),
        requirement("VERW-036", level=Level.MAY, decided_by=DecidedBy.DECLARED, declare_nl="Gewist?", declare_en="Wiped?"),
        requirement("VERW-037", level=Level.SHOULD, decided_by=DecidedBy.DECLARED, declare_nl="Alarm?", declare_en="Alarm?"),
        requirement("VERW-050", binds=Binds.LOGIUS, decided_by=DecidedBy.RULE),
    )
    results = (
        result("AANL-001", case="aanleveren/twee", evidence=("evidence/aanleveren-twee-01.xml",)),
        result("AANL-001", case="aanleveren/een", evidence=("evidence/aanleveren-een-01.xml",)),
        result(
            "AANL-035",
            Verdict.FAILED,
            "aanleveren/oud",
            message="AanmaakDatum is 14 dagen oud.",
            expected="hoogstens 13 dagen",
            seen="<AanmaakDatum>2026-11-10T09:00:00Z</AanmaakDatum>",
            evidence=("evidence/aanleveren-oud-01.xml",),
            contradictions=("D4", "D99"),
        ),
        result("AANL-036", Verdict.FAILED, "aanleveren/toekomst", seen="AanmaakDatum \x00\ud800 over een uur"),
        result("AANL-075", Verdict.FAILED, "aanleveren/bsn", seen="<b:GebruikerID>99999001</b:GebruikerID> van 999990019"),
        result("AANL-080", Verdict.KIT_ERROR, "aanleveren/bijlagen", message="ValueError in the case"),
        result("HERL-001", Verdict.NOT_TESTED, "herlevering/alles", reason=Reason.DRIVER_CANNOT, message=""),
    )
    run = make_run(*results, notes=("Geschaald: 10 % van het profiel van 999990019.",))
    known = [KnownFailure("AANL-075", "Leverancier levert in januari.", "J. Jansen", date(2027, 1, 31))]
    return run, catalogue, {"VERW-036": "Wij wissen het BSN na een dag."}, known


@pytest.fixture
def everything() -> tuple[Report, Catalogue]:
    """Return a graded run in which every verdict occurs, with its catalogue."""
    run, catalogue, declarations, known = run_of_everything()
    return grade(run, catalogue, SERVICES, declarations, known), catalogue


@pytest.fixture
def conformant() -> tuple[Report, Catalogue]:
    """Return a locked run that is conformant, with its catalogue."""
    catalogue = make_catalogue(requirement("AANL-001"), requirement("AANL-002"))
    return grade(make_run(result("AANL-001"), result("AANL-002"), locked=True), catalogue, SERVICES), catalogue


def _normalised(text: str) -> str:
    """Replace what differs from run to run: moments and the kit's version."""
    text = re.sub(r"2026-11-24T[0-9:.]+Z", "MOMENT", text)
    text = re.sub(r"24 [Nn]ovember 2026, [0-9:]+ UTC", "MOMENT", text)
    return re.sub(r'(berichtenbox-conformance|"version": ")([ "]?)[0-9]+\.[0-9]+[^"<\s]*', r"\1\2VERSION", text)


@pytest.fixture
def golden():
    """Return a comparison with a stored file, after normalising; UPDATE_GOLDEN=1 stores what is seen instead."""

    def compare(name: str, data: bytes) -> None:
        seen = _normalised(data.decode())
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.write_text(seen, encoding="utf-8", newline="\n")
        assert seen == path.read_text(encoding="utf-8"), f"{name} differs; UPDATE_GOLDEN=1 stores the new one"

    return compare


@pytest.fixture
def make():
    """Return the makers of small catalogues, runs and results."""

    class Make:
        requirement = staticmethod(requirement)
        result = staticmethod(result)
        run = staticmethod(make_run)
        catalogue = staticmethod(make_catalogue)

    return Make
