"""Values to and from the messages of the contract, for server and client alike.

`read_*` turn messages into values and refuse what is wrong with the field's full path, such as
`strokes[3].polyline.lines[0]`; `write_*` turn values into messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput
from deepscribble.geometry.outline import Change, ModelRef, Outline, Warning
from deepscribble.geometry.polygon import Polygon
from deepscribble.geometry.region import Region
from deepscribble.geometry.stroke import FloatPoints, Kind, Label, Stroke, frozen_points
from deepscribble.v1 import deepscribble_pb2 as pb

__all__ = [
    "read_outline",
    "read_polygons",
    "read_region",
    "read_strokes",
    "read_warnings",
    "write_polygon",
    "write_refine_response",
    "write_region",
    "write_segment_response",
    "write_stroke",
    "write_warnings",
]


def read_region(message: pb.Region) -> Region:
    """The region of a request.

    Raises:
        MissingScale: `region.mpp` is absent.
        InvalidInput: a side, a coordinate or the scale is unusable.
    """
    return Region(message.x, message.y, message.width, message.height, message.mpp)


def write_region(region: Region) -> pb.Region:
    """The region as a message."""
    return pb.Region(
        x=region.x, y=region.y, width=region.width, height=region.height, mpp=region.mpp
    )


def _read_path(path: pb.Path, field: str, at_least: int) -> FloatPoints:
    count = len(path.xy)
    if count % 2:
        raise InvalidInput(field, f"{count} coordinates do not make x, y pairs; one is missing")
    xy = np.fromiter(path.xy, dtype=np.float64, count=count)
    return frozen_points(xy.reshape(-1, 2), field, at_least)


def _write_path(points: FloatPoints) -> pb.Path:
    return pb.Path(xy=points.ravel().tolist())


def _read_paths(paths: Sequence[pb.Path], field: str, at_least: int) -> tuple[FloatPoints, ...]:
    if not paths:
        raise InvalidInput(field, "empty; the stroke has no coordinates")
    return tuple(
        _read_path(path, f"{field}[{index}]", at_least) for index, path in enumerate(paths)
    )


def _read_geometry(message: pb.Stroke, field: str) -> tuple[Kind, tuple[FloatPoints, ...]]:
    match message.WhichOneof("geometry"):
        case "polyline":
            return Kind.POLYLINE, _read_paths(
                message.polyline.lines, f"{field}.polyline.lines", at_least=1
            )
        case "points":
            points = _read_path(message.points.points, f"{field}.points.points", at_least=1)
            return Kind.POINTS, (points,)
        case "brush":
            return Kind.BRUSH, _read_paths(message.brush.rings, f"{field}.brush.rings", at_least=3)
    raise InvalidInput(
        f"{field}.geometry", "the stroke has no geometry; set polyline, points or brush"
    )


def _read_stroke(message: pb.Stroke, field: str) -> Stroke:
    try:
        label = Label(message.label)
    except ValueError as error:
        raise InvalidInput(
            f"{field}.label",
            f"{message.label} is not a label; set LABEL_FOREGROUND or LABEL_BACKGROUND",
        ) from error
    kind, parts = _read_geometry(message, field)
    try:
        return Stroke(message.id, label, kind, parts, message.width)
    except InvalidInput as error:
        raise type(error)(f"{field}.{error.field}", error.reason) from error


def read_strokes(messages: Iterable[pb.Stroke]) -> tuple[Stroke, ...]:
    """The strokes of a request, oldest first.

    Raises:
        InvalidInput: the path of the first thing that is wrong, e.g. `strokes[3].width`.
    """
    return tuple(
        _read_stroke(message, f"strokes[{index}]") for index, message in enumerate(messages)
    )


def write_stroke(stroke: Stroke) -> pb.Stroke:
    """The stroke as a message."""
    message = pb.Stroke(id=stroke.id, label=pb.Label.ValueType(stroke.label.value))
    message.width = stroke.width
    match stroke.kind:
        case Kind.POLYLINE:
            message.polyline.lines.extend(_write_path(part) for part in stroke.parts)
        case Kind.POINTS:
            message.points.points.CopyFrom(_write_path(np.concatenate(stroke.parts)))
        case Kind.BRUSH:
            message.brush.rings.extend(_write_path(part) for part in stroke.parts)
    return message


def _read_polygon(message: pb.Polygon, field: str) -> Polygon:
    return Polygon(
        _read_path(message.exterior, f"{field}.exterior", at_least=3),
        tuple(
            _read_path(hole, f"{field}.holes[{index}]", at_least=3)
            for index, hole in enumerate(message.holes)
        ),
        message.area_um2,
        message.mean_probability,
    )


def read_polygons(messages: Iterable[pb.Polygon], field: str) -> tuple[Polygon, ...]:
    """Polygons of a prior or of an answer; `field` is where they stand, e.g. `prior.polygons`.

    Raises:
        InvalidInput: the path of the first ring that is wrong, e.g. `prior.polygons[2].holes[0]`.
    """
    return tuple(
        _read_polygon(message, f"{field}[{index}]") for index, message in enumerate(messages)
    )


def write_polygon(polygon: Polygon) -> pb.Polygon:
    """The polygon as a message."""
    return pb.Polygon(
        exterior=_write_path(polygon.exterior),
        holes=[_write_path(hole) for hole in polygon.holes],
        area_um2=polygon.area_um2,
        mean_probability=polygon.mean_probability,
    )


def read_warnings(messages: Iterable[pb.Warning]) -> tuple[Warning, ...]:
    """The warnings of an answer."""
    return tuple(Warning(message.code, message.message, message.stroke_id) for message in messages)


def write_warnings(warnings: Iterable[Warning]) -> list[pb.Warning]:
    """The warnings as messages."""
    return [
        pb.Warning(code=warning.code, message=warning.message, stroke_id=warning.stroke_id)
        for warning in warnings
    ]


def _read_probability(message: pb.ProbabilityMap) -> NDArray[np.float32]:
    shape = (message.height, message.width)
    if min(shape) < 1 or len(message.values) != 4 * shape[0] * shape[1]:
        raise InvalidInput(
            "probability.values",
            f"{len(message.values)} bytes are not {shape[0]} x {shape[1]} float32 values",
        )
    return np.frombuffer(message.values, dtype="<f4").reshape(shape).astype(np.float32, copy=False)


def read_outline(
    message: pb.SegmentResponse | pb.RefineResponse, known: Outline | None = None
) -> Outline:
    """The outline of an answer; that of Segment has no strokes.

    Args:
        message: The answer.
        known: The outline that the request named as known, from which a change is applied.

    Raises:
        InvalidInput: the answer breaks the contract; the path names where.
    """
    polygons = read_polygons(message.polygons, "polygons")
    change = None
    if isinstance(message, pb.RefineResponse) and message.HasField("change"):
        change = Change(
            message.change.known_outline,
            tuple(message.change.removed),
            tuple(message.change.added),
        )
        if known is None or known.outline_id != change.known:
            raise InvalidInput("change", "the answer changes an outline that was not named")
        polygons = change.applied(known.polygons, polygons)
    return Outline(
        polygons=polygons,
        region_id=message.region_id,
        models=tuple(ModelRef(model.name, model.digest) for model in message.models),
        milliseconds={stage.name: stage.milliseconds for stage in message.stages},
        warnings=read_warnings(message.warnings),
        stroke_ids=tuple(message.stroke_ids) if isinstance(message, pb.RefineResponse) else (),
        probability=(
            _read_probability(message.probability) if message.HasField("probability") else None
        ),
        outline_id=message.outline_id,
        change=change,
    )


def _answer(outline: Outline, polygons: Iterable[Polygon]) -> dict[str, Any]:
    """The fields that the answers of Segment and Refine share."""
    fields: dict[str, Any] = {
        "polygons": [write_polygon(polygon) for polygon in polygons],
        "region_id": outline.region_id,
        "outline_id": outline.outline_id,
        "models": [pb.ModelRef(name=ref.name, digest=ref.digest) for ref in outline.models],
        "stages": [
            pb.Stage(name=name, milliseconds=milliseconds)
            for name, milliseconds in outline.milliseconds.items()
        ],
        "warnings": write_warnings(outline.warnings),
    }
    if outline.probability is not None:
        height, width = outline.probability.shape
        fields["probability"] = pb.ProbabilityMap(
            width=width, height=height, values=outline.probability.astype("<f4").tobytes()
        )
    return fields


def write_segment_response(outline: Outline) -> pb.SegmentResponse:
    """The outline as the answer of Segment."""
    return pb.SegmentResponse(**_answer(outline, outline.polygons))


def write_refine_response(outline: Outline) -> pb.RefineResponse:
    """The outline as the answer of Refine; with a change, only the polygons that came."""
    change = outline.change
    if change is None:
        fields = _answer(outline, outline.polygons)
    else:
        fields = _answer(outline, (outline.polygons[index] for index in change.added))
        fields["change"] = pb.OutlineChange(
            known_outline=change.known, removed=change.removed, added=change.added
        )
    return pb.RefineResponse(stroke_ids=outline.stroke_ids, **fields)
