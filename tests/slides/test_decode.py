"""Unpacking images: every usual kind comes out as RGB, and nothing is converted silently."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from deepscribble.errors import InvalidInput, LimitExceeded
from deepscribble.slides import decode_image

RGB = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)


def encode(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def only_note(data: bytes) -> str:
    (warning,) = decode_image(data, max_pixels=100).warnings
    assert warning.code == "PIXELS_CONVERTED"
    return warning.message


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_lossless_formats_come_back_exactly_and_without_a_warning(format: str) -> None:
    decoded = decode_image(
        encode(Image.fromarray(RGB), format, **({"lossless": True} if format == "WEBP" else {})),
        max_pixels=63,
    )
    np.testing.assert_array_equal(decoded.rgb, RGB)
    assert decoded.rgb.flags.c_contiguous
    assert decoded.warnings == ()


def test_jpeg_has_its_size_and_no_warning() -> None:
    decoded = decode_image(encode(Image.fromarray(RGB), "JPEG"), max_pixels=63)
    assert decoded.rgb.shape == RGB.shape
    assert decoded.warnings == ()


def test_grayscale_is_repeated_with_a_warning() -> None:
    data = encode(Image.fromarray(RGB[:, :, 0]))
    np.testing.assert_array_equal(
        decode_image(data, max_pixels=100).rgb, np.repeat(RGB[:, :, :1], 3, axis=2)
    )
    assert "grayscale" in only_note(data)


def test_palette_is_looked_up_with_a_warning() -> None:
    image = Image.new("P", (4, 3))
    image.putpalette([0, 0, 0, 10, 200, 30])
    image.paste(1, (0, 0, 2, 3))
    data = encode(image)
    rgb = decode_image(data, max_pixels=100).rgb
    assert rgb[0, 0].tolist() == [10, 200, 30]
    assert rgb[0, 3].tolist() == [0, 0, 0]
    assert "palette" in only_note(data)


def test_transparency_is_laid_over_white_with_a_warning() -> None:
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    image.putpixel((1, 0), (200, 0, 0, 255))
    data = encode(image)
    rgb = decode_image(data, max_pixels=100).rgb
    assert rgb[0].tolist() == [[255, 255, 255], [200, 0, 0]]
    assert "white" in only_note(data)


def test_cmyk_is_converted_with_a_warning() -> None:
    data = encode(Image.new("CMYK", (2, 2), (0, 255, 255, 0)), "TIFF")
    assert decode_image(data, max_pixels=100).rgb[0, 0].tolist() == [255, 0, 0]
    assert "CMYK" in only_note(data)


def test_sixteen_bit_gray_keeps_the_high_byte() -> None:
    deep = RGB[:, :, 0].astype(np.uint16) * 256 + 77
    decoded = decode_image(encode(Image.fromarray(deep)), max_pixels=100)
    np.testing.assert_array_equal(decoded.rgb[:, :, 1], RGB[:, :, 0])
    assert any("16-bit" in warning.message for warning in decoded.warnings)


def test_sixteen_bit_rgb_keeps_the_high_byte() -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, RGB.astype(np.uint16) * 256 + 77, photometric="rgb")
    np.testing.assert_array_equal(decode_image(buffer.getvalue(), max_pixels=100).rgb, RGB)
    assert "16-bit" in only_note(buffer.getvalue())


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("orientation", [2, 6, 8])
def test_an_orientation_tag_does_not_move_pixels_but_warns(format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = decode_image(encode(Image.fromarray(RGB), format), max_pixels=100)
    data = encode(Image.fromarray(RGB), format, exif=exif)
    np.testing.assert_array_equal(decode_image(data, max_pixels=100).rgb, plain.rgb)
    assert "orientation" in only_note(data)


def test_float_images_are_refused() -> None:
    data = encode(Image.fromarray(RGB[:, :, 0].astype(np.float32)), "TIFF")
    with pytest.raises(InvalidInput, match="32 bits"):
        decode_image(data, max_pixels=100)


@pytest.mark.parametrize("side", [40, 20_000, 2**31 - 1])
def test_too_many_pixels_are_refused_by_the_header_alone(side: int) -> None:
    # Only the header is there: a decoder that unpacked first would find the file truncated.
    chunk = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    with pytest.raises(LimitExceeded, match="image_pixels of 1000"):
        decode_image(b"\x89PNG\r\n\x1a\n" + header + b"\0\0\0\0IDAT", max_pixels=1000)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_every_truncation_is_refused_and_names_the_field(format: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), format)
    for share in (0.02, 0.3, 0.6, 0.9):
        with pytest.raises(InvalidInput) as caught:
            decode_image(data[: int(len(data) * share)], max_pixels=10_000, field="pixels.encoded")
        assert caught.value.field == "pixels.encoded"


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7 ...", b"GIF89a\1\0\1\0\0\0\0;"])
def test_what_is_no_image_of_these_formats_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="not a PNG, JPEG, TIFF or WebP"):
        decode_image(data, max_pixels=100)
