"""Area resampling with sub-pixel offsets: where each output pixel lies is exact."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Axis:
    """How the pixels of one axis of the output lie on those of the source.

    Output pixel i covers source coordinates `start + i * step` to `start + (i + 1) * step`,
    pixel edges. The source reaches from 0 to `size`.
    """

    start: float
    step: float
    count: int
    size: int

    @property
    def is_crop(self) -> bool:
        """Whether output pixels are source pixels."""
        inside = 0 <= self.start <= self.size - self.count
        return self.step == 1 and self.start == round(self.start) and inside

    def windows(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Left and right source edges (count,) that each output pixel averages.

        Below one source pixel a window is widened to one, which makes enlarging the bilinear
        interpolation. Windows end where the source ends.
        """
        centre = self.start + (np.arange(self.count) + 0.5) * self.step
        half = max(self.step, 1.0) / 2
        left = np.clip(centre - half, 0, self.size)
        right = np.clip(centre + half, 0, self.size)
        # A window wholly past the end (a level that was cut to whole pixels) takes the last one.
        empty = right - left < 1e-6
        left[empty] = np.clip(left[empty], 0, self.size - 1)
        right[empty] = left[empty] + 1
        return left, right

    def part(self, first: int, count: int) -> Axis:
        """Output pixels `first` to `first + count` on the same source."""
        return Axis(self.start + first * self.step, self.step, count, self.size)

    def span(self) -> tuple[int, int]:
        """First source pixel that is needed, and one past the last."""
        if self.is_crop:
            return round(self.start), round(self.start) + self.count
        left, right = self.windows()
        # An edge that misses a whole pixel only by rounding needs no further pixel.
        return int(np.floor(left.min() + 1e-9)), int(np.ceil(right.max() - 1e-9))

    def seen_from(self, pixel: int, size: int) -> Axis:
        """The same on a source of `size` pixels cut out from `pixel` on."""
        return Axis(self.start - pixel, self.step, self.count, size)


def resample(pixels: NDArray[np.uint8], rows: Axis, columns: Axis) -> NDArray[np.uint8]:
    """Average the source under each output pixel.

    Args:
        pixels: uint8 (rows.size, columns.size, 3).
        rows: The vertical axis.
        columns: The horizontal axis.

    Returns:
        uint8 (rows.count, columns.count, 3), rounded to nearest.
    """
    if rows.is_crop and columns.is_crop:
        y, x = round(rows.start), round(columns.start)
        return np.ascontiguousarray(pixels[y : y + rows.count, x : x + columns.count])
    integral = cv2.integral(pixels, sdepth=cv2.CV_64F).astype(np.float64, copy=False)
    down = _sums(integral, rows)
    summed = _sums(down.transpose(1, 0, 2), columns).transpose(1, 0, 2)
    averaged = summed / (_widths(rows)[:, None, None] * _widths(columns)[None, :, None])
    # Halves are rounded up from a little below: a half that sums differently in another cut of
    # the source still comes out the same.
    return np.ascontiguousarray(np.clip(averaged + (0.5 + 1e-6), 0, 255).astype(np.uint8))


def _widths(axis: Axis) -> NDArray[np.float64]:
    left, right = axis.windows()
    return right - left


def _sums(integral: NDArray[np.float64], axis: Axis) -> NDArray[np.float64]:
    """Sums over each window along the first axis, from the integral that runs along it."""
    left, right = axis.windows()
    return _at(integral, right) - _at(integral, left)


def _at(integral: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The running integral at fractional edges; it is linear inside each pixel."""
    below = np.minimum(np.floor(edges).astype(np.intp), len(integral) - 2)
    fraction = (edges - below)[:, None, None]
    value = integral[below]
    if fraction.any():
        value = value * (1 - fraction) + integral[below + 1] * fraction
    return value
