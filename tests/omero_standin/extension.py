"""What QuPath's OMERO extension does with annotations, told by its source and OMERO.iviewer's.

It brings shapes in as objects, those of one UUID as one (`Shape.createPathObjects`), and sends
every object back as new shapes with the same UUID (`ShapeCreator`, `Shape.getText`). The server's
side of that (`persist_rois` of OMERO.iviewer) gives each shape a Roi of its own, also each ring of
an area with holes, and saves all of them at once as the user who sends.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import omero
import omero.model
import omero.sys
import shapely
from omero.rtypes import rbool, rint, rstring
from shapely.geometry.base import BaseGeometry

ROIS = "select r from Roi r left outer join fetch r.shapes s where r.image.id = :id order by r.id"

ROOT = str(uuid.UUID(int=7))
"""The object under which QuPath keeps all others; it is the parent that annotations name."""

GRID = 0.01
"""What QuPath rounds the coordinates of areas with holes to, pixels."""


@dataclass(frozen=True)
class Annotation:
    """An annotation in QuPath: a line, or an area."""

    shape: BaseGeometry
    class_name: str = "NoClass"
    name: str = "NoName"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    is_locked: bool = False


def bring_in(connection: Any, image: int, owners: Sequence[int] = ()) -> list[Annotation]:
    """The annotations of an image, of some owners or of all; points and so on are left out."""
    parameters = omero.sys.ParametersI()
    parameters.addId(image)
    rois = connection.getQueryService().findAllByQuery(ROIS, parameters, connection.SERVICE_OPTS)
    found: dict[str, Annotation] = {}
    for roi in rois:
        if owners and roi.getDetails().getOwner().getId().getValue() not in owners:
            continue
        for shape in roi.copyShapes():
            one = _read(shape)
            other = found.get(one.id)
            found[one.id] = one if other is None else _joined(other, one)
    return [one for one in found.values() if not one.shape.is_empty]


def send(connection: Any, image: int, annotations: Sequence[Annotation]) -> list[int]:
    """Send annotations; the numbers of the Rois that come of them."""
    rois = []
    for annotation in annotations:
        for shape in _written(annotation):
            roi = omero.model.RoiI()
            roi.setImage(omero.model.ImageI(image, False))
            roi.addShape(shape)
            rois.append(roi)
    saved = connection.getUpdateService().saveAndReturnArray(rois, connection.SERVICE_OPTS)
    return [roi.getId().getValue() for roi in saved]


def _read(shape: Any) -> Annotation:
    text = shape.getTextValue()
    said = (text.getValue() if text is not None else "").split(":")
    said += [""] * (5 - len(said))
    points = np.array(
        [pair.split(",") for pair in shape.getPoints().getValue().split()], dtype=np.float32
    ).astype(float)
    is_area = isinstance(shape, omero.model.Polygon)
    locked = shape.getLocked()
    return Annotation(
        shapely.Polygon(points) if is_area else shapely.LineString(points),
        said[1] or "NoClass",
        said[4] or "NoName",
        said[2] or str(uuid.uuid4()),
        locked is not None and locked.getValue(),
    )


def _joined(one: Annotation, other: Annotation) -> Annotation:
    shape = one.shape.symmetric_difference(other.shape)
    return replace(one, shape=shapely.set_precision(shape, GRID))


def _written(annotation: Annotation) -> list[Any]:
    text = ":".join(
        ("Annotation", annotation.class_name, annotation.id, ROOT, annotation.name or "NoName")
    )
    if annotation.shape.geom_type == "LineString":
        shapes = [(omero.model.PolylineI(), annotation.shape.coords)]
    else:
        # A ring that was joined with others begins where the joining left it.
        shapes = [
            (omero.model.PolygonI(), ring.coords[:-1])
            for part in shapely.get_parts(annotation.shape)
            for ring in (part.exterior, *part.interiors)
        ]
    for shape, points in shapes:
        shape.setPoints(rstring(" ".join(f"{x},{y}" for x, y in points)))
        shape.setTextValue(rstring(text))
        shape.setLocked(rbool(annotation.is_locked))
        shape.setTheZ(rint(0))
        shape.setTheT(rint(0))
    return [shape for shape, _ in shapes]
