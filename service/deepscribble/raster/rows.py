"""Rows of pixels that edges or segments cross, taken in batches that bound memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_BATCH = 1 << 18
"""Pairs of an edge and a row at a time: the few arrays over them take some dozens of MB."""


def crossed_rows(
    first: NDArray[np.int64], past: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of an edge and a row that it crosses.

    Args:
        first: (N,) the first row of each edge.
        past: (N,) one past its last row; at or below `first` where it crosses none.

    Yields:
        Edge numbers and rows, (M,) each, M at most `_BATCH`.
    """
    count = np.maximum(past - first, 0)
    end = np.cumsum(count)
    total = int(end[-1]) if len(end) else 0
    for start in range(0, total, _BATCH):
        pair = np.arange(start, min(start + _BATCH, total))
        edge = np.searchsorted(end, pair, side="right")
        yield edge, first[edge] + pair - (end[edge] - count[edge])
