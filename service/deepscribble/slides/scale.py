"""Micrometres per pixel: what a file tells, what was given, and which of the two holds."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

from deepscribble.errors import InvalidInput, MissingScale
from deepscribble.geometry import Warning, check_mpp

if TYPE_CHECKING:
    import tifffile

SANE = (0.05, 20.0)
"""µm per pixel that a microscope gives; 72 dpi are 353 and say nothing of the tissue."""

MICROMETRES = {
    "nm": 1e-3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "\\u00b5m": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "inch": 25400.0,
}
"""The names of units that OME-XML and ImageJ write, in µm."""

RESOLUTION_UNIT = {2: MICROMETRES["inch"], 3: MICROMETRES["cm"]}
"""Values of TIFF's ResolutionUnit tag, in µm."""

SQUARE_ENOUGH = 1.01
SQUARE_AT_ALL = 1.10
AGREES = 1.05


def sane(mpp_x: float, mpp_y: float) -> tuple[float, float] | None:
    """Both numbers if they can be a microscope's, else None."""
    low, high = SANE
    return (mpp_x, mpp_y) if low <= mpp_x <= high and low <= mpp_y <= high else None


def tiff_mpp(tiff: tifffile.TiffFile) -> tuple[float, float] | None:
    """µm per pixel of a TIFF: from OME-XML, else ImageJ's unit, else the resolution tags."""
    if tiff.is_ome and (found := _ome_mpp(tiff.ome_metadata or "")):
        return found
    page = tiff.pages.first
    unit = RESOLUTION_UNIT.get(int(page.resolutionunit or 1))
    if tiff.is_imagej:
        # ImageJ escapes the micro sign; its tags count pixels per its own unit.
        name = str((tiff.imagej_metadata or {}).get("unit", "")).lower()
        unit = MICROMETRES.get(name, unit)
    per_x, per_y = page.resolution
    if unit is None or not per_x or not per_y:
        return None
    return sane(unit / per_x, unit / per_y)


def _ome_mpp(xml: str) -> tuple[float, float] | None:
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None
    pixels = root.find(".//{*}Pixels")
    if pixels is None:
        return None
    sizes = []
    for axis in ("X", "Y"):
        try:
            size = float(pixels.get(f"PhysicalSize{axis}", "nan"))
        except ValueError:
            return None
        unit = MICROMETRES.get(pixels.get(f"PhysicalSize{axis}Unit", "µm").lower(), math.nan)
        sizes.append(size * unit)
    return sane(sizes[0], sizes[1])


def settle_mpp(
    name: str, found: tuple[float, float] | None, given: float | None
) -> tuple[float, tuple[Warning, ...]]:
    """The µm per level-0 pixel to work with, and what there is to say about it.

    Args:
        name: What errors call the slide.
        found: What the file tells, along x and y.
        given: What the user says; it goes before the file.

    Raises:
        MissingScale: neither is there.
        InvalidInput: `given` is unusable, or the file's pixels are far from square.
    """
    if given is not None:
        check_mpp(given)
        if found and not given / AGREES <= math.sqrt(found[0] * found[1]) <= given * AGREES:
            return given, (
                Warning(
                    "SCALE_OVERRIDDEN",
                    f"{name}: the file tells {found[0]:g} x {found[1]:g} µm per pixel, "
                    f"but {given:g} was given and is used",
                ),
            )
        return given, ()
    if found is None:
        raise MissingScale(
            "mpp",
            f"{name} does not tell its micrometres per pixel; pass --mpp "
            "(a 20x scan has about 0.5, a 40x scan about 0.25)",
        )
    mpp = math.sqrt(found[0] * found[1])
    skew = max(found) / min(found)
    if skew > SQUARE_AT_ALL:
        raise InvalidInput(
            "mpp",
            f"{name} has pixels of {found[0]:g} x {found[1]:g} µm, which are not square; "
            "pass --mpp if the file is wrong, else resample the image to square pixels",
        )
    if skew > SQUARE_ENOUGH:
        return mpp, (
            Warning(
                "PIXELS_NOT_SQUARE",
                f"{name}: pixels of {found[0]:g} x {found[1]:g} µm are taken for squares "
                f"of {mpp:g} µm",
            ),
        )
    return mpp, ()
