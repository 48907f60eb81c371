"""What a pathologist draws: strokes that say "this is tumor" or "this is not"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput
from deepscribble.geometry.region import COORDINATE_LIMIT

FloatPoints = NDArray[np.float64]
"""Points (N, 2) as x, y; read-only when held by a stroke or polygon."""


class Label(Enum):
    """What a stroke says of the tissue under it."""

    FOREGROUND = 1
    BACKGROUND = 2


class Kind(Enum):
    """How a stroke was drawn."""

    POLYLINE = "polyline"
    POINTS = "points"
    BRUSH = "brush"


def frozen_points(points: object, field: str, at_least: int) -> FloatPoints:
    """Copy `points` into a read-only (N, 2) float64 array.

    Raises:
        InvalidInput: not pairs of numbers, a number is not finite or absurd, or fewer points than
            `at_least`.
    """
    try:
        array = np.array(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(field, f"not a list of x, y pairs ({error})") from error
    if array.size == 0:
        array = array.reshape(0, 2)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InvalidInput(field, f"not a list of x, y pairs, but of shape {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidInput(field, "a coordinate is NaN or infinite")
    if (np.abs(array) > COORDINATE_LIMIT).any():
        raise InvalidInput(field, f"a coordinate is beyond {COORDINATE_LIMIT}, larger than slides")
    if len(array) < at_least:
        raise InvalidInput(field, f"{len(array)} points where at least {at_least} are needed")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """One stroke in level-0 pixels.

    Args:
        id: The annotation's own id, a UUID in QuPath; any text.
        label: Foreground or background.
        kind: Polyline (each part a line), points (one part), brush (each part a ring, filled by
            the even-odd rule as QuPath does).
        parts: Arrays of points (N, 2), float64; at least one.
        width: Full width of the drawn line, level-0 pixels, over 0 and at most
            `COORDINATE_LIMIT`.

    Raises:
        InvalidInput: no parts, too few points in one, a number that is not finite, a bad width.
    """

    id: str
    label: Label
    kind: Kind
    parts: tuple[FloatPoints, ...]
    width: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.width <= COORDINATE_LIMIT:
            raise InvalidInput(
                "width",
                f"{self.width} is not a width; it must be over 0 and at most {COORDINATE_LIMIT}",
            )
        if not self.parts:
            raise InvalidInput("geometry", "the stroke has no coordinates")
        at_least = 3 if self.kind is Kind.BRUSH else 1
        parts = tuple(
            frozen_points(part, f"geometry[{index}]", at_least)
            for index, part in enumerate(self.parts)
        )
        object.__setattr__(self, "parts", parts)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of the drawn width, level-0 pixels."""
        xy = np.concatenate(self.parts)
        half = self.width / 2
        left, top = xy.min(axis=0) - half
        right, bottom = xy.max(axis=0) + half
        return float(left), float(top), float(right), float(bottom)
