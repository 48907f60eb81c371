"""What an answer holds: polygons, who made them, what it cost, and what was assumed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry.polygon import Polygon


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model and the exact weights that answered."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Warning:
    """Something that was assumed, clipped or left out, for a machine and for a person."""

    code: str
    message: str
    stroke_id: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The outline of a region after all strokes drawn so far.

    Args:
        polygons: Level-0 pixels, ordered by their first pixel.
        region_id: Stands for the pixels in later requests.
        models: GuideNet and RefineNet where they answered.
        milliseconds: Wall time of each stage, by name; `total` is the whole.
        warnings: What was assumed, clipped or left out.
        stroke_ids: The strokes that took part, in the order they were applied.
        probability: (rows, columns) float32 at the model's scale, only on request.
    """

    polygons: tuple[Polygon, ...]
    region_id: str
    models: tuple[ModelRef, ...]
    milliseconds: dict[str, float]
    warnings: tuple[Warning, ...] = ()
    stroke_ids: tuple[str, ...] = ()
    probability: NDArray[np.float32] | None = field(default=None, repr=False)
