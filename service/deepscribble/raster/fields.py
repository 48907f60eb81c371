"""Label masks → distance fields: how near each pixel is to the strokes of each label.

The method's distance maps (paper, 2.2.2): Euclidean distance to the nearest stroke pixel, turned
round so that greater means nearer. Here they end at the influence radius: 1 on the stroke, 0 at
the radius and beyond, so that a stroke changes nothing farther away.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry import Label
from deepscribble.raster.draw import StrokeMask
from deepscribble.raster.window import Window

Field = NDArray[np.float32]

_FULL_REACH = 0.25
"""From this field value on the refined answer counts alone; below it the prior is mixed in."""


def nearness(mask: NDArray[np.bool_] | NDArray[np.uint8], radius: float) -> Field:
    """1 on `mask`, falling linearly with the exact Euclidean distance to 0 at `radius` pixels.

    Args:
        mask: (rows, columns), true on stroke pixels.
        radius: Influence radius in pixels, over 0.

    Returns:
        (rows, columns) float32 in [0, 1].
    """
    away = np.equal(mask, 0).view(np.uint8)
    if away.all():
        return np.zeros(away.shape, dtype=np.float32)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's last bit depends on the array's size. Squared distances between pixel centres are
    # whole numbers, so rounding them makes a crop's field equal the whole's bit for bit.
    np.minimum(distance, np.float32(radius + 1), out=distance)
    np.square(distance, out=distance)
    np.rint(distance, out=distance)
    np.sqrt(distance, out=distance)
    np.multiply(distance, np.float32(-1 / radius), out=distance)
    np.add(distance, np.float32(1), out=distance)
    return np.maximum(distance, np.float32(0), out=distance)


def distance_fields(labels: NDArray[np.uint8], radius: float) -> tuple[Field, Field]:
    """The foreground's and the background's field of a whole label mask.

    Args:
        labels: (rows, columns) of `Label` values, 0 where no stroke is.
        radius: Influence radius in pixels.
    """
    return (
        nearness(labels == Label.FOREGROUND.value, radius),
        nearness(labels == Label.BACKGROUND.value, radius),
    )


def reach(foreground: Field, background: Field) -> Field:
    """How much of the refined answer counts at each pixel, float32 in [0, 1].

    0 exactly where no stroke reaches, so that prior + reach * (refined - prior) is the prior
    there bit for bit; 1 from a quarter of the field on; a ramp between, so that no seam shows.
    """
    nearest = np.maximum(foreground, background)
    weight: Field = np.minimum(nearest * np.float32(1 / _FULL_REACH), np.float32(1))
    return weight


class DistanceFields:
    """The fields of all strokes of a region, updated only where a new stroke reaches.

    Bit-identical to `distance_fields` of the final label mask. Not thread-safe.

    Attributes:
        labels: (rows, columns) uint8 of `Label` values; where strokes overlap the newer one's.
        foreground: (rows, columns) float32, 1 on foreground strokes, 0 at the radius.
        background: Likewise for background strokes.
    """

    def __init__(self, shape: tuple[int, int], radius: float) -> None:
        self.radius = radius
        self.labels: NDArray[np.uint8] = np.zeros(shape, dtype=np.uint8)
        self.foreground: Field = np.zeros(shape, dtype=np.float32)
        self.background: Field = np.zeros(shape, dtype=np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.labels.nbytes + self.foreground.nbytes + self.background.nbytes

    def covers(self, stroke: StrokeMask, label: Label) -> bool:
        """Whether `stroke` would take pixels from strokes of the label other than `label`."""
        under = self.labels[stroke.window.slices][stroke.mask]
        return bool((under == _other(label).value).any())

    def add(self, stroke: StrokeMask, label: Label) -> Window:
        """Draw one more stroke over the others; returns the window where fields may differ."""
        covers_other = self.covers(stroke, label)
        self.labels[stroke.window.slices][stroke.mask] = label.value
        own, other = self.foreground, self.background
        if label is Label.BACKGROUND:
            own, other = other, own

        shape = self.labels.shape
        margin = math.ceil(self.radius)
        reached = stroke.window.grown(margin, (shape[0], shape[1]))
        around = np.zeros((reached.height, reached.width), dtype=np.bool_)
        around[stroke.window.within(reached).slices] = stroke.mask
        target = own[reached.slices]
        np.maximum(target, nearness(around, self.radius), out=target)

        if covers_other:
            # Pixels were taken from the other label: its field must be found anew around them.
            wide = reached.grown(margin, (shape[0], shape[1]))
            fresh = nearness(self.labels[wide.slices] == _other(label).value, self.radius)
            other[reached.slices] = fresh[reached.within(wide).slices]
        return reached

    def clear(self, windows: list[Window]) -> None:
        """Forget every stroke; `windows` are what `add` returned for them."""
        for window in windows:
            for array in (self.labels, self.foreground, self.background):
                array[window.slices] = 0


def _other(label: Label) -> Label:
    return Label.BACKGROUND if label is Label.FOREGROUND else Label.FOREGROUND
