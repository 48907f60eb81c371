"""Pixels for the server: a region of an image read at the model's scale."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import LimitExceeded
from deepscribble.geometry import Grid, Region
from deepscribble.slides import Slide


def read_pixels(
    slide: Slide, region: Region, model_mpp: float, limits: Mapping[str, int], advice: str
) -> NDArray[np.uint8]:
    """The region's pixels for a model, after asking whether the server takes that many.

    Args:
        slide: The open image.
        region: What to read.
        model_mpp: µm per pixel of the finest model that will run.
        limits: The server's.
        advice: What to do about a region that is too large.

    Raises:
        LimitExceeded: the region is over the server's limits.
    """
    # A coarser image is sent as it is, so that the server knows it and warns.
    mpp = max(region.mpp, model_mpp)
    for name, scale in (("image_pixels", mpp), ("model_pixels", model_mpp)):
        grid = Grid.at(region, scale)
        if grid.width * grid.height > limits[name]:
            raise LimitExceeded(
                f"region: {grid.width} x {grid.height} pixels at {scale:g} µm per pixel are more "
                f"than the server's limit {name} of {limits[name]}; {advice}"
            )
    return slide.read(region, mpp)
