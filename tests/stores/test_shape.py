"""Shapes on their way through a store: rounded is the same, edited is not."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import affinity

from deepscribble.stores.shape import alike, describe, is_described


def blob(points: int, radius: float) -> shapely.Polygon:
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    random = np.random.default_rng(points)
    reach = radius * random.uniform(1 - 3 / points, 1.0, points)
    ring = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1) + 5000
    hole = shapely.Point(5000, 5000).buffer(radius / 4)
    return shapely.Polygon(ring).difference(hole)


def through_qupath(shape: shapely.Polygon) -> shapely.Polygon:
    """Two decimals, and another vertex first."""
    rounded = shapely.transform(shape, lambda xy: np.round(xy, 2))
    ring = shapely.get_coordinates(rounded.exterior)[:-1]
    return shapely.Polygon(np.roll(ring, 7, axis=0), rounded.interiors)


@pytest.mark.parametrize(("points", "radius"), [(12, 3.0), (60, 40.0), (4000, 9000.0)])
def test_rounding_is_no_edit_but_a_hand_s_change_is(points: int, radius: float) -> None:
    shape = blob(points, radius)
    stored = through_qupath(shape)
    said = describe(shape)
    assert alike(shape, stored)
    assert is_described(stored, said)
    # A brush moves an edge by a pixel at least, over some length.
    bite = shapely.Point(shape.exterior.coords[0]).buffer(max(2.0, radius / 100))
    for edited in (
        affinity.translate(stored, 1.0),
        stored.union(bite),
        stored.difference(bite),
        shapely.Polygon(stored.exterior),
        shapely.Polygon(),
    ):
        assert not is_described(edited, said)
        assert not alike(shape, edited)


@pytest.mark.parametrize("text", ["", "1", "a b c", "1 2 3 4", "nan nan nan"])
def test_what_describes_nothing(text: str) -> None:
    assert not is_described(blob(12, 30), text)
