"""The report as JUnit XML, for the CI servers of connected organisations.

One suite a subject, one test case a requirement and case. Only writes XML, so the guarded parser has no part in it.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from conformance.report.texts import printable

_OUTCOMES = {"failed": "failure", "kit-error": "error", "not-tested": "skipped", "not-applicable": "skipped"}
_NOTED = {"warning", "declared"}


def render(document: Mapping[str, Any]) -> bytes:
    """Return ``junit.xml`` for a document of ``json_report.document``: UTF-8, without characters that XML forbids."""
    name = "berichtenbox (selection)" if document["selection"] is not None else "berichtenbox"
    root = ET.Element("testsuites", name=name)
    for subject, items in groupby(document["requirements"], lambda item: item["subject"]):
        root.append(_suite(subject, [case for item in items for case in _testcases(item)], document))
    if document["broken_by"]:
        root.append(_suite("known-failures", [_broken(item) for item in document["broken_by"]], document))
    _set_counts(root, list(root.iter("testcase")))
    root.set("time", _duration(document))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def render_outcomes(name: str, outcomes: Iterable[tuple[str, str]]) -> bytes:
    """Return JUnit XML of one suite: of each test case its name, and what was wrong (empty: nothing)."""
    root, suite = ET.Element("testsuites", name="berichtenbox"), ET.Element("testsuite", name=printable(name))
    for case, wrong in outcomes:
        element = ET.SubElement(suite, "testcase", classname=printable(name), name=printable(case))
        if wrong:
            ET.SubElement(element, "failure", message=printable(wrong.partition("\n")[0])).text = printable(wrong)
    root.append(suite)
    for counted in (root, suite):
        _set_counts(counted, list(suite))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(name: str, cases: list[ET.Element], document: Mapping[str, Any]) -> ET.Element:
    suite = ET.Element("testsuite", name=printable(name), timestamp=document["started"])
    _set_counts(suite, cases)
    suite.extend(cases)
    return suite


def _set_counts(suite: ET.Element, cases: list[ET.Element]) -> None:
    suite.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))


def _duration(document: Mapping[str, Any]) -> str:
    started, finished = (datetime.fromisoformat(document[key]) for key in ("started", "finished"))
    return f"{(finished - started).total_seconds():.3f}"


def _testcases(item: Mapping[str, Any]) -> Iterable[ET.Element]:
    """Yield a test case for each case of a requirement, or one for the requirement when no case decided it."""
    if not item["cases"] or item["reason"] == "service-not-used":
        yield _testcase(item, item["id"], item["verdict"], item["reason"] or item["declaration"] or "", "")
        return
    for case in item["cases"]:
        quotes = [("expected", case["expected"]), ("seen", case["seen"]), ("evidence", ", ".join(case["evidence"]))]
        body = "\n".join(f"{label}: {text}" for label, text in quotes if text)
        yield _testcase(item, f"{item['id']} {case['id']}", case["verdict"], case["message"] or case["reason"] or "", body)


def _testcase(item: Mapping[str, Any], name: str, verdict: str, message: str, body: str) -> ET.Element:
    element = ET.Element("testcase", classname=printable(f"{item['subject']}.{item['id']}"), name=printable(name))
    known = item["known_failure"]
    if verdict == "failed" and known is not None:
        text = f"known failure until {known['until']} ({known['owner']}): {known['reason']} {message}"
        ET.SubElement(element, "skipped", message=printable(text)).text = printable(body)
    elif verdict in _OUTCOMES:
        ET.SubElement(element, _OUTCOMES[verdict], message=printable(message)).text = printable(_explained(item, body))
    elif verdict in _NOTED:
        ET.SubElement(element, "system-out").text = printable("\n".join(part for part in (f"{verdict}: {message}", body) if part))
    return element


def _explained(item: Mapping[str, Any], body: str) -> str:
    """Return the clause, the quotes and how to run only this requirement."""
    clause = f"{item['titles']['en']} [{item['level']}, {item['source']}, {item['certainty']}]"
    is_load = any(case["id"].startswith("load/") for case in item["cases"])
    again = "" if is_load else f"run only this: berichtenbox certify --only {item['id']}"
    return "\n".join(part for part in (clause, body, again) if part)


def _broken(item: Mapping[str, str]) -> ET.Element:
    element = ET.Element("testcase", classname="known-failures", name=printable(f"{item['id']} {item['cause']}"))
    tag = "error" if item["cause"] == "requirement-unknown" else "failure"
    ET.SubElement(element, tag, message=printable(f"{item['id']}: {item['cause']}"))
    return element
