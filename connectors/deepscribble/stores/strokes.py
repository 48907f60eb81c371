"""Strokes out of a file of QuPath's GeoJSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from deepscribble.geometry import Stroke, Warning
from deepscribble.stores.classes import StrokeClasses
from deepscribble.stores.features import parse_features, parse_json, read_bytes
from deepscribble.stores.sorting import ignored_warning, sort_features
from deepscribble.stores.store import Query


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
        LimitExceeded: the file is over the limit of `read_bytes`.
    """
    return parse_strokes(read_bytes(path), str(path), classes, width=width)


def parse_strokes(
    data: bytes,
    name: str,
    classes: StrokeClasses = StrokeClasses(),  # noqa: B008 - frozen
    *,
    width: float = 1.0,
) -> StrokeFile:
    """Strokes of GeoJSON that is no file; `name` is what errors call it, else as `read_strokes`."""
    found = sort_features(
        parse_features(parse_json(data, name), name), Query(classes, (), width), name
    )
    ignored, warnings = dict(found.ignored), found.warnings
    if found.formers:
        reason = "made by DeepScribble"
        ignored[reason] = len(found.formers)
        warnings += (ignored_warning(name, reason, len(found.formers)),)
    return StrokeFile(found.strokes, MappingProxyType(ignored), warnings)
