"""What to outline of an image: its regions of interest, else around its strokes, else all of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry.base import BaseGeometry

from deepscribble.geometry import Kind, Region, Stroke, Warning
from deepscribble.stores import Area, Content

SNAP = 64
"""Boxes around strokes grow to multiples of this many level-0 pixels, so that a further stroke
seldom moves them."""

TINY = "REGION_TINY"
"""The code of the warning of a region in which nothing is outlined."""

RECTANGLE = 1e-6
"""A shape that leaves out less than this share of its bounding box is a rectangle."""


@dataclass(frozen=True, slots=True)
class Part:
    """One request: a rectangle of the image, and what to keep of the answer.

    Args:
        name: What people call it.
        region: The rectangle.
        shape: What the outline is cut to, level-0 pixels; the rectangle itself or within it.
        strokes: Those that reach into the rectangle, oldest first.
    """

    name: str
    region: Region
    shape: BaseGeometry
    strokes: tuple[Stroke, ...]

    @property
    def is_cut(self) -> bool:
        """Whether `shape` is less than the rectangle."""
        return bool(self.shape.area < (1 - RECTANGLE) * self.region.width * self.region.height)


def plan_parts(
    content: Content, whole: Region, reach: float
) -> tuple[tuple[Part, ...], tuple[Warning, ...]]:
    """The parts of an image, which do not overlap.

    Args:
        content: What was drawn on it.
        whole: All of the image.
        reach: How far a stroke changes the outline, level-0 pixels.

    Returns:
        The parts, and warnings of what lies outside the image, twice in regions, or in none.
    """
    inside = shapely.box(0, 0, whole.width, whole.height)
    if content.areas:
        shapes, warnings = _regions(content.areas, inside)
    elif content.strokes:
        boxes = _around(content.strokes, reach, inside)
        shapes, warnings = [(f"strokes {n}", box) for n, box in enumerate(boxes, 1)], []
    else:
        shapes, warnings = [("whole image", inside)], []
    drawn = [(stroke, shape_of_stroke(stroke)) for stroke in content.strokes]
    parts = []
    for name, shape in shapes:
        region = _region(shape, whole)
        box = _box(region)
        parts.append(
            Part(
                name,
                region,
                box if _is_rectangle(shape) else shape,
                tuple(stroke for stroke, line in drawn if line.intersects(box)),
            )
        )
    used = {stroke.id for part in parts for stroke in part.strokes}
    warnings += [
        Warning(
            "STROKE_OUTSIDE",
            f"stroke {stroke.id} lies in no region and changes nothing; draw a region around it",
            stroke.id,
        )
        for stroke in content.strokes
        if stroke.id not in used
    ]
    return tuple(parts), tuple(warnings)


def shape_of_stroke(stroke: Stroke) -> BaseGeometry:
    """What a stroke covers, level-0 pixels."""
    half = stroke.width / 2
    if stroke.kind is Kind.BRUSH:
        rings = [shapely.Polygon(part).buffer(0) for part in stroke.parts]
        return shapely.union_all(rings).buffer(half)
    if stroke.kind is Kind.POINTS:
        return shapely.union_all([shapely.MultiPoint(part).buffer(half) for part in stroke.parts])
    lines = [
        shapely.LineString(part) if len(part) > 1 else shapely.Point(part[0])
        for part in stroke.parts
    ]
    return shapely.union_all([line.buffer(half) for line in lines])


def _regions(
    areas: Sequence[Area], inside: BaseGeometry
) -> tuple[list[tuple[str, BaseGeometry]], list[Warning]]:
    """The areas cut to the image and to each other: where two overlap, the first has it."""
    shapes: list[tuple[str, BaseGeometry]] = []
    warnings = []
    taken: BaseGeometry = shapely.Polygon()
    for area in areas:
        shape = polygonal(area.shape.intersection(inside))
        if shape.area < (1 - RECTANGLE) * area.shape.area:
            warnings.append(
                Warning("REGION_CLIPPED", f"region {area.name!r} reaches beyond the image")
            )
        if 0 < shape.area < 1:
            warnings.append(
                Warning(TINY, f"region {area.name!r} is smaller than a pixel; draw it larger")
            )
        free = polygonal(shape.difference(taken))
        if free.area < (1 - RECTANGLE) * shape.area:
            warnings.append(
                Warning(
                    "REGIONS_OVERLAP",
                    f"region {area.name!r} overlaps an earlier one, which has what both cover",
                )
            )
        # What is left of a region that another one covers may be a sliver.
        if free.area >= 1:
            shapes.append((area.name, free))
            taken = taken.union(shape)
    return shapes, warnings


def _around(strokes: Sequence[Stroke], reach: float, inside: BaseGeometry) -> list[BaseGeometry]:
    """Disjoint boxes around strokes, a reach wide on each side, from top to bottom."""
    boxes: list[BaseGeometry] = []
    for stroke in strokes:
        left, top, right, bottom = stroke.bounds
        new: BaseGeometry = shapely.box(
            SNAP * math.floor((left - reach) / SNAP),
            SNAP * math.floor((top - reach) / SNAP),
            SNAP * math.ceil((right + reach) / SNAP),
            SNAP * math.ceil((bottom + reach) / SNAP),
        ).intersection(inside)
        if new.area < 1 or not shapely.box(*stroke.bounds).intersects(inside):
            continue
        while hits := [box for box in boxes if box.intersects(new)]:
            boxes = [box for box in boxes if not box.intersects(new)]
            new = shapely.union_all([new, *hits]).envelope
        boxes.append(new)
    return sorted(boxes, key=lambda box: (box.bounds[1], box.bounds[0]))


def _region(shape: BaseGeometry, whole: Region) -> Region:
    """The rectangle of whole pixels around a shape; the nearest one if it is a rectangle."""
    left, top, right, bottom = shape.bounds
    if _is_rectangle(shape):
        left, top, right, bottom = (round(edge) for edge in shape.bounds)
    left, top = min(math.floor(left), whole.width - 1), min(math.floor(top), whole.height - 1)
    right, bottom = max(math.ceil(right), left + 1), max(math.ceil(bottom), top + 1)
    return Region(left, top, right - left, bottom - top, whole.mpp)


def _is_rectangle(shape: BaseGeometry) -> bool:
    return bool(shape.area >= (1 - RECTANGLE) * shape.envelope.area)


def _box(region: Region) -> BaseGeometry:
    return shapely.box(region.x, region.y, region.x + region.width, region.y + region.height)


def polygonal(shape: BaseGeometry) -> BaseGeometry:
    """A shape without the lines and points that cutting leaves."""
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(parts) if len(parts) != 1 else parts[0]
