"""Encoded images to RGB: PNG, JPEG, TIFF and WebP, unpacked under a limit."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from deepscribble.errors import InvalidInput, LimitExceeded
from deepscribble.geometry import Warning
from deepscribble.slides.header import COUNTED_IMAGES, Header, read_header

RGB = NDArray[np.uint8]
"""Pixels (rows, columns, 3), C-contiguous."""

# What Pillow's decoders raise on damaged files, found by feeding them damaged files.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    LookupError,
    TypeError,
    OverflowError,
)

BYTES_PER_PIXEL = 8
"""Bytes that a pixel may unpack to before it is RGB: four samples of 16 bits."""

CONVERTED = "PIXELS_CONVERTED"


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """An unpacked image.

    Args:
        rgb: uint8 (rows, columns, 3), C-contiguous.
        warnings: What was converted or ignored, code PIXELS_CONVERTED.
    """

    rgb: RGB
    warnings: tuple[Warning, ...] = ()


def decode_image(
    data: bytes, *, max_pixels: int, field: str = "pixels", setting: str = "image_pixels"
) -> Decoded:
    """Unpack a PNG, JPEG, TIFF or WebP file into RGB.

    Grayscale, palette, transparent (laid over white), 16-bit (the high byte) and CMYK images are
    converted, and an orientation tag is not applied: strokes are drawn in the coordinates of the
    pixels as stored. Each of these is a warning.

    The work is bounded by `max_pixels` and the length of `data`: the decoder gets only the parts
    of the file that decide the pixels of its first image (`slides.header`).

    Args:
        data: The whole file.
        max_pixels: The most pixels to unpack, read from the header before unpacking.
        field: What an error calls the image.
        setting: What an error calls `max_pixels`.

    Raises:
        LimitExceeded: more than `max_pixels` pixels, or more parts, scans, tags, strips or samples
            than an image has.
        InvalidInput: not one of these formats, truncated, damaged, or no picture of 8 or 16 bits.
    """
    try:
        header = read_header(data, field)
    except DAMAGE as error:
        raise InvalidInput(field, f"the image's header is damaged ({error})") from error
    if header is None:
        raise InvalidInput(field, "not a PNG, JPEG, TIFF or WebP image")
    check_pixels(header.width, header.height, max_pixels, field, setting)
    if header.pixel_bytes > max_pixels * BYTES_PER_PIXEL:
        raise LimitExceeded(
            f"{field}: {header.pixel_bytes} bytes of samples are more than {BYTES_PER_PIXEL} for "
            f"each of the {setting} of {max_pixels}; {_remedy(setting)}"
        )
    try:
        with warnings.catch_warnings():
            # `max_pixels` is the limit here; Pillow's own would only repeat it on stderr.
            warnings.simplefilter("ignore")
            image: Image.Image = Image.open(
                io.BytesIO(b"".join(header.pieces)), formats=(header.format,)
            )
    except Image.DecompressionBombError as error:
        raise _bomb(max_pixels, field, setting) from error
    except UnidentifiedImageError as error:
        raise InvalidInput(field, "not a PNG, JPEG, TIFF or WebP image") from error
    except DAMAGE as error:
        raise InvalidInput(field, f"the image's header is damaged ({error})") from error
    with image:
        check_pixels(image.width, image.height, max_pixels, field, setting)
        sixteen_bit = image.mode.startswith("I;16") or any(
            ";16" in str(tile.args) for tile in getattr(image, "tile", ())
        )
        # A PNG has at most 16 bits; older Pillow calls its 16-bit grays 32-bit.
        sixteen_bit |= image.mode == "I" and image.format == "PNG"
        try:
            image.load()
        except Image.DecompressionBombError as error:
            raise _bomb(max_pixels, field, setting) from error
        except DAMAGE as error:
            raise InvalidInput(
                field, f"the image is truncated or damaged ({error}); send the whole file"
            ) from error
        notes = _notes(header)
        if sixteen_bit:
            notes.append("16-bit samples were reduced to their high byte")
        rgb, note = _to_rgb(image, sixteen_bit, field)
        if note:
            notes.append(note)
    return Decoded(rgb, tuple(Warning(CONVERTED, f"{field}: {note}") for note in notes))


def check_pixels(
    width: int, height: int, max_pixels: int, field: str, setting: str = "max_pixels"
) -> None:
    """Refuse more than `max_pixels` pixels; `setting` is what the error calls them.

    Raises:
        LimitExceeded: the product is over the limit.
    """
    if width * height > max_pixels:
        raise LimitExceeded(
            f"{field}: {width} x {height} pixels are more than the limit {setting} "
            f"of {max_pixels}; {_remedy(setting)}"
        )


def _remedy(setting: str) -> str:
    return f"use a smaller region or a lower resolution, or raise {setting}"


def _notes(header: Header) -> list[str]:
    """What of a file is not used."""
    notes = []
    if header.images > 1:
        number = f"at least {COUNTED_IMAGES}" if header.images == COUNTED_IMAGES else header.images
        notes.append(f"the file holds {number} images, of which the first was read")
    if 1 < header.orientation <= 8:
        notes.append(
            f"the orientation tag ({header.orientation}) was ignored: "
            "coordinates are those of the pixels as stored"
        )
    return notes


def _bomb(max_pixels: int, field: str, setting: str) -> LimitExceeded:
    """What Pillow refuses of itself, far above any limit that is meant to be used."""
    limit = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))
    return LimitExceeded(
        f"{field}: the image unpacks to more than the limit {setting} of {limit}; "
        f"{_remedy(setting)}"
    )


def _to_rgb(image: Image.Image, sixteen_bit: bool, field: str) -> tuple[RGB, str]:
    """The pixels as RGB, and what was done to them if anything."""
    mode = image.mode
    note = ""
    if mode.startswith("I;16") or (mode == "I" and sixteen_bit):
        gray = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2), "grayscale was converted to RGB"
    if mode in ("I", "F"):
        raise InvalidInput(field, "samples of 32 bits are no picture; send 8 or 16 bits")
    if "A" in image.getbands() or "transparency" in image.info or mode == "PA":
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
        note = "transparency was laid over white"
    elif mode != "RGB":
        name = {"1": "black and white", "L": "grayscale", "P": "a palette"}.get(mode, mode)
        image = image.convert("RGB")
        note = f"{name} was converted to RGB"
    return np.array(image, dtype=np.uint8, order="C"), note
