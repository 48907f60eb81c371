"""From outline to annotations: cut to the region, each with the strokes that can have shaped it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
import shapely

from deepscribble.geometry import Kind, Label, ModelRef, Outline, Polygon, Region, Stroke
from deepscribble.jobs.plan import Part
from deepscribble.jobs.results import largest, to_results
from deepscribble.stores import Result, polygon_of, shape_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
REGION = Region(100, 100, 400, 400, 0.5)
BOX = shapely.box(100, 100, 500, 500)


def results(
    shape: shapely.Geometry, *polygons: Polygon, strokes: tuple[Stroke, ...] = ()
) -> list[Result]:
    used = tuple(stroke.id for stroke in strokes if stroke.id != "unused")
    outline = Outline(polygons, "r", (ModelRef("m", "sha256:aa"),), {}, (), used)
    return to_results(Part("R", REGION, shape, strokes), outline, "Tumor", 30.0, NOW)


def polygon(shape: shapely.Polygon) -> Polygon:
    made = polygon_of(shape)
    return Polygon(made.exterior, made.holes, shape.area * 0.25, 0.9)


def stroke(x: float, id: str) -> Stroke:
    return Stroke(id, Label.FOREGROUND, Kind.POLYLINE, (np.array([[x, 150], [x, 160]]),), 2.0)


def test_each_names_the_strokes_within_reach_and_its_origin() -> None:
    near, far = polygon(shapely.box(110, 140, 150, 180)), polygon(shapely.box(400, 140, 450, 180))
    strokes = (stroke(120, "in"), stroke(175, "near"), stroke(130, "unused"), stroke(300, "far"))
    first, second = results(BOX, near, far, strokes=strokes)
    assert first.metadata["deepscribble.strokes"] == "in,near"
    assert second.metadata["deepscribble.strokes"] == ""
    assert first.metadata["deepscribble.part"] == "100,100,400,400"
    assert first.metadata["deepscribble.model.m"] == "sha256:aa"
    assert first.polygon is near


def test_a_rectangle_cuts_nothing() -> None:
    whole = polygon(BOX)
    assert [result.polygon for result in results(BOX, whole)] == [whole]


def test_another_shape_cuts_holes_and_pieces() -> None:
    ring = polygon(BOX.buffer(-10).difference(shapely.box(200, 200, 400, 400)))
    comb = shapely.union_all([shapely.box(120, 90, 180, 510), shapely.box(300, 90, 350, 510)])
    found = results(comb, ring, polygon(shapely.box(450, 450, 470, 470)))
    shapes = [shape_of(result.polygon) for result in found]
    assert shapely.union_all(shapes).equals(comb.intersection(shape_of(ring)))
    assert [len(result.polygon.holes) for result in found] == [0, 0, 0]
    for result, shape in zip(found, shapes, strict=True):
        assert result.polygon.area_um2 == pytest.approx(shape.area / 4)
        assert result.polygon.mean_probability == 0.9


def test_slivers_of_the_cut_are_no_annotations() -> None:
    shape = shapely.Polygon([(100, 100), (500, 100), (100, 500)])
    corner = polygon(shapely.box(299.5, 299.9, 310, 310))
    assert not results(shape, corner)


def test_the_smallest_are_left_out_where_a_store_shows_only_so_many() -> None:
    found = results(BOX, *(polygon(shapely.box(110, 110, 111 + n, 120)) for n in (3, 0, 9, 5)))
    kept, notes = largest(found, 2, "a.svs")
    assert kept == [found[2], found[3]]
    assert [note.code for note in notes] == ["RESULTS_DROPPED"]
    assert "of 4 outlines the 2 smallest, 23.81% of their area" in notes[0].message
    assert largest(found, 4, "a.svs") == (found, [])
    assert largest(found, None, "a.svs") == (found, [])
    none, notes = largest(found, -1, "a.svs")
    assert none == []
    assert "all 4 outlines were left out" in notes[0].message
