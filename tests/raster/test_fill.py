"""Polygons → masks at pixel centres."""

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from deepscribble.raster import fill

coordinate = st.floats(-3, 15, allow_nan=False).map(lambda value: round(value, 3) + 0.00017)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8, unique=True))
def test_a_centre_is_inside_where_shapely_says_so(ring):
    shape = shapely.Polygon(ring)
    if not shape.is_valid or shape.area == 0:
        return
    mask = fill([np.array(ring)], (12, 11))
    x, y = np.meshgrid(np.arange(11) + 0.5, np.arange(12) + 0.5)
    clear = shapely.distance(shape.boundary, shapely.points(x, y)) > 1e-9
    expected = shapely.contains_xy(shape, x, y)
    np.testing.assert_array_equal(mask[clear], expected[clear])


def test_holes_and_crossings_follow_the_even_odd_rule():
    outer = np.array([[0.0, 0.0], [6.0, 0.0], [6.0, 6.0], [0.0, 6.0]])
    hole = outer / 3 + 2
    mask = fill([outer, hole], (6, 6))
    assert mask.sum() == 36 - 4
    assert not mask[2:4, 2:4].any()


def test_neighbours_that_share_an_edge_share_no_pixel():
    left = np.array([[0.0, 0.0], [2.5, 0.0], [2.5, 4.0], [0.0, 4.0]])
    right = np.array([[2.5, 0.0], [5.0, 0.0], [5.0, 4.0], [2.5, 4.0]])
    both = fill([left], (4, 5)).astype(int) + fill([right], (4, 5))
    assert (both == 1).all()
