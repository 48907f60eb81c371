"""Where pixels come from: windows of a region at a model's scale, read when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.engine.store import Store
from deepscribble.geometry import Grid
from deepscribble.raster import Window

RGB = NDArray[np.uint8]
"""Pixels (rows, columns, 3)."""


class Source(Protocol):
    """The pixels of one region. Thread-safe.

    Attributes:
        id: Names the pixels: two sources of one id give the same pixels.
    """

    @property
    def id(self) -> str:
        """The digest of the pixels, or of what they are made of."""
        ...

    def read(self, grid: Grid, window: Window) -> RGB:
        """The pixels of a window of `grid`; the same bits whichever windows are read."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class UploadedPixels:
    """Pixels that were sent, which cover the region edge to edge at any resolution.

    Args:
        id: Their digest.
        rgb: uint8 (rows, columns, 3), as sent.
        store: Keeps them at a model's scale.
    """

    id: str
    rgb: RGB
    store: Store

    def read(self, grid: Grid, window: Window) -> RGB:
        """The pixels of a window of `grid`."""
        if self.rgb.shape[:2] == grid.shape:
            return self.rgb[window.slices]
        scaled = self.store.get_or_make(
            ("scaled", self.id, grid.shape), lambda: _scaled(self.rgb, grid), lambda rgb: rgb.nbytes
        )
        return scaled[window.slices]


def _scaled(rgb: RGB, grid: Grid) -> RGB:
    """Resample pixels that cover a region edge to edge onto its grid."""
    shrinking = rgb.shape[0] >= grid.height and rgb.shape[1] >= grid.width
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return cv2.resize(rgb, (grid.width, grid.height), interpolation=method).astype(
        np.uint8, copy=False
    )
