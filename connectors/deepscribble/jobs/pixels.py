"""Pixels for the server: an image opened at its scale, a region read at the model's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput, LimitExceeded, MissingScale
from deepscribble.geometry import Grid, Region
from deepscribble.slides import Slide, open_slide
from deepscribble.stores import StoreImage


def open_image(image: StoreImage, mpp: float | None) -> Slide:
    """Open the image of a store.

    Args:
        image: The image.
        mpp: µm per level-0 pixel where neither store nor file tells it.

    Raises:
        InvalidInput: the store has a problem with it, or it is not the image that the store means.
        MissingScale: nobody tells its µm per pixel.
    """
    if image.problem or image.path is None:
        raise InvalidInput("", image.problem or "the store does not tell where its file is")
    try:
        slide = open_slide(image.path, mpp=image.mpp)
    except MissingScale:
        if mpp is None:
            raise
        slide = open_slide(image.path, mpp=mpp)
    if image.size not in (None, (slide.width, slide.height)):
        size = f"{slide.width} x {slide.height}"
        slide.close()
        raise InvalidInput(
            str(image.path),
            f"the file has {size} pixels, but its annotations were drawn on "
            f"{' x '.join(map(str, image.size or ()))}; a rotated image, or one of several in a "
            "file, cannot be outlined",
        )
    return slide


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
