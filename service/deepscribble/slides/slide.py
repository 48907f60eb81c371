"""Slides: regions of any image file at a wanted scale, in level-0 coordinates."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import numpy as np

from deepscribble.errors import InvalidInput, LimitExceeded
from deepscribble.geometry import Grid, Region, Warning
from deepscribble.slides.decode import BYTES_PER_PIXEL, RGB, check_pixels, decode_image
from deepscribble.slides.pyramid import Picture, Pyramid
from deepscribble.slides.resample import Axis, resample
from deepscribble.slides.scale import settle_mpp
from deepscribble.slides.tiff import TiffPyramid, UnusualTiff
from deepscribble.slides.vendor import VendorPyramid, is_vendor_file

MAX_PIXELS = 2**27
"""The default of the most pixels that one read answers or one file unpacks: 0.4 GB of RGB."""

BAND_PIXELS = 2**21
"""Level pixels that one read resamples at a time, which bounds its memory."""

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class Slide:
    """An open slide. Use `open_slide`, and close it or use it in a `with` statement.

    Attributes:
        path: The file.
        width: Level-0 pixels.
        height: Level-0 pixels.
        mpp: µm per level-0 pixel.
        warnings: What was assumed on opening and is converted on reading.
    """

    def __init__(self, path: Path, pyramid: Pyramid, mpp: float | None, max_pixels: int) -> None:
        self.path = path
        self._pyramid = pyramid
        self._max_pixels = max_pixels
        self.width = pyramid.levels[0].width
        self.height = pyramid.levels[0].height
        self.mpp, notes = settle_mpp(str(path), pyramid.mpp, mpp)
        self.warnings: tuple[Warning, ...] = (*pyramid.warnings, *notes)

    def region(self, x: int, y: int, width: int, height: int) -> Region:
        """A rectangle of this slide with its µm per pixel.

        Raises:
            InvalidInput: of zero size, or not wholly on the slide.
        """
        region = Region(x, y, width, height, self.mpp)
        self._check_inside(region)
        return region

    def whole(self) -> Region:
        """All of the slide."""
        return Region(0, 0, self.width, self.height, self.mpp)

    def read(self, region: Region, mpp: float) -> RGB:
        """Pixels that cover a region edge to edge at about `mpp` µm per pixel.

        They come from the smallest level that is not coarser than asked, averaged by area at
        the exact place, so that pixel (row, column) lies where `Grid.at(region, mpp)` has it.
        A scale finer than level 0 is interpolated.

        Returns:
            uint8 of shape (*Grid.at(region, mpp).shape, 3).

        Raises:
            InvalidInput: the region is not wholly on the slide, or the file is damaged there.
            LimitExceeded: more than `max_pixels` pixels would come out.
        """
        self._check_inside(region)
        grid = Grid.at(region, mpp)
        check_pixels(grid.width, grid.height, self._max_pixels, "region")
        index = self._level_for(min(grid.scale_x, grid.scale_y, mpp / region.mpp))
        level = self._pyramid.levels[index]
        columns = Axis(
            region.x / level.downsample_x,
            grid.scale_x / level.downsample_x,
            grid.width,
            level.width,
        )
        rows = Axis(
            region.y / level.downsample_y,
            grid.scale_y / level.downsample_y,
            grid.height,
            level.height,
        )
        left, right = columns.span()
        band = max(1, int(BAND_PIXELS / ((right - left) * max(rows.step, 1.0))))
        if band >= grid.height:
            return self._band(index, rows, columns)
        out = np.empty((grid.height, grid.width, 3), dtype=np.uint8)
        for first in range(0, grid.height, band):
            part = rows.part(first, min(band, grid.height - first))
            out[first : first + part.count] = self._band(index, part, columns)
        return out

    def _band(self, level: int, rows: Axis, columns: Axis) -> RGB:
        """What lies on two axes of a level, resampled."""
        (left, right), (top, bottom) = columns.span(), rows.span()
        pixels = self._pyramid.read(level, left, top, right - left, bottom - top)
        return resample(
            pixels, rows.seen_from(top, bottom - top), columns.seen_from(left, right - left)
        )

    def _level_for(self, downsample: float) -> int:
        """The coarsest level that is not coarser than `downsample`; level 0 if all are."""
        levels = self._pyramid.levels
        usable = [
            index
            for index, level in enumerate(levels)
            if max(level.downsample_x, level.downsample_y) <= downsample * (1 + 1e-9)
        ]
        return max(usable, key=lambda index: levels[index].downsample_x, default=0)

    def _check_inside(self, region: Region) -> None:
        right, bottom = region.x + region.width, region.y + region.height
        if right > self.width or bottom > self.height:
            raise InvalidInput(
                "region",
                f"x {region.x} to {right}, y {region.y} to {bottom} is not wholly on the slide, "
                f"which is {self.width} x {self.height} pixels",
            )

    def close(self) -> None:
        """Close the file; a closed slide is not read again."""
        self._pyramid.close()

    def __enter__(self) -> Slide:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_slide(
    path: str | os.PathLike[str], *, mpp: float | None = None, max_pixels: int = MAX_PIXELS
) -> Slide:
    """Open an image file of any kind that this system reads.

    That is everything OpenSlide opens, TIFF (plain, tiled, pyramidal, OME), PNG, JPEG and WebP.

    Args:
        path: The file.
        mpp: µm per level-0 pixel. It goes before what the file tells; where they differ by over
            5 % the slide carries a warning.
        max_pixels: The most pixels that one read answers, and that a file without tiles unpacks.

    Raises:
        InvalidInput: missing, not an image, or damaged; the message names the path.
        MissingScale: the file does not tell its µm per pixel, and `mpp` is not given.
        LimitExceeded: a file without tiles has more than `max_pixels` pixels.
    """
    path = Path(path)
    pyramid = _open_pyramid(path, max_pixels)
    try:
        return Slide(path, pyramid, mpp, max_pixels)
    except BaseException:
        pyramid.close()
        raise


def _open_pyramid(path: Path, max_pixels: int) -> Pyramid:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput(str(path), f"the image cannot be opened ({reason})") from error
    if is_vendor_file(path):
        return VendorPyramid(path)
    if magic in TIFF_MAGIC:
        try:
            return TiffPyramid(path, max_pixels)
        except UnusualTiff:
            pass
    size = path.stat().st_size
    if size > max_pixels * BYTES_PER_PIXEL:
        raise LimitExceeded(
            f"{path}: {size} bytes are more than {BYTES_PER_PIXEL} for each of the max_pixels "
            f"of {max_pixels}; use a tiled TIFF or a smaller image"
        )
    decoded = decode_image(
        path.read_bytes(), max_pixels=max_pixels, field=str(path), setting="max_pixels"
    )
    return Picture(decoded.rgb, decoded.warnings)
