"""Outlines as QuPath annotations in GeoJSON, as QuPath 0.5 and newer read and write them."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from deepscribble.errors import DeepScribbleError
from deepscribble.geometry import Outline, Polygon
from deepscribble.stores.features import METADATA_PREFIX, NAME, read_features
from deepscribble.stores.output import write_whole
from deepscribble.stores.strokes import NAMESPACE

RESULT_CLASS = "Tumor"

# The first colour that QuPath meets of a class wins, so ours is the one that it has itself;
# for other classes QuPath chooses.
COLORS = {RESULT_CLASS: [200, 0, 0]}


def to_geojson(
    outline: Outline, *, class_name: str = RESULT_CLASS, time: datetime | None = None
) -> dict[str, Any]:
    """An outline as a FeatureCollection, one annotation for each polygon.

    Every annotation carries its class, the measurements "Area µm^2" and "Mean probability", and
    as metadata the models with their digests, this version, the time and the ids of the strokes.
    Its id follows from all of these but the time: the same answer gets the same ids.

    Args:
        outline: Level-0 pixels.
        class_name: The class of the annotations.
        time: When it was made, aware of its time zone; now if absent.
    """
    moment = (time or datetime.now(UTC)).astimezone(UTC)
    metadata = {f"{METADATA_PREFIX}model.{model.name}": model.digest for model in outline.models}
    metadata[f"{METADATA_PREFIX}version"] = version("deepscribble")
    metadata[f"{METADATA_PREFIX}strokes"] = ",".join(outline.stroke_ids)
    origin = json.dumps([class_name, metadata], sort_keys=True).encode()
    metadata[f"{METADATA_PREFIX}time"] = moment.isoformat(timespec="seconds")
    classification: dict[str, Any] = {"name": class_name}
    if class_name in COLORS:
        classification["color"] = COLORS[class_name]
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": _id_of(polygon, origin),
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [_closed(ring) for ring in polygon.rings],
                },
                "properties": {
                    "objectType": "annotation",
                    "name": NAME,
                    "classification": classification,
                    "isLocked": False,
                    "measurements": {
                        "Area µm^2": polygon.area_um2,
                        "Mean probability": polygon.mean_probability,
                    },
                    "metadata": metadata,
                },
            }
            for polygon in outline.polygons
        ],
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


def _id_of(polygon: Polygon, origin: bytes) -> str:
    digest = hashlib.sha256(origin)
    for ring in polygon.rings:
        digest.update(len(ring).to_bytes(8, "little") + ring.astype("<f8").tobytes())
    return str(uuid.uuid5(NAMESPACE, digest.hexdigest()))
