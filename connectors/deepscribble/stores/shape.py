"""Shapes of annotations: whether two are the same, and whether a person has edited one.

QuPath keeps coordinates to about a hundredth of a pixel and may begin a ring at another vertex, so
shapes are never compared number by number. Rounding moves each vertex by itself, so what it does
to the area grows with the root of the number of vertices, while a brush adds or takes a whole spot.
"""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from deepscribble.geometry import Polygon

ROUNDING = 0.02
"""How far, level-0 pixels, a vertex may move on its way through a store."""

EDGE = 0.1
"""How far, level-0 pixels, the bounds may move: a hand moves nothing by less than a pixel."""


def shape_of(polygon: Polygon) -> shapely.Polygon:
    """The polygon as Shapely has it."""
    return shapely.Polygon(polygon.exterior, polygon.holes)


def describe(shape: BaseGeometry) -> str:
    """Area and bounds, level-0 pixels, as text that is stored with an annotation."""
    return " ".join(f"{number:.2f}" for number in (shape.area, *shape.bounds))


def is_described(shape: BaseGeometry, text: str) -> bool:
    """Whether `text` is what `describe` said of this shape before a store rounded it."""
    said = _said(text)
    return (
        said is not None
        and not shape.is_empty
        and _is_near(shape.bounds, said[1:])
        and bool(abs(shape.area - said[0]) <= _slack(shape))
    )


def is_within(shape: BaseGeometry, text: str) -> bool:
    """Whether a shape may be a part of the one of which `describe` said `text`."""
    said = _said(text)
    if said is None or shape.is_empty:
        return False
    area, left, top, right, bottom = said
    return bool(
        shapely.box(left - EDGE, top - EDGE, right + EDGE, bottom + EDGE).covers(shape.envelope)
        and shape.area <= area + _slack(shape)
    )


def alike(one: BaseGeometry, other: BaseGeometry) -> bool:
    """Whether two valid shapes are the same up to what a store rounds."""
    if one.equals_exact(other, 0.0):
        return True
    if one.is_empty or other.is_empty or not _is_near(one.bounds, other.bounds):
        return False
    if abs(one.area - other.area) > _slack(one):
        return False
    return bool(one.symmetric_difference(other).area <= ROUNDING * one.length + _slack(one))


def _said(text: str) -> tuple[float, ...] | None:
    """Area and bounds of a text of `describe`; None of any other."""
    try:
        numbers = tuple(float(number) for number in text.split())
    except ValueError:
        return None
    return numbers if len(numbers) == 5 else None


def _is_near(bounds: object, others: object) -> bool:
    return bool(np.allclose(np.asarray(bounds), np.asarray(others), rtol=0, atol=EDGE))


def _slack(shape: BaseGeometry) -> float:
    """How much rounding may change the area of a shape, square level-0 pixels."""
    xy, ring = shapely.get_coordinates(shapely.get_rings(shape), return_index=True)
    edges = np.diff(xy, axis=0)[np.diff(ring) == 0]
    return float(2 * ROUNDING * np.sqrt((edges**2).sum()) + 0.1)
