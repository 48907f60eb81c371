"""GeoJSON text to features: the grammar that QuPath writes, checked before anything uses it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput, LimitExceeded

MAX_BYTES = 2**28
"""The most bytes of GeoJSON that are read: some ten million points."""

NAME = "DeepScribble"
"""The name that our annotations carry."""

METADATA_PREFIX = "deepscribble."
"""What the keys of our metadata start with."""

# Any fixed UUID does: equal content gets the equal id, on every machine.
NAMESPACE = uuid.UUID("6d0b1b9c-6c39-5b5e-9c57-1f6d7c2f4a10")

# QuPath 0.2 wrote the kind of object where the id belongs.
LEGACY_ANNOTATION = "PathAnnotationObject"
LEGACY_KINDS = (
    LEGACY_ANNOTATION,
    "PathTileObject",
    "PathCellObject",
    "TMACoreObject",
    "PathDetectionObject",
    "PathRootObject",
)


@dataclass(frozen=True, slots=True)
class Feature:
    """One GeoJSON feature as QuPath writes it.

    Args:
        where: What an error calls it: the file, its index, its id.
        id: The annotation's id, empty if it has none.
        object_type: "annotation", "detection", "cell", ...; empty if the file does not say.
        name: The annotation's name, or empty.
        class_name: The full class, a derived one as "Tumor: Positive"; empty if unclassified.
        geometry: The GeoJSON geometry, unchecked.
        measurements: Numbers by name.
        metadata: Text by name.
        is_locked: Whether a person locked it against changes.
        is_off_plane: Whether it lies on another plane of a z-stack or time series than the first,
            the only one that is outlined.
        is_namesake: Whether its id is only lent to it, since the one that is stored is another
            annotation's by right.
    """

    where: str
    id: str
    object_type: str
    name: str
    class_name: str
    geometry: Any
    measurements: Mapping[str, Any]
    metadata: Mapping[str, Any]
    is_locked: bool = False
    is_off_plane: bool = False
    is_namesake: bool = False

    @property
    def is_annotation(self) -> bool:
        """Whether a person may have drawn it; a cell or a tile was not drawn."""
        return self.object_type in ("", "annotation", "unknown")

    @property
    def is_ours(self) -> bool:
        """Whether DeepScribble wrote it."""
        # In OMERO the name goes on with what the shape was.
        is_named = self.name == NAME or self.name.startswith(f"{NAME} ")
        return is_named or any(key.startswith(METADATA_PREFIX) for key in self.metadata)

    def parts(self) -> tuple[str, list[NDArray[np.float64]]]:
        """The geometry's type without "Multi", and its lines, rings or one array of points.

        Arrays are (N, 2) float64 with every number finite; a third coordinate is dropped, and
        rings do not repeat their first point.

        Raises:
            InvalidInput: no geometry, one of another type, or coordinates that are none.
        """
        geometry = self.geometry
        if not isinstance(geometry, dict) or "type" not in geometry:
            raise InvalidInput(self.where, "the feature has no geometry")
        kind = str(geometry["type"])
        if kind not in DEPTH:
            raise InvalidInput(
                self.where,
                f"a geometry of type {kind} is no stroke or area; draw a line, points, a polygon, "
                "or several of one of them",
            )
        coordinates = geometry.get("coordinates")
        if not isinstance(coordinates, list) or not coordinates:
            raise InvalidInput(self.where, f"the {kind} has no coordinates")
        single = kind.removeprefix("Multi")
        if kind == "Point":
            coordinates = [coordinates]
        parts = [
            self._points(part, kind) for part in _unnest([coordinates], DEPTH[kind], self.where)
        ]
        if single == "Polygon":
            parts = [_opened(ring) for ring in parts]
            if any(len(ring) < 3 for ring in parts):
                raise InvalidInput(self.where, f"a ring of the {kind} has fewer than 3 corners")
        return single, parts

    def _points(self, points: Any, kind: str) -> NDArray[np.float64]:
        if not points:
            raise InvalidInput(self.where, f"a part of the {kind} has no coordinates")
        try:
            array = np.array([point[:2] for point in points])
        except (TypeError, ValueError, KeyError) as error:
            raise InvalidInput(
                self.where, f"the coordinates of the {kind} are not pairs of numbers"
            ) from error
        if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iuf":
            raise InvalidInput(
                self.where, f"the coordinates of the {kind} are not pairs of numbers"
            )
        if not np.isfinite(array).all():
            raise InvalidInput(self.where, "a coordinate is NaN or infinite")
        return array.astype(np.float64)


DEPTH = {
    "Point": 0,
    "MultiPoint": 0,
    "LineString": 0,
    "MultiLineString": 1,
    "Polygon": 1,
    "MultiPolygon": 2,
}
"""How many lists lie around the lists of points of each type that can be drawn."""


def _unnest(lists: list[Any], depth: int, where: str) -> list[Any]:
    for _ in range(depth):
        if not all(isinstance(inner, list) and inner for inner in lists):
            raise InvalidInput(where, "a part of the geometry has no coordinates")
        lists = [item for inner in lists for item in inner]
    if not all(isinstance(points, list) for points in lists):
        raise InvalidInput(where, "the coordinates are not lists of points")
    return lists


def _opened(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    return ring[:-1] if len(ring) > 1 and (ring[0] == ring[-1]).all() else ring


def read_features(path: str | os.PathLike[str]) -> tuple[Feature, ...]:
    """Features of a GeoJSON file: a FeatureCollection, a list of features, or one feature.

    Raises:
        InvalidInput: missing, empty, not JSON or not GeoJSON; the message names the file.
        LimitExceeded: over `MAX_BYTES`.
    """
    name = str(path)
    return parse_features(parse_json(read_bytes(path), name), name)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a GeoJSON file.

    Raises:
        InvalidInput: it cannot be read; the message names the file.
        LimitExceeded: over `MAX_BYTES`.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise LimitExceeded(
                f"{path}: {size} bytes are more than the limit of {MAX_BYTES} for GeoJSON; "
                "export only the strokes"
            )
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput(str(path), f"the file cannot be read ({reason})") from error


def parse_json(data: bytes, name: str) -> Any:
    """The JSON value of a file's content; `name` is what errors call the file.

    Raises:
        InvalidInput: empty, not text in UTF-8, or not JSON.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(name, "the file is not text in UTF-8, so not GeoJSON") from error
    if not text.strip():
        raise InvalidInput(name, "the file is empty; export the strokes from QuPath again")
    try:
        # Not only text that is no JSON: a number may have more digits than Python reads.
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(name, f"the file is not JSON ({error})") from error


