"""Where on a slide the work is done, and at which scale.

Coordinates are pixel edges everywhere: (0, 0) is the outer corner of the first
pixel, so the centre of pixel (column 0, row 0) lies at (0.5, 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput, MissingScale

MPP_RANGE = (0.01, 100.0)
"""Micrometres per pixel outside of this range are taken for a mistake."""

COORDINATE_LIMIT = 2**31
"""No slide reaches this many level-0 pixels; larger numbers are taken for a mistake."""


def check_mpp(mpp: float, field: str = "mpp") -> float:
    """Return `mpp` (µm per level-0 pixel) if it is usable.

    Raises:
        MissingScale: it is 0, which is what an absent field reads as.
        InvalidInput: it is not finite, negative, or outside `MPP_RANGE`.
    """
    if mpp == 0:
        raise MissingScale(
            field, "micrometres per pixel are not known; give them (a 20x scan has about 0.5)"
        )
    low, high = MPP_RANGE
    if not math.isfinite(mpp) or not low <= mpp <= high:
        raise InvalidInput(
            field, f"{mpp:g} micrometres per pixel is outside the usable range {low:g} to {high:g}"
        )
    return float(mpp)


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the slide in level-0 pixels, with µm per level-0 pixel.

    Raises:
        MissingScale: `mpp` is 0.
        InvalidInput: a side is below 1, a coordinate is negative or absurd, or `mpp` is unusable.
    """

    x: int
    y: int
    width: int
    height: int
    mpp: float

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            value = getattr(self, name)
            if not 0 <= value < COORDINATE_LIMIT:
                raise InvalidInput(
                    f"region.{name}", f"{value} is outside 0 to {COORDINATE_LIMIT - 1}"
                )
        for name in ("width", "height"):
            value = getattr(self, name)
            if not 1 <= value < COORDINATE_LIMIT:
                raise InvalidInput(
                    f"region.{name}", f"{value} is not a size; a region is at least 1 pixel wide"
                )
        check_mpp(self.mpp, "region.mpp")


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixels that a model sees of a region: `width` x `height` at about the model's scale.

    The grid covers the region edge to edge, so its pixels are `scale_x` by `scale_y` level-0
    pixels, which differ from the model's exact scale by less than one part in the grid's size.
    """

    region: Region
    width: int
    height: int

    @classmethod
    def at(cls, region: Region, mpp: float) -> Grid:
        """Lay the grid of a model that runs at `mpp` (µm per model pixel) over `region`."""
        factor = region.mpp / mpp
        return cls(
            region,
            max(1, round(region.width * factor)),
            max(1, round(region.height * factor)),
        )

    @property
    def scale_x(self) -> float:
        """Level-0 pixels per model pixel along x."""
        return self.region.width / self.width

    @property
    def scale_y(self) -> float:
        """Level-0 pixels per model pixel along y."""
        return self.region.height / self.height

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns), as NumPy arrays of this grid have it."""
        return (self.height, self.width)

    def from_level0(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Level-0 points (N, 2) as model pixels of this grid."""
        offset = np.array([self.region.x, self.region.y], dtype=np.float64)
        pixels: NDArray[np.float64] = (xy - offset) / np.array([self.scale_x, self.scale_y])
        return pixels

    def to_level0(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Model pixels of this grid (N, 2) as level-0 points."""
        offset = np.array([self.region.x, self.region.y], dtype=np.float64)
        points: NDArray[np.float64] = xy * np.array([self.scale_x, self.scale_y]) + offset
        return points
