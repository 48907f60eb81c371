"""Methods that learn nothing: watershed, random walker, GrabCut, seeded by the strokes.

With strokes of one label they have nothing to tell apart, so that everything is of that label;
counting starts after the second stroke, as in the paper (3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import random_walker, watershed

from deepscribble.benchmark.method import Case, Session
from deepscribble.contour import polygons_of
from deepscribble.geometry import Grid, Label, Polygon, Stroke
from deepscribble.learning.patches import draw_all
from deepscribble.raster import nearness

Labels = NDArray[np.uint8]
"""(rows, columns) of `Label` values, 0 where no stroke is."""

_SMOOTH = 2.0
"""Standard deviation (pixels) that the image is smoothed by before its gradient is taken: edges
within nuclei would stop the flood otherwise."""

_BETA = 130.0
"""How much harder a random walk crosses a difference in colour (scikit-image's default)."""

_ITERATIONS = 5
"""Rounds of GrabCut (colour models, then the cut) on the first strokes of both labels."""

_FURTHER = 1
"""Rounds after each further stroke, as its authors do: the models are there already."""

Spread = Callable[[NDArray[Any], Labels], NDArray[np.float32]]
"""The prepared patch and labels of both kinds → (rows, columns) float32, 1 inside and 0 outside, or
how likely inside."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """A method that spreads the labels of stroke pixels over the patch.

    Args:
        name: As the tables have it.
        prepare: The patch, (rows, columns, 3) uint8, as a `Spread` wants it; done before any
            stroke.
        begin: Gives the `Spread` of a session, which may remember its rounds.
        free_strokes: Strokes before counting starts.
    """

    name: str
    prepare: Callable[[NDArray[np.uint8]], NDArray[Any]]
    begin: Callable[[], Spread]
    free_strokes: int = 2

    def start(self, case: Case) -> Session:
        """A session on `case`."""
        return _SeededSession(case.grid, self.prepare(case.rgb), self.begin())


@dataclass(frozen=True, slots=True, eq=False)
class _SeededSession:
    grid: Grid
    image: NDArray[Any]
    spread: Spread
    first: tuple[Polygon, ...] = ()

    def correct(self, strokes: Sequence[Stroke]) -> tuple[Polygon, ...]:
        """The outline after `strokes`."""
        labels = np.zeros(self.grid.shape, dtype=np.uint8)
        draw_all(labels, strokes, self.grid)
        drawn = set(np.unique(labels).tolist())
        if drawn >= {label.value for label in Label}:
            inside = self.spread(self.image, labels)
        else:
            only = Label.FOREGROUND.value in drawn
            inside = np.full(labels.shape, only, dtype=np.float32)
        return polygons_of(inside, 0.5, self.grid)


def _gradient(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), _SMOOTH)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    return np.hypot(across, down).astype(np.float32)


def _flooded(gradient: NDArray[Any], labels: Labels) -> NDArray[np.float32]:
    basins = watershed(gradient, labels.astype(np.int32))  # type: ignore[no-untyped-call]
    return np.asarray(basins == Label.FOREGROUND.value, dtype=np.float32)


def _intensity(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    return rgb / np.float64(255)


def _walked(image: NDArray[Any], labels: Labels) -> NDArray[np.float32]:
    if labels.all():
        # Nobody is left to walk, which scikit-image answers in another form.
        return np.asarray(labels == Label.FOREGROUND.value, dtype=np.float32)
    likely = random_walker(
        image,
        labels.astype(np.int32),
        beta=_BETA,
        mode="cg_mg",
        return_full_prob=True,
        channel_axis=-1,
        # The multigrid solution overshoots a little, which is no news and is cut off below.
        prob_tol=0.1,
    )
    return np.asarray(likely[0], dtype=np.float32).clip(0, 1)


class _GrabCut:
    """GrabCut over a session: each round goes on from the colour models and cut of the last."""

    def __init__(self) -> None:
        self._mask: NDArray[np.uint8] | None = None
        self._outside = np.zeros((1, 65))
        self._inside = np.zeros((1, 65))

    def __call__(self, rgb: NDArray[Any], labels: Labels) -> NDArray[np.float32]:
        """To begin with, the nearer stroke tells what is probable where none is."""
        rounds, mode = _FURTHER, cv2.GC_EVAL
        if self._mask is None:
            far = float(np.hypot(*labels.shape))
            inside, outside = (nearness(labels == label.value, far) for label in Label)
            likely = np.where(inside > outside, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
            self._mask = likely.astype(np.uint8)
            rounds, mode = _ITERATIONS, cv2.GC_INIT_WITH_MASK
            # Its colour models begin at random places.
            cv2.setRNGSeed(0)
        mask = self._mask
        mask[labels == Label.FOREGROUND.value] = cv2.GC_FGD
        mask[labels == Label.BACKGROUND.value] = cv2.GC_BGD
        cv2.grabCut(rgb, mask, (0, 0, 0, 0), self._outside, self._inside, rounds, mode)
        return np.asarray(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)), dtype=np.float32)


def _as_it_is(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rgb)


WATERSHED = Seeded("Watershed", _gradient, lambda: _flooded)
"""Floods the gradient from the strokes (Beucher and Meyer 1993; scikit-image)."""

RANDOM_WALKER = Seeded("Random walker", _intensity, lambda: _walked)
"""Where a walk meets a foreground stroke first (Grady 2006; scikit-image with multigrid)."""

GRABCUT = Seeded("GrabCut", _as_it_is, _GrabCut)
"""Cuts between the colours under the strokes (Rother et al. 2004; OpenCV)."""
