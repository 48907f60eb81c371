"""What is outlined of an image: regions, else around strokes, else everything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from deepscribble.geometry import Kind, Label, Region, Stroke
from deepscribble.jobs.plan import Part, plan_parts, shape_of_stroke
from deepscribble.stores import Area, Content

WHOLE = Region(0, 0, 1000, 800, 0.5)


def stroke(x: float, y: float, id: str = "", kind: Kind = Kind.POLYLINE) -> Stroke:
    part = np.array([[x, y], [x + 10, y], [x + 10, y + 5]])
    return Stroke(id or f"{x:g},{y:g}", Label.FOREGROUND, kind, (part,), 2.0)


def plan(
    *strokes: Stroke, areas: tuple[Any, ...] = (), reach: float = 50
) -> tuple[tuple[Part, ...], list[str]]:
    content = Content(
        tuple(Area(f"{n}", f"R{n}", shape) for n, shape in enumerate(areas)),
        strokes, (), frozenset(), {}, (), "v",
    )  # fmt: skip
    parts, warnings = plan_parts(content, WHOLE, reach)
    shapes = shapely.union_all([part.shape for part in parts])
    assert shapes.area == pytest.approx(sum(part.shape.area for part in parts))
    assert all(part.region.mpp == WHOLE.mpp for part in parts)
    return parts, [warning.code for warning in warnings]


def test_an_image_without_anything_is_outlined_wholly() -> None:
    ((part,), warnings) = plan()
    assert part.region == WHOLE
    assert not part.is_cut
    assert not warnings


def test_regions_have_the_strokes_that_reach_into_them() -> None:
    inside, edge, outside = stroke(150, 150), stroke(95, 150), stroke(600, 600)
    ((part,), warnings) = plan(inside, edge, outside, areas=(shapely.box(100, 100, 300, 200),))
    assert part.region == Region(100, 100, 200, 100, 0.5)
    assert part.strokes == (inside, edge)
    assert not part.is_cut
    assert warnings == ["STROKE_OUTSIDE"]


def test_a_rectangle_snaps_to_pixels_and_any_other_shape_is_cut_to() -> None:
    ellipse = shapely.Point(500, 400).buffer(50.3)
    (box, round), _ = plan(areas=(shapely.box(10.3, 20.4, 99.8, 80.1), ellipse))
    assert box.region == Region(10, 20, 90, 60, 0.5)
    assert not box.is_cut
    assert round.region == Region(449, 349, 102, 102, 0.5)
    assert round.is_cut
    assert round.shape.equals(ellipse)


def test_where_regions_overlap_the_first_one_has_it() -> None:
    one, two = shapely.box(100, 100, 300, 300), shapely.box(200, 200, 400, 400)
    (first, second), warnings = plan(areas=(one, two, shapely.box(150, 150, 160, 160)))
    assert first.shape.equals(one)
    assert second.shape.equals(two.difference(one))
    assert warnings == ["REGIONS_OVERLAP", "REGIONS_OVERLAP"]


def test_regions_beyond_the_image_are_clipped_or_nothing() -> None:
    ((part,), warnings) = plan(areas=(shapely.box(900, -50, 1100, 50), shapely.box(-9, -9, -1, -1)))
    assert part.region == Region(900, 0, 100, 50, 0.5)
    assert warnings == ["REGION_CLIPPED", "REGION_CLIPPED"]


def test_a_region_smaller_than_a_pixel_is_told() -> None:
    ((part,), warnings) = plan(areas=(shapely.box(5, 5, 5.5, 6), shapely.box(5, 5, 9, 9)))
    assert part.region == Region(5, 5, 4, 4, 0.5)
    assert "REGION_TINY" in warnings


def test_boxes_around_strokes_hold_their_reach_and_merge_where_they_meet() -> None:
    parts, warnings = plan(stroke(700, 600), stroke(150, 150), stroke(260, 150), reach=60)
    assert [len(part.strokes) for part in parts] == [2, 1]
    near, far = parts
    assert near.shape.covers(shapely.box(90, 90, 330, 215))
    assert far.shape.covers(shapely.box(640, 540, 770, 665))
    assert not warnings


def test_a_box_is_clipped_to_the_image_and_a_stroke_beyond_it_is_told() -> None:
    ((part,), warnings) = plan(stroke(990, 5), stroke(2000, 5))
    assert part.region.x + part.region.width == WHOLE.width
    assert part.region.y == 0
    assert warnings == ["STROKE_OUTSIDE"]


def test_a_further_stroke_within_leaves_the_box_where_it_is() -> None:
    before, _ = plan(stroke(300, 300))
    after, _ = plan(stroke(300, 300), stroke(306, 304))
    assert [part.region for part in before] == [part.region for part in after]


def test_boxes_do_not_depend_on_the_order_of_strokes() -> None:
    random = np.random.default_rng(0)
    strokes = [stroke(x, y) for x, y in random.integers(0, 780, (12, 2)).tolist()]
    boxes = {
        tuple(part.region for part in plan(*(strokes[at] for at in random.permutation(12)))[0])
        for _ in range(5)
    }
    assert len(boxes) == 1


def test_what_strokes_cover() -> None:
    line, points, brush = (shape_of_stroke(stroke(0, 0, kind=kind)) for kind in Kind)
    assert line.area == pytest.approx(2 * 15, rel=0.3)
    assert points.area == pytest.approx(3 * np.pi, rel=0.05)
    assert brush.covers(shapely.Polygon([(0, 0), (10, 0), (10, 5)]))
