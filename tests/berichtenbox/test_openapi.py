"""The descriptions of our faces say what the app does: no route too many, none too few. Answers are held against them in every test of a face."""

import json
import re

import httpx
import jsonschema
import pytest
import yaml
from starlette.routing import Mount

from conformance import specs
from conformance.berichtenbox.app import CANARY_PATH, create_app
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.ebms_face import PATH as EBMS_PATH
from conformance.berichtenbox.faults import KINDS, Point
from conformance.berichtenbox.ledger import State
from conformance.berichtenbox.wus_face import PATH as WUS_PATH
from conformance.messages.verwerkingsbericht import VerwerkingsCode


@pytest.fixture
def routes(box):
    """The routes of the app."""
    committer = GroupCommitter(box.ledger, lambda: None)
    app = create_app(box, committer)
    committer.stop()
    return app.routes


@pytest.fixture
def mounts(routes):
    """The operations of each face, by the path under which it is mounted."""
    faces = [route for route in routes if isinstance(route, Mount)]
    return {face.path: {operation for route in face.routes for operation in operations(route)} for face in faces}


def operations(route):
    """Return (method, path) of what a route answers, without the names of parameters."""
    return {(method, re.sub(r"{[^}]*}", "{}", route.path)) for method in route.methods - {"HEAD"}}


@pytest.mark.parametrize("name", ["ebms-adapter", "control", "berichtpresentatie"])
def test_every_route_is_described_and_every_description_has_a_route(mounts, make, name):
    """
    The operations of a face and those of its description are the same.
    """
    description = make.description(name)

    assert mounts[description.base] == description.operations()


def test_every_face_is_described(routes, mounts, make):
    """
    The app has no other faces than the described ones; beside them stand where a trap in a message leads, and SOAP, which its WSDL describes.
    """
    assert set(mounts) == {make.description(name).base for name in ("ebms-adapter", "control", "berichtpresentatie")}
    assert [route.path for route in routes if not isinstance(route, Mount)] == [f"{CANARY_PATH}/{{naam}}", WUS_PATH]


def test_faces_with_xml_are_described():
    """
    SOAP and ebMS2 are POSTs, at the paths where they are served; `verify` holds their answers against this description.
    """
    described = yaml.safe_load(specs.path("openapi/xml-faces.yaml").read_text(encoding="utf-8"))["paths"]

    assert {path: [method for method in ("get", "post", "put", "patch", "delete") if method in item] for path, item in described.items()} == {
        EBMS_PATH: ["post"],
        WUS_PATH: ["post"],
    }


def test_the_control_face_describes_every_name_that_it_uses(make):
    """
    Faults, points, states and codes in the description are those of the code.
    """
    schemas = make.description("control").document["components"]["schemas"]

    assert schemas["FoutNaam"]["enum"] == list(KINDS)
    assert schemas["Punt"]["enum"] == [str(point) for point in Point]
    assert schemas["Staat"]["enum"] == [str(state) for state in State]
    assert schemas["VerwerkingsCode"]["enum"] == [str(code) for code in VerwerkingsCode]


@pytest.mark.parametrize("name", ["ebms-adapter", "control", "berichtpresentatie"])
def test_every_schema_is_one(make, name):
    """
    Each schema in a description is a JSON schema.
    """
    for schema in make.description(name).document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_a_request_of_ours_fits_the_description(sender, make):
    """
    What the kit's own sender posts is what the description asks for.
    """
    components = make.description("ebms-adapter").document["components"]
    validator = jsonschema.Draft202012Validator({"components": components, "$ref": "#/components/schemas/MessageRequest"})

    assert list(validator.iter_errors(json.loads(sender.body(make.batch(), "m")))) == []


@pytest.mark.parametrize(("status", "kind", "body"), [(418, "text/plain", "x"), (200, "text/plain", "{}"), (200, "application/json", '{"nu": 1}')])
def test_an_answer_that_is_not_described_is_seen(make, status, kind, body):
    """
    The check that every test of a face leans on can fail: on status, on kind and on content.
    """
    request = httpx.Request("GET", "http://x/besturing/v1/klok")

    with pytest.raises((AssertionError, jsonschema.ValidationError), match=r"was answered|is not of type|is a required property"):
        make.description("control").check(httpx.Response(status, text=body, headers={"content-type": kind}, request=request))
