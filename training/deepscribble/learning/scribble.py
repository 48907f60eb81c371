"""Strokes as a person would draw them through mistakes (paper, 2.2.3).

Each connected region where an answer and the truth differ is a mistake. Its distance map is
thresholded to its inner part, that is thinned to a skeleton, and the longest way through the
skeleton is one continuous stroke through the middle of the mistake.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from deepscribble.geometry import Grid, Kind, Label, Stroke

Mask = NDArray[np.bool_]
Way = NDArray[np.int64]
"""Neighbouring pixels along a stroke, (N, 2) as row, column."""

_MARGIN = 2.5
"""Strokes keep this far (pixels) from the edge of the mistake: a drawn line decides the pixels
whose centres are within about two pixels of it, and all of these shall be mistakes."""


_ASTRAY = 6.0
"""How far (pixels) along x and y a stroke may lie beside where it was meant."""


@dataclass(frozen=True, slots=True)
class Hand:
    """How somebody scribbles; lengths in model pixels.

    Args:
        longest: A stroke is at most this many pixels long.
        shortest: Varied strokes are cut to anything from this to `longest`.
        inner: The stroke stays where the distance to the mistake's edge is over this share of
            the greatest; lowest and highest of what is drawn by chance.
        smallest: Mistakes of fewer pixels are left alone.
        most: Only this many mistakes are corrected, the largest first; None for all.
        skipped: Share of the mistakes that are left alone by chance.
        jitter: Standard deviation of the hand's tremble, across the stroke.
        widest: The stroke's width is drawn from 1 to this.
        points: Share of the mistakes that get single points in place of a line.
        astray: Share of the strokes that are moved by up to `_ASTRAY` pixels, partly out of the
            mistake.
    """

    longest: int = 72
    shortest: int = 72
    inner: tuple[float, float] = (0.5, 0.5)
    smallest: int = 30
    most: int | None = None
    skipped: float = 0.0
    jitter: float = 0.0
    widest: float = 1.0
    points: float = 0.0
    astray: float = 0.0


STEADY = Hand()
"""For measuring: one stroke in each mistake, below 0.05 % of a 384 x 384 patch (paper, 3.1)."""

VARIED = Hand(
    longest=160,
    shortest=6,
    inner=(0.2, 0.8),
    smallest=20,
    skipped=0.35,
    jitter=1.2,
    widest=6.0,
    points=0.15,
    astray=0.15,
)
"""For training: strokes of many people."""


def scribbles(
    truth: Mask, answer: Mask, grid: Grid, hand: Hand = STEADY, seed: int = 0
) -> tuple[Stroke, ...]:
    """Strokes that correct `answer`: foreground where it misses, background where it exceeds.

    Mistakes too narrow for a stroke to stay inside are left alone, as a person would leave them.

    Args:
        truth: (rows, columns) of `grid`.
        answer: Likewise, the outline to correct.
        grid: Places the strokes on the slide.
        hand: How they are drawn.
        seed: The same seed gives the same strokes.

    Returns:
        Strokes in level-0 pixels, the largest mistake first.
    """
    rng = np.random.default_rng(seed)
    found: list[tuple[int, Label, Mask, tuple[int, int]]] = []
    for wrong, label in (
        (truth & ~answer, Label.FOREGROUND),
        (answer & ~truth, Label.BACKGROUND),
    ):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            wrong.view(np.uint8), connectivity=4
        )
        for index in range(1, count):
            left, top, width, height, area = (int(value) for value in stats[index])
            if area >= hand.smallest:
                crop = labels[top : top + height, left : left + width] == index
                found.append((area, label, crop, (top, left)))
    found.sort(key=lambda mistake: (-mistake[0], mistake[3]))
    strokes: list[Stroke] = []
    for _, label, mistake, origin in found:
        if len(strokes) == hand.most:
            break
        # The largest is never skipped by chance, so that something is always said.
        if strokes and rng.random() < hand.skipped:
            continue
        path = _middle(mistake, rng.uniform(*hand.inner))
        if path is not None:
            strokes.append(
                _stroke(f"generated-{len(strokes)}", label, path + origin, grid, hand, rng)
            )
    return tuple(strokes)


def _middle(mistake: Mask, inner: float) -> Way | None:
    """The longest way through the inner part of `mistake`; None where it has no inner part."""
    padded = np.pad(mistake, 1).view(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    deepest = float(depth.max())
    if deepest < _MARGIN:
        return None
    core = depth >= max(_MARGIN, inner * deepest)
    _, parts = cv2.connectedComponents(core.view(np.uint8), connectivity=8)
    at_deepest = parts[np.unravel_index(int(depth.argmax()), depth.shape)]
    return _longest_way(skeletonize(parts == at_deepest))  # type: ignore[no-untyped-call]


def _longest_way(skeleton: Mask) -> Way:
    """The longest of the shortest ways between pixels of a skeleton.

    Exact for a skeleton without loops: the pixel farthest from any pixel is one end.
    """
    pixels = {(int(row), int(column)) for row, column in np.argwhere(skeleton)}
    end = _walk(pixels, min(pixels))[-1]
    return np.array(_walk(pixels, end), dtype=np.int64)


def _walk(pixels: set[tuple[int, int]], start: tuple[int, int]) -> list[tuple[int, int]]:
    """The way from `start` to the pixel farthest from it."""
    came: dict[tuple[int, int], tuple[int, int] | None] = {start: None}
    queue = deque([start])
    last = start
    while queue:
        last = queue.popleft()
        row, column = last
        for step in _STEPS:
            beside = (row + step[0], column + step[1])
            if beside in pixels and beside not in came:
                came[beside] = last
                queue.append(beside)
    way = [last]
    while (before := came[way[-1]]) is not None:
        way.append(before)
    return way[::-1]


_STEPS = ((-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))


def _stroke(
    name: str, label: Label, path: Way, grid: Grid, hand: Hand, rng: np.random.Generator
) -> Stroke:
    """`path` as drawn by `hand`."""
    path = _cut(path, int(rng.integers(hand.shortest, hand.longest + 1)), rng)
    xy: NDArray[np.float64] = path[:, ::-1] + np.float64(0.5)
    if hand.jitter > 0 and len(xy) > 1:
        xy = _trembled(xy, hand.jitter, rng)
    if hand.astray > 0 and rng.random() < hand.astray:
        xy = xy + rng.uniform(-_ASTRAY, _ASTRAY, size=2)
    xy = np.clip(xy, 0, (grid.width, grid.height))
    width = rng.uniform(1.0, hand.widest)
    kind = Kind.POLYLINE
    if rng.random() < hand.points:
        kind = Kind.POINTS
        xy = xy[np.sort(rng.integers(0, len(xy), size=rng.integers(1, 4)))]
    return Stroke(name, label, kind, (grid.to_level0(xy),), float(width * grid.scale_x))


def _cut(path: Way, longest: int, rng: np.random.Generator) -> Way:
    """A stretch of `path` no longer than `longest` pixels: its middle, give or take by chance."""
    steps = np.hypot(*np.diff(path, axis=0).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    spare = float(length[-1]) - (longest - 1)
    if spare <= 0:
        return path
    begin = spare * rng.uniform(0.4, 0.6)
    return path[(length >= begin) & (length <= begin + longest - 1)]


def _trembled(
    xy: NDArray[np.float64], jitter: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Points moved by noise that is smooth along the stroke."""
    knots = rng.normal(0.0, jitter, size=(max(2, len(xy) // 12), 2))
    at = np.linspace(0, len(knots) - 1, len(xy))
    moved = [np.interp(at, np.arange(len(knots)), knots[:, axis]) for axis in (0, 1)]
    return xy + np.stack(moved, axis=1)
