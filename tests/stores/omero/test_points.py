import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepscribble.errors import InvalidInput
from deepscribble.stores.omero.points import parse_points, transformed, write_points

coordinates = st.floats(-5, 1e7, allow_nan=False)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=20))
def test_points_are_written_as_every_client_reads_them(points):
    text = write_points(np.array(points))
    assert re.fullmatch(r"\d+(\.\d+)?,\d+(\.\d+)?( \d+(\.\d+)?,\d+(\.\d+)?)*", text)
    assert np.allclose(parse_points(text), np.maximum(points, 0), atol=5.1e-4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no points"),
        ("  ", "no points"),
        ("1,2 3", "'3' is not a point"),
        ("1,2,3", "'1,2,3' is not a point"),
        ("1;2", "not a point"),
        ("a,b", "not a point"),
        ("1,nan", "not finite"),
        ("points[1,2] points1[1,2]", "not a point"),
    ],
)
def test_malformed_points_are_named(text, says):
    with pytest.raises(InvalidInput, match=re.escape(says)):
        parse_points(text)


def test_a_long_malformed_point_does_not_fill_the_screen():
    with pytest.raises(InvalidInput) as caught:
        parse_points("x" * 10_000)
    assert len(str(caught.value)) < 100


def test_a_transform_moves_points_as_svg_says():
    # Columns first: x' = a00 x + a01 y + a02, y' = a10 x + a11 y + a12.
    assert transformed([[1.0, 0.0], [0.0, 1.0]], (2, 3, 5, 7, 11, 13)) == [[13, 16], [16, 20]]
    assert transformed([[1.0, 2.0]], None) == [[1.0, 2.0]]
