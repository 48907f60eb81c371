"""Polygons → masks, exact at pixel centres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepscribble.raster.rows import crossed_rows


def fill(rings: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixel centres lie inside `rings` by the even-odd rule.

    Args:
        rings: Arrays (N, 2) of x, y in pixels of the grid, not closed; exteriors and holes alike.
            They may reach outside of the grid.
        shape: (rows, columns) of the mask.

    Returns:
        (rows, columns) bool. A centre exactly on an edge belongs to the side on its right or
        below, so that polygons which share an edge never share a pixel.
    """
    rows, columns = shape
    # One column more than the grid takes the crossings beyond its right edge.
    toggles = np.zeros((rows, columns + 1), dtype=np.uint8)
    for ring in rings:
        start = np.asarray(ring, dtype=np.float64)
        end = np.roll(start, -1, axis=0)
        upward = start[:, 1] > end[:, 1]
        top = np.where(upward[:, None], end, start)
        bottom = np.where(upward[:, None], start, end)
        # Row r is crossed where top.y <= r + 0.5 < bottom.y.
        first = np.clip(np.ceil(top[:, 1] - 0.5), 0, rows).astype(np.int64)
        past = np.clip(np.ceil(bottom[:, 1] - 0.5), 0, rows).astype(np.int64)
        for edge, row in crossed_rows(first, past):
            height = bottom[edge, 1] - top[edge, 1]
            x = top[edge, 0] + (row + 0.5 - top[edge, 1]) * (
                (bottom[edge, 0] - top[edge, 0]) / height
            )
            column = np.clip(np.ceil(x - 0.5), 0, columns).astype(np.int64)
            np.bitwise_xor.at(toggles, (row, column), 1)
    inside = np.bitwise_xor.accumulate(toggles, axis=1)[:, :columns]
    return inside.astype(np.bool_)
