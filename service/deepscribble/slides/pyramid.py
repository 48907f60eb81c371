"""What every kind of slide file can do: levels of decreasing size, read by rectangle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from deepscribble.geometry import Warning
from deepscribble.slides.decode import RGB


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a pyramid: its size, and level-0 pixels per pixel along each axis."""

    width: int
    height: int
    downsample_x: float
    downsample_y: float


class Pyramid(Protocol):
    """A slide file that is open. Level 0 is the largest."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """All levels, level 0 first."""

    @property
    def mpp(self) -> tuple[float, float] | None:
        """µm per level-0 pixel along x and y as the file tells it, None if it does not."""

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """What is converted or ignored on reading."""

    def read(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        """Pixels of a rectangle inside a level, in that level's own pixels.

        Raises:
            InvalidInput: the file is damaged there.
        """

    def close(self) -> None:
        """Close the file."""


def lay_levels(sizes: list[tuple[int, int]]) -> tuple[Level, ...]:
    """Levels of these (width, height), level 0 first.

    Scanners shrink by whole factors and cut the last pixel, so that a level of 2033 / 4 = 508
    columns is shrunk by 4, not by 2033 / 508: read otherwise it is off by some pixels at the
    right edge. Sizes that no whole factor explains are taken as they are.
    """
    width, height = sizes[0]
    levels = []
    for level_width, level_height in sizes:
        exact_x, exact_y = width / level_width, height / level_height
        whole = round((exact_x + exact_y) / 2)
        if abs(width / whole - level_width) < 1 and abs(height / whole - level_height) < 1:
            exact_x = exact_y = float(whole)
        levels.append(Level(level_width, level_height, exact_x, exact_y))
    return tuple(levels)


class Picture:
    """A pyramid of one level that is in memory already."""

    def __init__(self, rgb: RGB, warnings: tuple[Warning, ...]) -> None:
        self._rgb = rgb
        self.levels = lay_levels([(rgb.shape[1], rgb.shape[0])])
        self.warnings = warnings
        self.mpp: tuple[float, float] | None = None

    def read(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        """Pixels of a rectangle; `level` is 0."""
        return np.ascontiguousarray(self._rgb[y : y + height, x : x + width])

    def close(self) -> None:
        """Nothing is open."""
