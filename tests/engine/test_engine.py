"""What always holds: strokes are law, locality, geometry, scale, nothing silent, bounds."""

import numpy as np
import pytest
import shapely
from direct import opened

from deepscribble.errors import (
    InvalidInput,
    LimitExceeded,
    MissingScale,
    OutlineForgotten,
    RegionForgotten,
    UnknownModel,
)
from deepscribble.geometry import Grid, Kind, Label, Polygon, Region, Stroke
from deepscribble.raster import fill
from deepscribble.settings import Settings

REGION = Region(1000, 2000, 1600, 1200, 0.5)
"""800 x 600 pixels at the models' 1 µm."""

RADIUS = 128


@pytest.fixture(scope="module")
def engine(untrained_models):
    return opened(untrained_models, "cpu")


@pytest.fixture(scope="module")
def pixels():
    random = np.random.default_rng(5)
    coarse = random.integers(60, 255, (12, 16, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((50, 50, 1), dtype=np.uint8))


def scribble(seed, label=Label.FOREGROUND, near=(1600, 2500), width=3.0, kind=Kind.POLYLINE):
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.normal(0, 4, (30, 2)), axis=0)
    return Stroke(f"stroke-{seed}", label, kind, (steps + near,), width)


def mask_of(outline, grid):
    rings = [grid.from_level0(ring) for polygon in outline.polygons for ring in polygon.rings]
    return fill(rings, grid.shape)


def shape_of(outline):
    return shapely.union_all([shapely.Polygon(p.exterior, p.holes) for p in outline.polygons])


@pytest.mark.parametrize("seed", range(6))
def test_strokes_are_law(engine, pixels, seed):
    random = np.random.default_rng(seed)
    strokes = [
        scribble(
            100 * seed + number,
            random.choice(list(Label)),
            near=random.uniform((1200, 2200), (2400, 3000)),
            width=random.uniform(0.5, 25),
        )
        for number in range(4)
    ]
    outline = engine.refine(REGION, pixels, strokes)
    inside = shape_of(outline)
    # A newer stroke takes what it needs of an older one: around it, within two model pixels.
    newer = shapely.Polygon()
    for stroke in reversed(strokes):
        drawn = shapely.LineString(stroke.parts[0]).buffer(max(stroke.width / 2, 1.0))
        left = drawn.difference(newer.buffer(6)) if not newer.is_empty else drawn
        if stroke.label is Label.FOREGROUND:
            assert inside.buffer(1e-6).covers(left)
        else:
            assert inside.buffer(-1e-6).disjoint(left)
        newer = newer.union(drawn)


def test_far_from_every_stroke_the_answer_is_the_prior_bit_for_bit(engine, pixels):
    before = engine.segment(REGION, pixels, return_probability=True).probability
    stroke = scribble(1, Label.BACKGROUND, near=(1400, 2300))
    after = engine.refine(REGION, pixels, [stroke], return_probability=True).probability
    grid = Grid.at(REGION, 1.0)
    line = shapely.LineString(grid.from_level0(stroke.parts[0])).buffer(1.5)
    x, y = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    far = shapely.distance(line, shapely.points(x, y)) > RADIUS + 2
    np.testing.assert_array_equal(before[far], after[far])
    assert far.any()
    assert (before[~far] != after[~far]).any()


def test_far_polygons_are_the_same_to_the_last_digit(engine, pixels):
    first = engine.segment(REGION, pixels)
    outline = engine.refine(REGION, pixels, [scribble(2, near=(1300, 2200))])
    far = shapely.box(1300 - 2, 2200 - 2, 1302, 2202).buffer(2 * RADIUS + 200)

    def outside(answer):
        return {
            polygon.exterior.tobytes()
            for polygon in answer.polygons
            if shapely.Polygon(polygon.exterior).disjoint(far)
        }

    assert outside(first)
    assert outside(first) == outside(outline)


def test_polygons_give_the_mask_back_at_the_models_scale(engine, pixels):
    outline = engine.refine(REGION, pixels, [scribble(3)], return_probability=True)
    grid = Grid.at(REGION, 1.0)
    np.testing.assert_array_equal(mask_of(outline, grid), outline.probability >= 0.5)
    assert all(shapely.Polygon(p.exterior, p.holes).is_valid for p in outline.polygons)
    left, top, right, bottom = shape_of(outline).bounds
    assert 1000 <= left < right <= 2600
    assert 2000 <= top < bottom <= 3200


