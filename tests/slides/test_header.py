"""Files that ask for more work than an image: refused, or answered without that work.

No test measures time: they count what was done, or see that the decoder never got what costs time.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from deepscribble.errors import InvalidInput, LimitExceeded
from deepscribble.slides import decode_image, header, open_slide, tiff_header
from deepscribble.slides.header import read_header

RGB = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
LIMIT = 1 << 27


def encode(format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(extra: bytes) -> bytes:
    data = encode("PNG")
    return data[:33] + extra + data[33:]


def jpeg_with(extra: bytes) -> bytes:
    data = encode("JPEG")
    return data[:2] + extra + data[2:]


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def progressive(scans: int) -> bytes:
    data = encode("JPEG", progressive=True)
    last = data[data.rfind(b"\xff\xda") : -2]
    return data[:-2] + last * scans + b"\xff\xd9"


Tag = tuple[int, int, int, int]
GRAY: tuple[Tag, ...] = ((256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 1, 8), (262, 3, 1, 1))


def tiff(*tags: Tag, tail: bytes = bytes(1024), after: int = 0) -> bytes:
    """A classic TIFF of one directory; `tail` follows it at byte 14 + 12 * the number of tags."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + entries + struct.pack("<I", after) + tail


def many_directories(number: int) -> bytes:
    tags = (*GRAY, (273, 4, 1, 8), (279, 4, 1, 16))
    size = 14 + 12 * len(tags)
    data = tiff(*tags, tail=b"", after=size)
    return data + b"".join(struct.pack("<HI", 0, size + 6 * (index + 1)) for index in range(number))


def test_of_a_chain_of_directories_only_a_few_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = many_directories(300_000)
    read = 0
    real = struct.unpack_from

    def counted(*arguments: object) -> object:
        nonlocal read
        read += 1
        return real(*arguments)

    monkeypatch.setattr(tiff_header.struct, "unpack_from", counted)
    decoded = decode_image(data, max_pixels=LIMIT)
    assert decoded.rgb.shape == (4, 4, 3)
    assert read < 200
    assert "at least 64 images" in decoded.warnings[0].message


def test_a_chain_of_directories_that_never_ends_is_one_image() -> None:
    data = tiff(*GRAY, (273, 4, 1, 100), (279, 4, 1, 16), after=8)
    assert read_header(data, "pixels").images == 1
    assert decode_image(data, max_pixels=LIMIT).rgb.shape == (4, 4, 3)


def test_the_decoder_sees_one_directory_of_known_tags_and_no_other() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(RGB, photometric="rgb", subifds=1, extratags=[(700, 1, 4, b"abcd", True)])
        writer.write(RGB[:4, :4], photometric="rgb")
        writer.write(RGB, photometric="rgb")
    found = read_header(buffer.getvalue(), "pixels")
    assert found.images == 2
    with tifffile.TiffFile(io.BytesIO(b"".join(found.pieces))) as reduced:
        assert len(reduced.pages) == 1
        assert {tag.code for tag in reduced.pages[0].tags} <= set(tiff_header.TIFF_PIXEL_TAGS)
        np.testing.assert_array_equal(reduced.pages[0].asarray(), RGB)


