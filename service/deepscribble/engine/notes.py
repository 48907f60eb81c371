"""What an answer tells a person beside the outline: warnings about pixels, prior and precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepscribble.engine.source import Source, UploadedPixels
from deepscribble.geometry import Polygon, Region, Warning
from deepscribble.models import Card, Model

_COARSE = 1.5
"""Pixels this many times coarser than the model's scale are worth a warning."""


def coarse_pixels(source: Source, region: Region, card: Card) -> tuple[Warning, ...]:
    """Whether pixels are coarser than the model wants."""
    if not isinstance(source, UploadedPixels):
        return ()
    mpp = region.mpp * region.width / source.rgb.shape[1]
    if mpp <= card.mpp * _COARSE:
        return ()
    return (
        Warning(
            "PIXELS_COARSER_THAN_MODEL",
            f"the pixels have {mpp:.3g} µm each, {card.name} runs at {card.mpp:g}; they were "
            "enlarged, which shows it less than it was trained to see",
        ),
    )


def clipped_prior(prior: Sequence[Polygon], region: Region) -> tuple[Warning, ...]:
    """What of a prior lies over the region's border."""
    low = np.array([region.x, region.y])
    high = np.array([region.x + region.width, region.y + region.height])
    over = sum(
        bool((polygon.exterior < low).any() or (polygon.exterior > high).any()) for polygon in prior
    )
    if not over:
        return ()
    return (
        Warning(
            "PRIOR_CLIPPED",
            f"{over} of {len(prior)} polygons to start from reach over the region's border or lie "
            "outside of it; only what is inside counts",
        ),
    )


def precision_fallback(model: Model) -> tuple[Warning, ...]:
    """Whether a model runs in float32 although the hardware has bfloat16."""
    if model.bfloat16_difference is None or model.precision == "bfloat16":
        return ()
    return (
        Warning(
            "PRECISION_FALLBACK",
            f"{model.card.name} runs in float32: in bfloat16 its answers differ by "
            f"{model.bfloat16_difference:.3f} on average",
        ),
    )
