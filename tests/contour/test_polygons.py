"""Probability → polygons: exact, valid, with holes, in level-0 pixels."""

import contourpy
import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from deepscribble.contour import polygons_of
from deepscribble.geometry import Grid, Region
from deepscribble.raster import fill

REGION = {"x": 40, "y": 30, "mpp": 0.25}


polygons = polygons_of


def grid_of(shape, scale=(3, 2), **where):
    place = {**REGION, **where}
    height, width = shape
    return Grid(
        Region(place["x"], place["y"], width * scale[0], height * scale[1], place["mpp"]),
        width,
        height,
    )


def assert_faithful(probability, threshold=0.5):
    """Rasterised at pixel centres the polygons are the mask; each is valid on its own."""
    grid = grid_of(probability.shape)
    found = polygons(probability, threshold, grid)
    again = np.zeros(probability.shape, dtype=int)
    for polygon in found:
        shape = shapely.Polygon(polygon.exterior, polygon.holes)
        assert shape.is_valid
        assert shapely.LinearRing(polygon.exterior).is_ccw
        assert not any(shapely.LinearRing(hole).is_ccw for hole in polygon.holes)
        assert shape.area * grid.region.mpp**2 == pytest.approx(polygon.area_um2)
        mask = fill([grid.from_level0(ring) for ring in polygon.rings], probability.shape)
        assert probability[mask].mean() == pytest.approx(polygon.mean_probability, abs=1e-4)
        again += mask
    np.testing.assert_array_equal(again, probability >= np.float32(threshold))
    return found


masks = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))


@settings(max_examples=300)
@given(masks)
@example(np.indices((7, 8)).sum(axis=0) % 2 == 0)
@example(np.ones((5, 5), dtype=bool))
@example(np.pad(np.ones((1, 1), dtype=bool), 3))
@example(~np.pad(np.ones((1, 1), dtype=bool), 3))
@example(np.eye(6, dtype=bool))
def test_mask_to_polygons_to_mask_is_the_identity(mask):
    assert_faithful(mask.astype(np.float32))


@settings(max_examples=200)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(1, 12)),
        elements=st.floats(0, 1, width=32),
    ),
    st.sampled_from([0.5, 0.3, 0.7]),
)
def test_any_probability_gives_its_own_mask_back(probability, threshold):
    assert_faithful(probability, threshold)


@pytest.mark.parametrize("seed", range(4))
def test_ragged_blobs_with_holes_that_touch_the_border(seed):
    noise = gaussian_filter(np.random.default_rng(seed).random((150, 170)), 2.5)
    probability = ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)
    found = assert_faithful(probability)
    assert any(polygon.holes for polygon in found)


def test_a_ring_of_tumor_keeps_its_hole_and_the_island_in_it():
    mask = np.zeros((20, 20), dtype=np.float32)
    mask[2:18, 2:18] = 1
    mask[5:15, 5:15] = 0
    mask[8:12, 8:12] = 1
    found = assert_faithful(mask)
    assert [len(polygon.holes) for polygon in found] == [1, 0]


def test_a_full_region_is_its_rectangle_corner_to_corner():
    (polygon,) = polygons(np.ones((4, 6), dtype=np.float32), 0.5, grid_of((4, 6)))
    assert shapely.Polygon(polygon.exterior).equals(shapely.box(40, 30, 40 + 18, 30 + 8))


def test_nothing_inside_is_no_polygon():
    assert polygons(np.zeros((4, 6), dtype=np.float32), 0.5, grid_of((4, 6))) == ()


def test_the_outline_lies_between_pixels_where_the_probability_says():
    column = np.array([0.1, 0.4, 0.9, 0.9, 0.9, 0.9], dtype=np.float32)
    probability = np.tile(column, (5, 1))
    (polygon,) = polygons(probability, 0.5, Grid(Region(0, 0, 6, 5, 1.0), 6, 5))
    left = polygon.exterior[:, 0].min()
    assert left == pytest.approx(1.5 + (0.5 - 0.4) / (0.9 - 0.4))


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_contour_that_contourpy_draws(seed):
    noise = gaussian_filter(np.random.default_rng(seed).random((90, 80)), 5)
    probability = ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)
    probability[0] = probability[-1] = 0
    probability[:, 0] = probability[:, -1] = 0
    ours = shapely.union_all(
        [
            shapely.Polygon(p.exterior, p.holes)
            for p in polygons(probability, 0.5, Grid(Region(0, 0, 80, 90, 1.0), 80, 90))
        ]
    )
    x, y = np.arange(80) + 0.5, np.arange(90) + 0.5
    theirs = shapely.MultiLineString(contourpy.contour_generator(x, y, probability).lines(0.5))
    assert ours.boundary.hausdorff_distance(theirs) < 1 / 32 + 1e-6


@given(masks, st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 9))
def test_translation_and_scaling_carry_through(mask, dx, dy, factor):
    probability = mask.astype(np.float32)
    base = polygons(probability, 0.5, grid_of(mask.shape, (1, 1), x=0, y=0))
    moved = polygons(probability, 0.5, grid_of(mask.shape, (factor, factor), x=dx, y=dy))
    assert len(base) == len(moved)
    for one, other in zip(base, moved, strict=True):
        for ring, far in zip(one.rings, other.rings, strict=True):
            np.testing.assert_allclose(ring * factor + [dx, dy], far, atol=1e-9)
        assert one.area_um2 * factor**2 == pytest.approx(other.area_um2)
