"""Strokes as QuPath exports them, and what is told of files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Kind, Label
from deepscribble.stores import StrokeClasses, read_features, read_polygons, read_strokes

LINE = {"type": "LineString", "coordinates": [[0, 0], [10, 5.5]]}
SQUARE = [[0, 0], [8, 0], [8, 8], [0, 8], [0, 0]]
HOLE = [[2, 2], [2, 4], [4, 4], [4, 2], [2, 2]]


def feature(geometry: Any = LINE, name: Any = "Tumor", **properties: Any) -> dict[str, Any]:
    classification = {"name": name} if isinstance(name, str) else name
    return {
        "type": "Feature",
        "id": "b1f5ee1c-0000-4000-8000-000000000000",
        "geometry": geometry,
        "properties": {
            "objectType": "annotation",
            **({"classification": classification} if classification else {}),
            **properties,
        },
    }


def save(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "strokes.geojson"
    path.write_text(json.dumps(document))
    return path


def read_one(tmp_path: Path, document: Any, **options: Any) -> Any:
    (stroke,) = read_strokes(save(tmp_path, document), **options).strokes
    return stroke


@pytest.mark.parametrize(
    ("type", "coordinates", "kind", "lengths"),
    [
        ("LineString", [[0, 0], [10, 5]], Kind.POLYLINE, [2]),
        ("MultiLineString", [[[0, 0], [10, 5]], [[1, 1], [2, 2], [3, 3]]], Kind.POLYLINE, [2, 3]),
        ("Point", [3, 4], Kind.POINTS, [1]),
        ("MultiPoint", [[3, 4], [5, 6]], Kind.POINTS, [2]),
        ("Polygon", [SQUARE, HOLE], Kind.BRUSH, [4, 4]),
        ("MultiPolygon", [[SQUARE, HOLE], [SQUARE]], Kind.BRUSH, [4, 4, 4]),
        ("LineString", [[0, 0, 0], [10, 5, 0]], Kind.POLYLINE, [2]),
    ],
)
def test_every_geometry_that_can_be_drawn(
    tmp_path: Path, type: str, coordinates: Any, kind: Kind, lengths: list[int]
) -> None:
    stroke = read_one(tmp_path, [feature({"type": type, "coordinates": coordinates})])
    assert stroke.kind is kind
    assert [len(part) for part in stroke.parts] == lengths
    assert stroke.id == "b1f5ee1c-0000-4000-8000-000000000000"


def test_a_collection_a_list_and_a_single_feature_are_the_same(tmp_path: Path) -> None:
    for document in (
        {"type": "FeatureCollection", "features": [feature()]},
        [feature()],
        feature(),
    ):
        stroke = read_one(tmp_path, document)
        np.testing.assert_array_equal(stroke.parts[0], [[0, 0], [10, 5.5]])


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Tumor", Label.FOREGROUND),
        ("Tumor: Positive", Label.FOREGROUND),
        ({"names": ["Tumor", "Positive"]}, Label.FOREGROUND),
        ({"name": "Tumor", "colorRGB": -3670016}, Label.FOREGROUND),
        ("Normal", Label.BACKGROUND),
        ("Stroma", Label.BACKGROUND),
        ("Other", Label.BACKGROUND),
        ("Background", Label.BACKGROUND),
        ("Ignore*", Label.BACKGROUND),
        ("Ignored by me", Label.BACKGROUND),
    ],
)
def test_classes_tell_foreground_from_background(tmp_path: Path, name: Any, label: Label) -> None:
    assert read_one(tmp_path, [feature(name=name)]).label is label


def test_given_classes_replace_their_side_and_take_from_the_other() -> None:
    classes = StrokeClasses.chosen(foreground=["Stroma", "Gland*"])
    assert classes.label("Stroma") is Label.FOREGROUND
    assert classes.label("Glandular") is Label.FOREGROUND
    assert classes.label("Tumor") is None
    assert classes.label("Normal") is Label.BACKGROUND
    assert StrokeClasses.chosen(background=["Tumor"]).label("Tumor") is Label.BACKGROUND


def test_a_class_on_both_sides_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'Tumor' is named as foreground and as background"):
        StrokeClasses.chosen(foreground=["Tumor"], background=["T*"]).label("Tumor")
    with pytest.raises(InvalidInput, match=r"'A\*' is named as foreground and as background"):
        StrokeClasses.chosen(foreground=["Tumor", "A*"], background=["A*"])


def test_what_is_no_stroke_is_counted_and_told(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        [
            feature(name="Necrosis"),
            feature(name="Necrosis"),
            feature(name=None),
            feature(objectType="cell"),
            feature(metadata={"deepscribble.version": "1"}),
            feature() | {"properties": {"name": "DeepScribble", "classification": "Tumor"}},
            feature(),
        ],
    )
    read = read_strokes(path)
    assert len(read.strokes) == 1
    assert dict(read.ignored) == {
        "of class Necrosis": 2,
        "of no class": 1,
        "of type cell": 1,
        "made by DeepScribble": 2,
    }
    assert {warning.code for warning in read.warnings} == {"FEATURES_IGNORED"}
    assert any("2 features of class Necrosis" in warning.message for warning in read.warnings)


def test_width_is_the_stroke_s_own_else_the_default(tmp_path: Path) -> None:
    assert read_one(tmp_path, [feature()]).width == 1
    assert read_one(tmp_path, [feature()], width=7).width == 7
    for properties in (
        {"measurements": {"stroke width": 12.5}},
        {"measurements": [{"name": "stroke width", "value": 12.5}]},
        {"metadata": {"stroke width": "12.5"}},
    ):
        assert read_one(tmp_path, [feature(**properties)], width=7).width == 12.5


@pytest.mark.parametrize("width", [0, -1, "NaN", "wide", None])
def test_a_width_that_is_none_is_refused(tmp_path: Path, width: Any) -> None:
    path = save(tmp_path, [feature(metadata={"stroke width": width})])
    with pytest.raises(InvalidInput, match=r"feature 0.*width"):
        read_strokes(path)


def test_strokes_without_an_id_get_one_that_follows_from_them(tmp_path: Path) -> None:
    def ids(*geometries: Any) -> list[str]:
        features = [feature(geometry) for geometry in geometries]
        for entry, legacy in zip(features, (None, "PathAnnotationObject"), strict=False):
            del entry["id"]
            if legacy:
                entry["id"] = legacy
        return [stroke.id for stroke in read_strokes(save(tmp_path, features)).strokes]

    other = {"type": "LineString", "coordinates": [[0, 0], [10, 6]]}
    first, second = ids(LINE, other)
    assert first != second
    assert ids(LINE, other) == [first, second]


BAD_GEOMETRIES: dict[str, Any] = {
    "absent": None,
    "of no type": {"coordinates": [[0, 0]]},
    "a collection": {"type": "GeometryCollection", "geometries": []},
    "without coordinates": {"type": "LineString"},
    "empty": {"type": "LineString", "coordinates": []},
    "empty part": {"type": "MultiLineString", "coordinates": [[[0, 0], [1, 1]], []]},
    "empty point": {"type": "Point", "coordinates": []},
    "nan": {"type": "LineString", "coordinates": [[0, 0], [float("nan"), 1]]},
    "infinite": {"type": "MultiPoint", "coordinates": [[0, float("-inf")]]},
    "text": {"type": "LineString", "coordinates": [["0", "0"], ["1", "1"]]},
    "null": {"type": "LineString", "coordinates": [[0, None], [1, 1]]},
    "one number": {"type": "LineString", "coordinates": [[0], [1]]},
    "too flat": {"type": "LineString", "coordinates": [0, 1]},
    "too deep": {"type": "LineString", "coordinates": [[[0, 1], [2, 3]]]},
    "a flat polygon": {"type": "Polygon", "coordinates": SQUARE},
    "two corners": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]},
    "an object": {"type": "LineString", "coordinates": {"x": 1}},
    "objects": {"type": "LineString", "coordinates": [{"x": 1}]},
    "huge": {"type": "LineString", "coordinates": [[10**400, 0], [1, 1]]},
}


@pytest.mark.parametrize("geometry", BAD_GEOMETRIES.values(), ids=BAD_GEOMETRIES.keys())
def test_a_stroke_without_usable_coordinates_names_file_and_feature(
    tmp_path: Path, geometry: Any
) -> None:
    path = save(tmp_path, [feature(), feature(geometry)])
    with pytest.raises(InvalidInput, match=r"strokes\.geojson: feature 1 \(b1f5ee1c") as caught:
        read_strokes(path)
    assert caught.value.field.startswith(str(path))


def test_coordinates_of_what_is_no_stroke_do_not_matter(tmp_path: Path) -> None:
    broken = {"type": "LineString", "coordinates": [[float("nan"), 0]]}
    assert read_strokes(save(tmp_path, [feature(broken, name="Necrosis")])).strokes == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "not JSON"),
        (b'{"type": "FeatureCollection", "features": [', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe\x00\xd8", "UTF-8"),
        (b"42", "not GeoJSON"),
        (b'{"type": "FeatureCollection"}', "not GeoJSON"),
        (b'{"type": "FeatureCollection", "features": {}}', "not GeoJSON"),
        (b"[1]", "feature 0"),
        (b'[{"type": "Polygon"}]', "feature 0"),
    ],
)
def test_files_that_are_no_geojson_are_refused_by_name(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "broken.geojson"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=says) as caught:
        read_strokes(path)
    assert caught.value.field.startswith(str(path))


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.geojson", tmp_path):
        with pytest.raises(InvalidInput, match="cannot be read") as caught:
            read_strokes(path)
        assert caught.value.field == str(path)


def test_a_byte_order_mark_and_no_strokes_at_all_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "bom.geojson"
    path.write_bytes(b'\xef\xbb\xbf{"type": "FeatureCollection", "features": []}')
    assert read_strokes(path).strokes == ()


def test_polygons_to_start_from(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        [
            feature({"type": "Polygon", "coordinates": [SQUARE[::-1], HOLE[::-1]]}),
            feature({"type": "MultiPolygon", "coordinates": [[SQUARE], [HOLE]]}, name="Stroma"),
            feature(LINE),
        ],
    )
    polygons = read_polygons(path)
    assert [len(polygon.holes) for polygon in polygons] == [1, 0, 0]
    x, y = polygons[0].exterior.T
    assert np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2 == 64
    x, y = polygons[0].holes[0].T
    assert np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2 == -4
    assert len(read_polygons(path, ["Tumor"])) == 1
    assert len(read_polygons(path, ["Str*"])) == 2


def test_a_prior_that_crosses_itself_is_refused(tmp_path: Path) -> None:
    bow_tie = [[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]
    path = save(tmp_path, [feature({"type": "Polygon", "coordinates": [bow_tie]})])
    with pytest.raises(InvalidInput, match=r"feature 0.*Self-intersection"):
        read_polygons(path)


def test_a_real_qupath_export(shared: Path) -> None:
    path = shared / "geojson" / "qupath05.geojson"
    features = read_features(path)
    assert [entry.name for entry in features] == ["UT", "I", "I"]
    assert all(entry.is_annotation and not entry.is_ours for entry in features)
    assert len(read_polygons(path)) == 3
    # It has names but no classes, and a name says nothing of tumor.
    assert dict(read_strokes(path).ignored) == {"of no class": 3}
