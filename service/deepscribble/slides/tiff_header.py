"""The structure of a TIFF file and of EXIF blocks, walked under bounds (TIFF 6.0, BigTIFF)."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass

from deepscribble.slides.structure import COUNTED_IMAGES, Damaged, Header, check_number

ORIENTATION = 0x0112

DIRECTORY_ENTRIES = 1024
"""Tags in one TIFF directory."""

SEGMENTS = 1 << 16
"""Strips or tiles of one TIFF image that is decoded as a whole."""

SAMPLES = 6
"""Samples of one TIFF pixel: CMYK and two extra ones."""

TIFF_PIXEL_TAGS = {
    254: 1,  # NewSubfileType
    255: 1,  # SubfileType
    256: 1,  # ImageWidth
    257: 1,  # ImageLength
    258: SAMPLES,  # BitsPerSample
    259: 1,  # Compression
    262: 1,  # PhotometricInterpretation
    266: 1,  # FillOrder
    273: SEGMENTS * SAMPLES,  # StripOffsets
    277: 1,  # SamplesPerPixel
    278: 1,  # RowsPerStrip
    279: SEGMENTS * SAMPLES,  # StripByteCounts
    280: SAMPLES,  # MinSampleValue
    281: SAMPLES,  # MaxSampleValue
    284: 1,  # PlanarConfiguration
    292: 1,  # T4Options
    293: 1,  # T6Options
    301: 3 * 65536,  # TransferFunction
    317: 1,  # Predictor
    318: 2,  # WhitePoint
    319: 6,  # PrimaryChromaticities
    320: 3 * 65536,  # ColorMap
    322: 1,  # TileWidth
    323: 1,  # TileLength
    324: SEGMENTS * SAMPLES,  # TileOffsets
    325: SEGMENTS * SAMPLES,  # TileByteCounts
    332: 1,  # InkSet
    338: SAMPLES,  # ExtraSamples
    339: SAMPLES,  # SampleFormat
    347: 1 << 17,  # JPEGTables
    512: 1,  # JPEGProc
    513: 1,  # JPEGInterchangeFormat
    514: 1,  # JPEGInterchangeFormatLength
    515: 1,  # JPEGRestartInterval
    519: SAMPLES,  # JPEGQTables
    520: SAMPLES,  # JPEGDCTables
    521: SAMPLES,  # JPEGACTables
    529: 3,  # YCbCrCoefficients
    530: 2,  # YCbCrSubSampling
    531: 1,  # YCbCrPositioning
    532: 6,  # ReferenceBlackWhite
}
"""The tags that decide pixels, and how many values of each are read."""

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TYPE_BYTES |= {16: 8, 17: 8, 18: 8}
_INTEGER = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a TIFF file writes numbers: byte order, and the sizes of BigTIFF or classic TIFF."""

    order: str
    big: bool

    @property
    def word(self) -> str:
        """The struct code of an offset."""
        return self.order + ("Q" if self.big else "I")

    @property
    def entry(self) -> int:
        """Bytes of one entry of a directory."""
        return 20 if self.big else 12

    @property
    def count(self) -> struct.Struct:
        """The number of entries, at the head of a directory."""
        return struct.Struct(self.order + ("Q" if self.big else "H"))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tag of a TIFF directory: its number, type, count, and where its values are."""

    tag: int
    type: int
    count: int
    at: int
    raw: bytes


def _layout(data: memoryview | bytes) -> tuple[_Layout, int]:
    """How the file is written, and where its first directory begins."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None:
        raise Damaged("no byte order")
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    layout = _Layout(order, big)
    (first,) = struct.unpack_from(layout.word, data, 8 if big else 4)
    return layout, first


def _entries(data: memoryview | bytes, layout: _Layout, at: int, most: int) -> list[_Entry]:
    """The entries of the directory at `at`, those of a known type, at most `most`."""
    (number,) = layout.count.unpack_from(data, at)
    inline = 8 if layout.big else 4
    entries = []
    begin = at + layout.count.size
    for place in range(begin, begin + min(number, most) * layout.entry, layout.entry):
        tag, type_, count = struct.unpack_from(
            layout.order + ("HHQ" if layout.big else "HHI"), data, place
        )
        size = _TYPE_BYTES.get(type_, 0) * count
        values = place + layout.entry - inline
        if not size:
            continue
        if size > inline:
            (values,) = struct.unpack_from(layout.word, data, values)
        entries.append(_Entry(tag, type_, count, values, bytes(data[place : place + layout.entry])))
    return entries


def _values(data: memoryview | bytes, layout: _Layout, entry: _Entry, most: int) -> tuple[int, ...]:
    """The first `most` whole numbers of an entry; none where its type is no whole number."""
    code = _INTEGER.get(entry.type)
    if code is None:
        return ()
    return struct.unpack_from(f"{layout.order}{min(entry.count, most)}{code}", data, entry.at)


