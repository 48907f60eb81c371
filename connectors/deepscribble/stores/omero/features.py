"""Rois as features: strokes, regions and results as every store sorts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Warning
from deepscribble.stores.areas import polygon_of
from deepscribble.stores.classes import matches
from deepscribble.stores.features import Feature
from deepscribble.stores.omero.copies import written
from deepscribble.stores.omero.items import Item, View
from deepscribble.stores.omero.records import Record
from deepscribble.stores.omero.shapes import LINE, POINT, POLYGON, Drawing
from deepscribble.stores.omero.text import ShapeText
from deepscribble.stores.sorting import SHAPE
from deepscribble.stores.store import Query

MEASURED = ("Area µm^2", "Mean probability")
"""The names in our notes whose values are measurements."""

SEVERAL = {LINE: "MultiLineString", POINT: "MultiPoint"}


def to_features(items: Iterable[Item], view: View, query: Query) -> tuple[Feature, ...]:
    """The features of an image, in the order of its objects.

    A result of ours whose UUID is another's by right, such as that of a newer one where a run did
    not come to its end, goes by an id of its own, so that the next run removes or renames it.

    Raises:
        InvalidInput: a stroke or region whose coordinates cannot be used.
    """
    return tuple(_feature(item, view, query) for item in items)


def annotated_warning(records: Sequence[Record], view: View) -> tuple[Warning, ...]:
    """The warning, code RESULTS_ANNOTATED, of results that stay for what hangs on them; or none."""
    held = [record for record in records if record.annotations and record.is_made_by(view.user)]
    if not held:
        return ()
    numbers = ", ".join(f"Roi:{record.id}" for record in held)
    message = (
        f"{view.image}: {len(held)} results of ours stay as they are, since somebody annotated "
        f"them in OMERO ({numbers}); take the annotations off to have them outlined anew"
    )
    return (Warning("RESULTS_ANNOTATED", message),)


def _feature(item: Item, view: View, query: Query) -> Feature:
    said, drawings = item.said, item.drawings
    where = f"{view.image}: Roi:{item.records[0].id}"
    geometry = _geometry(drawings, where, said, query)
    metadata = item.note or {}
    if item.is_copy:
        metadata = {SHAPE: written(said.name, _shape(geometry))}
    # What others have stays too, but is told apart by whether it was edited.
    is_result = item.note is not None or item.is_copy
    is_fixed = item.is_annotated or not item.is_of(view.user)
    return Feature(
        where=f"{where} Shape:{drawings[0].id}",
        id=item.id,
        object_type=_object_type(said, drawings, view),
        name=said.name,
        class_name=said.class_name,
        geometry=geometry,
        measurements=_measurements(metadata),
        metadata=metadata,
        is_locked=any(drawing.is_locked for drawing in drawings)
        or (is_result and is_fixed and not item.is_theirs(view.user)),
        is_namesake=item.is_namesake,
    )


def _object_type(said: ShapeText, drawings: Iterable[Drawing], view: View) -> str:
    """What the store calls it; whatever is no annotation is left out, and counted by this."""
    for drawing in drawings:
        if not drawing.kind:
            return drawing.type
        if not drawing.is_on(view.plane):
            return "shape on another plane"
    return said.object_type


def _geometry(
    drawings: Sequence[Drawing], where: str, said: ShapeText, query: Query
) -> dict[str, Any] | None:
    usable = []
    for drawing in drawings:
        if not drawing.problem:
            usable.append(drawing)
        elif _matters(said.class_name, query):
            raise InvalidInput(
                f"{where} Shape:{drawing.id}",
                f"the {drawing.type} {said.class_name!r} cannot be used: {drawing.problem}; "
                "delete it or draw it anew",
            )
    kinds = {drawing.kind for drawing in usable}
    if len(kinds) != 1 or "" in kinds:
        return None
    kind = kinds.pop()
    if len(usable) == 1:
        return _single(kind, list(usable[0].points))
    if kind == POLYGON:
        return _area([np.array(drawing.points) for drawing in usable])
    parts: list[Any] = [list(drawing.points) for drawing in usable]
    if kind == POINT:
        parts = [point for part in parts for point in part]
    return {"type": SEVERAL[kind], "coordinates": parts}


def _shape(geometry: dict[str, Any] | None) -> BaseGeometry:
    """A geometry of `_geometry` as Shapely has it; an empty one where there is none."""
    whole = shapely.Polygon() if geometry is None else shapely.geometry.shape(geometry)
    return whole if whole.is_valid else shapely.Polygon()


def _matters(class_name: str, query: Query) -> bool:
    return matches(class_name, query.regions) or query.classes.label(class_name) is not None


def _single(kind: str, points: list[list[float]]) -> dict[str, Any]:
    if kind == POINT:
        return {"type": kind, "coordinates": points[0]}
    return {"type": kind, "coordinates": [points] if kind == POLYGON else points}


def _area(rings: Sequence[Any]) -> dict[str, Any]:
    """Rings of one object, of which an even number around a place leaves it out."""
    whole: BaseGeometry = shapely.Polygon(rings[0], rings[1:])
    if not whole.is_valid:
        whole = shapely.Polygon()
        for ring in rings:
            whole = whole.symmetric_difference(shapely.make_valid(shapely.Polygon(ring)))
    parts = [part for part in shapely.get_parts(whole) if part.geom_type == POLYGON]
    polygons = [
        [ring.tolist() for ring in polygon_of(part).rings] for part in parts if part.area > 0
    ]
    if len(polygons) == 1:
        return {"type": POLYGON, "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _measurements(note: Mapping[str, str]) -> dict[str, float]:
    found = {}
    for name in MEASURED:
        try:
            found[name] = float(note[name])
        except (KeyError, ValueError):
            continue
    return found
