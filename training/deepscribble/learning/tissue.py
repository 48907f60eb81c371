"""Where a slide shows tissue and where bare glass."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry import Grid
from deepscribble.slides import Slide

MPP = 8.0
"""µm per pixel at which tissue is looked for: a cell or two a pixel."""

MOST_PIXELS = 2**24
"""Larger slides are looked at more coarsely."""

FAINTEST, STRONGEST = 10, 20
"""Bounds of the threshold on colourfulness (0 to 255). Glass is grey: below the lower one lie the
noise and the tint of scans of glass. Above the upper one Otsu's threshold no longer parts tissue
from glass but, on a crop that is all tissue, one tissue from another."""


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """A coarse map of the tissue of a slide.

    Args:
        mask: (rows, columns) bool, where tissue is.
        grid: Where its pixels lie in level 0.
    """

    mask: NDArray[np.bool_]
    grid: Grid

    def on(self, grid: Grid) -> NDArray[np.bool_]:
        """Which pixels of another grid of the slide lie on tissue, (rows, columns)."""
        count = max(grid.shape)
        steps = np.arange(count, dtype=np.float64) + 0.5
        centres = self.grid.from_level0(grid.to_level0(np.stack([steps, steps], axis=1)))
        columns, rows = np.clip(centres.astype(int), 0, np.array(self.mask.shape[::-1]) - 1).T
        return self.mask[np.ix_(rows[: grid.height], columns[: grid.width])]


def find_tissue(slide: Slide) -> Tissue:
    """Look for tissue on the whole of a slide at about `MPP` µm per pixel.

    Stains are colours and glass is not: tissue is where a pixel's largest and smallest channel
    differ by more than Otsu's threshold over the slide, held within `FAINTEST` and `STRONGEST`.

    Raises:
        InvalidInput: the slide is damaged.
    """
    whole = slide.whole()
    mpp = max(MPP, slide.mpp, slide.mpp * math.sqrt(whole.width * whole.height / MOST_PIXELS))
    rgb = slide.read(whole, mpp)
    return Tissue(_is_stained(rgb), Grid(whole, rgb.shape[1], rgb.shape[0]))


def _is_stained(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    colourful = cv2.medianBlur(rgb.max(axis=2) - rgb.min(axis=2), 3)
    otsu, _ = cv2.threshold(colourful, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return np.asarray(colourful > min(max(otsu, FAINTEST), STRONGEST), dtype=np.bool_)
