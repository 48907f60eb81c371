"""The face keeps to its own description, whatever it is sent."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from deepscribble.server.app import beside
from deepscribble.server.http.openapi import describe
from deepscribble.v1 import deepscribble_pb2 as pb

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FUZZED = settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
PLACE = {"width": 7, "height": 5, "mpp": 0.5}
PIXELS = {"raw": {"width": 7, "height": 5, "rgb": "A" * 140}}


@pytest.fixture(scope="module")
def face(standin: ModuleType) -> Any:
    engine = standin.StandInEngine()
    with beside(lambda: engine, 100_000, http="127.0.0.1:0") as running:
        yield schemathesis.openapi.from_url(f"http://{running.http}/openapi.json")


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        (method, path, mode)
        for path, route in describe()["paths"].items()
        for method, operation in route.items()
        for mode in GenerationMode
        # What takes nothing cannot be sent anything wrong.
        if mode is GenerationMode.POSITIVE or "requestBody" in operation
    ],
)
def test_whatever_is_sent_the_answer_is_as_described(
    method: str, path: str, mode: GenerationMode, face: Any
) -> None:
    operation = face[path][method.upper()]

    @FUZZED
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    send()


def test_whatever_is_drawn_the_answer_is_as_described(face: Any) -> None:
    seen = set()

    @FUZZED
    @given(face["/v1/refine"]["POST"].as_strategy())
    def send(case: Any) -> None:
        # By chance alone hardly any request would get as far as its strokes.
        if case.media_type == "application/json":
            case.query = {}
            case.body |= {"region": PLACE, "pixels": PIXELS}
        else:
            case.query = {"region": "0,0,7,5", "mpp": 0.5, "region_id": "none"}
            for feature in case.body["features"]:
                feature["properties"] = {"classification": "Tumor"}
        seen.add(case.call_and_validate(checks=CHECKS).status_code)

    send()
    # Whether a drawn outline is unknown hangs on the draw.
    assert {200, 400} <= seen <= {200, 400, 404}


def test_the_document_is_openapi_and_follows_the_contract() -> None:
    document = describe()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    for descriptor in (pb.RefineRequest.DESCRIPTOR, pb.Stroke.DESCRIPTOR, pb.Limits.DESCRIPTOR):
        named = schemas[descriptor.name]["properties"]
        assert named.keys() == {field.json_name for field in descriptor.fields}
    assert schemas["Stroke"]["properties"]["label"]["enum"] == list(pb.Label.keys())
    for name in schemas:
        rooted = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema_rs.validator_for(rooted)


def test_one_stroke_has_one_geometry() -> None:
    document = describe()
    validator = jsonschema_rs.validator_for(
        {"$ref": "#/components/schemas/Stroke", "components": document["components"]}
    )
    line, points = {"lines": [{"xy": [1, 2]}]}, {"points": {"xy": [1, 2]}}
    assert validator.is_valid({"id": "s", "polyline": line})
    assert not validator.is_valid({"id": "s", "polyline": line, "points": points})
    assert not validator.is_valid({"id": "s", "colour": "red"})


def test_the_page_about_the_face_names_all_of_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    for path, route in describe()["paths"].items():
        for method, operation in route.items():
            assert f"`{method.upper()} {path}`" in page
            for parameter in operation["parameters"]:
                assert parameter["name"] in page
            for status in operation["responses"]:
                assert status in page
