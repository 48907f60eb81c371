"""An outline that is changed in windows equals one that is found anew."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deepscribble.contour import Crossings
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


@settings(max_examples=300)
@given(changes())
def test_replacing_windows_equals_finding_everything_anew(change):
    shape, windows, seed, binary = change
    random = np.random.default_rng(seed)

    def values(size):
        drawn = random.random(size).astype(np.float32)
        return np.round(drawn) if binary else drawn

    before = values(shape)
    after = before.copy()
    for window in windows:
        after[window.slices] = values((window.height, window.width))
    replaced = Crossings.of(before, 0.5).replaced(after, windows)
    anew = Crossings.of(after, 0.5)
    np.testing.assert_array_equal(replaced.keys, anew.keys)
    np.testing.assert_array_equal(replaced.first_inside, anew.first_inside)
    np.testing.assert_array_equal(replaced.along, anew.along)
    np.testing.assert_allclose(replaced.run_sums, anew.run_sums, rtol=1e-5)
