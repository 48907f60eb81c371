"""Areas out of QuPath's GeoJSON: polygons to start from, and regions to work on."""

from __future__ import annotations

import os
from collections.abc import Sequence

import shapely
from shapely.geometry.polygon import orient

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Polygon
from deepscribble.stores.classes import matches
from deepscribble.stores.features import Feature, read_features


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
    return tuple(
        polygon
        for feature in read_features(path)
        if is_area(feature) and (not classes or matches(feature.class_name, classes))
        for polygon in polygons_of(feature)
    )


def is_area(feature: Feature) -> bool:
    """Whether the geometry is a Polygon or MultiPolygon."""
    geometry = feature.geometry
    return isinstance(geometry, dict) and geometry.get("type") in ("Polygon", "MultiPolygon")


def polygons_of(feature: Feature) -> tuple[Polygon, ...]:
    """The polygons of a feature that `is_area`.

    Raises:
        InvalidInput: coordinates that are none, or an area that is not a valid polygon.
    """
    feature.parts()
    coordinates = feature.geometry["coordinates"]
    several = [coordinates] if feature.geometry["type"] == "Polygon" else coordinates
    return tuple(_polygon(rings, feature.where) for rings in several)


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
    try:
        return polygon_of(shape)
    except InvalidInput as error:
        raise InvalidInput(where, str(error)) from error


def polygon_of(shape: shapely.Polygon) -> Polygon:
    """A valid polygon of Shapely's, oriented as RFC 7946 asks, without area and probability."""
    shape = orient(shape)
    return Polygon(
        shapely.get_coordinates(shape.exterior)[:-1],
        tuple(shapely.get_coordinates(hole)[:-1] for hole in shape.interiors),
    )
