"""Strokes → masks of the pixels that they decide, with sub-pixel placement.

The outline runs between pixel centres, so a point of the slide lies surely inside of it when the
four centres around the point are inside. A stroke therefore decides every pixel whose centre is
within a pixel's diagonal of the drawn width: then each point that the pathologist drew over is
inside (or outside) the outline, not only the pixel below it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from deepscribble.geometry import Grid, Kind, Stroke
from deepscribble.raster.fill import fill
from deepscribble.raster.rows import crossed_rows
from deepscribble.raster.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class StrokeMask:
    """The pixels that one stroke decides.

    Args:
        window: Where `mask` lies in the grid.
        mask: (rows, columns) bool of the window.
        clipped: Whether a part of the stroke lies outside of the region.
    """

    window: Window
    mask: NDArray[np.bool_]
    clipped: bool


def draw(stroke: Stroke, grid: Grid) -> StrokeMask | None:
    """Draw `stroke` (level-0 pixels) on `grid`.

    Returns:
        The pixels it decides, or None where no part of it touches the region.
    """
    parts = [grid.from_level0(part) for part in stroke.parts]
    points = np.concatenate(parts)
    size = np.array([grid.width, grid.height])
    clipped = bool((points < 0).any() or (points > size).any())
    drawn = max(stroke.width / grid.scale_x, stroke.width / grid.scale_y, 1.0)
    if clipped and not _touches(stroke.kind, parts, size, drawn / 2):
        return None
    radius = drawn / 2 + math.sqrt(2)
    left, top = np.floor(points.min(axis=0) - radius)
    right, bottom = np.ceil(points.max(axis=0) + radius)
    window = Window(
        int(np.clip(top, 0, grid.height)),
        int(np.clip(left, 0, grid.width)),
        int(np.clip(bottom, 0, grid.height)),
        int(np.clip(right, 0, grid.width)),
    )
    if window.height <= 0 or window.width <= 0:
        return None
    origin = np.array([window.left, window.top], dtype=np.float64)
    shape = (window.height, window.width)
    local = [part - origin for part in parts]
    mask = _near(_segments(stroke.kind, local), radius, shape)
    if stroke.kind is Kind.BRUSH:
        mask |= fill(local, shape)
    return StrokeMask(window, mask, clipped) if mask.any() else None


def crosses_itself(stroke: Stroke) -> bool:
    """Whether a ring of a brushed stroke meets itself."""
    return not all(shapely.LinearRing(part).is_simple for part in stroke.parts)


def _segments(kind: Kind, parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The lines that were drawn, (N, 4) as x0, y0, x1, y1; a dot is a segment of no length."""
    starts, ends = [], []
    for part in parts:
        if kind is Kind.BRUSH:
            starts.append(part)
            ends.append(np.roll(part, -1, axis=0))
        elif kind is Kind.POINTS or len(part) == 1:
            starts.append(part)
            ends.append(part)
        else:
            starts.append(part[:-1])
            ends.append(part[1:])
    return np.hstack([np.concatenate(starts), np.concatenate(ends)])


def _touches(
    kind: Kind, parts: list[NDArray[np.float64]], size: NDArray[np.int64], half: float
) -> bool:
    """Whether the drawn width of a stroke shares a point with the region."""
    low = np.full(2, -half, dtype=np.float64)
    high = (size + half).astype(np.float64)
    if len(_clipped(_segments(kind, parts), low, high)):
        return True
    # A brush may also surround the whole region without its edge coming near.
    centre = [part - size / 2 + 0.5 for part in parts]
    return kind is Kind.BRUSH and bool(fill(centre, (1, 1))[0, 0])


def _clipped(
    segments: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The parts of `segments` inside the rectangle `low` to `high` (Liang and Barsky 1984)."""
    start, delta = segments[:, :2], segments[:, 2:] - segments[:, :2]
    enter, leave = np.zeros(len(segments)), np.ones(len(segments))
    for axis in (0, 1):
        along, at = delta[:, axis], start[:, axis]
        still = along == 0
        step = np.where(still, 1.0, along)
        # Of a step that is all but nothing both quotients are infinite, which is as it should be.
        with np.errstate(over="ignore"):
            one, other = (low[axis] - at) / step, (high[axis] - at) / step
        outside = still & ((at < low[axis]) | (at > high[axis]))
        enter = np.where(still, enter, np.maximum(enter, np.minimum(one, other)))
        leave = np.where(still, leave, np.minimum(leave, np.maximum(one, other)))
        leave[outside] = -1.0
    kept = enter <= leave
    start, delta = start[kept], delta[kept]
    enter, leave = enter[kept, None], leave[kept, None]
    return np.hstack([start + enter * delta, start + leave * delta])


def _near(
    segments: NDArray[np.float64], radius: float, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which pixel centres of `shape` lie within `radius` of `segments`, exactly.

    What lies within a radius of a segment is convex, so each row of centres has one run of it:
    from the leftmost to the rightmost place where the row meets the circles around the segment's
    ends or the two lines that touch both. The cost follows the rows, not the area.
    """
    rows, columns = shape
    # Where runs begin (+1) and end (-1); one column more takes the ends at the right edge.
    steps = np.zeros((rows, columns + 1), dtype=np.int32)
    margin = radius + 1.0
    segments = _clipped(
        segments, np.full(2, -margin), np.array([columns, rows], dtype=np.float64) + margin
    )
    start, end = segments[:, :2], segments[:, 2:]
    along = end - start
    length = np.hypot(along[:, 0], along[:, 1])
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across *= (radius / np.where(length > 0, length, 1.0))[:, None]
    low = np.minimum(start[:, 1], end[:, 1]) - radius
    high = np.maximum(start[:, 1], end[:, 1]) + radius
    first = np.clip(np.ceil(low - 0.5), 0, rows).astype(np.int64)
    past = np.clip(np.floor(high - 0.5) + 1, 0, rows).astype(np.int64)
    for number, row in crossed_rows(first, past):
        y = row + 0.5
        left, right = np.full(len(row), np.inf), np.full(len(row), -np.inf)
        for centre in (start[number], end[number]):
            rest = radius * radius - (y - centre[:, 1]) ** 2
            half = np.sqrt(np.maximum(rest, 0.0))
            left = np.where(rest >= 0, np.minimum(left, centre[:, 0] - half), left)
            right = np.where(rest >= 0, np.maximum(right, centre[:, 0] + half), right)
        for side in (across[number], -across[number]):
            one, other = start[number] + side, end[number] + side
            rise = other[:, 1] - one[:, 1]
            share = (y - one[:, 1]) / np.where(rise == 0, 1.0, rise)
            met = (rise != 0) & (share >= 0) & (share <= 1)
            x = one[:, 0] + share * (other[:, 0] - one[:, 0])
            left = np.where(met, np.minimum(left, x), left)
            right = np.where(met, np.maximum(right, x), right)
        begin = np.clip(np.ceil(left - 0.5), 0, columns)
        stop = np.clip(np.floor(right - 0.5) + 1, 0, columns)
        run = begin < stop
        np.add.at(steps, (row[run], begin[run].astype(np.int64)), 1)
        np.add.at(steps, (row[run], stop[run].astype(np.int64)), -1)
    inside: NDArray[np.bool_] = np.cumsum(steps, axis=1, out=steps)[:, :columns] > 0
    return inside
