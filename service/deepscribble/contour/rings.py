"""Chains of all cells → closed rings of the outline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepscribble.contour.cell import CellContour


@dataclass(frozen=True, slots=True, eq=False)
class Rings:
    """Closed rings, ordered by their lowest key, each begun at its vertex of that key.

    Args:
        xy: (N, 2) float64 vertices in pixels of the grid, one ring after another.
        starts: (R,) index of each ring's first vertex, ascending.
        area: (R,) float64 signed area in square pixels: over 0 for exteriors, below 0 for holes.
        first_keys: (R,) int64, the lowest key of each.
        group: (R,) the group of each.
    """

    xy: NDArray[np.float64]
    starts: NDArray[np.int64]
    area: NDArray[np.float64]
    first_keys: NDArray[np.int64]
    group: NDArray[np.int64]


def join_rings(
    cells: Sequence[CellContour],
    groups: Sequence[NDArray[np.int64]],
    shape: tuple[int, int],
) -> Rings:
    """Join the chains of `cells` to rings.

    Args:
        cells: All that the wanted rings run through.
        groups: For each, the group (C,) of each of its chains; below 0 for those not wanted. All
            chains of a ring are of one group.
        shape: (rows, columns) of the grid.
    """
    chains = _Chains.collected(cells, groups)
    order, counts = _ordered(chains.first_keys, chains.ends)
    number = np.repeat(np.arange(len(counts)), counts)
    begin = np.cumsum(counts) - counts
    index = _ranges(chains.starts[order], chains.lengths[order])
    ring = np.repeat(number, chains.lengths[order])
    keys = chains.keys[index]
    starts = np.searchsorted(ring, np.arange(len(counts)))
    lowest = np.minimum.reduceat(keys, starts) if len(keys) else keys
    turn = np.flatnonzero(keys == lowest[ring]) if len(keys) else keys
    index = index[_rotated(starts, turn, len(keys))]

    by_key = np.argsort(lowest)
    sizes = np.diff(np.append(starts, len(index)))
    index = index[_ranges(starts[by_key], sizes[by_key])]
    xy = chains.xy[index]
    starts = np.cumsum(sizes[by_key]) - sizes[by_key]
    xy, starts = _vertices(xy, starts, shape)
    group = chains.groups[order[begin]][by_key]
    return Rings(xy, starts, _areas(xy, starts), lowest[by_key], group)


@dataclass(frozen=True, slots=True, eq=False)
class _Chains:
    """The wanted chains of several cells: all their vertices, and what each chain has of them."""

    keys: NDArray[np.int64]
    xy: NDArray[np.float64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    first_keys: NDArray[np.int64]
    ends: NDArray[np.int64]
    groups: NDArray[np.int64]

    @classmethod
    def collected(
        cls, cells: Sequence[CellContour], groups: Sequence[NDArray[np.int64]]
    ) -> _Chains:
        sizes = [len(cell.keys) for cell in cells]
        offsets = np.cumsum([0, *sizes])
        keys = np.concatenate([np.zeros(0, np.int64), *(cell.keys for cell in cells)])
        xy = np.concatenate([np.zeros((0, 2)), *(cell.xy for cell in cells)])
        starts, lengths, ends, wanted = [], [], [], []
        for cell, offset, group in zip(cells, offsets.tolist(), groups, strict=False):
            chosen = group >= 0
            length = np.diff(np.append(cell.starts, len(cell.keys)))
            starts.append(cell.starts[chosen] + offset)
            lengths.append(length[chosen])
            ends.append(cell.ends[chosen])
            wanted.append(group[chosen])
        none = np.zeros(0, np.int64)
        begin = np.concatenate([none, *starts])
        return cls(
            keys,
            xy,
            begin,
            np.concatenate([none, *lengths]),
            keys[begin],
            np.concatenate([none, *ends]),
            np.concatenate([none, *wanted]),
        )


def _ordered(
    first_keys: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The chains ring by ring, and how many each ring has."""
    by_key = np.argsort(first_keys)
    successor = by_key[np.searchsorted(first_keys[by_key], ends)].tolist()
    seen = bytearray(len(successor))
    order: list[int] = []
    counts: list[int] = []
    for first in range(len(successor)):
        if seen[first]:
            continue
        before, current = len(order), first
        while not seen[current]:
            seen[current] = 1
            order.append(current)
            current = successor[current]
        counts.append(len(order) - before)
    return np.array(order, dtype=np.int64), np.array(counts, dtype=np.int64)


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices `start` to `start + length` of each pair, one after another."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    index: NDArray[np.int64] = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    return index


def _rotated(starts: NDArray[np.int64], turn: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices that let each ring begin at its vertex `turn`."""
    sizes = np.diff(np.append(starts, count))
    shifted = np.arange(count) + np.repeat(turn - starts, sizes)
    past = shifted >= np.repeat(starts + sizes, sizes)
    rotated: NDArray[np.int64] = np.where(past, shifted - np.repeat(sizes, sizes), shifted)
    return rotated


def _vertices(
    xy: NDArray[np.float64], starts: NDArray[np.int64], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices with the region's corners put in and straight runs taken out."""
    if len(xy) == 0:
        return xy, starts
    rows, columns = shape
    number = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(xy))))
    following = _next(starts, len(xy))
    leaving, arriving = xy, xy[following]
    # Where a ring passes from one side of the region to the next it cuts a corner pixel.
    on_side = np.equal(xy, 0) | np.equal(xy, np.array([columns, rows]))
    turns = (on_side[:, 0] & on_side[following, 1] & (leaving[:, 1] != arriving[:, 1])) | (
        on_side[:, 1] & on_side[following, 0] & (leaving[:, 0] != arriving[:, 0])
    )
    turns &= (np.abs(arriving - leaving) == 0.5).all(axis=1)
    corner_at = np.flatnonzero(turns)
    if len(corner_at):
        corner = np.where(on_side[corner_at], leaving[corner_at], arriving[corner_at])
        xy = np.insert(xy, corner_at + 1, corner, axis=0)
        number = np.insert(number, corner_at + 1, number[corner_at])
        starts = np.searchsorted(number, np.arange(len(starts)))
        following = _next(starts, len(xy))
    previous = np.empty_like(following)
    previous[following] = np.arange(len(xy))
    straight = ((xy == xy[previous]) & (xy == xy[following])).any(axis=1)
    return xy[~straight], np.searchsorted(number[~straight], np.arange(len(starts)))


def _next(starts: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The index of each vertex's successor on its ring."""
    following = np.arange(1, count + 1)
    following[np.append(starts[1:], count) - 1] = starts
    return following


def _areas(xy: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Signed area of each ring (shoelace)."""
    if len(starts) == 0:
        return np.zeros(0)
    # Relative to each ring's first vertex, which keeps digits that a far origin would cost.
    size = np.diff(np.append(starts, len(xy)))
    local = xy - np.repeat(xy[starts], size, axis=0)
    after = local[_next(starts, len(xy))]
    doubled: NDArray[np.float64] = np.add.reduceat(
        local[:, 0] * after[:, 1] - after[:, 0] * local[:, 1], starts
    )
    return doubled / 2
