"""Pixels of images that are files."""

from __future__ import annotations

from deepscribble.errors import InvalidInput, MissingScale
from deepscribble.slides import Slide, open_slide
from deepscribble.stores.store import StoreImage


def open_file(image: StoreImage, mpp: float | None) -> Slide:
    """Open the file of an image; see `Store.open`.

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
