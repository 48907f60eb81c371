"""Where annotations live: GeoJSON files as QuPath reads and writes them."""

from deepscribble.stores.annotations import (
    RESULT_CLASS,
    holds_only_ours,
    polygon_id,
    to_geojson,
    write_annotations,
)
from deepscribble.stores.areas import read_polygons
from deepscribble.stores.classes import BACKGROUND, FOREGROUND, StrokeClasses
from deepscribble.stores.features import Feature, read_features
from deepscribble.stores.output import check_writable, write_whole
from deepscribble.stores.strokes import StrokeFile, parse_strokes, read_strokes

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "RESULT_CLASS",
    "Feature",
    "StrokeClasses",
    "StrokeFile",
    "check_writable",
    "holds_only_ours",
    "parse_strokes",
    "polygon_id",
    "read_features",
    "read_polygons",
    "read_strokes",
    "to_geojson",
    "write_annotations",
    "write_whole",
]
