"""Lists of points as OMERO keeps them, "x,y x,y", and transforms of points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from deepscribble.errors import InvalidInput

Point = list[float]
"""x and y, level-0 pixels; a list, as GeoJSON has it."""

DECIMALS = 3
"""Places behind the point that are written: a thousandth of a pixel."""


def parse_points(text: str) -> list[Point]:
    """Read a list of points.

    Raises:
        InvalidInput: it is empty, or something in it is not two finite numbers.
    """
    points = []
    for pair in text.split():
        try:
            x, y = (float(number) for number in pair.split(","))
        except ValueError as error:
            raise InvalidInput("", f"{shortened(pair)!r} is not a point such as 12.5,40") from error
        if not (math.isfinite(x) and math.isfinite(y)):
            raise InvalidInput("", f"the point {shortened(pair)!r} is not finite")
        points.append([x, y])
    if not points:
        raise InvalidInput("", "it has no points")
    return points


def write_points(ring: NDArray[Any]) -> str:
    """Points (N, 2) as text that every OMERO client reads: no exponents and nothing negative."""
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in ring.tolist())


def transformed(points: Sequence[Point], matrix: Sequence[float] | None) -> list[Point]:
    """Points under an affine transform (a00, a10, a01, a11, a02, a12); None leaves them."""
    if matrix is None:
        return list(points)
    a00, a10, a01, a11, a02, a12 = matrix
    return [[a00 * x + a01 * y + a02, a10 * x + a11 * y + a12] for x, y in points]


def shortened(text: str, most: int = 24) -> str:
    """A text cut so that an error stays readable."""
    return text if len(text) <= most else f"{text[:most]}..."


def _number(value: float) -> str:
    text = f"{max(value, 0.0):.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
