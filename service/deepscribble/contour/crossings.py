"""Where the outline crosses the lines between neighbouring pixel centres.

The outline is the marching-squares contour of the probability at the threshold. It is held as the
set of its vertices, one for each pair of neighbouring pixels of which one is inside: sorted keys,
which of the two is inside, and how far along the vertex lies. That set says everything about the
outline, so a stroke replaces only the vertices around it and leaves the rest untouched.

Grids are thought to be surrounded by one ring of outside pixels ("padded" below), which closes
the outline at the region's border.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from deepscribble.raster import Window

AnyT = TypeVar("AnyT", bound=np.generic)

NEW = -1
"""The piece of a crossing that no ring has been drawn through yet."""

_NEAREST = 1.0 / 32.0
"""Vertices keep this share of a pixel away from pixel centres, so that no two ever coincide."""


@dataclass(frozen=True, slots=True, eq=False)
class Crossings:
    """The vertices of an outline.

    Args:
        shape: (rows, columns) of the probability.
        threshold: Inside means probability >= threshold.
        keys: (N,) int64, ascending: 2 * padded pixel index + 1 if the second pixel of the pair is
            the one below, + 0 if it is the one on the right.
        first_inside: (N,) bool, whether the first pixel of the pair (left or top) is inside.
        along: (N,) float64 in (0, 1), from the first pixel's centre to the second's.
        run_sums: (N,) float64: for a crossing that opens a run of inside pixels of a row, the sum
            of their probabilities; 0 for all others.
        piece: (N,) int64, the piece of the outline that each belongs to, `NEW` before it is known.
    """

    shape: tuple[int, int]
    threshold: float
    keys: NDArray[np.int64]
    first_inside: NDArray[np.bool_]
    along: NDArray[np.float64]
    run_sums: NDArray[np.float64]
    piece: NDArray[np.int64]

    @classmethod
    def of(cls, probability: NDArray[np.float32], threshold: float) -> Crossings:
        """Find all crossings of a probability map (rows, columns)."""
        shape = (probability.shape[0], probability.shape[1])
        keys, first_inside, along = _find(probability, threshold, Window(0, 0, *shape))
        run_sums = _run_sums(probability, shape, keys, first_inside)
        piece = np.full(len(keys), NEW, dtype=np.int64)
        return cls(shape, threshold, keys, first_inside, along, run_sums, piece)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        columns = (self.keys, self.first_inside, self.along, self.run_sums, self.piece)
        return sum(column.nbytes for column in columns)

    def replaced(self, probability: NDArray[np.float32], windows: Sequence[Window]) -> Crossings:
        """The crossings of `probability`, which differs from the former map only in `windows`.

        Equal to `Crossings.of(probability, threshold)`, at the cost of the windows' rows alone;
        kept crossings keep their piece.
        """
        changed = self
        for window in windows:
            changed = changed._replaced_in(probability, window)
        # Only now: between two windows a row may open a run that it does not close.
        for window in windows:
            low, high = changed.rows(window.top + 1, window.bottom + 1)
            changed.run_sums[low:high] = _run_sums(
                probability, self.shape, changed.keys[low:high], changed.first_inside[low:high]
            )
        return changed

    def _replaced_in(self, probability: NDArray[np.float32], window: Window) -> Crossings:
        low, high = self.rows(window.top, window.bottom + 1)
        kept = np.flatnonzero(~_concerns(self.keys[low:high], self.shape, window)) + low
        keys, first_inside, along = _find(probability, self.threshold, window)
        order = np.argsort(np.concatenate([self.keys[kept], keys]), kind="stable")

        def spliced(column: NDArray[AnyT], fresh: NDArray[AnyT]) -> NDArray[AnyT]:
            middle = np.concatenate([column[kept], fresh])[order]
            return np.concatenate([column[:low], middle, column[high:]])

        return replace(
            self,
            keys=spliced(self.keys, keys),
            first_inside=spliced(self.first_inside, first_inside),
            along=spliced(self.along, along),
            run_sums=spliced(self.run_sums, np.zeros(len(keys))),
            piece=spliced(self.piece, np.full(len(keys), NEW, dtype=np.int64)),
        )

    def subset(self, chosen: NDArray[np.bool_]) -> Crossings:
        """The crossings of some pieces."""
        return replace(
            self,
            keys=self.keys[chosen],
            first_inside=self.first_inside[chosen],
            along=self.along[chosen],
            run_sums=self.run_sums[chosen],
            piece=self.piece[chosen],
        )

    def pieces_near(self, window: Window) -> NDArray[np.int64]:
        """The pieces that have a pixel in `window` or beside it, diagonally too."""
        low, high = self.rows(window.top, window.bottom + 2)
        level = low + np.flatnonzero((self.keys[low:high] & 1) == 0)
        column = (self.keys[level] >> 1) % (self.shape[1] + 2)
        near = (column[0::2] <= window.right) & (column[1::2] >= window.left)
        return np.unique(self.piece[level[0::2][near]])

    def rows(self, first: int, past: int) -> tuple[int, int]:
        """Where the crossings of padded rows `first` to `past`, excluded, begin and end."""
        row = 2 * (self.shape[1] + 2)
        low, high = np.searchsorted(self.keys, [first * row, past * row])
        return int(low), int(high)


def _concerns(keys: NDArray[np.int64], shape: tuple[int, int], window: Window) -> NDArray[np.bool_]:
    """Which crossings have a pixel of `window` in their pair."""
    row, column = np.divmod(keys >> 1, shape[1] + 2)
    below = keys & 1
    return (
        (row >= window.top + 1 - below)
        & (row <= window.bottom)
        & (column >= window.left + below)
        & (column <= window.right)
    )


def _find(
    probability: NDArray[np.float32], threshold: float, window: Window
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    """Keys (ascending), first_inside and along of the crossings that concern `window`."""
    rows, columns = probability.shape
    wide = window.grown(1, (rows, columns))
    inside = np.zeros((window.height + 2, window.width + 2), dtype=np.bool_)
    top, left = wide.top - window.top + 1, wide.left - window.left + 1
    np.greater_equal(
        probability[wide.slices],
        np.float32(threshold),
        out=inside[top : top + wide.height, left : left + wide.width],
    )
    right_row, right_column = np.nonzero(inside[1:-1, :-1] != inside[1:-1, 1:])
    down_row, down_column = np.nonzero(inside[:-1, 1:-1] != inside[1:, 1:-1])
    first_inside = np.concatenate(
        [inside[right_row + 1, right_column], inside[down_row, down_column + 1]]
    )
    below = np.repeat(np.array([0, 1]), [len(right_row), len(down_row)])
    # Padded rows and columns of the first pixel of each pair.
    row = np.concatenate([right_row + 1, down_row]) + window.top
    column = np.concatenate([right_column, down_column + 1]) + window.left
    keys = 2 * (row * (columns + 2) + column) + below
    order = np.argsort(keys, kind="stable")
    row, column, below = row[order], column[order], below[order]
    along = _along(probability, threshold, row - 1, column - 1, below)
    return keys[order], first_inside[order], along


def _along(
    probability: NDArray[np.float32],
    threshold: float,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    below: NDArray[np.int64],
) -> NDArray[np.float64]:
    """How far from the first centre to the second the probability reaches the threshold."""
    rows, columns = probability.shape
    next_row, next_column = row + below, column + 1 - below
    # A pair with the padding closes the outline exactly on the region's border.
    inner = (row >= 0) & (column >= 0) & (next_row < rows) & (next_column < columns)
    along = np.full(len(row), 0.5)
    first = probability[row[inner], column[inner]].astype(np.float64)
    second = probability[next_row[inner], next_column[inner]].astype(np.float64)
    along[inner] = np.clip(
        (np.float64(np.float32(threshold)) - first) / (second - first), _NEAREST, 1 - _NEAREST
    )
    return along


def _run_sums(
    probability: NDArray[np.float32],
    shape: tuple[int, int],
    keys: NDArray[np.int64],
    first_inside: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Sums of the inside runs of whole rows, at the crossings that open them."""
    sums = np.zeros(len(keys))
    level = np.flatnonzero((keys & 1) == 0)
    if len(level) == 0:
        return sums
    row, column = np.divmod(keys[level] >> 1, shape[1] + 2)
    # Crossings of a row open and close runs in turn; a run's end may be the array's end.
    bounds = (row - 1) * shape[1] + column
    flat = probability.reshape(-1)
    within = bounds[:-1] if bounds[-1] == flat.size else bounds
    sums[level[0::2]] = np.add.reduceat(flat, within)[0::2]
    return sums
