"""Outlines as QuPath annotations in GeoJSON, as QuPath 0.5 and newer read and write them."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from deepscribble.errors import DeepScribbleError
from deepscribble.geometry import ModelRef, Outline, Polygon
from deepscribble.stores.features import METADATA_PREFIX, NAME, NAMESPACE, read_features
from deepscribble.stores.output import write_whole
from deepscribble.stores.shape import describe, shape_of
from deepscribble.stores.sorting import PROBABILITY, SHAPE
from deepscribble.stores.store import Result

RESULT_CLASS = "Tumor"

# The first colour that QuPath meets of a class wins, so ours is the one that it has itself;
# for other classes QuPath chooses.
COLORS = {RESULT_CLASS: [200, 0, 0]}


def to_geojson(
    outline: Outline, *, class_name: str = RESULT_CLASS, time: datetime | None = None
) -> dict[str, Any]:
    """An outline as a FeatureCollection, one annotation for each polygon; see `to_feature`.

    Args:
        outline: Level-0 pixels.
        class_name: The class of the annotations.
        time: When it was made, aware of its time zone; now if absent.
    """
    origin = provenance(outline.models, outline.stroke_ids, time or datetime.now(UTC))
    return {
        "type": "FeatureCollection",
        "features": [
            to_feature(to_result(polygon, class_name, origin)) for polygon in outline.polygons
        ],
    }


@cache
def software_version() -> str:
    """The version of DeepScribble; Python would read the package's whole description each time."""
    return version("deepscribble")


def provenance(
    models: Iterable[ModelRef], stroke_ids: Iterable[str], time: datetime
) -> dict[str, str]:
    """What made a result, as the metadata that it carries: models, strokes, version and time."""
    metadata = {f"{METADATA_PREFIX}model.{model.name}": model.digest for model in models}
    metadata[f"{METADATA_PREFIX}version"] = software_version()
    metadata[f"{METADATA_PREFIX}strokes"] = ",".join(stroke_ids)
    metadata[f"{METADATA_PREFIX}time"] = time.astimezone(UTC).isoformat(timespec="seconds")
    return metadata


def to_result(polygon: Polygon, class_name: str, origin: Mapping[str, str]) -> Result:
    """A polygon as an annotation to be stored.

    Its id follows from class and vertices alone: a polygon that a further stroke does not change
    keeps its id.

    Args:
        polygon: Level-0 pixels.
        class_name: The annotation's class.
        origin: Its metadata, as `provenance` gives it.
    """
    metadata = {**origin, SHAPE: describe(shape_of(polygon))}
    return Result(polygon_id(polygon, class_name), class_name, polygon, metadata)


def to_feature(result: Result) -> dict[str, Any]:
    """A result as a GeoJSON feature that QuPath reads.

    It carries class, name, the measurements "Area µm^2" and "Mean probability", and as metadata
    the models with their digests, the version, the time, the ids of the strokes and its shape.
    """
    color = COLORS.get(result.class_name)
    # QuPath reads a class with its colour, or as a text; it refuses {"name": ...} alone.
    classification = {"name": result.class_name, "color": color} if color else result.class_name
    return {
        "type": "Feature",
        "id": result.id,
        "geometry": {
            "type": "Polygon",
            "coordinates": [_closed(ring) for ring in result.polygon.rings],
        },
        "properties": {
            "objectType": "annotation",
            "name": NAME,
            "classification": classification,
            "isLocked": False,
            "measurements": {
                "Area µm^2": result.polygon.area_um2,
                PROBABILITY: result.polygon.mean_probability,
            },
            "metadata": dict(result.metadata),
        },
    }


def write_annotations(
    path: str | os.PathLike[str],
    outline: Outline,
    *,
    class_name: str = RESULT_CLASS,
    time: datetime | None = None,
) -> None:
    """Write an outline as a GeoJSON file for QuPath, whole or not at all; see `to_geojson`.

    Raises:
        OutputRefused: the file cannot be written; what was there before is untouched.
    """
    document = to_geojson(outline, class_name=class_name, time=time)
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    write_whole(path, text.encode())


def holds_only_ours(path: str | os.PathLike[str]) -> bool:
    """Whether a file is GeoJSON in which DeepScribble made every annotation."""
    try:
        return all(feature.is_ours for feature in read_features(Path(path)))
    except DeepScribbleError:
        return False


def _closed(ring: NDArray[Any]) -> list[list[float]]:
    points: list[list[float]] = ring.tolist()
    return [*points, points[0]]


def polygon_id(polygon: Polygon, class_name: str) -> str:
    """The id of a polygon's annotation: a UUID that follows from class and vertices alone."""
    digest = hashlib.sha256(class_name.encode())
    for ring in polygon.rings:
        digest.update(len(ring).to_bytes(8, "little") + ring.astype("<f8").tobytes())
    return str(uuid.uuid5(NAMESPACE, digest.hexdigest()))
