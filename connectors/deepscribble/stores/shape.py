"""Shapes of annotations: whether two are the same, and whether a person has edited one.

QuPath keeps coordinates to about a hundredth of a pixel and may begin a ring at another vertex, so
shapes are never compared number by number.
"""

from __future__ import annotations

import math

import shapely
from shapely.geometry.base import BaseGeometry

from deepscribble.geometry import Polygon

ROUNDING = 0.02
"""How far, level-0 pixels, a vertex may move on its way through a store."""


def shape_of(polygon: Polygon) -> shapely.Polygon:
    """The polygon as Shapely has it."""
    return shapely.Polygon(polygon.exterior, polygon.holes)


def describe(shape: BaseGeometry) -> str:
    """Area and centroid, level-0 pixels, as text that is stored with an annotation."""
    centroid = shape.centroid
    return f"{shape.area:.2f} {centroid.x:.2f} {centroid.y:.2f}"


def is_described(shape: BaseGeometry, text: str) -> bool:
    """Whether `text` is what `describe` said of this shape before a store rounded it."""
    try:
        area, x, y = (float(number) for number in text.split())
    except ValueError:
        return False
    if shape.is_empty:
        return False
    slack = ROUNDING * (shape.length + 1)
    centroid = shape.centroid
    # A thin shape's centroid moves with its area; no hand moves a shape by a tenth of a pixel.
    moved = math.hypot(centroid.x - x, centroid.y - y)
    return abs(shape.area - area) <= slack and moved <= max(0.1, slack / max(shape.area, 1.0))


def alike(one: BaseGeometry, other: BaseGeometry) -> bool:
    """Whether two shapes are the same up to what a store rounds."""
    if one.equals_exact(other, 0.0):
        return True
    slack = ROUNDING * (one.length + 1)
    if abs(one.area - other.area) > slack or not (one.is_valid and other.is_valid):
        return False
    return bool(one.symmetric_difference(other).area <= slack)
