"""Tests of report.json: its published shape, its stability and its silence about citizens."""

import copy
import json
from datetime import UTC, datetime

import jsonschema
import pytest

from conformance import specs
from conformance.report.json_report import document, to_json
from conformance.report.model import KnownFailure, grade


@pytest.fixture
def validator():
    """Return a validator of the published schema."""
    schema = json.loads(specs.path("report.schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


@pytest.fixture
def doc(everything):
    """Return the document of a run in which every verdict occurs."""
    return document(*everything)


@pytest.mark.golden
def test_report_json_is_as_stored(doc, golden):
    """
    The whole file, key by key, is what it was.
    """
    golden("report.json", to_json(doc))


def test_report_follows_the_published_schema(doc, validator):
    """
    What the kit writes is what it says that it writes.
    """
    assert list(validator.iter_errors(json.loads(to_json(doc)))) == []


def test_partial_and_locked_runs_follow_the_schema(conformant, make, validator):
    """
    A selection and a certification have the same shape.
    """
    catalogue = make.catalogue(make.requirement("AANL-001"))
    partial = grade(make.run(make.result("AANL-001"), selection=("AANL-001",)), catalogue, ["aanleveren"])

    assert document(partial, catalogue)["selection"] == ["AANL-001"]
    assert validator.is_valid(document(partial, catalogue))
    assert validator.is_valid(document(*conformant))


def paths(value, path=()):
    """Yield the path of every object whose keys the schema fixes."""
    if isinstance(value, dict):
        if path != ("profile",):
            yield path
        for key, item in value.items():
            if key != "profile":
                yield from paths(item, (*path, key))
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from paths(item, (*path, place))


def test_no_key_may_be_added_or_missing_anywhere(doc, validator):
    """
    Readers can rely on exactly these keys: one more or one less is another version.
    """
    for path in paths(doc):
        for key in (*_at(doc, path), None):
            changed = copy.deepcopy(doc)
            target = _at(changed, path)
            if key is None:
                target["extra"] = 1
            else:
                del target[key]

            assert not validator.is_valid(changed), (path, key)


def _at(value, path):
    for step in path:
        value = value[step]
    return value


def test_same_results_give_the_same_bytes(everything, make):
    """
    Order of results and moments of the run leave no other trace than started and finished.
    """
    report, catalogue = everything
    later = make.run(
        *reversed(report.run.results),
        notes=report.run.notes,
        started=datetime(2026, 11, 24, 10, tzinfo=UTC),
        finished=datetime(2026, 11, 24, 11, tzinfo=UTC),
    )
    known = [KnownFailure("AANL-075", "Leverancier levert in januari.", "J. Jansen", datetime(2027, 1, 31, tzinfo=UTC).date())]
    again = grade(later, catalogue, ["aanleveren", "validatie"], {"VERW-036": "Wij wissen het BSN na een dag."}, known)

    first, second = document(report, catalogue), document(again, catalogue)

    assert first["started"] != second["started"]
    assert to_json(first) == to_json(second | {"started": first["started"], "finished": first["finished"]})


def test_no_bsn_is_in_the_report(doc):
    """
    BSNs in quotes, notes and profile are masked; the seed stays, although it has nine digits.
    """
    text = to_json(doc).decode()

    assert "999990019" not in text
    assert "99999001<" not in text
    assert "9999*****" in text
    assert doc["seed"] == 123456789


def test_contradictions_come_with_both_readings(doc):
    """
    A verdict that rests on D4 shows what both sides say; an id that the catalogue lacks is left out.
    """
    rests_on = next(item for item in doc["requirements"] if item["id"] == "AANL-035")["contradictions"]

    assert [item["id"] for item in rests_on] == ["D4"]
    assert rests_on[0]["a"] == "XSD: vanaf de aanleverdatum"


def test_what_breaks_the_run_by_itself_is_named(make):
    """
    Expired and outdated known failures and unknown requirements are listed with their cause.
    """
    catalogue = make.catalogue(make.requirement("AANL-001"))
    day = datetime(2026, 1, 1, tzinfo=UTC).date()
    known = [KnownFailure("AANL-001", "r", "o", day)]

    report = grade(make.run(make.result("AANL-001"), make.result("AANL-999")), catalogue, ["aanleveren"], known_failures=known)

    assert document(report, catalogue)["broken_by"] == [
        {"id": "AANL-001", "cause": "known-failure-expired"},
        {"id": "AANL-001", "cause": "known-failure-no-longer-fails"},
        {"id": "AANL-999", "cause": "requirement-unknown"},
    ]
