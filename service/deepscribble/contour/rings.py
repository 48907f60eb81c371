"""Crossings → closed rings of the outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepscribble.contour.crossings import Crossings


@dataclass(frozen=True, slots=True, eq=False)
class Rings:
    """All rings of an outline, one after another.

    Args:
        xy: (N, 2) float64 vertices in pixels of the grid, inside on the right hand on a screen:
            exteriors run counter-clockwise in (x, y), holes clockwise.
        starts: (R,) index of each ring's first vertex, ascending.
        area: (R,) float64 signed area in square pixels: over 0 for exteriors, below 0 for holes.
        parent: (R,) the ring that encloses a hole; an exterior's own number for exteriors.
        probability: (R,) sum of the probability over the pixels of the piece an exterior bounds,
            holes left out; 0 for holes.
        pixels: (R,) number of those pixels.
        of_crossing: (N,) the ring that each crossing lies on.
    """

    xy: NDArray[np.float64]
    starts: NDArray[np.int64]
    area: NDArray[np.float64]
    parent: NDArray[np.int64]
    probability: NDArray[np.float64]
    pixels: NDArray[np.int64]
    of_crossing: NDArray[np.int64]


def trace(crossings: Crossings) -> Rings:
    """Join crossings to rings.

    Inside pixels that touch only at a corner are different pieces, so that no ring ever touches
    itself or another and every polygon made of them is valid.
    """
    keys = crossings.keys
    rows, columns = crossings.shape
    row, column = np.divmod(keys >> 1, columns + 2)
    below = (keys & 1).astype(np.bool_)
    order, starts = _walk(_successors(crossings, row, column, below))
    number = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(order))))
    ring = np.empty(len(keys), dtype=np.int64)
    ring[order] = number

    along = crossings.along
    x = np.where(below, column - 0.5, column - 0.5 + along)
    y = np.where(below, row - 0.5 + along, row - 0.5)
    parent = _parents(crossings, ring, len(starts), below, x)
    probability, pixels = _sums(crossings, ring, parent, below, column)
    xy, starts = _vertices(np.stack([x, y], axis=1), order, starts, number, rows, columns)
    return Rings(xy, starts, _areas(xy, starts), parent, probability, pixels, ring)


def _successors(
    crossings: Crossings,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    below: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """The crossing that follows each one, with the inside on the right hand.

    A crossing leads into one of the two cells (squares of four pixel centres) at its sides. There
    the outline turns right where it can, else goes straight on, else turns left. A cell has two
    crossings or four; with four, turning right keeps diagonal neighbours apart.
    """
    keys, first_inside = crossings.keys, crossings.first_inside
    step = 2 * (crossings.shape[1] + 2)
    side = np.int64(2)
    down, up = ~below & first_inside, ~below & ~first_inside
    east, west = below & ~first_inside, below & first_inside
    here = keys - below
    heading = [down, up, east, west]
    right = np.select(heading, [here + 1, here - step + side + 1, here + step, here - side])
    ahead = np.select(heading, [here + step, here - step, here + side + 1, here - side + 1])
    left = np.select(heading, [here + side + 1, here - step + 1, here, here - side + step])
    following = np.empty(len(keys), dtype=np.int64)
    pending = np.arange(len(keys))
    for turn in (right, ahead, left):
        wanted = turn[pending]
        position = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        hit = keys[position] == wanted
        following[pending[hit]] = position[hit]
        pending = pending[~hit]
    return following


def _walk(following: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order crossings ring by ring; returns the order and where in it each ring starts."""
    successor = following.tolist()
    seen = bytearray(len(successor))
    order: list[int] = []
    starts: list[int] = []
    for first in range(len(successor)):
        if seen[first]:
            continue
        starts.append(len(order))
        current = first
        while not seen[current]:
            seen[current] = 1
            order.append(current)
            current = successor[current]
    return np.array(order, dtype=np.int64), np.array(starts, dtype=np.int64)


def _parents(
    crossings: Crossings,
    ring: NDArray[np.int64],
    count: int,
    below: NDArray[np.bool_],
    x: NDArray[np.float64],
) -> NDArray[np.int64]:
    """The exterior that each ring belongs to (Suzuki and Abe 1985, section 3).

    Left of a hole's leftmost point lie inside pixels of its own piece; the crossing at their other
    end belongs to the piece's exterior, or to a hole whose leftmost point lies farther left.
    """
    level = np.flatnonzero(~below)
    by_position = level[np.lexsort((x[level], ring[level]))]
    rings, first = np.unique(ring[by_position], return_index=True)
    leftmost = np.empty(count, dtype=np.int64)
    leftmost[rings] = by_position[first]
    place = np.searchsorted(level, leftmost)
    is_hole = crossings.first_inside[leftmost]
    parent = np.arange(count)
    for hole in np.flatnonzero(is_hole)[np.argsort(x[leftmost[is_hole]], kind="stable")]:
        parent[hole] = parent[ring[level[place[hole] - 1]]]
    return parent


def _sums(
    crossings: Crossings,
    ring: NDArray[np.int64],
    parent: NDArray[np.int64],
    below: NDArray[np.bool_],
    column: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probability and number of the pixels of each exterior's piece."""
    level = np.flatnonzero(~below)
    opening, closing = level[0::2], level[1::2]
    piece = parent[ring[opening]]
    probability = np.zeros(len(parent), dtype=np.float64)
    np.add.at(probability, piece, crossings.run_sums[opening])
    pixels = np.zeros(len(parent), dtype=np.int64)
    np.add.at(pixels, piece, column[closing] - column[opening])
    return probability, pixels


def _vertices(
    xy: NDArray[np.float64],
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
    number: NDArray[np.int64],
    rows: int,
    columns: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices in ring order, with the region's corners put in and straight runs taken out."""
    if len(order) == 0:
        return np.zeros((0, 2)), starts
    xy = xy[order]
    following = _following(starts, len(xy))
    leaving, arriving = xy, xy[following]
    # Where a ring passes from one side of the region to the next it cuts a corner pixel.
    on_side = np.equal(xy, 0) | np.equal(xy, np.array([columns, rows]))
    turns = (on_side[:, 0] & on_side[following, 1] & (leaving[:, 1] != arriving[:, 1])) | (
        on_side[:, 1] & on_side[following, 0] & (leaving[:, 0] != arriving[:, 0])
    )
    turns &= (np.abs(arriving - leaving) == 0.5).all(axis=1)
    corner_at = np.flatnonzero(turns)
    corner = np.where(on_side[corner_at], leaving[corner_at], arriving[corner_at])
    xy = np.insert(xy, corner_at + 1, corner, axis=0)
    number = np.insert(number, corner_at + 1, number[corner_at])
    starts = np.searchsorted(number, np.arange(len(starts)))

    following = _following(starts, len(xy))
    previous = np.empty_like(following)
    previous[following] = np.arange(len(xy))
    straight = ((xy == xy[previous]) & (xy == xy[following])).any(axis=1)
    xy, number = xy[~straight], number[~straight]
    return xy, np.searchsorted(number, np.arange(len(starts)))


def _following(starts: NDArray[np.int64], count: int) -> NDArray[np.int64]:
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
    after = local[_following(starts, len(xy))]
    doubled: NDArray[np.float64] = np.add.reduceat(
        local[:, 0] * after[:, 1] - after[:, 0] * local[:, 1], starts
    )
    return doubled / 2
