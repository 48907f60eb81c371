"""Each route as a client of any language sees it, and each of its errors."""

from __future__ import annotations

import base64
import io
import json
import logging
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from deepscribble import errors

RGB = np.arange(7 * 5 * 3, dtype=np.uint8).reshape(5, 7, 3)
REGION = {"x": 10, "y": "20", "width": 7, "height": 5, "mpp": 0.5}
PIXELS = {"raw": {"width": 7, "height": 5, "rgb": base64.b64encode(RGB.tobytes()).decode()}}
ASKED: dict[str, Any] = {"region": REGION, "pixels": PIXELS}


def line(*xy: float, **more: Any) -> dict[str, Any]:
    polyline = {"lines": [{"xy": list(xy)}]}
    return {"id": "s", "label": "LABEL_FOREGROUND", "width": 1, "polyline": polyline, **more}


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, kind)
    return file.getvalue()


def refused(answer: httpx2.Response) -> tuple[int, str, str]:
    """The status, the reason and the field of a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    return answer.status_code, problem["reason"], problem.get("field", "")


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "webp"])
def test_an_image_is_kept_and_stands_for_its_pixels(kind: str, web: httpx2.Client) -> None:
    answer = web.put(
        "/v1/regions", content=encoded(kind), headers={"Content-Type": f"image/{kind}"}
    )
    assert answer.status_code == 200
    got = answer.json()
    assert (got["width"], got["height"], got["warnings"]) == (7, 5, [])
    asked = {"region": REGION, "pixels": {"regionId": got["regionId"]}}
    assert web.post("/v1/segment", json=asked).json()["regionId"] == got["regionId"]


def test_raw_pixels_are_kept_and_an_unusual_image_is_told(web: httpx2.Client) -> None:
    raw = {"Content-Type": "application/octet-stream"}
    answer = web.put("/v1/regions?width=7&height=5", content=RGB.tobytes(), headers=raw)
    png = web.put("/v1/regions", content=encoded("png"), headers={"Content-Type": "image/png"})
    assert answer.json()["regionId"] == png.json()["regionId"]
    gray = io.BytesIO()
    Image.new("L", (7, 5)).save(gray, "PNG")
    answer = web.put("/v1/regions", content=gray.getvalue(), headers={"Content-Type": "image/png"})
    assert [warning["code"] for warning in answer.json()["warnings"]] == ["PIXELS_CONVERTED"]


def test_a_body_without_a_length_is_taken(web: httpx2.Client) -> None:
    data = encoded("png")
    answer = web.put(
        "/v1/regions", content=iter([data[:9], data[9:]]), headers={"Content-Type": "image/png"}
    )
    assert answer.json()["width"] == 7


@pytest.mark.parametrize(
    ("address", "kind", "data", "field"),
    [
        ("/v1/regions", "image/png", b"no image", "encoded"),
        ("/v1/regions", "image/png", b"", "encoded.size"),
        ("/v1/regions", "image/png", encoded("png")[:40], "encoded"),
        ("/v1/regions?width=7", "image/png", encoded("png"), "width"),
        ("/v1/regions?width=7", "application/octet-stream", b"", "raw.height"),
        ("/v1/regions?width=7&height=x", "application/octet-stream", b"", "height"),
        ("/v1/regions?width=7&width=7&height=5", "application/octet-stream", b"", "width"),
        ("/v1/regions?width=7&height=5", "application/octet-stream", b"abc", "chunk"),
        ("/v1/regions?width=7&height=5", "application/octet-stream", b"x" * 106, "chunk"),
        ("/v1/regions?width=7&depth=5", "application/octet-stream", b"", "depth"),
    ],
)
def test_pixels_that_are_none_are_refused(
    address: str, kind: str, data: bytes, field: str, web: httpx2.Client
) -> None:
    answer = web.put(address, content=data, headers={"Content-Type": kind})
    assert refused(answer) == (400, "INVALID_ARGUMENT", field)


def test_segment_and_refine_answer_the_contract_s_messages(web: httpx2.Client, engine: Any) -> None:
    first = web.post("/v1/segment", json=ASKED | {"returnProbability": True}).json()
    assert first["polygons"][0]["exterior"]["xy"] == [10, 20, 17, 20, 17, 25, 10, 25]
    assert first["polygons"][0]["holes"] == []
    assert {"decode", "refine", "total"} == {stage["name"] for stage in first["stages"]}
    values = base64.b64decode(first["probability"]["values"])
    np.testing.assert_array_equal(np.frombuffer(values, "<f4"), np.full(35, 0.25))
    answer = web.post("/v1/refine", json=ASKED | {"strokes": [line(11, 21, 12, 22)]}).json()
    assert answer["strokeIds"] == ["s"]
    assert [warning["strokeId"] for warning in answer["warnings"]] == ["s"]
    assert "probability" not in answer
    np.testing.assert_array_equal(engine.strokes[0].parts[0], [[11, 21], [12, 22]])
    snake = {"region": REGION, "pixels": {"region_id": answer["regionId"]}, "guide_model": ""}
    assert web.post("/v1/segment", json=snake).status_code == 200


def test_models_server_and_health_are_told(web: httpx2.Client, engine: Any) -> None:
    models = {model["name"]: model for model in web.get("/v1/models").json()["models"]}
    assert models["refine"]["influenceRadius"] == 128
    assert not models["guide-other"]["isDefault"]
    server = web.get("/v1/server").json()
    assert (server["device"], server["precision"]) == ("cpu", "float32")
    assert int(server["limits"]["uploadBytes"]) == engine.settings.upload_bytes
    health = web.get("/healthz")
    assert (health.status_code, health.json()) == (200, {"status": "serving"})


BAD = {
    "region": {"pixels": PIXELS},
    "region.width": {"region": {"height": 5, "mpp": 1}, "pixels": PIXELS},
    "region.x": {"region": REGION | {"x": 1.5}, "pixels": PIXELS},
    "region.y": {"region": REGION | {"y": "9" * 30}, "pixels": PIXELS},
    "region.mpp": {"region": REGION | {"mpp": "NaN"}, "pixels": PIXELS},
    "region.widht": {"region": REGION | {"widht": 7}, "pixels": PIXELS},
    "pixels": {"region": REGION},
    "pixels.encoded": {"region": REGION, "pixels": {"encoded": "bm8gaW1hZ2U="}},
    "strokes": ASKED | {"strokes": {"id": "s"}},
    "strokes[0].label": ASKED | {"strokes": [line(1, 1, label="LABEL_TUMOR")]},
    "strokes[1].width": ASKED | {"strokes": [line(1, 1), line(1, 1, width="Infinity")]},
    "strokes[0].colour": ASKED | {"strokes": [line(1, 1, colour="red")]},
    "strokes[0].polyline.lines[0].xy[1]": ASKED | {"strokes": [line(1, "a")]},
    "strokes[0].polyline.lines[0]": ASKED | {"strokes": [line(1, "NaN")]},
    "strokes[0].geometry": ASKED | {"strokes": [{"label": "LABEL_BACKGROUND", "width": 1}]},
    "prior.polygons[0].exterior": ASKED | {"prior": {"polygons": [{}]}},
    "knownStrokes": ASKED | {"knownStrokes": 2**40},
    "known_strokes": ASKED | {"knownStrokes": -1},
    "guideModel": ASKED | {"guideModel": "\ud800"},
    "tumor": ASKED | {"tumor": True},
}


@pytest.mark.parametrize("field", BAD)
def test_a_bad_field_is_named(field: str, web: httpx2.Client) -> None:
    body = json.dumps(BAD[field])
    answer = web.post("/v1/refine", content=body, headers={"Content-Type": "application/json"})
    assert refused(answer) == (400, "INVALID_ARGUMENT", field)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b'{"region": {"mpp": NaN}}',
        b'{"region": {"mpp": 1e999}}',
        b'{"region": {"x": ' + b"9" * 5000 + b"}}",
        b'{"guideModel": "a", "guideModel": "b"}',
        b"[" * 100_000,
        b'{"region":' * 5000,
        '{"region": {"x": 1}}'.encode("utf-16"),
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes, web: httpx2.Client) -> None:
    answer = web.post("/v1/segment", content=body, headers={"Content-Type": "application/json"})
    status, reason, field = refused(answer)
    assert (status, reason) == (400, "INVALID_ARGUMENT")
    assert field in ("body", "region.mpp")


def test_no_scale_is_told_apart(web: httpx2.Client) -> None:
    asked = ASKED | {"region": {"width": 7, "height": 5}}
    answer = refused(web.post("/v1/segment", json=asked))
    assert answer == (400, "FAILED_PRECONDITION", "region.mpp")


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        (errors.LimitExceeded("x"), 413, "LIMIT_EXCEEDED"),
        (errors.Overloaded("x"), 429, "OVERLOADED"),
        (errors.RegionForgotten("x"), 404, "REGION_NOT_FOUND"),
        (errors.OutlineForgotten("x"), 404, "OUTLINE_NOT_FOUND"),
        (errors.UnknownModel("x"), 404, "MODEL_NOT_FOUND"),
        (errors.ModelRefused("x"), 409, "MODEL_REFUSED"),
    ],
)
def test_each_error_has_its_status_and_reason(
    failure: Exception, status: int, reason: str, web: httpx2.Client, engine: Any
) -> None:
    engine.failure = failure
    answer = web.post("/v1/segment", json=ASKED)
    assert refused(answer) == (status, reason, "")
    assert ("retry-after" in answer.headers) == (status == 429)


def test_a_fault_of_the_server_goes_to_its_log_and_not_to_the_client(
    web: httpx2.Client, engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    engine.failure = RuntimeError("cannot read /home/somebody/secret")
    with caplog.at_level(logging.ERROR):
        answer = web.post("/v1/segment", json=ASKED)
    assert refused(answer) == (500, "INTERNAL", "")
    assert "secret" not in answer.text
    assert "/home/somebody/secret" in caplog.text
    engine.failure = None
    assert web.post("/v1/segment", json=ASKED).status_code == 200


@pytest.mark.parametrize(
    ("method", "address", "status", "reason"),
    [
        ("GET", "/", 404, "ROUTE_NOT_FOUND"),
        ("POST", "/v1/segment/", 404, "ROUTE_NOT_FOUND"),
        ("POST", "/v2/segment", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/v1/segment", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/v1/regions", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/v1/models", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/models?kind=guide", 400, "INVALID_ARGUMENT"),
    ],
)
def test_an_address_that_is_none_is_a_problem_too(
    method: str, address: str, status: int, reason: str, web: httpx2.Client
) -> None:
    answer = web.request(method, address)
    assert refused(answer)[:2] == (status, reason)
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/geo+json"]
)
def test_only_json_makes_a_request(kind: str | None, web: httpx2.Client) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    answer = web.post("/v1/segment", content=json.dumps(ASKED), headers=headers)
    assert refused(answer) == (415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/geo+json", "application/geo+json"),
        ("application/*;q=0.5, application/geo+json", "application/geo+json"),
        ("application/geo+json;q=0.5, application/json", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/html", ""),
        ("application/json;q=0, application/geo+json;q=0", ""),
        ("application/json;q=high", ""),
        ("nonsense", ""),
    ],
)
def test_the_client_chooses_what_it_gets(accept: str, kind: str, web: httpx2.Client) -> None:
    charset = {"Content-Type": "application/json; charset=utf-8", "Accept": accept}
    answer = web.post("/v1/segment", content=json.dumps(ASKED), headers=charset)
    if kind:
        assert answer.headers["content-type"] == kind
    else:
        assert refused(answer) == (406, "NOT_ACCEPTABLE", "Accept")
