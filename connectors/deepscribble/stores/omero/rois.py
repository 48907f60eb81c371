"""Results as Rois of OMERO, so that every client of it shows them rightly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omero.model import (
    ImageI,
    LengthI,
    MapAnnotationI,
    NamedValue,
    PolygonI,
    RoiAnnotationLinkI,
    RoiI,
)
from omero.model.enums import UnitsLength
from omero.rtypes import rint, rstring

from deepscribble.stores.annotations import COLORS
from deepscribble.stores.features import METADATA_PREFIX
from deepscribble.stores.omero.copies import name_of
from deepscribble.stores.omero.features import MEASURED
from deepscribble.stores.omero.points import write_points
from deepscribble.stores.omero.records import RESULT, RESULT_ID, Record
from deepscribble.stores.omero.text import write_text
from deepscribble.stores.store import Result

WRITE = f"{METADATA_PREFIX}write"
"""The name in our notes whose value is of one save alone, so that its Rois are found again."""

YELLOW = [255, 255, 0]
"""What OMERO.iviewer draws with, for classes that have no colour of ours."""

NO_FILL = 0
"""Rings fill by the rule of a union, so a filled outline would hide its own holes."""

LINE_PIXELS = 2.0

Wanted = dict[str, tuple[str, tuple[str, ...]]]
"""Text and points of each ring, by the id of the result."""


def to_link(result: Result, image: int, plane: tuple[int | None, int | None], write: str) -> Any:
    """A Roi for a result, under a note with its origin, as one object that can be saved.

    Each ring is a polygon of its own with the same text, as QuPath's extension writes holes.

    Args:
        result: Level-0 pixels.
        image: The number of the image.
        plane: Its section and moment; None for every one.
        write: Names the save.

    Raises:
        InvalidInput: its class cannot be written into OMERO.
    """
    roi = RoiI()
    roi.setImage(ImageI(image, False))
    text, rings = _rings(result)
    for ring in rings:
        roi.addShape(_polygon(ring, text, result.class_name, plane))
    note = MapAnnotationI()
    note.setNs(rstring(RESULT))
    note.setMapValue([NamedValue(name, value) for name, value in _values(result, write).items()])
    link = RoiAnnotationLinkI()
    link.setParent(roi)
    link.setChild(note)
    return link


def holds(record: Record, result: Result, write: str) -> bool:
    """Whether a Roi, read back, is exactly what `to_link` made of a result."""
    text, rings = _rings(result)
    stored = [
        (drawing.type, drawing.text, tuple(map(tuple, drawing.points)))
        for drawing in record.drawings
    ]
    wanted = [("Polygon", text, _read_back(ring)) for ring in rings]
    return stored == wanted and dict(record.note or {}) == _values(result, write)


def _rings(result: Result) -> tuple[str, list[str]]:
    text = write_text(result.class_name, result.id, name_of(result.polygon))
    return text, [write_points(ring) for ring in result.polygon.rings]


def _read_back(ring: str) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(number) for number in pair.split(",")) for pair in ring.split())


def _values(result: Result, write: str) -> Mapping[str, str]:
    measured = (result.polygon.area_um2, result.polygon.mean_probability)
    return {
        **result.metadata,
        **{name: f"{value:.6g}" for name, value in zip(MEASURED, measured, strict=True)},
        RESULT_ID: result.id,
        WRITE: write,
    }


def _polygon(ring: str, text: str, class_name: str, plane: tuple[int | None, int | None]) -> Any:
    shape = PolygonI()
    shape.setPoints(rstring(ring))
    shape.setTextValue(rstring(text))
    shape.setStrokeColor(rint(signed_rgba(COLORS.get(class_name, YELLOW))))
    shape.setFillColor(rint(NO_FILL))
    shape.setStrokeWidth(LengthI(LINE_PIXELS, UnitsLength.PIXEL))
    z, t = plane
    if z is not None:
        shape.setTheZ(rint(z))
    if t is not None:
        shape.setTheT(rint(t))
    return shape


def signed_rgba(rgb: Sequence[int]) -> int:
    """An opaque colour as OMERO keeps it: red, green, blue, alpha in a signed number of 32 bits."""
    red, green, blue = rgb
    return int.from_bytes(bytes((red, green, blue, 255)), "big", signed=True)