def first_directory(data: memoryview) -> dict[int, int]:
    """First values of the whole numbers in the first directory of an EXIF or MPF block."""
    found: dict[int, int] = {}
    try:
        layout, at = _layout(data)
        for entry in _entries(data, layout, at, DIRECTORY_ENTRIES):
            if entry.tag in (ORIENTATION, 0xB001):
                for value in _values(data, layout, entry, 1):
                    found.setdefault(entry.tag, value)
    except (struct.error, Damaged):
        # Damaged EXIF data says nothing about the pixels.
        pass
    return found


def exif_orientation(exif: memoryview) -> int:
    """The orientation in an EXIF block, 0 for none."""
    return first_directory(exif).get(ORIENTATION, 0)


def xmp_orientation(xmp: memoryview) -> int:
    """The orientation in an XMP block, 0 for none."""
    match = _XMP_ORIENTATION.search(xmp)
    return int(match[1]) if match else 0


def read_tiff(data: bytes, field: str) -> Header:
    """The structure of a TIFF file; raises as `read_header`."""
    layout, first = _layout(data)
    if first + layout.count.size > len(data):
        raise Damaged("its first directory lies beyond the end of the file")
    (number,) = layout.count.unpack_from(data, first)
    if first + layout.count.size + number * layout.entry > len(data):
        raise Damaged("its first directory ends beyond the end of the file")
    check_number(number, DIRECTORY_ENTRIES, "tags in its first directory", field)
    kept: dict[int, _Entry] = {}
    found: dict[int, tuple[int, ...]] = {}
    orientation = 0
    for entry in _entries(data, layout, first, DIRECTORY_ENTRIES):
        most = TIFF_PIXEL_TAGS.get(entry.tag)
        if entry.tag == ORIENTATION:
            orientation = next(iter(_values(data, layout, entry, 1)), 0)
        elif entry.tag == 700 and not orientation:
            orientation = xmp_orientation(memoryview(data)[entry.at : entry.at + entry.count])
        elif most is not None and entry.tag not in kept:
            if entry.at + entry.count * _TYPE_BYTES[entry.type] > len(data):
                raise Damaged(f"the values of tag {entry.tag} lie beyond the end of the file")
            if most > SAMPLES:
                check_number(entry.count, most, f"values of tag {entry.tag}", field)
            kept[entry.tag] = entry
            found[entry.tag] = _values(data, layout, entry, SAMPLES + 1)

    def value(tag: int, default: int) -> int:
        return next(iter(found.get(tag, ())), default)

    width, height = value(256, 0), value(257, 0)
    if not width or not height:
        raise Damaged(f"it says to be {width} x {height} pixels")
    samples, bits = value(277, 1), found.get(258) or (1,)
    check_number(max(samples, len(bits)), SAMPLES, "samples for each pixel", field)
    # Where there are fewer numbers than samples, the first holds for all.
    depth = sum(bits) if len(bits) >= samples else bits[0] * samples
    segments = math.prod(
        -(-side // max(1, part))
        for side, part in (
            ((width, value(322, width)), (height, value(323, height)))
            if 324 in kept
            else ((height, value(278, height)),)
        )
    )
    listed = max((kept[tag].count for tag in (273, 324) if tag in kept), default=0)
    planes = samples if value(284, 1) == 2 else 1
    check_number(max(segments, -(-listed // planes)), SEGMENTS, "strips or tiles", field)
    tile = value(322, 0) * value(323, 0) if 324 in kept else 0
    return Header(
        "TIFF",
        width,
        height,
        max(height * -(-width * depth // 8), tile * depth // 8),
        _tiff_images(data, layout, first),
        orientation or 1,
        _tiff_of(data, layout, first, list(kept.values())),
    )


def _tiff_images(data: bytes, layout: _Layout, first: int) -> int:
    """Directories in the chain that begins at `first`, counted to `COUNTED_IMAGES`."""
    seen: set[int] = set()
    at = first
    while at and at not in seen and len(seen) < COUNTED_IMAGES:
        try:
            (number,) = layout.count.unpack_from(data, at)
            (following,) = struct.unpack_from(
                layout.word, data, at + layout.count.size + number * layout.entry
            )
        except struct.error:
            # The chain points out of the file, which is no matter to the first image.
            break
        seen.add(at)
        at = following
    return max(1, len(seen))


def _tiff_of(
    data: bytes, layout: _Layout, first: int, entries: list[_Entry]
) -> tuple[bytes | memoryview, ...]:
    """The same file with `entries` alone in its one directory, which fit where more of them were.

    Nothing is appended: a decoder would take it for pixels that are missing at the file's end.
    """
    directory = (
        layout.count.pack(len(entries))
        + b"".join(entry.raw for entry in entries)
        + struct.pack(layout.word, 0)
    )
    view = memoryview(data)
    return view[:first], directory, view[first + len(directory) :]