def test_the_answer_depends_on_the_strokes_not_on_the_way_they_came(
    engine, pixels, untrained_models
):
    strokes = [
        scribble(10, near=(1400, 2400)),
        scribble(11, Label.BACKGROUND, near=(1500, 2450)),
        scribble(12, near=(2300, 2900)),
    ]
    for count in (1, 2, 3, 1, 3):
        answer = engine.refine(REGION, pixels, strokes[:count], return_probability=True)
    anew = opened(untrained_models, "cpu").refine(REGION, pixels, strokes, return_probability=True)
    np.testing.assert_array_equal(answer.probability, anew.probability)
    assert [p.exterior.tobytes() for p in answer.polygons] == [
        p.exterior.tobytes() for p in anew.polygons
    ]


def test_where_strokes_overlap_the_newer_wins_and_it_is_said(engine, pixels):
    older = scribble(20)
    newer = Stroke("newer", Label.BACKGROUND, older.kind, older.parts, older.width)
    outline = engine.refine(REGION, pixels, [older, newer])
    assert shape_of(outline).disjoint(shapely.LineString(older.parts[0]))
    assert [(w.code, w.stroke_id) for w in outline.warnings] == [("STROKES_OVERLAP", "newer")]


def test_without_strokes_it_is_the_first_outline(engine, pixels):
    first = engine.segment(REGION, pixels, return_probability=True)
    refined = engine.refine(REGION, pixels, [], return_probability=True)
    np.testing.assert_array_equal(first.probability, refined.probability)
    assert [m.name for m in refined.models] == ["guide-tumor"]


def test_prior_polygons_stand_in_for_the_guide(engine, pixels):
    square = np.array([[2201.0, 2801.0], [2401.0, 2801.0], [2401.0, 3001.0], [2201.0, 3001.0]])
    outline = engine.refine(
        REGION,
        pixels,
        [scribble(4, near=(1200, 2200))],
        prior=[Polygon(square, (square[::-1] / 4 + np.array([1725.0, 2175.0]),))],
    )
    assert [m.name for m in outline.models] == ["refine"]
    far = [p for p in outline.polygons if p.exterior[:, 0].min() > 2190]
    assert len(far) == 1
    assert len(far[0].holes) == 1
    assert far[0].area_um2 == pytest.approx((100**2 - 25**2), rel=0.02)
    assert "guide" not in outline.milliseconds


def test_a_prior_over_the_border_is_said(engine, pixels):
    square = np.array([[0.0, 0.0], [60.0, 0.0], [60.0, 60.0], [0.0, 60.0]])
    prior = [Polygon(square + offset) for offset in ([0, 0], [980, 2100], [1500, 2500])]
    outline = engine.refine(REGION, pixels, [], prior=prior)
    assert [w.code for w in outline.warnings] == ["PRIOR_CLIPPED"]
    assert "2 of 3 polygons" in outline.warnings[0].message
    assert len(outline.polygons) == 2


def test_an_empty_prior_and_no_stroke_is_an_empty_answer(engine, pixels):
    outline = engine.refine(REGION, pixels, [], prior=[])
    assert outline.polygons == ()


def test_strokes_outside_and_across_the_border_are_said(engine, pixels):
    outside = scribble(30, near=(9000, 9000))
    across = Stroke(
        "across", Label.FOREGROUND, Kind.POLYLINE, (np.array([[990.0, 2500], [1040, 2500]]),), 2.0
    )
    outline = engine.refine(REGION, pixels, [outside, across])
    assert {(w.code, w.stroke_id) for w in outline.warnings} == {
        ("STROKE_OUTSIDE", "stroke-30"),
        ("STROKE_CLIPPED", "across"),
    }
    assert outline.stroke_ids == ("across",)
    inside = shapely.LineString([(1000, 2500), (1040, 2500)])
    assert shape_of(outline).buffer(1e-9).covers(inside)


def test_only_strokes_outside_leave_the_first_outline(engine, pixels):
    first = engine.segment(REGION, pixels, return_probability=True)
    outline = engine.refine(
        REGION, pixels, [scribble(31, near=(9000, 9000))], return_probability=True
    )
    np.testing.assert_array_equal(first.probability, outline.probability)


def test_a_brush_that_crosses_itself_is_filled_by_even_odd_and_said(engine, pixels):
    bow = np.array([[1500.0, 2400], [1700, 2600], [1700, 2400], [1500, 2600]])
    stroke = Stroke("bow", Label.FOREGROUND, Kind.BRUSH, (bow,), 1.0)
    outline = engine.refine(REGION, pixels, [stroke])
    assert [w.code for w in outline.warnings] == ["STROKE_CROSSES_ITSELF"]
    assert shape_of(outline).covers(shapely.Point(1520, 2500)) is True


def test_pixels_are_kept_by_their_digest(engine, pixels):
    region_id = engine.keep(pixels)
    assert engine.keep(pixels.copy()) == region_id
    assert engine.keep(pixels[::-1]) != region_id
    by_id = engine.segment(REGION, region_id)
    assert by_id.region_id == region_id


