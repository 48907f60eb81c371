"""What the annotations of an image are: strokes, regions of interest, results of ours, others."""

from __future__ import annotations

import hashlib
import math
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Kind, Label, Stroke, Warning
from deepscribble.stores.areas import is_area, polygons_of
from deepscribble.stores.classes import matches
from deepscribble.stores.features import METADATA_PREFIX, NAMESPACE, Feature
from deepscribble.stores.shape import is_described, shape_of
from deepscribble.stores.store import Area, Content, Former, Query

KINDS = {"LineString": Kind.POLYLINE, "Point": Kind.POINTS, "Polygon": Kind.BRUSH}

STROKE_WIDTH = "stroke width"
"""The measurement or metadata that holds a stroke's full width in level-0 pixels."""

SHAPE = f"{METADATA_PREFIX}shape"
"""The metadata that holds what `describe` says of a result as it was written."""

OFF_PLANE = "on another plane than the first (z = 0, t = 0)"
"""Where annotations lie that are left out, and results that stay."""

PROBABILITY = "Mean probability"
"""The measurement that holds the mean of the probability map inside a result."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The annotations of an image by what they are; the fields are those of `Content`."""

    areas: tuple[Area, ...]
    strokes: tuple[Stroke, ...]
    formers: tuple[Former, ...]
    ids: frozenset[str]
    ignored: Mapping[str, int]
    warnings: tuple[Warning, ...]

    def content(self, version: str) -> Content:
        """What `Store.read` answers, of a store whose annotations have this version."""
        return Content(
            areas=self.areas,
            strokes=self.strokes,
            formers=self.formers,
            ids=self.ids,
            ignored=self.ignored,
            warnings=self.warnings,
            version=version,
        )


def sort_features(features: Iterable[Feature], query: Query, where: str) -> Sorted:
    """Tell strokes, regions and our own results from the rest, which is counted.

    Annotations of the classes are strokes: lines, points, and polygons as brushed areas. Cells
    and tiles are neither strokes nor regions, nor is what lies on another plane of a z-stack or
    time series than the first; results of ours that lie there stay.

    Args:
        features: In the order of the store.
        query: Which classes say what.
        where: What warnings call the file or image.

    Raises:
        InvalidInput: a stroke or region without usable geometry, or a stroke without a usable
            width; the message names the feature.
    """
    areas, strokes, ours, ids = [], [], [], Counter[str]()
    ignored: Counter[str] = Counter()
    for feature in features:
        ids[feature.id] += 1
        if feature.is_ours:
            ours.append(feature)
        elif not feature.is_annotation:
            ignored[f"of type {feature.object_type}"] += 1
        elif feature.is_off_plane:
            ignored[OFF_PLANE] += 1
        elif matches(feature.class_name, query.regions):
            areas.append(_area(feature))
        elif (label := query.classes.label(feature.class_name)) is not None:
            strokes.append(_stroke(feature, label, query.width))
        else:
            ignored[f"of class {feature.class_name}" if feature.class_name else "of no class"] += 1
    return Sorted(
        tuple(areas),
        tuple(strokes),
        tuple(_former(feature, ids[feature.id] > 1) for feature in ours),
        frozenset(ids),
        MappingProxyType(dict(ignored)),
        tuple(ignored_warning(where, reason, count) for reason, count in ignored.items()),
    )


def ignored_warning(where: str, reason: str, count: int) -> Warning:
    """The warning, code FEATURES_IGNORED, of annotations that were left out."""
    features = "1 feature" if count == 1 else f"{count} features"
    return Warning("FEATURES_IGNORED", f"{where}: {features} {reason} not taken for strokes")


def _area(feature: Feature) -> Area:
    if not is_area(feature):
        raise InvalidInput(
            feature.where,
            f"an annotation of class {feature.class_name} is a region to work on, but this one "
            "is no area; draw it as a rectangle or polygon, or give it another class",
        )
    return Area(feature.id, feature.name or feature.class_name, _shape(feature))


def _former(feature: Feature, is_double: bool) -> Former:
    shape: BaseGeometry = shapely.Polygon()
    # What lies on another plane covers nothing of the first.
    if is_area(feature) and not feature.is_off_plane:
        try:
            shape = _shape(feature)
        except InvalidInput:
            # A person made it what it is, so it stays; that is all there is to know of it.
            shape = shapely.Polygon()
    stays = ""
    if feature.is_off_plane:
        stays = OFF_PLANE
    elif feature.is_locked:
        stays = "locked"
    elif not feature.id or is_double:
        stays = "without an id of its own"
    elif not is_described(shape, str(feature.metadata.get(SHAPE, ""))):
        stays = "edited by hand"
    probability = feature.measurements.get(PROBABILITY, 0.0)
    return Former(
        feature.id,
        feature.class_name,
        shape,
        float(probability) if isinstance(probability, int | float) else 0.0,
        {key: str(value) for key, value in feature.metadata.items()},
        stays,
        feature.is_namesake,
    )


def _shape(feature: Feature) -> BaseGeometry:
    shapes = [shape_of(polygon) for polygon in polygons_of(feature)]
    return shapely.union_all(shapes) if len(shapes) > 1 else shapes[0]


def _stroke(feature: Feature, label: Label, width: float) -> Stroke:
    kind, parts = feature.parts()
    try:
        return Stroke(
            feature.id or _id_of(kind, parts, feature.class_name),
            label,
            KINDS[kind],
            tuple(parts),
            _width(feature, width),
        )
    except InvalidInput as error:
        raise InvalidInput(feature.where, str(error)) from error


def _width(feature: Feature, default: float) -> float:
    for values in (feature.measurements, feature.metadata):
        if STROKE_WIDTH in values:
            try:
                return float(values[STROKE_WIDTH])
            except (TypeError, ValueError):
                return math.nan
    return default


def _id_of(kind: str, parts: list[NDArray[np.float64]], class_name: str) -> str:
    """An id that depends on the stroke alone, for files without ids."""
    digest = hashlib.sha256(f"{kind} {class_name}".encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part.astype("<f8").tobytes())
    return str(uuid.uuid5(NAMESPACE, digest.hexdigest()))
