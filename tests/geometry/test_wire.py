"""What is written to the contract's messages is read back, and what is wrong is named."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from google.protobuf.message import Message

from deepscribble.errors import InvalidInput, MissingScale
from deepscribble.geometry import (
    Kind,
    Label,
    ModelRef,
    Outline,
    Polygon,
    Region,
    Stroke,
    Warning,
    wire,
)
from deepscribble.v1 import deepscribble_pb2 as pb

LINE = np.array([[0.5, 1.25], [1e6 + 1 / 3, 2.0], [7.0, 8.0]])
SQUARE = np.array([[0.0, 0.0], [8.0, 0.0], [8.0, 8.0], [0.0, 8.0]])
HOLE = np.array([[2.0, 2.0], [2.0, 4.0], [4.0, 4.0]])


def over_the_wire(message: Message) -> Message:
    return type(message).FromString(message.SerializeToString())


def good_stroke() -> pb.Stroke:
    return wire.write_stroke(Stroke("a", Label.FOREGROUND, Kind.POLYLINE, (LINE,), 2.0))


def test_region_comes_back_and_an_absent_scale_is_its_own_error() -> None:
    region = Region(3, 2**30, 5, 6, 0.2521)
    assert wire.read_region(over_the_wire(wire.write_region(region))) == region
    with pytest.raises(MissingScale) as refused:
        wire.read_region(pb.Region(width=1, height=1))
    assert refused.value.field == "region.mpp"


@pytest.mark.parametrize(
    ("kind", "parts", "arrives"),
    [
        (Kind.POLYLINE, (LINE, LINE[:1]), (LINE, LINE[:1])),
        # Dots are alike whichever part they came in, so they travel as one.
        (Kind.POINTS, (LINE, SQUARE), (np.concatenate([LINE, SQUARE]),)),
        (Kind.BRUSH, (SQUARE, HOLE), (SQUARE, HOLE)),
    ],
)
@pytest.mark.parametrize("label", list(Label))
def test_strokes_come_back_bit_for_bit(
    kind: Kind, parts: tuple[object, ...], arrives: tuple[object, ...], label: Label
) -> None:
    sent = Stroke("4f1c-ü", label, kind, parts, 3.25)
    (stroke,) = wire.read_strokes([over_the_wire(wire.write_stroke(sent))])
    assert (stroke.id, stroke.label, stroke.kind, stroke.width) == ("4f1c-ü", label, kind, 3.25)
    assert len(stroke.parts) == len(arrives)
    for got, expected in zip(stroke.parts, arrives, strict=True):
        np.testing.assert_array_equal(got, expected)


def damaged(change: str) -> pb.Stroke:
    stroke = good_stroke()
    xy = stroke.polyline.lines[0].xy
    match change:
        case "odd":
            xy.append(1.0)
        case "nan":
            xy[1] = math.nan
        case "infinite":
            xy[2] = -math.inf
        case "empty line":
            del xy[:]
        case "no lines":
            del stroke.polyline.lines[:]
        case "no geometry":
            stroke.ClearField("polyline")
        case "empty points":
            stroke.points.SetInParent()
        case "thin ring":
            stroke.brush.rings.add(xy=[0, 0, 1, 1])
        case "no rings":
            stroke.brush.SetInParent()
        case "label":
            stroke.label = pb.LABEL_UNSPECIFIED
        case "unknown label":
            stroke.label = 9
        case "zero width":
            stroke.width = 0
        case "nan width":
            stroke.width = math.nan
    return stroke


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("odd", "strokes[3].polyline.lines[0]"),
        ("nan", "strokes[3].polyline.lines[0]"),
        ("infinite", "strokes[3].polyline.lines[0]"),
        ("empty line", "strokes[3].polyline.lines[0]"),
        ("no lines", "strokes[3].polyline.lines"),
        ("no geometry", "strokes[3].geometry"),
        ("empty points", "strokes[3].points.points"),
        ("thin ring", "strokes[3].brush.rings[0]"),
        ("no rings", "strokes[3].brush.rings"),
        ("label", "strokes[3].label"),
        ("unknown label", "strokes[3].label"),
        ("zero width", "strokes[3].width"),
        ("nan width", "strokes[3].width"),
    ],
)
def test_a_bad_stroke_is_named_by_its_path(change: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        wire.read_strokes([good_stroke()] * 3 + [damaged(change)])
    assert refused.value.field == field


def test_a_bad_ring_of_a_prior_is_named_by_its_path() -> None:
    polygon = wire.write_polygon(Polygon(SQUARE, (HOLE,)))
    polygon.holes.add(xy=[0, 0, 1])
    with pytest.raises(InvalidInput) as refused:
        wire.read_polygons([wire.write_polygon(Polygon(SQUARE)), polygon], "prior.polygons")
    assert refused.value.field == "prior.polygons[1].holes[1]"


def outline() -> Outline:
    return Outline(
        polygons=(Polygon(SQUARE, (HOLE,), 61.5, 0.875),),
        region_id="sha256:ab",
        models=(ModelRef("guide", "sha256:01"), ModelRef("refine", "sha256:02")),
        milliseconds={"guide": 0.0, "total": 12.5},
        warnings=(Warning("STROKE_CLIPPED", "cut at the border", "b"), Warning("X", "y")),
        stroke_ids=("a", "b"),
        probability=np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4),
    )


def test_the_answer_of_refine_comes_back_whole() -> None:
    sent = outline()
    got = wire.read_outline(over_the_wire(wire.write_refine_response(sent)))
    for name in ("region_id", "models", "milliseconds", "warnings", "stroke_ids"):
        assert getattr(got, name) == getattr(sent, name)
    (polygon,) = got.polygons
    np.testing.assert_array_equal(polygon.exterior, SQUARE)
    np.testing.assert_array_equal(polygon.holes[0], HOLE)
    assert (polygon.area_um2, polygon.mean_probability) == (61.5, 0.875)
    assert got.probability is not None
    assert got.probability.dtype == np.float32
    np.testing.assert_array_equal(got.probability, sent.probability)


def test_the_answer_of_segment_has_no_strokes() -> None:
    got = wire.read_outline(over_the_wire(wire.write_segment_response(outline())))
    assert got.stroke_ids == ()
    assert got.warnings == outline().warnings


def test_a_probability_map_of_the_wrong_size_is_refused() -> None:
    answer = wire.write_refine_response(outline())
    answer.probability.values = answer.probability.values[:-1]
    with pytest.raises(InvalidInput, match=r"probability\.values"):
        wire.read_outline(answer)


def test_a_hundred_thousand_points_take_no_time_to_speak_of() -> None:
    points = np.random.default_rng(0).random((100_000, 2))
    started = time.process_time()
    message = wire.write_stroke(Stroke("a", Label.FOREGROUND, Kind.POLYLINE, (points,)))
    (stroke,) = wire.read_strokes([over_the_wire(message)])
    assert time.process_time() - started < 0.5
    np.testing.assert_array_equal(stroke.parts[0], points)
