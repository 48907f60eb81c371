"""What an encoded image says of itself, read before any decoder sees the file.

A small file can ask a decoder for any amount of work: directories without end, thousands of
scans, text that unpacks to gigabytes. So the structure is walked here first, under bounds, and the
decoder gets only the parts that decide the pixels of the first image. The orientation and the
number of images are read here too.

Sources: PNG (W3C, 3rd edition), JPEG (ITU-T T.81, annex B), TIFF 6.0 and BigTIFF, WebP container
(RFC 9649).
"""

from __future__ import annotations

import re
import struct
import zlib

from deepscribble.slides.structure import COUNTED_IMAGES, Damaged, Header, check_number
from deepscribble.slides.tiff_header import (
    exif_orientation,
    first_directory,
    read_tiff,
    xmp_orientation,
)

__all__ = ["COUNTED_IMAGES", "Header", "read_header"]

PARTS = 1024
"""Chunks or segments that any file may have; a larger one may have one more for each KiB."""

SCANS = 64
"""Scans of one JPEG. Encoders write at most about 20; each costs a pass over all pixels."""

JPEG_PARTS = 4096
"""Marker segments of one JPEG: an ICC profile alone may take 255."""

_PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_WEBP_PIXELS = (b"VP8X", b"ANIM", b"ALPH", b"VP8 ", b"VP8L")
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_header(data: bytes, field: str) -> Header | None:
    """Walk the structure of a PNG, JPEG, TIFF or WebP file.

    The time it takes grows with the file's length and the bounds above, whatever the file says.
    A file that ends early is walked to its end: the decoder finds what is missing.

    Args:
        data: The whole file.
        field: What an error calls the image.

    Returns:
        What was found, or None where the file is none of these formats.

    Raises:
        LimitExceeded: more parts, scans, tags, strips or samples than an image has.
        Damaged: the structure contradicts itself.
        struct.error: the file ends inside of its header.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(data, field)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data, field)
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return read_tiff(data, field)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data, field)
    return None


def _parts(data: bytes) -> int:
    return PARTS + len(data) // 1024


def _png(data: bytes, field: str) -> Header:
    view = memoryview(data)
    pieces: list[bytes | memoryview] = [view[:8]]
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    if data[12:16] != b"IHDR":
        raise Damaged("it does not begin with IHDR")
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if samples is None:
        raise Damaged(f"there is no colour type {colour}")
    images, orientation, number, at = 1, 0, 0, 8
    while at + 8 <= len(data):
        number += 1
        check_number(number, _parts(data), "chunks", field)
        (length,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        begin, end = at + 8, at + 12 + length
        body = view[begin : begin + length]
        if kind in _PNG_PIXELS:
            pieces.append(view[at:end])
        elif kind == b"acTL" and length >= 8:
            images = max(1, *struct.unpack_from(">I", body))
        elif kind in (b"eXIf", b"iTXt", b"zTXt", b"tEXt") and not orientation:
            orientation = _png_orientation(kind, body)
        at = end
        if kind == b"IEND":
            break
    else:
        pieces.append(view[at:])
    pixel_bytes = height * -(-width * samples * depth // 8)
    return Header(
        "PNG",
        width,
        height,
        pixel_bytes,
        min(images, COUNTED_IMAGES),
        orientation or 1,
        tuple(pieces),
    )


def _png_orientation(kind: bytes, body: memoryview) -> int:
    """The orientation that a PNG's chunk states, 0 for none."""
    if kind == b"eXIf":
        return exif_orientation(body)
    start = bytes(body[:256])
    if kind == b"iTXt" and start.startswith(b"XML:com.adobe.xmp"):
        return xmp_orientation(body)
    # What ImageMagick writes: EXIF in hexadecimal, beneath three lines of text.
    if start.startswith((b"Raw profile type exif\0", b"Raw profile type APP1\0")):
        text = bytes(body[22 : 22 + (1 << 16)])
        if kind == b"zTXt":
            try:
                text = zlib.decompressobj().decompress(text[1:], 1 << 16)
            except zlib.error:
                return 0
        digits = re.sub(rb"[^0-9a-fA-F]", b"", b"".join(text.strip().split(b"\n")[2:]))
        exif = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
        return exif_orientation(memoryview(exif.removeprefix(b"Exif\0\0")))
    return 0


