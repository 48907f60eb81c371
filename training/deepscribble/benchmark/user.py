"""The simulated user: each round one stroke in the largest mistake (paper, 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry import Grid, Label, Stroke
from deepscribble.learning.scribble import STEADY, scribbles

Mask = NDArray[np.bool_]

LONGEST = 0.0005
"""A stroke has at most this share of the patch's pixels: below 80 at 384 x 384 (paper, 3.1)."""


_SHORTEST = 4
"""Pixels that a stroke may have even in a tiny patch."""


def next_stroke(truth: Mask, answer: Mask, drawn: NDArray[np.uint8], grid: Grid) -> Stroke | None:
    """The stroke that this user draws next, or None where no mistake can hold one.

    What was drawn on is not drawn on again, even where a method did not obey: the stroke goes
    into the rest of the mistake, as clicks do in the evaluation of BRS and f-BRS.

    Args:
        truth: (rows, columns) of `grid`.
        answer: Likewise, the method's mask.
        drawn: Likewise, `Label` values of the strokes so far, 0 elsewhere.
        grid: Places the stroke on the slide.
    """
    obeyed = answer & (drawn != Label.BACKGROUND.value) | (drawn == Label.FOREGROUND.value)
    longest = max(_SHORTEST, int(LONGEST * truth.size))
    hand = replace(STEADY, most=1, longest=longest, shortest=longest)
    strokes = scribbles(truth, obeyed, grid, hand)
    return strokes[0] if strokes else None


def shifted(
    strokes: Sequence[Stroke], pixels: float, grid: Grid, rng: np.random.Generator
) -> tuple[Stroke, ...]:
    """The strokes of a less careful hand: each moved `pixels` of `grid`, all in own directions.

    Strokes stay within the region.
    """
    size = np.array([grid.width, grid.height], dtype=np.float64)
    moved = []
    for stroke in strokes:
        angle = rng.uniform(0, 2 * np.pi)
        by = pixels * np.array([np.cos(angle), np.sin(angle)])
        parts = tuple(
            grid.to_level0(np.clip(grid.from_level0(part) + by, 0, size)) for part in stroke.parts
        )
        moved.append(replace(stroke, parts=parts))
    return tuple(moved)
