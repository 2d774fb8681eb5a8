"""Holds an answer against the OpenAPI of the face that gave it, with the checks of Schemathesis; XML against its schema too."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import requests
import schemathesis
import yaml
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from conformance import specs
from conformance.messages.guard import etree, local_name, parse, schema_errors
from conformance.messages.validatie import read_antwoord
from conformance.transport.ebms2.http import HttpAnswer
from conformance.transport.soap import NS_SOAP

CHECKS: Final = [status_code_conformance, content_type_conformance, response_schema_conformance]
_ENVELOPE: Final = "soap-envelope.xsd"
_ANSWER: Final = "ValidateAbonnementenResponse"


@schemathesis.deserializer("text/xml")
def _read_xml(_context: Any, response: Response) -> Any:
    """Return an envelope as what the OpenAPI says of it; raises ``ValueError`` when a schema does not take it."""
    root = parse(response.content)
    errors = schema_errors(root, _ENVELOPE, most=1)
    if errors:
        raise ValueError(f"{errors[0].path}: {errors[0].text}")
    body = root.find(f"{{{NS_SOAP}}}Body")
    for content in [] if body is None else body:
        if local_name(content) == _ANSWER:
            read_antwoord(content)
    return _shown(root)


def _shown(element: etree._Element) -> Any:
    if not len(element):
        text = (element.text or "").strip()
        return text.rpartition(":")[2] if local_name(element) == "faultcode" else text
    return {local_name(child): _shown(child) for child in element}


@cache
def _operations(name: str) -> Any:
    document = yaml.safe_load(specs.path(f"openapi/{name}.yaml").read_text(encoding="utf-8"))
    return schemathesis.openapi.from_dict(document)


def operations(name: str, below: str) -> Sequence[Any]:
    """Return the operations of ``specs/openapi/`` file ``name`` whose path begins with ``below``."""
    return [found.ok() for found in _operations(name).get_all_operations() if found.ok().path.startswith(below)]


def objection(path: str, body: bytes, answer: HttpAnswer) -> str:
    """Return what the answer to a POST to ``path`` has against ``specs/openapi/xml-faces.yaml``, in a sentence; empty when nothing."""
    if not answer.status:
        return "no HTTP answer"
    case = _operations("xml-faces")[path]["POST"].Case(body=body, media_type="text/xml")
    request = requests.Request("POST", f"http://berichtenbox.invalid{path}", data=body).prepare()
    headers = {name: [value] for name, value in answer.headers.items()}
    response = Response(answer.status, headers, answer.body, request, 0.0, verify=True)
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as found:
        return f"HTTP {answer.status}: {told(found.exceptions)}"
    return ""


def told(failures: Sequence[BaseException]) -> str:
    """Return what the checks of Schemathesis found, in a line."""
    texts = (" ".join(str(failure).split()) for failure in failures)
    return "; ".join(sorted(text[:300] for text in texts))
