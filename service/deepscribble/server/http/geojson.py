"""Outlines and strokes as GeoJSON, for clients that keep annotations and no polygons."""

from __future__ import annotations

import json
from dataclasses import replace

from google.protobuf.json_format import MessageToDict

from deepscribble.geometry import Outline, Warning, wire
from deepscribble.server.http.query import Query
from deepscribble.stores import StrokeClasses, parse_strokes, polygon_id, to_geojson
from deepscribble.v1 import deepscribble_pb2 as pb

__all__ = ["LISTS", "PARAMETERS", "read_refine", "write_outline"]

PARAMETERS = (
    "region",
    "mpp",
    "region_id",
    "known_outline",
    "known_strokes",
    "guide_model",
    "refine_model",
    "stroke_width",
)
"""What the address says where the body holds strokes alone."""

LISTS = ("foreground", "background")
"""Parameters that may come several times."""


def read_refine(data: bytes, query: Query) -> tuple[pb.RefineRequest, tuple[Warning, ...]]:
    """The request that strokes in a body and parameters in an address make, and what was left out.

    Raises:
        InvalidInput: a parameter, the GeoJSON or a stroke of it is wrong.
    """
    classes = StrokeClasses.chosen(query.texts("foreground"), query.texts("background"))
    found = parse_strokes(data, "body", classes, width=query.number("stroke_width", 1.0))
    request = pb.RefineRequest(
        region=query.region(),
        strokes=[wire.write_stroke(stroke) for stroke in found.strokes],
        guide_model=query.text("guide_model"),
        refine_model=query.text("refine_model"),
        known_outline=query.text("known_outline"),
        known_strokes=query.whole("known_strokes"),
    )
    if region_id := query.text("region_id"):
        request.pixels.region_id = region_id
    return request, found.warnings


def write_outline(outline: Outline, class_name: str) -> bytes:
    """An outline as a FeatureCollection; of a change, what came, and the ids of what is gone.

    All else that the answer of Refine holds stands beside the features.

    Args:
        outline: Level-0 pixels.
        class_name: The class of the annotations.
    """
    change = outline.change
    came = outline
    if change is not None:
        came = replace(outline, polygons=tuple(outline.polygons[index] for index in change.added))
    document = to_geojson(came, class_name=class_name)
    bare = replace(outline, polygons=(), change=None)
    rest = MessageToDict(
        wire.write_refine_response(bare), always_print_fields_with_no_presence=True
    )
    del rest["polygons"]
    if change is not None:
        rest["removed"] = [polygon_id(polygon, class_name) for polygon in change.gone]
    return json.dumps(document | rest, allow_nan=False).encode()
