"""What a client of any language sees of the rpcs, through a bare stub on loopback."""

from __future__ import annotations

import io
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from PIL import Image

from deepscribble import errors
from deepscribble.server import servicer
from deepscribble.v1 import deepscribble_pb2 as pb
from deepscribble.v1.deepscribble_pb2_grpc import DeepScribbleStub

REGION = pb.Region(x=10, y=20, width=7, height=5, mpp=0.5)
RGB = np.arange(7 * 5 * 3, dtype=np.uint8).tobytes()
PIXELS = pb.Pixels(raw=pb.RawImage(width=7, height=5, rgb=RGB))


def line(*xy: float, width: float = 1.0, label: Any = pb.LABEL_FOREGROUND) -> pb.Stroke:
    polyline = pb.Polyline(lines=[pb.Path(xy=xy)])
    return pb.Stroke(id="s", label=label, polyline=polyline, width=width)


def refused(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str, str]:
    """The status code, the field of BadRequest and the reason of ErrorInfo."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    field = reason = ""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        bad, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
        if detail.Unpack(bad):
            field = bad.field_violations[0].field
        if detail.Unpack(info):
            assert info.domain == "deepscribble"
            reason = info.reason
    return error.code(), field, reason


def test_segment_answers_an_outline_and_the_id_of_its_pixels(stub: DeepScribbleStub) -> None:
    answer = stub.Segment(pb.SegmentRequest(region=REGION, pixels=PIXELS))
    assert list(answer.polygons[0].exterior.xy) == [10, 20, 17, 20, 17, 25, 10, 25]
    stages = {stage.name: stage.milliseconds for stage in answer.stages}
    assert stages["total"] == pytest.approx(stages["decode"] + stages["refine"])
    assert not answer.HasField("probability")
    again = stub.Segment(
        pb.SegmentRequest(
            region=REGION, pixels=pb.Pixels(region_id=answer.region_id), return_probability=True
        )
    )
    assert again.region_id == answer.region_id
    assert (again.probability.width, again.probability.height) == (7, 5)


def test_refine_takes_strokes_and_a_prior(stub: DeepScribbleStub, engine: Any) -> None:
    prior = pb.Prior(polygons=[pb.Polygon(exterior=pb.Path(xy=[0, 0, 4, 0, 0, 4]))])
    answer = stub.Refine(
        pb.RefineRequest(region=REGION, pixels=PIXELS, strokes=[line(11, 21, 12, 22)], prior=prior)
    )
    assert list(answer.stroke_ids) == ["s"]
    assert list(answer.polygons[0].exterior.xy) == [0, 0, 4, 0, 0, 4]
    np.testing.assert_array_equal(engine.strokes[0].parts[0], [[11, 21], [12, 22]])


def test_an_empty_prior_is_a_prior(stub: DeepScribbleStub) -> None:
    request = pb.RefineRequest(region=REGION, pixels=PIXELS, prior=pb.Prior())
    assert len(stub.Refine(request).polygons) == 0
    request.ClearField("prior")
    assert len(stub.Refine(request).polygons) == 1


BAD = {
    "region": pb.RefineRequest(pixels=PIXELS),
    "region.width": pb.RefineRequest(region=pb.Region(height=5, mpp=1), pixels=PIXELS),
    "region.x": pb.RefineRequest(region=pb.Region(x=-1, width=7, height=5, mpp=1), pixels=PIXELS),
    "region.mpp": pb.RefineRequest(region=pb.Region(width=7, height=5, mpp=-1), pixels=PIXELS),
    "pixels": pb.RefineRequest(region=REGION),
    "pixels.encoded": pb.RefineRequest(region=REGION, pixels=pb.Pixels(encoded=b"no image")),
    "pixels.raw.rgb": pb.RefineRequest(
        region=REGION, pixels=pb.Pixels(raw=pb.RawImage(width=7, height=6, rgb=RGB))
    ),
    "strokes[0].label": pb.RefineRequest(
        region=REGION, pixels=PIXELS, strokes=[line(1, 1, label=pb.LABEL_UNSPECIFIED)]
    ),
    "strokes[1].width": pb.RefineRequest(
        region=REGION, pixels=PIXELS, strokes=[line(1, 1), line(1, 1, width=0)]
    ),
    "strokes[2].polyline.lines[0]": pb.RefineRequest(
        region=REGION, pixels=PIXELS, strokes=[line(1, 1), line(2, 2), line(1, math.nan)]
    ),
    "strokes[0].geometry": pb.RefineRequest(
        region=REGION, pixels=PIXELS, strokes=[pb.Stroke(label=1, width=1)]
    ),
    "prior.polygons[0].exterior": pb.RefineRequest(
        region=REGION, pixels=PIXELS, prior=pb.Prior(polygons=[pb.Polygon()])
    ),
}


@pytest.mark.parametrize("field", BAD)
def test_a_bad_field_is_named(field: str, stub: DeepScribbleStub) -> None:
    got = refused(lambda: stub.Refine(BAD[field]))
    assert got == (grpc.StatusCode.INVALID_ARGUMENT, field, "")


def test_no_scale_is_a_failed_precondition(stub: DeepScribbleStub) -> None:
    request = pb.SegmentRequest(region=pb.Region(width=7, height=5), pixels=PIXELS)
    got = refused(lambda: stub.Segment(request))
    assert got == (grpc.StatusCode.FAILED_PRECONDITION, "region.mpp", "")


@pytest.mark.parametrize(
    ("failure", "code", "reason"),
    [
        (errors.LimitExceeded("x"), grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"),
        (errors.Overloaded("x"), grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
        (errors.RegionForgotten("x"), grpc.StatusCode.NOT_FOUND, "REGION_NOT_FOUND"),
        (errors.UnknownModel("x"), grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
        (errors.ModelRefused("x"), grpc.StatusCode.FAILED_PRECONDITION, "MODEL_REFUSED"),
    ],
)
def test_each_error_has_its_code_and_reason(
    failure: Exception, code: grpc.StatusCode, reason: str, stub: DeepScribbleStub, engine: Any
) -> None:
    engine.failure = failure
    got = refused(lambda: stub.Segment(pb.SegmentRequest(region=REGION, pixels=PIXELS)))
    assert got == (code, "", reason)


def test_a_fault_of_the_server_goes_to_its_log_and_not_to_the_client(
    stub: DeepScribbleStub, engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    engine.failure = RuntimeError("cannot read /home/somebody/secret")
    with caplog.at_level(logging.ERROR), pytest.raises(grpc.RpcError) as caught:
        stub.Segment(pb.SegmentRequest(region=REGION, pixels=PIXELS))
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()
    assert "/home/somebody/secret" in caplog.text
    engine.failure = None
    stub.Segment(pb.SegmentRequest(region=REGION, pixels=PIXELS))


def test_upload_keeps_pixels_and_says_what_it_converted(stub: DeepScribbleStub) -> None:
    gray = b"P5"  # not one of the formats
    assert refused(lambda: upload(stub, gray))[1] == "encoded"
    answer = stub.UploadRegion(
        iter(
            [
                pb.UploadRegionRequest(raw=pb.RawForm(width=7, height=5)),
                pb.UploadRegionRequest(chunk=RGB),
            ]
        )
    )
    assert (answer.width, answer.height, list(answer.warnings)) == (7, 5, [])
    segment = pb.SegmentRequest(region=REGION, pixels=pb.Pixels(region_id=answer.region_id))
    assert stub.Segment(segment).region_id == answer.region_id


def upload(stub: DeepScribbleStub, data: bytes) -> Any:
    first = pb.UploadRegionRequest(encoded=pb.EncodedForm(size=len(data)), chunk=data)
    return stub.UploadRegion(iter([first]))


def test_pixels_that_the_server_no_longer_has_are_asked_for(
    stub: DeepScribbleStub, engine: Any
) -> None:
    answer = stub.Segment(pb.SegmentRequest(region=REGION, pixels=PIXELS))
    engine.pixels.clear()
    known = pb.SegmentRequest(region=REGION, pixels=pb.Pixels(region_id=answer.region_id))
    assert refused(lambda: stub.Segment(known)) == (
        grpc.StatusCode.NOT_FOUND,
        "",
        "REGION_NOT_FOUND",
    )


def test_one_request_too_many_is_refused_and_places_come_back(
    stub: DeepScribbleStub, engine: Any
) -> None:
    engine.gate.clear()
    request = pb.SegmentRequest(region=REGION, pixels=PIXELS)
    calls = [stub.Segment.future(request) for _ in range(engine.settings.pending_requests + 1)]
    deadline = time.monotonic() + 10
    while not any(call.done() for call in calls):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (over,) = [call for call in calls if call.done()]
    assert refused(over.result) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "", "OVERLOADED")
    engine.gate.set()
    for call in calls:
        assert call is over or call.result(timeout=10).region_id
    stub.Segment(request)


def test_a_request_cancelled_while_it_waits_never_runs(stub: DeepScribbleStub, engine: Any) -> None:
    engine.gate.clear()
    first = stub.Segment.future(pb.SegmentRequest(region=REGION, pixels=PIXELS))
    deadline = time.monotonic() + 10
    while not engine.calls:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    second = stub.Segment.future(
        pb.SegmentRequest(region=REGION, pixels=PIXELS, guide_model="guide-other")
    )
    time.sleep(0.2)
    second.cancel()
    time.sleep(0.2)
    engine.gate.set()
    first.result(timeout=10)
    stub.Segment(pb.SegmentRequest(region=REGION, pixels=PIXELS, guide_model="guide-tumor"))
    assert engine.calls == ["", "guide-tumor"]


def test_an_upload_that_stops_coming_loses_its_place(
    stub: DeepScribbleStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer, "IDLE_SECONDS", 0.2)
    leave = threading.Event()

    def messages() -> Iterator[pb.UploadRegionRequest]:
        yield pb.UploadRegionRequest(raw=pb.RawForm(width=7, height=5))
        leave.wait(10)

    try:
        got = refused(lambda: stub.UploadRegion(messages()))
    finally:
        leave.set()
    assert got == (grpc.StatusCode.RESOURCE_EXHAUSTED, "", "LIMIT_EXCEEDED")


def test_a_message_over_the_limit_is_refused_before_it_is_read(stub: DeepScribbleStub) -> None:
    request = pb.SegmentRequest(region=REGION, pixels=pb.Pixels(encoded=b"x" * 5_000_000))
    assert refused(lambda: stub.Segment(request))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_bytes_that_are_no_message_do_not_hurt_the_server(
    channel: grpc.Channel, stub: DeepScribbleStub
) -> None:
    call = channel.unary_unary("/deepscribble.v1.DeepScribble/Segment")
    with pytest.raises(grpc.RpcError):
        call(b"\xff\xff\xff\xff")
    stub.Segment(pb.SegmentRequest(region=REGION, pixels=PIXELS))


def test_models_and_limits_are_told(stub: DeepScribbleStub, engine: Any) -> None:
    models = {model.name: model for model in stub.ListModels(pb.ListModelsRequest()).models}
    assert {name for name, model in models.items() if model.is_default} == {
        "guide-tumor",
        "refine",
    }
    assert (models["refine"].patch_size, models["refine"].influence_radius) == (384, 128)
    info = stub.GetServerInfo(pb.GetServerInfoRequest())
    assert (info.device, info.precision) == ("cpu", "float32")
    assert info.version
    assert info.limits.upload_bytes == engine.settings.upload_bytes


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 1e300])
def test_impossible_coordinates_and_widths_are_named(number: float, stub: DeepScribbleStub) -> None:
    for stroke, field in (
        (line(1, number), "strokes[0].polyline.lines[0]"),
        (line(1, 1, width=number), "strokes[0].width"),
    ):
        request = pb.RefineRequest(region=REGION, pixels=PIXELS, strokes=[stroke])
        got = refused(lambda request=request: stub.Refine(request))
        assert got == (grpc.StatusCode.INVALID_ARGUMENT, field, "")


@pytest.mark.parametrize("mpp", [math.nan, math.inf, 1e-9, 1e9, -0.5])
def test_an_absurd_scale_is_named(mpp: float, stub: DeepScribbleStub) -> None:
    request = pb.SegmentRequest(region=pb.Region(width=7, height=5, mpp=mpp), pixels=PIXELS)
    got = refused(lambda: stub.Segment(request))
    assert got == (grpc.StatusCode.INVALID_ARGUMENT, "region.mpp", "")


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "says"),
    [("L", "grayscale"), ("RGBA", "transparency"), ("I;16", "16-bit"), ("P", "palette")],
)
def test_an_unusual_image_is_taken_with_a_warning(
    mode: str, says: str, stub: DeepScribbleStub
) -> None:
    data = png(Image.new(mode, (7, 5)))
    sent = pb.SegmentRequest(region=REGION, pixels=pb.Pixels(encoded=data))
    for answer in (upload(stub, data), stub.Segment(sent)):
        assert {warning.code for warning in answer.warnings} == {"PIXELS_CONVERTED"}
        assert says in " ".join(warning.message for warning in answer.warnings)


def test_a_truncated_image_is_named_and_one_that_unpacks_to_too_much_is_refused(
    stub: DeepScribbleStub, engine: Any
) -> None:
    data = png(Image.effect_noise((70, 50), 90))
    assert refused(lambda: upload(stub, data[: len(data) // 2]))[1] == "encoded"
    bomb = png(Image.new("L", (2001, 2000)))
    assert len(bomb) < engine.settings.message_bytes
    got = refused(lambda: upload(stub, bomb))
    assert got == (grpc.StatusCode.RESOURCE_EXHAUSTED, "", "LIMIT_EXCEEDED")
    sent = pb.SegmentRequest(region=REGION, pixels=pb.Pixels(encoded=bomb))
    assert refused(lambda: stub.Segment(sent)) == got
    assert engine.uploads == 0