def parse_features(document: Any, name: str) -> tuple[Feature, ...]:
    """Features of a JSON value: a FeatureCollection, a list of features, or one feature.

    Raises:
        InvalidInput: not GeoJSON; the message names `name` and the feature.
    """
    return tuple(
        _feature(entry, f"{name}: feature {index}")
        for index, entry in enumerate(entries_of(document, name))
    )


def entries_of(document: Any, name: str) -> list[Any]:
    """The features of a JSON value as JSON values.

    Raises:
        InvalidInput: neither a FeatureCollection, nor a list, nor a feature.
    """
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        if document.get("type") == "Feature":
            return [document]
        if isinstance(document.get("features"), list):
            return list(document["features"])
    raise InvalidInput(name, "not GeoJSON: neither a FeatureCollection nor features")


def _feature(entry: Any, where: str) -> Feature:
    if not isinstance(entry, dict) or entry.get("type") != "Feature":
        raise InvalidInput(where, 'not GeoJSON: its "type" is not "Feature"')
    properties = _mapping(entry.get("properties"))
    own_id = entry.get("id", properties.get("id"))
    legacy = str(own_id) if own_id in LEGACY_KINDS else ""
    id = "" if own_id is None or legacy else str(own_id)
    class_name = _class_name(properties.get("classification"))
    try:
        f"{id}{class_name}".encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            where, "its id or class holds half a character; save it again as UTF-8"
        ) from error
    object_type = str(properties.get("objectType") or properties.get("object_type") or "")
    if legacy and not object_type:
        object_type = "annotation" if legacy == LEGACY_ANNOTATION else legacy
    return Feature(
        where=f"{where} ({id})" if id else where,
        id=id,
        object_type=object_type,
        name=str(properties.get("name") or ""),
        class_name=class_name,
        geometry=entry.get("geometry"),
        measurements=_measurements(properties.get("measurements")),
        metadata=_mapping(properties.get("metadata")),
        is_locked=properties.get("isLocked") is True,
        is_off_plane=_is_off_plane(entry),
    )


def _is_off_plane(entry: Mapping[str, Any]) -> bool:
    """QuPath notes the plane with the geometry, unless it is the first."""
    plane = _mapping(_mapping(entry.get("geometry")).get("plane"))
    return any(plane.get(axis) not in (None, 0) for axis in ("z", "t"))


def _class_name(classification: Any) -> str:
    """QuPath writes {"name": ...}, for derived classes {"names": [...]}; others a plain text."""
    if isinstance(classification, dict):
        names = classification.get("names")
        if isinstance(names, list):
            return ": ".join(str(name) for name in names)
        return str(classification.get("name") or "")
    return classification if isinstance(classification, str) else ""


def _measurements(values: Any) -> Mapping[str, Any]:
    """QuPath 0.4 and newer write an object, older ones a list of {"name", "value"}."""
    if isinstance(values, list):
        return {
            str(item["name"]): item.get("value")
            for item in values
            if isinstance(item, dict) and "name" in item
        }
    return _mapping(values)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
