"""Strokes, and prior polygons, out of QuPath's GeoJSON."""

from __future__ import annotations

import hashlib
import math
import os
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.polygon import orient

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Kind, Polygon, Stroke, Warning
from deepscribble.stores.classes import StrokeClasses
from deepscribble.stores.features import Feature, read_features

KINDS = {"LineString": Kind.POLYLINE, "Point": Kind.POINTS, "Polygon": Kind.BRUSH}

STROKE_WIDTH = "stroke width"
"""The measurement or metadata that holds a stroke's full width in level-0 pixels."""

# Any fixed UUID does: equal content gets the equal id, on every machine.
NAMESPACE = uuid.UUID("6d0b1b9c-6c39-5b5e-9c57-1f6d7c2f4a10")


@dataclass(frozen=True, slots=True)
class StrokeFile:
    """What a GeoJSON file says.

    Args:
        strokes: In the order of the file, oldest first.
        ignored: How many features were left out, by the reason or the class.
        warnings: One for each of these, code FEATURES_IGNORED.
    """

    strokes: tuple[Stroke, ...]
    ignored: Mapping[str, int]
    warnings: tuple[Warning, ...]


def read_strokes(
    path: str | os.PathLike[str],
    classes: StrokeClasses = StrokeClasses(),  # noqa: B008 - frozen
    *,
    width: float = 1.0,
) -> StrokeFile:
    """Read the strokes of a GeoJSON file that QuPath exported.

    Annotations of the classes are strokes: lines, points, and polygons as brushed areas. Results
    of DeepScribble, cells, tiles and other classes are not, and are counted.

    Args:
        path: The file.
        classes: Which classes say what.
        width: Full width, level-0 pixels, of strokes without a "stroke width" of their own.

    Raises:
        InvalidInput: not GeoJSON, or a stroke whose geometry or width is none; the message names
            the file and the feature.
        LimitExceeded: the file is over the limit of `read_features`.
    """
    strokes = []
    ignored: Counter[str] = Counter()
    for feature in read_features(path):
        if feature.is_ours:
            ignored["made by DeepScribble"] += 1
        elif not feature.is_annotation:
            ignored[f"of type {feature.object_type}"] += 1
        elif (label := classes.label(feature.class_name)) is None:
            ignored[f"of class {feature.class_name}" if feature.class_name else "of no class"] += 1
        else:
            kind, parts = feature.parts()
            try:
                strokes.append(
                    Stroke(
                        feature.id or _id_of(kind, parts, feature.class_name),
                        label,
                        KINDS[kind],
                        tuple(parts),
                        _width(feature, width),
                    )
                )
            except InvalidInput as error:
                raise InvalidInput(feature.where, str(error)) from error
    warnings = tuple(
        Warning("FEATURES_IGNORED", f"{path}: {count} features {reason} were not taken for strokes")
        for reason, count in ignored.items()
    )
    return StrokeFile(tuple(strokes), MappingProxyType(dict(ignored)), warnings)


def read_polygons(path: str | os.PathLike[str], classes: Sequence[str] = ()) -> tuple[Polygon, ...]:
    """Read areas to start from: every Polygon and MultiPolygon of a GeoJSON file.

    Args:
        path: The file; results of DeepScribble are welcome here.
        classes: Patterns over names of classes; empty for all.

    Returns:
        Polygons with holes, level-0 pixels, oriented as RFC 7946 asks.

    Raises:
        InvalidInput: not GeoJSON, coordinates that are none, or an area that is not a valid
            polygon; the message names the file and the feature.
        LimitExceeded: the file is over the limit of `read_features`.
    """
    polygons: list[Polygon] = []
    for feature in read_features(path):
        geometry = feature.geometry
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        base = feature.class_name.split(": ")[0]
        wanted = not classes or any(
            fnmatchcase(name, pattern) for name in (feature.class_name, base) for pattern in classes
        )
        if kind in ("Polygon", "MultiPolygon") and wanted:
            feature.parts()
            several = [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]
            polygons.extend(_polygon(rings, feature.where) for rings in several)
    return tuple(polygons)


def _polygon(rings: list[list[list[float]]], where: str) -> Polygon:
    """One polygon of coordinates that `Feature.parts` has accepted."""
    exterior, *holes = ([point[:2] for point in ring] for ring in rings)
    shape = shapely.Polygon(exterior, holes)
    if not shape.is_valid:
        raise InvalidInput(
            where,
            f"the area is not a valid polygon ({shapely.is_valid_reason(shape)}); "
            "simplify or redraw it in QuPath",
        )
    shape = orient(shape)
    try:
        return Polygon(
            shapely.get_coordinates(shape.exterior)[:-1],
            tuple(shapely.get_coordinates(hole)[:-1] for hole in shape.interiors),
        )
    except InvalidInput as error:
        raise InvalidInput(where, str(error)) from error


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