def test_forgotten_pixels_are_asked_for_again(untrained_models, pixels):
    small = Settings(cache_bytes=int(pixels.nbytes * 1.5))
    engine = opened(untrained_models, "cpu", small)
    region_id = engine.keep(pixels)
    engine.keep(pixels[::-1])
    with pytest.raises(RegionForgotten, match="send them again"):
        engine.segment(REGION, region_id)


def test_a_tight_cache_costs_time_not_the_answer(untrained_models, engine, pixels):
    tight = opened(untrained_models, "cpu", Settings(cache_bytes=pixels.nbytes + 1))
    strokes = [scribble(40), scribble(41, Label.BACKGROUND)]
    one = tight.refine(REGION, pixels, strokes, return_probability=True)
    other = engine.refine(REGION, pixels, strokes, return_probability=True)
    np.testing.assert_array_equal(one.probability, other.probability)


def test_every_stage_is_timed_and_nothing_is_computed_twice(engine, pixels):
    region = Region(0, 0, 1600, 1200, 0.5)
    first = engine.refine(region, pixels, [scribble(50, near=(700, 500))]).milliseconds
    assert set(first) == {"guide", "refine", "outline", "total"}
    asked = []
    work = engine.engine.refine(region, pixels, [scribble(50, near=(700, 500))])
    with pytest.raises(StopIteration):
        asked.append(next(work))
    assert not asked


def test_an_answer_says_what_changed_since_a_known_outline(engine, pixels):
    known = engine.segment(REGION, pixels)
    strokes = [scribble(70, near=(1300, 2300)), scribble(71, Label.BACKGROUND, near=(2300, 2900))]
    for drawn in (strokes[:1], strokes, strokes[1:], []):
        outline = engine.refine(REGION, pixels, drawn, prior=None, known_outline=known.outline_id)
        if not drawn:
            assert outline.change is None
            break
        change = outline.change
        came = [outline.polygons[index] for index in change.added]
        assert change.applied(known.polygons, came) == outline.polygons
        assert len(came) < len(outline.polygons)
        known = outline


def test_a_change_since_an_outline_that_is_not_known_is_the_whole(engine, pixels):
    outline = engine.refine(REGION, pixels, [scribble(72)], known_outline="of another server")
    assert outline.change is None
    assert outline.polygons


def test_strokes_of_a_known_outline_need_not_be_sent_again(engine, pixels):
    strokes = [scribble(80), scribble(81, Label.BACKGROUND), scribble(82, near=(2200, 2800))]
    first = engine.refine(REGION, pixels, strokes[:2])
    onward = engine.refine(
        REGION, pixels, strokes[2:], known_outline=first.outline_id, known_strokes=2
    )
    assert onward.stroke_ids == tuple(stroke.id for stroke in strokes)
    undone = engine.refine(REGION, pixels, [], known_outline=onward.outline_id, known_strokes=1)
    assert undone.stroke_ids == (strokes[0].id,)
    whole = engine.refine(REGION, pixels, strokes)
    assert whole.outline_id == onward.outline_id
    assert [p.exterior.tobytes() for p in whole.polygons] == [
        p.exterior.tobytes() for p in onward.polygons
    ]


def test_strokes_of_a_forgotten_outline_are_asked_for(engine, pixels):
    with pytest.raises(OutlineForgotten, match="send all strokes"):
        engine.refine(REGION, pixels, [scribble(83)], known_outline="gone", known_strokes=1)
    known = engine.refine(REGION, pixels, [scribble(83)]).outline_id
    for count in (-1, 2):
        with pytest.raises(InvalidInput, match="known_strokes"):
            engine.refine(REGION, pixels, [], known_outline=known, known_strokes=count)


def test_coarser_pixels_than_the_model_wants_are_said(engine, pixels):
    outline = engine.segment(Region(0, 0, 1600, 1200, 2.0), pixels)
    assert [w.code for w in outline.warnings] == ["PIXELS_COARSER_THAN_MODEL"]


def test_area_is_in_square_micrometres_whatever_resolution_was_sent(engine, pixels):
    fine = np.repeat(np.repeat(pixels, 2, axis=0), 2, axis=1)
    for sent in (pixels, fine):
        outline = engine.refine(
            REGION,
            sent,
            [],
            prior=[Polygon(np.array([[1100.0, 2100], [1300, 2100], [1300, 2300], [1100, 2300]]))],
        )
        assert outline.polygons[0].area_um2 == pytest.approx(100 * 100, rel=0.02)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"image_pixels": 1000}, "pixels: 480,000 is over the limit of 1,000"),
        ({"model_pixels": 1000}, "region at 1 µm per pixel: 480,000 is over the limit"),
        ({"strokes": 1}, "strokes: 2 is over the limit of 1"),
        ({"points": 50}, "points of all strokes: 60 is over the limit of 50"),
        ({"cache_bytes": 1000}, "pixels, as bytes: 1,440,000 is over the limit"),
    ],
)
def test_past_a_limit_there_is_an_error_that_names_it(untrained_models, pixels, limits, message):
    engine = opened(untrained_models, "cpu", Settings(**limits))
    with pytest.raises(LimitExceeded, match=message):
        engine.refine(REGION, pixels, [scribble(60), scribble(61)])


