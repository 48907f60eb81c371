"""One method on one case: strokes are drawn, one a round, until it is right or they run out."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepscribble.benchmark.method import Case, Method
from deepscribble.benchmark.snapshot import Snapshot
from deepscribble.benchmark.user import next_stroke, shifted
from deepscribble.geometry import Grid, Label, Polygon, Stroke
from deepscribble.learning.evaluate import iou
from deepscribble.learning.patches import draw_all
from deepscribble.raster import fill, nearness

Mask = NDArray[np.bool_]
Labels = NDArray[np.uint8]

MOST = 20
"""Strokes that count; a method may have free ones before them (paper, 3.1)."""

ENOUGH = 0.95
"""A person stops here, above all that is asked for."""

PICTURED = 5
"""The gallery shows the answer after so many strokes that count."""

SHIFTED = 5
"""So many strokes are given at once, as drawn and moved, to see what moving them costs."""

SHIFT = 3.0
"""How far they are moved, model pixels."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one stroke led to.

    Args:
        iou: Intersection over union with the truth.
        seconds: From the stroke to the polygons: drawing, distance fields, the method, contour.
        flips: Share of all stroke pixels drawn so far that the answer says the opposite of.
        far: Share of the pixels beyond the influence radius of every stroke that changed in this
            round; 0 where there are none.
        stroke_pixels: How long the stroke is, pixels.
    """

    iou: float
    seconds: float
    flips: float
    far: float
    stroke_pixels: int


@dataclass(frozen=True, slots=True)
class Trial:
    """One method on one case.

    Args:
        case: Its name.
        method: Its name.
        free_strokes: So many rounds come before counting starts.
        first_iou: Before any stroke.
        rounds: One a stroke; fewer than possible where the user was content or found no mistake
            that can hold a stroke.
        together_iou: After the first `SHIFTED` strokes, given at once; None without strokes.
        shifted_iou: The same with each stroke moved by `SHIFT` pixels.
        snapshot: The answer after `PICTURED` strokes that count, or the last before.
    """

    case: str
    method: str
    free_strokes: int
    first_iou: float
    rounds: tuple[Round, ...]
    together_iou: float | None
    shifted_iou: float | None
    snapshot: Snapshot

    @property
    def curve(self) -> tuple[float, ...]:
        """IoU after 0 to `MOST` strokes that count; from the last round on it stays."""
        ious = (self.first_iou, *(one.iou for one in self.rounds))
        return tuple(ious[min(self.free_strokes + n, len(ious) - 1)] for n in range(MOST + 1))

    def interactions(self, target: float) -> int | None:
        """Strokes that count until IoU >= `target`; 0 if already there, None if never."""
        return next((n for n, value in enumerate(self.curve) if value >= target), None)


def run_trial(method: Method, case: Case, radius: float, seed: int) -> Trial:
    """Let the simulated user correct `case` with `method`.

    Args:
        method: Any of the lineup.
        case: A patch.
        radius: RefineNet's influence radius, model pixels: what is far from a stroke.
        seed: With the case's name, says where strokes are moved to.
    """
    grid = case.grid
    session = method.start(case)
    answer = mask_of(session.first, grid)
    first_iou = last_iou = iou(case.truth, answer)
    drawn: Labels = np.zeros(grid.shape, dtype=np.uint8)
    strokes: list[Stroke] = []
    rounds: list[Round] = []
    snapshot = Snapshot.of(answer, strokes, grid)
    while len(rounds) < method.free_strokes + MOST and last_iou < ENOUGH:
        stroke = next_stroke(case.truth, answer, drawn, grid)
        if stroke is None:
            break
        strokes.append(stroke)
        draw_all(drawn, (stroke,), grid)
        before = answer
        began = time.perf_counter()
        polygons = session.correct(strokes)
        seconds = time.perf_counter() - began
        answer = mask_of(polygons, grid)
        last_iou = iou(case.truth, answer)
        rounds.append(
            Round(
                round(last_iou, 5),
                round(seconds, 5),
                _flips(answer, drawn),
                _far(before, answer, drawn, radius),
                sum(len(part) for part in stroke.parts),
            )
        )
        if len(rounds) <= method.free_strokes + PICTURED:
            snapshot = Snapshot.of(answer, strokes, grid)
    together, moved = _both_ways(method, case, strokes[:SHIFTED], seed)
    return Trial(
        case.name,
        method.name,
        method.free_strokes,
        round(first_iou, 5),
        tuple(rounds),
        together,
        moved,
        snapshot,
    )


def mask_of(polygons: Sequence[Polygon], grid: Grid) -> Mask:
    """Which pixels of `grid` have their centre inside `polygons` (level-0 pixels), exactly."""
    rings = [grid.from_level0(ring) for polygon in polygons for ring in polygon.rings]
    return fill(rings, grid.shape)


def _flips(answer: Mask, drawn: Labels) -> float:
    inside, outside = drawn == Label.FOREGROUND.value, drawn == Label.BACKGROUND.value
    against = inside & ~answer | outside & answer
    return float(against.sum() / max(1, (drawn > 0).sum()))


def _far(before: Mask, answer: Mask, drawn: Labels, radius: float) -> float:
    beyond = nearness(drawn, radius) == 0
    return float((before != answer)[beyond].mean()) if beyond.any() else 0.0


def _both_ways(
    method: Method, case: Case, strokes: Sequence[Stroke], seed: int
) -> tuple[float | None, float | None]:
    """IoU after `strokes` given at once, and after the same ones moved."""
    if not strokes:
        return None, None
    rng = np.random.default_rng([seed, zlib.crc32(case.name.encode())])
    moved = shifted(strokes, SHIFT, case.grid, rng)
    together, apart = (
        iou(case.truth, mask_of(method.start(case).correct(given), case.grid))
        for given in (strokes, moved)
    )
    return round(together, 5), round(apart, 5)
