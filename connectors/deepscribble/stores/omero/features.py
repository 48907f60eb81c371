"""Rois as features: strokes, regions and results as every store sorts them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Warning
from deepscribble.stores.areas import polygon_of
from deepscribble.stores.classes import matches
from deepscribble.stores.features import METADATA_PREFIX, NAMESPACE, Feature
from deepscribble.stores.omero.records import Record
from deepscribble.stores.omero.shapes import LINE, POINT, POLYGON, Drawing
from deepscribble.stores.omero.text import ShapeText, parse_text
from deepscribble.stores.store import Query

MEASURED = ("Area µm^2", "Mean probability")
"""The names in our notes whose values are measurements."""

RESULT_ID = f"{METADATA_PREFIX}id"
"""The name in our notes whose value is the UUID of the result."""

SEVERAL = {LINE: "MultiLineString", POINT: "MultiPoint"}


@dataclass(frozen=True, slots=True)
class View:
    """How an image's Rois are looked at.

    Args:
        image: What errors call the image.
        user: The number of the user whose results are ours.
        plane: The section and the moment, from 0.
        colors: Classes by the colour of the line, "#rrggbb", of shapes without a text.
    """

    image: str
    user: int
    plane: tuple[int, int] = (0, 0)
    colors: Mapping[str, str] | None = None


def to_features(records: Sequence[Record], view: View, query: Query) -> tuple[Feature, ...]:
    """The features of an image, oldest first.

    Shapes of a Roi that share a UUID are one feature, as QuPath writes areas with holes. A result
    of ours that a newer one has replaced, which a run left that did not come to its end, goes by
    an id of its own, so that the next run removes it. So does what others copied of our results.

    Raises:
        InvalidInput: a stroke or region whose coordinates cannot be used.
    """
    owners = _owners(records, view)
    return tuple(
        feature for record in records for feature in _features(record, view, query, owners)
    )


def rois_by_id(records: Sequence[Record], view: View) -> dict[str, Record]:
    """The Rois that may be deleted, by the id of the only feature that each of them is."""
    owners = _owners(records, view)
    found = {}
    for record in records:
        groups = _groups(record, view)
        if record.is_made_by(view.user) and len(groups) == 1:
            found[_id_in(record, *groups[0], owners)] = record
    return found


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


def _owners(records: Sequence[Record], view: View) -> dict[str, int]:
    """Which Roi has a UUID by right: the newest of ours."""
    return {
        said.id: record.id
        for record in records
        if record.is_made_by(view.user)
        for said, _ in _groups(record, view)
        if said.id
    }


def _id_in(
    record: Record, said: ShapeText, drawings: Sequence[Drawing], owners: Mapping[str, int]
) -> str:
    """The id of a feature: its UUID unless another Roi has that by right."""
    if not said.id:
        return f"Shape:{drawings[0].id}"
    if owners.get(said.id, record.id) != record.id:
        return str(uuid.uuid5(NAMESPACE, f"Roi:{record.id}"))
    return said.id


def _features(
    record: Record, view: View, query: Query, owners: Mapping[str, int]
) -> Iterator[Feature]:
    groups = _groups(record, view)
    where = f"{view.image}: Roi:{record.id}"
    for said, drawings in groups:
        # A person may have drawn more into a Roi of ours: that is not ours.
        is_ours = record.note is not None and (
            len(groups) == 1 or said.id == record.note.get(RESULT_ID)
        )
        note: Mapping[str, str] = (record.note or {}) if is_ours else {}
        is_fixed = bool(record.annotations) or not record.is_made_by(view.user)
        stays = is_ours and (len(groups) > 1 or is_fixed)
        yield Feature(
            where=f"{where} Shape:{drawings[0].id}",
            id=_id_in(record, said, drawings, owners),
            object_type=_object_type(said, drawings, view),
            name=said.name,
            class_name=said.class_name,
            geometry=_geometry(drawings, where, said, query),
            measurements=_measurements(note),
            metadata=note,
            is_locked=stays or any(drawing.is_locked for drawing in drawings),
        )


def _groups(record: Record, view: View) -> list[tuple[ShapeText, list[Drawing]]]:
    """Shapes that are one object to QuPath, by UUID; each of the others by itself."""
    groups: dict[tuple[str, int], tuple[ShapeText, list[Drawing]]] = {}
    for drawing in record.drawings:
        said = parse_text(drawing.text)
        if not drawing.text and view.colors:
            said = ShapeText(view.colors.get(drawing.color, ""))
        key = (said.id, 0) if said.id else ("", drawing.id)
        groups.setdefault(key, (said, []))[1].append(drawing)
    return list(groups.values())


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