def test_a_prior_over_the_limit_is_refused(untrained_models, pixels):
    engine = opened(untrained_models, "cpu", Settings(points=3))
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    with pytest.raises(LimitExceeded, match="points of the prior: 4"):
        engine.refine(REGION, pixels, [], prior=[Polygon(square)])


def test_pixels_of_another_shape_than_the_region_are_refused(engine, pixels):
    with pytest.raises(InvalidInput, match="do not fit a region of 1600 x 1200"):
        engine.segment(REGION, pixels[:300])


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_pixels_that_are_not_rgb_bytes_are_refused(engine, wrong):
    with pytest.raises(InvalidInput, match=r"not \(rows, columns, 3\) uint8"):
        engine.keep(wrong)


def test_unknown_models_are_refused(engine, pixels):
    with pytest.raises(UnknownModel, match="'no-such'"):
        engine.segment(REGION, pixels, guide_model="no-such")
    with pytest.raises(UnknownModel):
        engine.refine(REGION, pixels, [scribble(1)], refine_model="guide-tumor")


@pytest.mark.parametrize("mpp", [-1.0, float("nan"), float("inf"), 1e-4, 5000.0])
def test_absurd_scales_are_refused(mpp):
    with pytest.raises(InvalidInput, match="outside the usable range"):
        Region(0, 0, 10, 10, mpp)


def test_a_missing_scale_is_never_guessed():
    with pytest.raises(MissingScale, match="micrometres per pixel are not known"):
        Region(0, 0, 10, 10, 0.0)


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ((-1, 0, 5, 5), "x"),
        ((0, -3, 5, 5), "y"),
        ((0, 0, 0, 5), "width"),
        ((0, 0, 5, -2), "height"),
    ],
)
def test_regions_that_cannot_be_are_refused(where, field):
    with pytest.raises(InvalidInput, match=rf"region\.{field}"):
        Region(*where, 0.5)


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan")])
def test_strokes_without_width_are_refused(width):
    with pytest.raises(InvalidInput, match="width"):
        Stroke("s", Label.FOREGROUND, Kind.POINTS, (np.zeros((1, 2)),), width)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_strokes_with_impossible_coordinates_are_refused(number):
    with pytest.raises(InvalidInput, match="NaN or infinite"):
        Stroke("s", Label.FOREGROUND, Kind.POLYLINE, (np.array([[1.0, number]]),), 1.0)


def test_strokes_beyond_any_slide_are_refused():
    with pytest.raises(InvalidInput, match="larger than slides"):
        Stroke("s", Label.FOREGROUND, Kind.POLYLINE, (np.array([[1.0, 1e300]]),), 1.0)


def test_strokes_without_coordinates_are_refused():
    with pytest.raises(InvalidInput, match="no coordinates"):
        Stroke("s", Label.FOREGROUND, Kind.POLYLINE, (), 1.0)
    with pytest.raises(InvalidInput, match="0 points where at least 1"):
        Stroke("s", Label.FOREGROUND, Kind.POLYLINE, (np.zeros((0, 2)),), 1.0)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (33, 31)])
def test_tiny_and_narrow_regions_work(engine, size):
    width, height = size
    pixels = np.full((height, width, 3), 200, dtype=np.uint8)
    region = Region(0, 0, width, height, 1.0)
    dot = Stroke("dot", Label.FOREGROUND, Kind.POINTS, (np.array([[0.5, 0.5]]),), 1.0)
    outline = engine.refine(region, pixels, [dot])
    assert shape_of(outline).buffer(1e-9).covers(shapely.Point(0.5, 0.5))


def test_a_long_stroke_is_covered_by_many_tiles_without_a_seam(engine):
    pixels = np.full((300, 1500, 3), 180, dtype=np.uint8)
    region = Region(0, 0, 1500, 300, 1.0)
    line = Stroke(
        "line", Label.FOREGROUND, Kind.POLYLINE, (np.array([[10.0, 150], [1490, 150]]),), 2.0
    )
    outline = engine.refine(region, pixels, [line], return_probability=True)
    assert np.isfinite(outline.probability).all()
    assert ((outline.probability >= 0) & (outline.probability <= 1)).all()
    assert shape_of(outline).covers(shapely.LineString(line.parts[0]))
