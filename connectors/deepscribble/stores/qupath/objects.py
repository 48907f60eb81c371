"""QuPath's objects as features, and edits of the hierarchy that they stand in."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely

from deepscribble.errors import OutputRefused, StoreConflict
from deepscribble.stores.annotations import to_feature
from deepscribble.stores.classes import matches
from deepscribble.stores.features import METADATA_PREFIX, Feature
from deepscribble.stores.qupath.runtime import java_class
from deepscribble.stores.shape import ROUNDING, shape_of
from deepscribble.stores.sorting import OFF_PLANE
from deepscribble.stores.store import Edit, Query, Result

MODEL = f"{METADATA_PREFIX}model."
"""What the keys of metadata start with that name a model; the new result names its own."""


def features_of(hierarchy: Any, query: Query, where: str) -> tuple[Feature, ...]:
    """The annotations of a hierarchy, nested ones too, in its order.

    Only strokes, regions and results of ours get their geometry, measurements and metadata: of
    the rest, which may be many thousands, nothing but the class is asked for.

    Args:
        hierarchy: QuPath's `PathObjectHierarchy`.
        query: Which classes are strokes and regions.
        where: What errors call the image.
    """

    @functools.cache
    def wanted(class_name: str) -> bool:
        return matches(class_name, query.regions) or query.classes.label(class_name) is not None

    features: list[Feature] = []
    drawn = []
    for annotation in hierarchy.getAnnotationObjects():
        feature = _outside(annotation, where)
        if feature.is_ours or wanted(feature.class_name):
            drawn.append((len(features), annotation))
        features.append(feature)
    shapes = _shapes([annotation for _, annotation in drawn])
    for (at, annotation), shape in zip(drawn, shapes, strict=True):
        features[at] = replace(
            features[at],
            geometry=None if shape.is_empty else json.loads(shapely.to_geojson(shape)),
            measurements={
                str(entry.getKey()): float(entry.getValue())
                for entry in annotation.getMeasurements().entrySet()
            },
        )
    return tuple(features)


def _outside(annotation: Any, where: str) -> Feature:
    """All of an annotation that costs little: no geometry and no measurements."""
    id = str(annotation.getID().toString())
    name = annotation.getName()
    path_class = annotation.getPathClass()
    metadata = annotation.getMetadata()
    roi = annotation.getROI()
    return Feature(
        where=f"{where}: annotation {id}",
        id=id,
        object_type="annotation",
        name="" if name is None else str(name),
        class_name="" if path_class is None else str(path_class.toString()),
        geometry=None,
        measurements={},
        metadata={}
        if metadata.isEmpty()
        else {str(entry.getKey()): str(entry.getValue()) for entry in metadata.entrySet()},
        is_locked=bool(annotation.isLocked()),
        is_off_plane=roi is not None and (int(roi.getZ()), int(roi.getT())) != (0, 0),
    )


def _shapes(annotations: Sequence[Any]) -> Sequence[Any]:
    """Shapely geometries of annotations, level-0 pixels.

    The ROI is asked for its geometry, because QuPath's GeoJSON and paquo's `roi` corrupt lines of
    several parts; all go through Java's door in one piece, because a thousand calls take seconds.
    """
    if not annotations:
        return ()
    geometries = java_class("java.util.ArrayList")()
    for annotation in annotations:
        geometries.add(annotation.getROI().getGeometry())
    factory = java_class("org.locationtech.jts.geom.GeometryFactory")()
    geometry = java_class("org.locationtech.jts.geom.Geometry")
    collection = factory.createGeometryCollection(geometries.toArray(geometry[0]))
    data = java_class("org.locationtech.jts.io.WKBWriter")().write(collection)
    shapes: np.ndarray[Any, Any] = shapely.get_parts(shapely.from_wkb(bytes(data)))
    return list(shapes)


def apply_edit(hierarchy: Any, edit: Edit, where: str) -> None:
    """Change a hierarchy as an edit says; objects keep their parents and their children.

    Args:
        hierarchy: QuPath's `PathObjectHierarchy`, as it was just read.
        edit: What to change.
        where: What errors call the image.

    Raises:
        StoreConflict: the edit does not fit what is there: an id that is missing or taken, an
            object that is locked or not ours.
        OutputRefused: QuPath does not take a polygon.
    """
    annotations: dict[str, list[Any]] = {}
    for annotation in hierarchy.getAnnotationObjects():
        annotations.setdefault(str(annotation.getID().toString()), []).append(annotation)
    for result in edit.added:
        if result.id in annotations:
            raise StoreConflict(f"{where}: there is an annotation {result.id} already; run again")
    updated = [_ours(annotations, result.id, where) for result in edit.updated]
    removed = [_ours(annotations, id, where) for id in edit.removed]
    for annotation in removed:
        # One by one: QuPath's removal of many puts children where they lie, not where they were.
        hierarchy.removeObject(annotation, True)
    for annotation, fresh in zip(updated, _objects(edit.updated, where), strict=True):
        _update(annotation, fresh)
    if edit.added:
        hierarchy.addObjects(_objects(edit.added, where))


def check_results(results: Iterable[Result], size: tuple[int, int], where: str) -> None:
    """Refuse polygons that QuPath would take without a word and turn into something else.

    Args:
        results: What is to be stored.
        size: Width and height of the image, level-0 pixels.
        where: What errors call the image.

    Raises:
        OutputRefused: a polygon without area, one that crosses itself, or one outside the image.
    """
    width, height = size
    for result in results:
        shape = shape_of(result.polygon)
        left, top, right, bottom = shape.bounds
        reason = ""
        if not shape.is_valid:
            reason = f"is not valid ({shapely.is_valid_reason(shape)})"
        elif shape.area <= 0:
            reason = "has no area"
        elif min(left, top) < -ROUNDING or right > width + ROUNDING or bottom > height + ROUNDING:
            reason = f"reaches outside the image of {width} x {height} pixels"
        if reason:
            raise OutputRefused(f"{where}: the polygon {result.id} {reason}; nothing was written")


def _ours(annotations: dict[str, list[Any]], id: str, where: str) -> Any:
    found = annotations.get(id, [])
    if len(found) != 1:
        there = "no annotation" if not found else "more than one annotation"
        raise StoreConflict(f"{where}: there is {there} {id}; run again")
    feature = _outside(found[0], where)
    reason = ""
    if feature.is_locked:
        reason = "locked"
    elif feature.is_off_plane:
        reason = OFF_PLANE
    elif not feature.is_ours:
        reason = "not ours"
    if reason:
        raise StoreConflict(f"{where}: annotation {id} is {reason}; it was left alone")
    return found[0]


def _objects(results: Sequence[Result], where: str) -> Any:
    """QuPath's annotation objects of results, in their order."""
    text = json.dumps([to_feature(result) for result in results], allow_nan=False).encode()
    stream = java_class("java.io.ByteArrayInputStream")(text)
    objects = java_class("qupath.lib.io.PathIO").readObjectsFromGeoJSON(stream)
    if objects.size() != len(results):
        raise OutputRefused(
            f"{where}: QuPath took {objects.size()} of {len(results)} polygons; nothing was written"
        )
    return objects


def _update(annotation: Any, fresh: Any) -> None:
    """Give an annotation of ours the geometry, measurements and metadata of a newer one.

    Its class, its name and all other metadata stay. QuPath itself drops all measurements with the
    shape that they were taken of.
    """
    annotation.setROI(fresh.getROI())
    annotation.getMeasurements().putAll(fresh.getMeasurements())
    metadata = annotation.getMetadata()
    for key in [str(key) for key in metadata.keySet()]:
        if key.startswith(MODEL):
            metadata.remove(key)
    metadata.putAll(fresh.getMetadata())