def _jpeg(data: bytes, field: str) -> Header:
    view = memoryview(data)
    pieces: list[bytes | memoryview] = [view[:2]]
    width = height = samples = scans = number = orientation = 0
    images, at, in_scan = 1, 2, False
    while True:
        match = _JPEG_MARKER.search(data, at)
        if match is None:
            pieces.append(view[at:])
            break
        if in_scan:
            pieces.append(view[at : match.start()])
        at, marker = match.start(), data[match.end() - 1]
        if marker == 0xD9:
            pieces.append(view[at : at + 2])
            break
        number += 1
        check_number(number, JPEG_PARTS, "marker segments", field)
        if marker in (0x01, 0xD8):
            at += 2
            continue
        in_scan = marker == 0xDA
        if at + 4 > len(data):
            pieces.append(view[at:])
            break
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2:
            raise Damaged(f"a marker segment of {length} bytes")
        end = at + 2 + length
        body = view[at + 4 : end]
        if marker in _JPEG_FRAMES:
            if width:
                raise Damaged("it has two frames")
            height, width, samples = struct.unpack_from(">HHB", body, 1)
        scans += in_scan
        check_number(scans, SCANS, "scans", field)
        # APP0 and APP14 tell the colour space; all other applications' data and comments go.
        if not (0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)):
            pieces.append(view[at:end])
        elif marker == 0xE1 and not orientation:
            if bytes(body[:6]) == b"Exif\0\0":
                orientation = exif_orientation(body[6:])
            elif bytes(body[:29]) == b"http://ns.adobe.com/xap/1.0/\0":
                orientation = xmp_orientation(body)
        elif marker == 0xE2 and bytes(body[:4]) == b"MPF\0":
            images = max(1, first_directory(body[4:]).get(0xB001, 1))
        at = end
    if not width:
        raise Damaged("it has no frame")
    return Header(
        "JPEG",
        width,
        height,
        width * height * samples,
        min(images, COUNTED_IMAGES),
        orientation or 1,
        tuple(pieces),
    )


def _webp(data: bytes, field: str) -> Header:
    view = memoryview(data)
    kept: list[bytes | memoryview] = []
    width = height = orientation = number = images = 0
    at = 12
    while at + 8 <= len(data):
        number += 1
        check_number(number, _parts(data), "chunks", field)
        kind, (length,) = data[at : at + 4], struct.unpack_from("<I", data, at + 4)
        end = at + 8 + length + length % 2
        body = view[at + 8 : at + 8 + length]
        if not width:
            width, height = _webp_size(kind, body)
        if kind == b"VP8X":
            # Without the flags of the ICC profile, EXIF and XMP, which are left out.
            kept += [view[at : at + 8], bytes([body[0] & ~0x2C]), view[at + 9 : end]]
        elif kind in _WEBP_PIXELS or (kind == b"ANMF" and not images):
            kept.append(view[at:end])
        elif kind == b"EXIF" and not orientation:
            payload = body[6:] if bytes(body[:6]) == b"Exif\0\0" else body
            orientation = exif_orientation(payload)
        elif kind == b"XMP " and not orientation:
            orientation = xmp_orientation(body)
        images += kind == b"ANMF"
        at = end
    if not width:
        raise Damaged("it has no image")
    size = sum(len(piece) for piece in kept) + 4
    head = b"RIFF" + struct.pack("<I", size) + b"WEBP"
    return Header(
        "WEBP",
        width,
        height,
        4 * width * height,
        min(max(1, images), COUNTED_IMAGES),
        orientation or 1,
        (head, *kept),
    )


def _webp_size(kind: bytes, body: memoryview) -> tuple[int, int]:
    """Columns and rows of the canvas, from the first chunk of a WebP file."""
    if kind == b"VP8X":
        low, high = struct.unpack_from("<IH", body, 4)
        canvas = low | high << 32
        return (canvas & 0xFFFFFF) + 1, (canvas >> 24) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise Damaged("it does not begin with an image")
