"""TIFF files by tifffile: plain, tiled and pyramidal, read segment by segment."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Warning
from deepscribble.slides.decode import CONVERTED, DAMAGE, RGB, check_pixels
from deepscribble.slides.pyramid import lay_levels
from deepscribble.slides.scale import tiff_mpp
from deepscribble.slides.tiff_header import ORIENTATION

PHOTOMETRIC = (
    tifffile.PHOTOMETRIC.MINISWHITE,
    tifffile.PHOTOMETRIC.MINISBLACK,
    tifffile.PHOTOMETRIC.RGB,
    tifffile.PHOTOMETRIC.YCBCR,
)

SINGLE_PLANE = ("YXS", "SYX", "YX")

TIFF_DAMAGE = (*DAMAGE, tifffile.TiffFileError, RuntimeError)


class UnusualTiff(Exception):
    """A palette, CMYK or bit-packed image: small and rare, so left to the whole-file decoder."""


class TiffPyramid:
    """The first image of a TIFF file and its reduced levels.

    Args:
        path: The file.
        max_pixels: The most pixels of one stored segment (a tile, or a strip as wide as the
            image), which is unpacked as a whole.

    Raises:
        InvalidInput: damaged, or its first image is no picture.
        LimitExceeded: a segment is over `max_pixels`.
        UnusualTiff: a picture, but not of 8 or 16-bit gray or RGB samples.
    """

    def __init__(self, path: Path, max_pixels: int) -> None:
        self._path = path
        try:
            self._tiff = tifffile.TiffFile(path)
        except TIFF_DAMAGE as error:
            raise InvalidInput(str(path), f"not a TIFF file that can be read ({error})") from error
        try:
            self._open(max_pixels)
        except TIFF_DAMAGE as error:
            self.close()
            raise InvalidInput(str(path), f"the TIFF file is damaged ({error})") from error
        except BaseException:
            self.close()
            raise

    def _open(self, max_pixels: int) -> None:
        if not self._tiff.series:
            raise InvalidInput(str(self._path), "the TIFF file holds no image")
        series = self._tiff.series[0]
        first = series.keyframe
        axes = series.axes.lstrip("IQ")
        if axes not in SINGLE_PLANE:
            raise InvalidInput(
                str(self._path),
                f"the image has axes {series.axes}; export a single RGB plane of it",
            )
        if first.photometric not in PHOTOMETRIC or first.dtype not in (np.uint8, np.uint16):
            raise UnusualTiff
        if first.samplesperpixel > 4:
            raise InvalidInput(
                str(self._path),
                f"{first.samplesperpixel} samples for each pixel are no picture; "
                "export 1 (gray), 3 (RGB) or 4 (RGB and alpha)",
            )
        self._pages: list[Any] = [level.pages[0] for level in series.levels]
        for page in self._pages:
            length, width = _segment_size(page.keyframe)
            check_pixels(width, length, max_pixels, f"{self._path}: one segment of the file")
        frames = [page.keyframe for page in self._pages]
        self.levels = lay_levels([(frame.imagewidth, frame.imagelength) for frame in frames])
        self.mpp = tiff_mpp(self._tiff)
        self.warnings = tuple(
            Warning(CONVERTED, f"{self._path.name}: {note}")
            for note in _notes(first, len(series.axes) - len(axes) and series.shape[0])
        )
        self._decoded: dict[tuple[int, int], NDArray[Any] | None] = {}

    def read(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        """Pixels of a rectangle inside a level; only the segments under it are unpacked."""
        page = self._pages[level]
        frame = page.keyframe
        length, across = _segment_size(frame)
        rows = -(-frame.imagelength // length)
        columns = -(-frame.imagewidth // across)
        planar = frame.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        planes = frame.samplesperpixel if planar else 1
        samples = np.empty((height, width, frame.samplesperpixel), dtype=frame.dtype)
        used = {}
        for plane, row, column in product(
            range(planes),
            range(y // length, -(-(y + height) // length)),
            range(x // across, -(-(x + width) // across)),
        ):
            index = (plane * rows + row) * columns + column
            segment = used[level, index] = self._segment(level, index)
            top, left = row * length, column * across
            y0, y1 = max(y, top), min(y + height, top + length)
            x0, x1 = max(x, left), min(x + width, left + across)
            band = slice(plane, plane + 1) if planar else slice(None)
            target = samples[y0 - y : y1 - y, x0 - x : x1 - x, band]
            if segment is None:
                # A tile that the scanner left out holds no tissue.
                target[...] = np.iinfo(samples.dtype).max
            else:
                target[...] = segment[y0 - top : y1 - top, x0 - left : x1 - left]
        # What one read touched is bounded by its rectangle; the next band often needs it again.
        self._decoded = used
        return _to_rgb(samples, frame)

    def _segment(self, level: int, index: int) -> NDArray[Any] | None:
        """One unpacked tile or strip (rows, columns, samples); None where the file has none."""
        key = (level, index)
        if key in self._decoded:
            return self._decoded[key]
        page = self._pages[level]
        try:
            offset, count = page.dataoffsets[index], page.databytecounts[index]
            if count == 0:
                return None
            handle = self._tiff.filehandle
            handle.seek(offset)
            data = handle.read(count)
            if len(data) < count:
                raise EOFError(f"{count - len(data)} bytes are missing at its end")
            tables = {"jpegtables": page.jpegtables} if page.jpegtables is not None else {}
            segment, _, _ = page.keyframe.decode(data, index, **tables)
        except TIFF_DAMAGE as error:
            raise InvalidInput(
                str(self._path), f"the TIFF file is truncated or damaged ({error})"
            ) from error
        unpacked: NDArray[Any] = segment[0]
        return unpacked

    def close(self) -> None:
        """Close the file."""
        self._tiff.close()


def _segment_size(frame: Any) -> tuple[int, int]:
    """Rows and columns of one tile or strip."""
    if frame.is_tiled:
        return frame.tilelength, frame.tilewidth
    return min(frame.rowsperstrip, frame.imagelength), frame.imagewidth


def _notes(frame: Any, pages: int) -> list[str]:
    """What reading this image converts or ignores."""
    notes = []
    if pages > 1:
        notes.append(f"the file holds {pages} images, of which the first is read")
    orientation = frame.tags.valueof(ORIENTATION, 1)
    if orientation != 1:
        notes.append(
            f"the orientation tag ({orientation}) is ignored: "
            "coordinates are those of the pixels as stored"
        )
    if frame.dtype == np.uint16:
        notes.append("16-bit samples are reduced to their high byte")
    if frame.samplesperpixel < 3:
        notes.append("grayscale is converted to RGB")
    if frame.samplesperpixel in (2, 4):
        notes.append("transparency is laid over white")
    return notes


def _to_rgb(samples: NDArray[Any], frame: Any) -> RGB:
    """Samples (rows, columns, 1 to 4) as RGB over white."""
    if samples.dtype == np.uint16:
        samples = (samples >> 8).astype(np.uint8)
    gray = samples.shape[2] < 3
    colour = samples[:, :, :1] if gray else samples[:, :, :3]
    if frame.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        colour = 255 - colour
    if samples.shape[2] in (2, 4):
        alpha = samples[:, :, -1:].astype(np.uint16)
        colour = ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(colour, 3, axis=2) if gray else colour)
