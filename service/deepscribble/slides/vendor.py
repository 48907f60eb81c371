"""Scanner vendors' files by OpenSlide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
from PIL import Image, ImageColor

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Warning
from deepscribble.slides.decode import RGB
from deepscribble.slides.pyramid import Level, lay_levels
from deepscribble.slides.scale import sane


def is_vendor_file(path: Path) -> bool:
    """Whether a scanner vendor wrote it; generic TIFF is read better by `tiff`."""
    return openslide.OpenSlide.detect_format(path) not in (None, "generic-tiff")


class VendorPyramid:
    """A slide of a scanner vendor: svs, ndpi, mrxs, scn, DICOM and others.

    Where the file says that only a part was scanned, level 0 is that part, as it is in QuPath:
    coordinates exchanged with it agree.

    Raises:
        InvalidInput: OpenSlide cannot read it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._slide = openslide.OpenSlide(path)
        except openslide.OpenSlideError as error:
            raise InvalidInput(str(path), f"OpenSlide cannot read this slide ({error})") from error
        properties = self._slide.properties
        full = lay_levels(list(self._slide.level_dimensions))
        x, y, width, height = _scanned_part(self._slide)
        self._left, self._top = x, y
        self.levels = tuple(
            Level(
                max(1, int(width / level.downsample_x)),
                max(1, int(height / level.downsample_y)),
                level.downsample_x,
                level.downsample_y,
            )
            for level in full
        )
        self.warnings: tuple[Warning, ...] = ()
        try:
            self.mpp = sane(
                float(properties[openslide.PROPERTY_NAME_MPP_X]),
                float(properties[openslide.PROPERTY_NAME_MPP_Y]),
            )
        except (KeyError, ValueError):
            self.mpp = None
        colour = properties.get(openslide.PROPERTY_NAME_BACKGROUND_COLOR, "ffffff")
        self._background = ImageColor.getrgb(f"#{colour}")

    def read(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        """Pixels of a rectangle inside a level; what was not scanned has the background."""
        # OpenSlide divides by its own mean downsample, which is not quite the whole factor that
        # the scanner shrank by: multiplying by the same number lands on the pixel wanted.
        own = self._slide.level_downsamples[level]
        ours = self.levels[level]
        corner = (
            round((x + self._left / ours.downsample_x) * own),
            round((y + self._top / ours.downsample_y) * own),
        )
        try:
            rgba = self._slide.read_region(corner, level, (width, height))
        except openslide.OpenSlideError as error:
            raise InvalidInput(str(self._path), f"the slide is damaged ({error})") from error
        canvas = Image.new("RGBA", rgba.size, self._background)
        return np.array(Image.alpha_composite(canvas, rgba).convert("RGB"), order="C")

    def close(self) -> None:
        """Close the file."""
        self._slide.close()


def _scanned_part(slide: openslide.OpenSlide) -> tuple[int, int, int, int]:
    """Left, top, width and height of the part of level 0 that QuPath shows."""
    width, height = slide.dimensions
    try:
        x, y, part_width, part_height = (
            int(slide.properties[name])
            for name in (
                openslide.PROPERTY_NAME_BOUNDS_X,
                openslide.PROPERTY_NAME_BOUNDS_Y,
                openslide.PROPERTY_NAME_BOUNDS_WIDTH,
                openslide.PROPERTY_NAME_BOUNDS_HEIGHT,
            )
        )
    except (KeyError, ValueError):
        return 0, 0, width, height
    if part_width == width or part_height == height:
        return 0, 0, width, height
    return x, y, part_width, part_height
