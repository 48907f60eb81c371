"""What every method of the benchmark is: strokes on a patch in, an outline out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry import Grid, Polygon, Stroke


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One patch to be corrected.

    Args:
        name: Set and image, e.g. "glas/testA_1".
        set: The data set it comes from.
        target: What counts as inside, e.g. "tumor" or "gland".
        rgb: (rows, columns, 3) uint8 at the models' scale.
        truth: (rows, columns) bool, inside or not.
        prior: (rows, columns) float32 in [0, 1], the first guess of the target's GuideNet.
        grid: The patch's own grid: level-0 pixels are model pixels.
    """

    name: str
    set: str
    target: str
    rgb: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    prior: NDArray[np.float32]
    grid: Grid


class Session(Protocol):
    """One method at work on one case."""

    @property
    def first(self) -> tuple[Polygon, ...]:
        """The outline before any stroke: the first guess's, or empty."""

    def correct(self, strokes: Sequence[Stroke]) -> tuple[Polygon, ...]:
        """The outline after `strokes`, all so far, oldest first; everything in here is timed."""


class Method(Protocol):
    """A way to turn strokes into an outline."""

    @property
    def name(self) -> str:
        """As the tables have it, e.g. "RefineNet"."""

    @property
    def free_strokes(self) -> int:
        """Strokes before counting starts (paper, 3.1): 0 with a first guess, 1 for an empty
        outline, 2 for seeds of both labels.
        """

    def start(self, case: Case) -> Session:
        """A session on `case`; what a user would not wait for is done here, untimed."""