@pytest.mark.parametrize("planar", [1, 2])
def test_samples_are_refused_from_the_header(planar: int) -> None:
    side = 11_000
    sizes = ((256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (262, 3, 1, 1))
    data = tiff(*sizes, (273, 4, 1, 8), (277, 3, 1, 500), (279, 4, 1, 16), (284, 3, 1, planar))
    with pytest.raises(LimitExceeded, match="samples"):
        decode_image(data, max_pixels=LIMIT)


def test_bytes_of_samples_are_refused_from_the_header() -> None:
    sizes = ((256, 4, 1, 10), (257, 4, 1, 10), (258, 3, 1, 64), (262, 3, 1, 1))
    data = tiff(*sizes, (273, 4, 1, 8), (277, 3, 1, 4), (279, 4, 1, 16))
    with pytest.raises(LimitExceeded, match="image_pixels of 100;"):
        decode_image(data, max_pixels=100)


def test_one_tile_larger_than_any_image_is_refused() -> None:
    tile = ((322, 4, 1, 1 << 20), (323, 4, 1, 1 << 20), (324, 4, 1, 8), (325, 4, 1, 16))
    with pytest.raises(LimitExceeded, match="image_pixels"):
        decode_image(tiff(*GRAY, *tile), max_pixels=LIMIT)


REFUSED: dict[str, Callable[[], bytes]] = {
    "PNG of many chunks": lambda: png_with(chunk(b"zzZz") * 20_000),
    "PNG of many IDAT": lambda: png_with(chunk(b"IDAT") * 20_000),
    "JPEG of many scans": lambda: progressive(header.SCANS + 1),
    "JPEG of many segments": lambda: jpeg_with(segment(0xE5, b"") * 5_000),
    "TIFF of many tags": lambda: tiff(*[(60_000, 7, 1 << 20, 8)] * 2_000, tail=bytes(1 << 20)),
    "TIFF of many strips": lambda: tiff(
        (256, 3, 1, 4),
        (257, 4, 1, 1 << 17),
        (258, 3, 1, 8),
        (262, 3, 1, 1),
        (273, 4, 1 << 17, 110),
        (278, 3, 1, 1),
        (279, 4, 1 << 17, 110),
        tail=bytes(1 << 20),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_parts_without_number_are_refused_before_a_decoder_sees_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a decoder was asked"))
    with pytest.raises(LimitExceeded, match=r"pixels: the file has more than \d+ "):
        decode_image(REFUSED[name](), max_pixels=LIMIT)


BOMB = zlib.compress(bytes(1 << 24))
KEPT_OUT: dict[str, Callable[[], bytes]] = {
    "PNG text": lambda: png_with(chunk(b"zTXt", b"a\0\0" + BOMB) * 50),
    "PNG international text": lambda: png_with(chunk(b"iTXt", b"a\0\1\0\0\0" + BOMB) * 50),
    "PNG profile": lambda: png_with(chunk(b"iCCP", b"a\0\0" + BOMB)),
    "JPEG EXIF": lambda: jpeg_with(segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 300),
    "JPEG comments": lambda: jpeg_with(segment(0xFE, bytes(60_000)) * 300),
    "JPEG fill bytes": lambda: jpeg_with(b"\xff" * 4_000_000),
}


@pytest.mark.parametrize("name", KEPT_OUT)
def test_what_decides_no_pixel_never_reaches_the_decoder(name: str) -> None:
    found = read_header(KEPT_OUT[name](), "pixels")
    assert sum(len(piece) for piece in found.pieces) < 2_000
    plain = encode(found.format)
    np.testing.assert_array_equal(
        decode_image(KEPT_OUT[name](), max_pixels=LIMIT).rgb,
        decode_image(plain, max_pixels=LIMIT).rgb,
    )


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "MPO"])
def test_several_images_are_counted_and_the_first_is_read(format: str) -> None:
    more = [Image.fromarray(np.roll(RGB, shift, axis=0)) for shift in (1, 2)]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encode(format, save_all=True, append_images=more, **options)
    decoded = decode_image(data, max_pixels=LIMIT)
    assert decoded.rgb.shape == RGB.shape
    assert "the file holds 3 images" in decoded.warnings[0].message
    if format != "MPO":
        np.testing.assert_array_equal(decoded.rgb, RGB)


def test_a_canvas_is_refused_before_the_decoder_makes_it() -> None:
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16_382).to_bytes(3, "little") * 2
    data = b"RIFF" + struct.pack("<I", 4 + len(canvas)) + b"WEBP" + canvas
    with pytest.raises(LimitExceeded, match="16383 x 16383 pixels"):
        decode_image(data, max_pixels=LIMIT)


def test_a_tiff_whose_last_pixels_are_missing_is_truncated() -> None:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "TIFF")
    data = buffer.getvalue()
    for missing in (1, 20, 60):
        with pytest.raises(InvalidInput, match=r"truncated|damaged"):
            decode_image(data[:-missing], max_pixels=LIMIT)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_damage_anywhere_is_refused_or_read_and_nothing_else(format: str) -> None:
    data = bytearray(encode(format))
    random = np.random.default_rng(3)
    for _ in range(400):
        broken = bytearray(data)
        for place in random.integers(0, len(data), 3):
            broken[place] = random.choice([0, 1, 127, 255])
        with contextlib.suppress(InvalidInput, LimitExceeded):
            decode_image(bytes(broken), max_pixels=10_000)


def test_orientation_is_read_from_exif_wherever_it_stands() -> None:
    exif = Image.Exif()
    exif[tiff_header.ORIENTATION] = 6
    text = b"\nexif\n   26\n" + exif.tobytes().hex().encode()
    xmp = b'<x:xmpmeta><rdf tiff:Orientation="6"/></x:xmpmeta>'
    for data in (
        encode("PNG", exif=exif),
        encode("JPEG", exif=exif),
        encode("TIFF", exif=exif),
        encode("WEBP", exif=exif),
        png_with(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))),
        png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)),
        jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp)),
        encode("WEBP", xmp=xmp),
    ):
        found = read_header(data, "pixels")
        assert found.orientation == 6, found.format
        assert (found.width, found.height) == (7, 9)


def test_a_slide_of_many_samples_is_refused_on_opening(tmp_path: Path) -> None:
    file = tmp_path / "many.tif"
    tifffile.imwrite(
        file,
        np.zeros((8, 8, 100), np.uint8),
        photometric="minisblack",
        planarconfig="contig",
    )
    with pytest.raises(InvalidInput, match="100 samples"):
        open_slide(file, mpp=0.5)
