"""Label masks → distance fields: how near each pixel is to the strokes of each label.

The method's distance maps (paper, 2.2.2): Euclidean distance to the nearest stroke pixel, turned
round so that greater means nearer. Here they end at the influence radius: 1 on the stroke, 0 at
the radius and beyond, so that a stroke changes nothing farther away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry import Label
from deepscribble.raster.draw import StrokeMask
from deepscribble.raster.lattice import Lattice
from deepscribble.raster.plane import Plane
from deepscribble.raster.window import Window

Field = NDArray[np.float32]

Undo = tuple[tuple[Plane[Any], Window, NDArray[Any]], ...]
"""What planes held in windows before a stroke, oldest first."""

_BLOCK = 640
"""A stroke that reaches farther than this is handled in blocks of so many pixels a side."""

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


def reach(near: Field) -> Field:
    """How much of the refined answer counts at each pixel, float32 in [0, 1].

    0 exactly where the field is, so that before + reach * (refined - before) is what was before
    there bit for bit; 1 from a quarter of the field on; a ramp between, so that no seam shows.

    Args:
        near: A field, 1 on a stroke and 0 from the influence radius on.
    """
    weight: Field = np.minimum(near * np.float32(1 / _FULL_REACH), np.float32(1))
    return weight


class DistanceFields:
    """The fields of all strokes of a grid, updated only where a new stroke reaches.

    Bit-identical to `distance_fields` of the final labels. Not thread-safe.

    Attributes:
        labels: uint8 `Label` values; where strokes overlap the newer one's.
        foreground: float32, 1 on foreground strokes, 0 at the radius and beyond.
        background: Likewise for background strokes.
    """

    def __init__(self, lattice: Lattice, radius: float) -> None:
        self.radius = radius
        self.labels = Plane(lattice, np.uint8(0))
        self.foreground = Plane(lattice, np.float32(0))
        self.background = Plane(lattice, np.float32(0))
        self._shape = lattice.shape

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.labels.nbytes + self.foreground.nbytes + self.background.nbytes

    def covers(self, stroke: StrokeMask, label: Label) -> bool:
        """Whether `stroke` would take pixels from strokes of the label other than `label`."""
        under = self.labels.read(stroke.window)
        return bool(((under == other_label(label).value) & stroke.mask).any())

    def areas(self, stroke: StrokeMask) -> list[Window]:
        """Windows without a common pixel that hold all that a stroke reaches.

        One for a short stroke; along a long one, those blocks that it reaches.
        """
        margin = math.ceil(self.radius)
        whole = stroke.window.grown(margin, self._shape)
        if whole.height <= _BLOCK and whole.width <= _BLOCK:
            return [whole]
        blocks = [
            Window(top, left, min(top + _BLOCK, whole.bottom), min(left + _BLOCK, whole.right))
            for top in range(whole.top, whole.bottom, _BLOCK)
            for left in range(whole.left, whole.right, _BLOCK)
        ]
        return [block for block in blocks if _part(stroke, block.grown(margin, self._shape)).any()]

    def near(self, stroke: StrokeMask, area: Window) -> Field:
        """The stroke's own nearness in a window."""
        wide = area.grown(math.ceil(self.radius), self._shape)
        return nearness(_part(stroke, wide), self.radius)[area.within(wide).slices]

    def add(self, stroke: StrokeMask, label: Label, near: Mapping[Window, Field]) -> Undo:
        """Draw one more stroke over the others.

        Args:
            stroke: Its pixels.
            label: Its label.
            near: Its own nearness in each of its areas.

        Returns:
            What `restore` takes to undo it.
        """
        covers_other = self.covers(stroke, label)
        old = self.labels.read(stroke.window)
        undo: list[tuple[Plane[Any], Window, NDArray[Any]]] = [(self.labels, stroke.window, old)]
        self.labels.write(stroke.window, np.where(stroke.mask, np.uint8(label.value), old))
        own, other = self.foreground, self.background
        if label is Label.BACKGROUND:
            own, other = other, own
        margin = math.ceil(self.radius)
        for area, values in near.items():
            before = own.read(area)
            undo.append((own, area, before))
            own.write(area, np.maximum(before, values))
            if covers_other:
                # Pixels were taken from the other label: its field must be found anew around them.
                wide = area.grown(margin, self._shape)
                left = self.labels.read(wide) == other_label(label).value
                undo.append((other, area, other.read(area)))
                other.write(area, nearness(left, self.radius)[area.within(wide).slices])
        return tuple(undo)

    def restore(self, undo: Undo) -> None:
        """Undo the newest stroke that was added."""
        for plane, window, values in reversed(undo):
            plane.write(window, values)

    def clear(self) -> None:
        """Forget every stroke."""
        for plane in (self.labels, self.foreground, self.background):
            plane.clear()


def _part(stroke: StrokeMask, window: Window) -> NDArray[np.bool_]:
    """The stroke's mask in a window."""
    part = np.zeros((window.height, window.width), dtype=np.bool_)
    shared = stroke.window.shared(window)
    part[shared.within(window).slices] = stroke.mask[shared.within(stroke.window).slices]
    return part


def other_label(label: Label) -> Label:
    """Background for foreground, and the other way round."""
    return Label.BACKGROUND if label is Label.FOREGROUND else Label.FOREGROUND
