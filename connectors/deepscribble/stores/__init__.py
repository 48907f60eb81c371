"""Where annotations live: what every store can do, and GeoJSON as QuPath reads and writes it."""

from deepscribble.stores.annotations import (
    RESULT_CLASS,
    holds_only_ours,
    polygon_id,
    provenance,
    software_version,
    to_feature,
    to_geojson,
    to_result,
    write_annotations,
)
from deepscribble.stores.areas import polygon_of, read_polygons
from deepscribble.stores.classes import BACKGROUND, FOREGROUND, StrokeClasses
from deepscribble.stores.diff import plan_edit
from deepscribble.stores.features import Feature, parse_features, read_features
from deepscribble.stores.folder import geojson_beside, open_folder
from deepscribble.stores.output import check_writable, write_whole
from deepscribble.stores.shape import shape_of
from deepscribble.stores.store import (
    REGIONS,
    Area,
    Content,
    Edit,
    Former,
    Query,
    Result,
    Store,
    StoreImage,
)
from deepscribble.stores.strokes import StrokeFile, parse_strokes, read_strokes

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "REGIONS",
    "RESULT_CLASS",
    "Area",
    "Content",
    "Edit",
    "Feature",
    "Former",
    "Query",
    "Result",
    "Store",
    "StoreImage",
    "StrokeClasses",
    "StrokeFile",
    "check_writable",
    "geojson_beside",
    "holds_only_ours",
    "open_folder",
    "parse_features",
    "parse_strokes",
    "plan_edit",
    "polygon_id",
    "polygon_of",
    "provenance",
    "read_features",
    "read_polygons",
    "read_strokes",
    "shape_of",
    "software_version",
    "to_feature",
    "to_geojson",
    "to_result",
    "write_annotations",
    "write_whole",
]
