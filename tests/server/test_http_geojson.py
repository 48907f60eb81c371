"""Real outlines over HTTP: the polygons of gRPC, as annotations that a client replaces by id."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from deepscribble.client import Client
from deepscribble.geometry import Kind, Label, Outline, Region, Stroke, wire
from deepscribble.models import Card
from deepscribble.server import Faces, background_faces
from deepscribble.stores import polygon_id
from deepscribble.v1 import deepscribble_pb2 as pb

REGION = Region(1000, 2000, 400, 300, 0.5)
RGB = np.random.default_rng(0).integers(60, 256, (150, 200, 3), dtype=np.uint8)
PLACE = {"x": 1000, "y": 2000, "width": 400, "height": 300, "mpp": 0.5}
GEOJSON = {"Accept": "application/geo+json"}


@pytest.fixture(scope="module")
def near_models(untrained: Callable[..., Path], guide_card: Card, refine_card: Card) -> Path:
    """Networks that nobody trained, whose strokes reach only a part of the region."""
    return untrained(guide_card, refine_card.model_copy(update={"influence_radius": 16.0}))


@pytest.fixture(scope="module")
def faces(near_models: Path) -> Iterator[Faces]:
    with background_faces(near_models, "cpu") as faces:
        yield faces


@pytest.fixture(scope="module")
def web(faces: Faces) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://{faces.http}", trust_env=False, timeout=300) as client:
        yield client


@pytest.fixture(scope="module")
def region_id(web: httpx2.Client) -> str:
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "PNG")
    kind = {"Content-Type": "image/png"}
    answer = web.put("/v1/regions", content=file.getvalue(), headers=kind)
    return str(answer.json()["regionId"])


def drawn(number: int) -> Stroke:
    """A stroke along a row of its own, so that it reaches only a part of the region."""
    y = 2020.0 + 14 * number
    path = np.array([[1050.0, y], [1200.0, y + 8], [1350.0, y]])
    id = f"00000000-0000-4000-8000-{number:012d}"
    return Stroke(id, list(Label)[number % 2], Kind.POLYLINE, (path,), 3.0)


def as_json(stroke: Stroke) -> dict[str, Any]:
    label = f"LABEL_{stroke.label.name}"
    lines = [{"xy": part.ravel().tolist()} for part in stroke.parts]
    return {
        "id": stroke.id,
        "label": label,
        "width": stroke.width,
        "polyline": {"lines": lines},
    }


def as_feature(stroke: Stroke, name: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": stroke.id,
        "geometry": {"type": "LineString", "coordinates": stroke.parts[0].tolist()},
        "properties": {
            "objectType": "annotation",
            "classification": {"name": name},
            "measurements": {"stroke width": stroke.width},
        },
    }


def rings(outline: Outline) -> list[list[list[list[float]]]]:
    return [
        [[*ring.tolist(), ring[0].tolist()] for ring in polygon.rings]
        for polygon in outline.polygons
    ]


def of_json(answer: dict[str, Any]) -> Outline:
    message = pb.RefineResponse()
    for polygon in answer["polygons"]:
        message.polygons.add(
            exterior=pb.Path(xy=polygon["exterior"]["xy"]),
            holes=[pb.Path(xy=hole["xy"]) for hole in polygon["holes"]],
            area_um2=polygon["areaUm2"],
            mean_probability=polygon["meanProbability"],
        )
    return wire.read_outline(message)


def test_both_faces_answer_the_same_polygons(
    faces: Faces, web: httpx2.Client, region_id: str
) -> None:
    asked = {"region": PLACE, "pixels": {"regionId": region_id}}
    strokes = [drawn(0), drawn(5)]
    with Client(faces.grpc) as client:
        handle = client.open(REGION, RGB)
        assert handle.region_id == region_id
        for over_grpc, address, more in (
            (handle.segment(), "/v1/segment", {}),
            (handle.refine(strokes), "/v1/refine", {"strokes": [as_json(s) for s in strokes]}),
        ):
            answer = web.post(address, json=asked | more).json()
            assert rings(of_json(answer)) == rings(over_grpc)
            assert answer["outlineId"] == over_grpc.outline_id
            for polygon, same in zip(answer["polygons"], over_grpc.polygons, strict=True):
                assert polygon["areaUm2"] == same.area_um2
                assert polygon["meanProbability"] == same.mean_probability
            collection = web.post(address, json=asked | more, headers=GEOJSON).json()
            features = collection["features"]
            assert [f["geometry"]["coordinates"] for f in features] == rings(over_grpc)
            assert [f["id"] for f in features] == [
                polygon_id(polygon, "Tumor") for polygon in over_grpc.polygons
            ]
            assert "removed" not in collection
            assert collection["strokeIds"] == list(over_grpc.stroke_ids)


def test_a_client_that_only_adds_and_removes_has_the_whole_outline(
    web: httpx2.Client, region_id: str
) -> None:
    asked = {"region": PLACE, "pixels": {"regionId": region_id}}
    first = web.post("/v1/segment?class=Lesion", json=asked, headers=GEOJSON).json()
    held = {feature["id"]: feature for feature in first["features"]}
    known, kept, sent = first["outlineId"], 0, []
    # The fifth answer goes back by two strokes, as a person who undoes them.
    for count in (1, 2, 3, 4, 2, 3):
        common = min(count - 1, len(sent))
        sent = [drawn(number) for number in range(count)]
        more = {
            "strokes": [as_json(stroke) for stroke in sent[common:]],
            "knownOutline": known,
            "knownStrokes": common,
        }
        answer = web.post("/v1/refine?class=Lesion", json=asked | more, headers=GEOJSON).json()
        assert set(answer["removed"]) <= held.keys()
        for id in answer["removed"]:
            del held[id]
        assert not held.keys() & {feature["id"] for feature in answer["features"]}
        kept += len(held)
        held |= {feature["id"]: feature for feature in answer["features"]}
        known = answer["outlineId"]
        whole = web.post(
            "/v1/refine?class=Lesion",
            json=asked | {"strokes": [as_json(stroke) for stroke in sent]},
            headers=GEOJSON,
        ).json()
        assert held.keys() == {feature["id"] for feature in whole["features"]}
        for feature in whole["features"]:
            assert held[feature["id"]]["geometry"] == feature["geometry"]
            assert feature["properties"]["classification"] == "Lesion"
        assert len(held) == len(whole["features"])
    assert kept, "a change that keeps nothing tests nothing"


def test_each_further_stroke_sends_less_than_4_kb(web: httpx2.Client, region_id: str) -> None:
    asked = {"region": PLACE, "pixels": {"regionId": region_id}}
    long = Stroke("0" * 36, Label.FOREGROUND, Kind.POLYLINE, (np.full((40, 2), 1e5 / 7),), 3.0)
    known = {"knownOutline": "f" * 64, "knownStrokes": 19, "strokes": [as_json(long)]}
    request = web.build_request("POST", "/v1/refine", json=asked | known, headers=GEOJSON)
    head = sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
    assert head + len(request.content) < 4096


def refine(web: httpx2.Client, features: Any, **parameters: Any) -> httpx2.Response:
    return web.post(
        "/v1/refine",
        params={"region": "1000,2000,400,300", "mpp": 0.5} | parameters,
        content=json.dumps({"type": "FeatureCollection", "features": features}),
        headers={"Content-Type": "application/geo+json"},
    )


def test_strokes_as_qupath_exports_them_make_the_same_outline(
    web: httpx2.Client, region_id: str
) -> None:
    strokes = [drawn(0), drawn(5)]
    asked = {"region": PLACE, "pixels": {"regionId": region_id}}
    expected = web.post(
        "/v1/refine", json=asked | {"strokes": [as_json(stroke) for stroke in strokes]}
    ).json()
    names = {Label.FOREGROUND: "Lesion", Label.BACKGROUND: "Stroma"}
    features = [as_feature(stroke, names[stroke.label]) for stroke in strokes]
    features.append(as_feature(drawn(9), "Necrosis"))
    answer = refine(web, features, region_id=region_id, foreground=["Lesion", "Les*"])
    got = answer.json()
    assert got["outlineId"] == expected["outlineId"]
    assert got["polygons"] == expected["polygons"]
    assert got["strokeIds"] == [stroke.id for stroke in strokes]
    assert [warning["code"] for warning in got["warnings"]] == ["FEATURES_IGNORED"]
    assert "Necrosis" in got["warnings"][0]["message"]
    further = refine(
        web,
        [as_feature(drawn(8), "Tumor")],
        region_id=region_id,
        known_outline=got["outlineId"],
        known_strokes=2,
    ).json()
    assert further["strokeIds"] == [stroke.id for stroke in (*strokes, drawn(8))]
    assert further["change"]["knownOutline"] == got["outlineId"]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"region": "1000,2000,400"}, "region"),
        ({"region": "1000,2000,400,3e2"}, "region"),
        ({"region": ""}, "region"),
        ({"region": "1000,2000,400,9999999999"}, "region"),
        ({"mpp": "half"}, "mpp"),
        ({"mpp": "nan"}, "region.mpp"),
        ({"mpp": ""}, "region.mpp"),
        ({"region_id": ""}, "pixels"),
        ({"known_strokes": "1.5"}, "known_strokes"),
        ({"known_strokes": "-1"}, "known_strokes"),
        ({"stroke_width": "wide"}, "stroke_width"),
        ({"colour": "red"}, "colour"),
        ({"foreground": "Stroma", "background": "Stroma"}, "classes"),
    ],
)
def test_a_bad_parameter_is_named(
    parameters: dict[str, str], field: str, web: httpx2.Client, region_id: str
) -> None:
    stroke = as_feature(drawn(0), "Stroma")
    answer = refine(web, [stroke], **({"region_id": region_id} | parameters))
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (400, field)


@pytest.mark.parametrize(
    "features",
    [
        "none",
        [{"type": "Point"}],
        [as_feature(drawn(0), "Tumor") | {"geometry": None}],
        [as_feature(drawn(0), "Tumor") | {"geometry": {"type": "Circle", "coordinates": [1, 2]}}],
        [as_feature(drawn(0), "Tumor") | {"geometry": {"type": "Point", "coordinates": [1, None]}}],
    ],
)
def test_geojson_that_holds_no_strokes_is_refused(
    features: Any, web: httpx2.Client, region_id: str
) -> None:
    answer = refine(web, features, region_id=region_id)
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_ARGUMENT")
    assert answer.json()["field"].startswith("body")


def test_what_the_server_does_not_have_is_asked_for(web: httpx2.Client, region_id: str) -> None:
    stroke = [as_feature(drawn(0), "Tumor")]
    gone = refine(web, stroke, region_id="f" * 64)
    assert (gone.status_code, gone.json()["reason"]) == (404, "REGION_NOT_FOUND")
    gone = refine(web, stroke, region_id=region_id, known_outline="f" * 64, known_strokes=1)
    assert (gone.status_code, gone.json()["reason"]) == (404, "OUTLINE_NOT_FOUND")
    gone = refine(web, stroke, region_id=region_id, refine_model="glioma")
    assert (gone.status_code, gone.json()["reason"]) == (404, "MODEL_NOT_FOUND")
    # Without strokes to recall, an outline that is not known only means that all of it comes.
    whole = refine(web, stroke, region_id=region_id, known_outline="f" * 64)
    assert "change" not in whole.json()
