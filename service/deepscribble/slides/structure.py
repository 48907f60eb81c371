"""What is read of an encoded image before any decoder sees it, and its bounds."""

from __future__ import annotations

from dataclasses import dataclass

from deepscribble.errors import LimitExceeded

COUNTED_IMAGES = 64
"""Images that are counted; past it the count is "at least"."""


class Damaged(ValueError):
    """The structure of the file does not hold together."""


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """The structure of one encoded image.

    Args:
        format: PNG, JPEG, TIFF or WEBP.
        width: Pixels of the first image, as stored.
        height: Pixels of the first image, as stored.
        pixel_bytes: Bytes of the first image unpacked, before it is converted to RGB.
        images: Images that the file holds; at most `COUNTED_IMAGES`, then there may be more.
        orientation: The EXIF orientation, 1 where there is none.
        pieces: Parts of the file that, joined, are a file of the first image alone.
    """

    format: str
    width: int
    height: int
    pixel_bytes: int
    images: int
    orientation: int
    pieces: tuple[bytes | memoryview, ...]


def check_number(number: int, most: int, what: str, field: str) -> None:
    """Refuse more of something than a picture has.

    Raises:
        LimitExceeded: `number` is over `most`.
    """
    if number > most:
        raise LimitExceeded(
            f"{field}: the file has more than {most} {what}, which no picture needs; "
            "save the image anew and send that"
        )
