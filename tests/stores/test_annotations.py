"""Results as QuPath annotations: what it needs to open them, and files written whole."""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import shapely.geometry

from deepscribble.errors import OutputRefused
from deepscribble.geometry import ModelRef, Outline, Polygon
from deepscribble.stores import (
    check_writable,
    holds_only_ours,
    read_polygons,
    read_strokes,
    to_geojson,
    write_annotations,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def outline(shift: float = 0.0) -> Outline:
    ring = np.array([[0, 0], [8, 0], [8, 8], [0, 8]]) + shift
    hole = np.array([[2, 2], [2, 4.25], [4, 4], [4, 2]]) + shift
    return Outline(
        polygons=(Polygon(ring, (hole,), 12.5, 0.75), Polygon(ring + 20, (), 16.0, 0.9)),
        region_id="r",
        models=(ModelRef("guide", "sha256:aa"), ModelRef("refine", "sha256:bb")),
        milliseconds={"total": 1.0},
        stroke_ids=("one", "two"),
    )


def features(**options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = to_geojson(outline(), time=NOW, **options)["features"]
    return found


def test_a_feature_is_what_qupath_reads() -> None:
    first, _ = features()
    assert first["type"] == "Feature"
    assert str(uuid.UUID(first["id"])) == first["id"]
    assert first["properties"] == {
        "objectType": "annotation",
        "name": "DeepScribble",
        "classification": {"name": "Tumor", "color": [200, 0, 0]},
        "isLocked": False,
        "measurements": {"Area µm^2": 12.5, "Mean probability": 0.75},
        "metadata": {
            "deepscribble.model.guide": "sha256:aa",
            "deepscribble.model.refine": "sha256:bb",
            "deepscribble.version": first["properties"]["metadata"]["deepscribble.version"],
            "deepscribble.strokes": "one,two",
            "deepscribble.time": "2026-01-02T03:04:05+00:00",
            "deepscribble.shape": "59.75 0.00 0.00 8.00 8.00",
        },
    }
    assert all(isinstance(text, str) for text in first["properties"]["metadata"].values())


def test_rings_are_closed_and_oriented_as_rfc_7946_asks() -> None:
    first, _ = features()
    rings = first["geometry"]["coordinates"]
    assert [len(ring) for ring in rings] == [5, 5]
    assert all(ring[0] == ring[-1] for ring in rings)
    shape = shapely.geometry.shape(first["geometry"])
    assert shape.is_valid
    assert shape.exterior.is_ccw
    assert not shape.interiors[0].is_ccw


def test_the_same_answer_gets_the_same_ids_and_another_gets_others() -> None:
    ids = [feature["id"] for feature in features()]
    later = to_geojson(outline(), time=datetime(2030, 1, 1, tzinfo=UTC))["features"]
    assert [feature["id"] for feature in later] == ids
    moved = [feature["id"] for feature in to_geojson(outline(0.5))["features"]]
    renamed = [feature["id"] for feature in features(class_name="Necrosis")]
    assert len({*ids, *moved, *renamed}) == 6


def test_another_class_leaves_its_colour_to_qupath() -> None:
    # As a text, since QuPath refuses a class of a name without a colour.
    assert features(class_name="Necrosis")[0]["properties"]["classification"] == "Necrosis"


def test_written_polygons_come_back_exactly_and_are_no_strokes(tmp_path: Path) -> None:
    path = tmp_path / "out.geojson"
    write_annotations(path, outline(0.123456789), time=NOW)
    back = read_polygons(path)
    for found, written in zip(back, outline(0.123456789).polygons, strict=True):
        for ring, expected in zip(found.rings, written.rings, strict=True):
            assert shapely.Polygon(ring).equals(shapely.Polygon(expected))
    assert read_strokes(path).strokes == ()


def test_the_same_answer_at_the_same_time_is_the_same_file(tmp_path: Path) -> None:
    write_annotations(tmp_path / "a", outline(), time=NOW)
    write_annotations(tmp_path / "b", outline(), time=NOW)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert "µm" in (tmp_path / "a").read_text(encoding="utf-8")


def test_an_outline_without_polygons_is_an_empty_collection(tmp_path: Path) -> None:
    write_annotations(tmp_path / "none", Outline((), "r", (), {}))
    document = json.loads((tmp_path / "none").read_text())
    assert document == {"type": "FeatureCollection", "features": []}


def test_an_unwritable_target_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "folder", tmp_path / "absent" / "out", tmp_path / "file" / "out"):
        with pytest.raises(OutputRefused, match=str(target)):
            check_writable(target)
        with pytest.raises(OutputRefused, match=str(target)):
            write_annotations(target, outline())
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.geojson"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputRefused, match="No space left"):
        write_annotations(path, outline())
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.geojson"]
    assert path.read_text() == "old"


def test_checking_a_target_leaves_no_trace_and_a_link_is_written_through(tmp_path: Path) -> None:
    check_writable(tmp_path / "out.geojson")
    assert list(tmp_path.iterdir()) == []
    link = tmp_path / "link.geojson"
    link.symlink_to(tmp_path / "real.geojson")
    write_annotations(link, outline())
    assert link.is_symlink()
    assert holds_only_ours(tmp_path / "real.geojson")


def test_files_with_anything_but_ours_are_known(tmp_path: Path) -> None:
    path = tmp_path / "out.geojson"
    write_annotations(path, outline())
    assert holds_only_ours(path)
    document = json.loads(path.read_text())
    document["features"][0]["properties"] = {"objectType": "annotation"}
    path.write_text(json.dumps(document))
    assert not holds_only_ours(path)
    path.write_text("notes")
    assert not holds_only_ours(path)
