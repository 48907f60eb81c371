"""An outline that is changed in windows equals one that is found anew."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deepscribble.contour import Crossings, Pieces
from deepscribble.geometry import Grid, Region
from deepscribble.raster import Window


@st.composite
def changes(draw):
    rows, columns = draw(st.integers(1, 16)), draw(st.integers(1, 16))
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
    return (rows, columns), windows, draw(st.integers(0, 2**32 - 1)), draw(st.booleans())


def maps(change):
    """A probability before, and after its windows were changed."""
    shape, windows, seed, binary = change
    random = np.random.default_rng(seed)

    def values(size):
        drawn = random.random(size).astype(np.float32)
        return np.round(drawn) if binary else drawn

    before = values(shape)
    after = before.copy()
    for window in windows:
        after[window.slices] = values((window.height, window.width))
    return before, after


@settings(max_examples=300)
@given(changes())
def test_replacing_windows_equals_finding_everything_anew(change):
    _, windows, _, _ = change
    before, after = maps(change)
    replaced = Crossings.of(before, 0.5).replaced(after, windows)
    anew = Crossings.of(after, 0.5)
    np.testing.assert_array_equal(replaced.keys, anew.keys)
    np.testing.assert_array_equal(replaced.first_inside, anew.first_inside)
    np.testing.assert_array_equal(replaced.along, anew.along)
    np.testing.assert_allclose(replaced.run_sums, anew.run_sums, rtol=1e-5)


@settings(max_examples=400)
@given(changes())
def test_pieces_drawn_anew_around_windows_are_the_pieces_of_the_whole(change):
    (rows, columns), windows, _, _ = change
    before, after = maps(change)
    grid = Grid(Region(7, 9, 2 * columns, 2 * rows, 0.5), columns, rows)
    old = Pieces.of(before, 0.5, grid)
    replaced = old.replaced(after, windows)
    anew = Pieces.of(after, 0.5, grid)
    assert len(replaced.polygons) == len(anew.polygons)
    for one, other in zip(replaced.polygons, anew.polygons, strict=True):
        assert len(one.holes) == len(other.holes)
        for ring, same in zip(one.rings, other.rings, strict=True):
            np.testing.assert_array_equal(ring, same)
        np.testing.assert_allclose(one.area_um2, other.area_um2)
        np.testing.assert_allclose(one.mean_probability, other.mean_probability, rtol=1e-5)
    np.testing.assert_array_equal(replaced.crossings.piece, anew.crossings.piece)
    # And once more, from what was replaced: the way back gives the old pieces.
    back = replaced.replaced(before, windows)
    assert [p.exterior.tobytes() for p in back.polygons] == [
        p.exterior.tobytes() for p in old.polygons
    ]


def test_pieces_away_from_a_window_are_the_same_objects():
    before = np.zeros((40, 40), dtype=np.float32)
    before[2:8, 2:8] = before[30:36, 30:36] = 1
    after = before.copy()
    after[28:34, 28:34] = 1
    grid = Grid(Region(0, 0, 40, 40, 1.0), 40, 40)
    old = Pieces.of(before, 0.5, grid)
    new = old.replaced(after, [Window(28, 28, 34, 34)])
    assert new.polygons[0] is old.polygons[0]
    assert new.polygons[1] is not old.polygons[1]
