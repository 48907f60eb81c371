"""Strokes → the pixels that they decide."""

import tracemalloc

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from deepscribble.geometry import Grid, Kind, Label, Region, Stroke
from deepscribble.raster import draw

GRID = Grid.at(Region(100, 200, 120, 90, 0.5), 1.0)

point = st.tuples(st.floats(80, 240), st.floats(180, 310))


def stroke(points, kind=Kind.POLYLINE, width=1.0):
    return Stroke("s", Label.FOREGROUND, kind, (np.array(points, dtype=float),), width)


def whole(mask):
    canvas = np.zeros(GRID.shape, dtype=bool)
    if mask is not None:
        canvas[mask.window.slices] = mask.mask
    return canvas


def drawn_shape(points, kind, width):
    """What the pathologist drew, in model pixels: at its width or one pixel, the wider."""
    xy = GRID.from_level0(np.array(points, dtype=float))
    half = max(width / 2, 1.0) / 2
    if kind is Kind.POINTS or len(xy) == 1:
        return shapely.MultiPoint(xy).buffer(half)
    return shapely.LineString(xy).buffer(half)


@given(
    st.lists(point, min_size=1, max_size=6),
    st.sampled_from([Kind.POLYLINE, Kind.POINTS]),
    st.floats(0.1, 30),
)
def test_every_pixel_around_a_drawn_point_is_decided(points, kind, width):
    mask = draw(stroke(points, kind, width), GRID)
    shape = drawn_shape(points, kind, width)
    if mask is None:
        assert not shape.intersects(shapely.box(0, 0, GRID.width, GRID.height))
        return
    canvas = whole(mask)
    x, y = np.meshgrid(np.arange(GRID.width) + 0.5, np.arange(GRID.height) + 0.5)
    away = shapely.distance(shape, shapely.points(x, y))
    # The four centres around a point are at most a pixel's diagonal away from it.
    assert canvas[away <= np.sqrt(2) - 0.02].all()
    # And no pixel is decided that the stroke does not come near.
    assert not canvas[away > np.sqrt(2) + 0.02].any()


def test_placement_is_finer_than_a_pixel():
    here = whole(draw(stroke([(150.0, 250.0), (170.0, 250.0)]), GRID))
    there = whole(draw(stroke([(150.0, 250.9), (170.0, 250.9)]), GRID))
    assert (here != there).any()


def test_a_brushed_area_decides_its_inside_and_keeps_its_hole():
    outer = np.array([[120.0, 210.0], [200.0, 210.0], [200.0, 270.0], [120.0, 270.0]])
    inner = np.array([[140.0, 225.0], [180.0, 225.0], [180.0, 255.0], [140.0, 255.0]])
    brush = Stroke("b", Label.BACKGROUND, Kind.BRUSH, (outer, inner), 1.0)
    canvas = whole(draw(brush, GRID))
    x, y = GRID.from_level0(np.array([[130.0, 240.0], [160.0, 240.0]])).astype(int).T
    assert canvas[y[0], x[0]]
    assert not canvas[y[1], x[1]]


@pytest.mark.parametrize("kind", list(Kind))
def test_a_stroke_outside_of_the_region_decides_nothing(kind):
    assert draw(stroke([(0, 0), (20, 0), (20, 20)], kind), GRID) is None


def test_a_brush_around_the_whole_region_decides_all_of_it():
    around = stroke([(0, 0), (1000, 0), (1000, 1000), (0, 1000)], Kind.BRUSH)
    mask = draw(around, GRID)
    assert mask is not None
    assert mask.clipped
    assert whole(mask).all()


def test_a_stroke_partly_outside_is_clipped_and_says_so():
    mask = draw(stroke([(90, 250), (130, 250)]), GRID)
    assert mask is not None
    assert mask.clipped
    assert draw(stroke([(110, 250), (130, 250)]), GRID).clipped is False


def test_a_segment_that_crosses_a_continent_costs_no_more_than_the_region():
    mask = draw(stroke([(-2e9, 245), (2e9, 245)]), GRID)
    assert whole(mask)[22].all()


@pytest.mark.parametrize("kind", [Kind.POLYLINE, Kind.BRUSH])
@pytest.mark.parametrize("width", [1.0, 2000.0])
def test_memory_follows_the_region_not_the_strokes_points_or_width(kind, width):
    grid = Grid.at(Region(0, 0, 1024, 1024, 1.0), 1.0)
    zigzag = np.stack([np.linspace(0, 1024, 2000), np.tile([-5.0, 1030.0], 1000)], axis=1)
    tracemalloc.start()
    draw(stroke(zigzag, kind, width), grid)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000
