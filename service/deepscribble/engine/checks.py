"""What a request may not be: refused before any work begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput, LimitExceeded
from deepscribble.geometry import Region, Stroke
from deepscribble.settings import Settings


def check_limit(value: int, settings: Settings, name: str, what: str, advice: str) -> None:
    """Raise `LimitExceeded` if `value` is over the limit of that name."""
    limit: int = getattr(settings, name)
    if value > limit:
        raise LimitExceeded(
            f"{what}: {value:,} is over the limit of {limit:,}; {advice}, or start the server "
            f"with a higher {name}"
        )


def check_ids(strokes: Sequence[Stroke], known: int) -> None:
    """Refuse an id that comes twice."""
    seen: dict[str, int] = {}
    for index, stroke in enumerate(strokes):
        if stroke.id and stroke.id in seen:
            first = seen[stroke.id]
            where = (
                f"stroke {first + 1} of the known outline"
                if first < known
                else (f"strokes[{first - known}]")
            )
            raise InvalidInput(
                f"strokes[{max(index - known, 0)}].id",
                f"{stroke.id!r} is {where} already; send each stroke once, in the order drawn",
            )
        seen[stroke.id] = index


def check_aspect(rgb: NDArray[np.uint8], region: Region) -> None:
    """Refuse pixels whose shape does not fit the region, give or take a pixel of rounding."""
    rows, columns = rgb.shape[:2]
    across, down = region.width / columns, region.height / rows
    if abs(across / down - 1) > 0.01 + 1.5 / min(rows, columns):
        raise InvalidInput(
            "pixels",
            f"{columns} x {rows} pixels do not fit a region of {region.width} x {region.height} "
            "level-0 pixels; send pixels that cover it edge to edge",
        )
