"""An outline that is changed in windows, cell by cell, equals one that is found anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepscribble.contour import Contour, polygons_of, read_array
from deepscribble.geometry import Grid, Region
from deepscribble.raster import Lattice, Window


@st.composite
def changes(draw):
    rows, columns = draw(st.integers(1, 18)), draw(st.integers(1, 18))
    windows = []
    for _ in range(draw(st.integers(0, 3))):
        top, left = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
        windows.append(
            Window(
                top,
                left,
                draw(st.integers(top + 1, rows)),
                draw(st.integers(left + 1, columns)),
            )
        )
    side = draw(st.sampled_from([1, 2, 4, 8, 16]))
    return (rows, columns), windows, side, draw(st.integers(0, 2**32 - 1)), draw(st.booleans())


def maps(change):
    """A probability before, and after its windows were changed."""
    shape, windows, _, seed, binary = change
    random = np.random.default_rng(seed)

    def values(size):
        drawn = random.random(size).astype(np.float32)
        return np.round(drawn) if binary else drawn

    before = values(shape)
    after = before.copy()
    for window in windows:
        after[window.slices] = values((window.height, window.width))
    return before, after


def grid_of(shape):
    rows, columns = shape
    return Grid(Region(7, 9, 2 * columns, 2 * rows, 0.5), columns, rows)


def contour_of(probability, side):
    contour = Contour(grid_of(probability.shape), 0.5, Lattice(probability.shape, side))
    whole = Window(0, 0, *probability.shape)
    contour.update([whole], lambda window: read_array(probability, window))
    return contour


def assert_equal(polygons, others):
    assert len(polygons) == len(others)
    for one, other in zip(polygons, others, strict=True):
        assert len(one.holes) == len(other.holes)
        for ring, same in zip(one.rings, other.rings, strict=True):
            np.testing.assert_array_equal(ring, same)
        assert one.area_um2 == other.area_um2
        assert one.mean_probability == pytest.approx(other.mean_probability, rel=1e-5)


@settings(max_examples=400)
@given(changes())
def test_the_outline_does_not_depend_on_the_cells(change):
    before, _ = maps(change)
    whole = polygons_of(before, 0.5, grid_of(before.shape))
    assert_equal(contour_of(before, change[2]).polygons, whole)


@settings(max_examples=600)
@given(changes())
def test_updating_windows_equals_tracing_everything_anew(change):
    _, windows, side, _, _ = change
    before, after = maps(change)
    contour = contour_of(before, side)
    old = contour.polygons
    changed = contour.copy()
    changed.update(windows, lambda window: read_array(after, window))
    assert_equal(changed.polygons, contour_of(after, side).polygons)
    for one, other in zip(changed.polygons, contour_of(after, side).polygons, strict=True):
        assert one.mean_probability == other.mean_probability
    assert contour.polygons == old, "a copy was changed with its original"
    # And the way back.
    changed.update(windows, lambda window: read_array(before, window))
    assert_equal(changed.polygons, old)


@settings(max_examples=200)
@given(changes())
def test_cells_that_become_known_one_after_the_other_give_the_whole(change):
    before, _ = maps(change)
    lattice = Lattice(before.shape, change[2])
    contour = Contour(grid_of(before.shape), 0.5, lattice)
    known = np.full(before.shape, np.nan, dtype=np.float32)
    cells = lattice.all()
    np.random.default_rng(change[3]).shuffle(cells)
    for cell in cells[:40]:
        window = lattice.window(tuple(cell))
        known[window.slices] = before[window.slices]
        contour.update([window], lambda window: read_array(known, window))
    inside = np.where(np.isnan(known), 0, known)
    again = np.zeros(before.shape, dtype=int)
    from deepscribble.raster import fill

    grid = grid_of(before.shape)
    for polygon in contour.polygons:
        again += fill([grid.from_level0(ring) for ring in polygon.rings], before.shape)
    np.testing.assert_array_equal(again, inside >= np.float32(0.5))


def test_polygons_that_a_change_does_not_touch_are_the_same_objects():
    before = np.zeros((40, 40), dtype=np.float32)
    before[2:8, 2:8] = before[30:36, 30:36] = before[20:22, 33:35] = 1
    after = before.copy()
    after[28:34, 28:34] = 1
    contour = contour_of(before, 16)
    old = contour.polygons
    contour.update([Window(28, 28, 34, 34)], lambda window: read_array(after, window))
    new = contour.polygons
    assert new[0] is old[0]
    assert new[1] is old[1], "it lies in a cell that was traced again, and is as before"
    assert new[2] is not old[2]
