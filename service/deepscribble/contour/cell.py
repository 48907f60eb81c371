"""The part of an outline that lies in one cell of the lattice: chains of vertices, components.

The outline is the marching-squares contour of the probability at the threshold. A vertex lies
between two neighbouring pixel centres of which one is inside. A cell holds the contour of every
square of four centres whose top left pixel it holds; what lies beyond the grid, or is not known,
counts as outside. Chains begin and end at vertices that two cells share, or close within the cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.raster import Window

_NEAREST = 1.0 / 32.0
"""Vertices keep this share of a pixel away from pixel centres, so that no two ever coincide."""

_BORDER = 0.5
"""Where a vertex lies between a pixel and the unknown: the outline ends on the border."""


@dataclass(frozen=True, slots=True, eq=False)
class CellContour:
    """The outline in one cell.

    A vertex has a key that is unique in the grid and ascends row by row. Chains run with the
    inside on the right hand on a screen. The last vertex of a chain is the first of the next one.

    Args:
        keys: (V,) int64, chain after chain.
        xy: (V, 2) float64, pixels of the grid.
        starts: (C,) the index of each chain's first vertex, ascending.
        ends: (C,) int64, the key of the vertex that each chain leads to.
        inside: (C, 2) int64, row and column of an inside pixel beside each chain's first vertex.
        labels: (rows, columns) uint16 of the cell's own pixels: the component of each inside
            pixel, counted from 1, by the four neighbours; 0 outside.
        pixels: (L + 1,) int64, how many pixels each component has.
        sums: (L + 1,) float64, the sum of their probabilities.
    """

    keys: NDArray[np.int64]
    xy: NDArray[np.float64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    inside: NDArray[np.int64]
    labels: NDArray[np.uint16]
    pixels: NDArray[np.int64]
    sums: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        arrays = (self.keys, self.xy, self.starts, self.ends, self.inside, self.labels)
        return sum(array.nbytes for array in arrays) + self.pixels.nbytes + self.sums.nbytes


def seen_by(window: Window, shape: tuple[int, int]) -> Window:
    """The pixels that decide the contour in a cell of `window`, one pixel of the unknown beyond.

    The first row and column of a grid of `shape` have squares before them, the last ones after.
    """
    return Window(
        window.top - (window.top == 0),
        window.left - (window.left == 0),
        window.bottom + 1,
        window.right + 1,
    )


def trace_cell(
    values: NDArray[np.float32], window: Window, shape: tuple[int, int], threshold: float
) -> CellContour:
    """The outline in the cell of `window`.

    Args:
        values: The probability in `seen_by(window, shape)`, NaN where it is not known.
        window: The cell's own pixels.
        shape: (rows, columns) of the grid.
        threshold: Inside means probability >= threshold.
    """
    seen = seen_by(window, shape)
    own = values[window.within(seen).slices]
    inside = values >= np.float32(threshold)
    labels, pixels, sums = _components(inside[window.within(seen).slices], own)
    right_row, right_column = np.nonzero(inside[:, :-1] != inside[:, 1:])
    down_row, down_column = np.nonzero(inside[:-1] != inside[1:])
    row = np.concatenate([right_row, down_row])
    column = np.concatenate([right_column, down_column])
    below = np.repeat(np.array([0, 1]), [len(right_row), len(down_row)])
    width = inside.shape[1]
    local = 2 * (row * width + column) + below
    order = np.argsort(local, kind="stable")
    local, row, column, below = local[order], row[order], column[order], below[order]
    first_inside = inside[row, column]
    following = _following(local, row, column, below, first_inside, (inside.shape[0], width))
    walk, starts, ends = _walk(following)

    along = _along(values, threshold, row, column, below)
    level = below == 0
    x = column + seen.left + np.where(level, 0.5 + along, 0.5)
    y = row + seen.top + np.where(level, 0.5, 0.5 + along)
    # In a grid with one pixel of outside around it, so that no key is below 0.
    keys = 2 * ((row + seen.top + 1) * (shape[1] + 2) + column + seen.left + 1) + below
    first = walk[starts]
    second = ~first_inside[first]
    inside_pixel = np.stack(
        [
            row[first] + seen.top + (second & ~level[first]),
            column[first] + seen.left + (second & level[first]),
        ],
        axis=1,
    )
    return CellContour(
        keys[walk],
        np.stack([x, y], axis=1)[walk],
        starts,
        keys[ends],
        inside_pixel,
        labels,
        pixels,
        sums,
    )


def _components(
    inside: NDArray[np.bool_], values: NDArray[np.float32]
) -> tuple[NDArray[np.uint16], NDArray[np.int64], NDArray[np.float64]]:
    """Labels of the components, and how many pixels and which sum each has."""
    if not inside.any():
        return np.zeros(inside.shape, np.uint16), np.zeros(1, np.int64), np.zeros(1)
    count, labels = cv2.connectedComponents(inside.view(np.uint8), connectivity=4, ltype=cv2.CV_16U)
    flat = labels.ravel()
    known = np.where(inside, values, np.float32(0)).ravel()
    pixels: NDArray[np.int64] = np.bincount(flat, minlength=count).astype(np.int64)
    sums: NDArray[np.float64] = np.bincount(flat, known, count).astype(np.float64)
    return labels.astype(np.uint16, copy=False), pixels, sums


def _following(
    keys: NDArray[np.int64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    below: NDArray[np.int64],
    first_inside: NDArray[np.bool_],
    shape: tuple[int, int],
) -> NDArray[np.int64]:
    """The vertex that follows each one, or -1 where the outline leaves the cell.

    A vertex leads into one of the two squares at its sides. There the outline turns right where it
    can, else goes straight on, else turns left. A square has two vertices or four; with four,
    turning right keeps diagonal neighbours apart.
    """
    level = below == 0
    down, up = level & first_inside, level & ~first_inside
    east, west = ~level & ~first_inside, ~level & first_inside
    step, side = 2 * shape[1], 2
    here = keys - below
    heading = [down, up, east, west]
    right = np.select(heading, [here + 1, here - step + side + 1, here + step, here - side])
    ahead = np.select(heading, [here + step, here - step, here + side + 1, here - side + 1])
    left = np.select(heading, [here + side + 1, here - step + 1, here, here - side + step])
    leaves = (
        (down & (row == shape[0] - 1))
        | (up & (row == 0))
        | (east & (column == shape[1] - 1))
        | (west & (column == 0))
    )
    following = np.full(len(keys), -1)
    pending = np.flatnonzero(~leaves)
    index = np.full(2 * shape[0] * shape[1], -1, dtype=np.int32)
    index[keys] = np.arange(len(keys), dtype=np.int32)
    for turn in (right, ahead, left):
        position = index[turn[pending]]
        hit = position >= 0
        following[pending[hit]] = position[hit]
        pending = pending[~hit]
    return following


def _walk(
    following: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Order vertices chain by chain.

    Returns:
        The order, where in it each chain starts, and the vertex that each chain leads to. A chain
        that leaves the cell ends before that vertex, which belongs to the next cell.
    """
    successor = following.tolist()
    entered = np.ones(len(successor), dtype=np.bool_)
    entered[following[following >= 0]] = False
    entries = np.flatnonzero(entered & (following >= 0)).tolist()
    # Those that leave belong to another cell; what is left after the open chains is closed.
    seen = bytearray((following < 0).tobytes())
    order: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    for first in (*entries, *range(len(successor))):
        if seen[first]:
            continue
        starts.append(len(order))
        current = first
        while not seen[current]:
            seen[current] = 1
            order.append(current)
            current = successor[current]
        ends.append(current)
    integers = (np.array(values, dtype=np.int64) for values in (order, starts, ends))
    walk, begin, end = integers
    return walk, begin, end


def _along(
    values: NDArray[np.float32],
    threshold: float,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    below: NDArray[np.int64],
) -> NDArray[np.float64]:
    """How far from the first centre to the second the probability reaches the threshold."""
    first = values[row, column].astype(np.float64)
    second = values[row + below, column + 1 - below].astype(np.float64)
    along = (np.float64(np.float32(threshold)) - first) / (second - first)
    known = ~np.isnan(along)
    return np.where(known, np.clip(along, _NEAREST, 1 - _NEAREST), _BORDER)
