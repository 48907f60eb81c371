"""A drawing's outlines: named by all that they came of, never mixed up, and counted."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from direct import opened

from deepscribble.geometry import Kind, Label, Region, Stroke

REGION = Region(0, 0, 900, 400, 1.0)
PIXELS = np.random.default_rng(0).integers(0, 256, (400, 900, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def engine(untrained_models):
    return opened(untrained_models, "cpu")


def dot(x, y, label=Label.FOREGROUND, id="dot"):
    return Stroke(id, label, Kind.POINTS, (np.array([[x, y]], dtype=float),), 3.0)


def rings(outline):
    return [polygon.exterior.tobytes() for polygon in outline.polygons]


def test_other_pixels_never_share_the_name_of_an_outline(engine):
    one = engine.refine(REGION, PIXELS, [dot(200, 200)], prior=[])
    other = engine.refine(REGION, PIXELS[::-1], [dot(200, 200)], prior=[])
    again = engine.refine(REGION, PIXELS, [dot(200, 200)], prior=[])
    assert rings(one) != rings(other)
    assert one.outline_id != other.outline_id
    assert one.outline_id == again.outline_id


def test_strokes_drawn_alike_by_two_clients_keep_their_own_ids(engine):
    mine, yours = (engine.refine(REGION, PIXELS, [dot(200, 200, id=id)]) for id in "my")
    assert rings(mine) == rings(yours)
    assert mine.outline_id != yours.outline_id
    onward = engine.refine(
        REGION, PIXELS, [dot(210, 200, id="n")], known_outline=mine.outline_id, known_strokes=1
    )
    assert onward.stroke_ids == ("m", "n")


def test_the_same_weights_under_two_cards_answer_each_by_its_own(untrained_models, tmp_path):
    folder = shutil.copytree(untrained_models, tmp_path / "models")
    shutil.copytree(folder / "refine", folder / "refine-near")
    card = folder / "refine-near" / "card.json"
    fields = {"name": "refine-near", "influence_radius": 32.0}
    card.write_text(json.dumps(json.loads(card.read_text()) | fields))
    engine = opened(folder, "cpu")
    for name, radius in (("refine", 128), ("refine-near", 32)):
        probability = engine.refine(
            REGION, PIXELS, [dot(300, 200)], prior=[], refine_model=name, return_probability=True
        ).probability
        columns = np.flatnonzero(probability.any(axis=0))
        assert columns.min() == pytest.approx(300 - radius, abs=4)
        assert columns.max() == pytest.approx(300 + radius, abs=4)


def test_what_a_caller_does_to_an_answer_does_not_reach_the_next(engine):
    for ask in (engine.segment, lambda *args, **more: engine.refine(*args, [dot(9, 9)], **more)):
        first = ask(REGION, PIXELS, return_probability=True).probability
        kept = first.copy()
        first[:] = 7
        np.testing.assert_array_equal(
            ask(REGION, PIXELS, return_probability=True).probability, kept
        )


def test_the_cache_knows_what_a_drawing_grew_to(engine):
    region = replace(REGION, x=5000)
    engine.refine(region, PIXELS, [dot(5100, 200)], prior=[])
    before = engine._store.nbytes
    engine.refine(region, PIXELS, [dot(5100, 200), dot(5750, 200, id="other")], prior=[])
    assert engine._store.nbytes - before >= 4 * 384 * 384


@pytest.mark.parametrize("seed", range(3))
def test_a_session_of_drawing_and_undoing_is_the_drawing_made_anew(untrained_models, seed):
    """Borders, pixels that are not square on the grid, overlaps, two clients on one region."""
    random = np.random.default_rng(seed)
    region = Region(70, 30, 641, 403, 0.7)
    pixels = random.integers(0, 256, (403, 641, 3), dtype=np.uint8)
    engine, anew = (opened(untrained_models, "cpu") for _ in range(2))
    strokes, outlines = [], {}
    for turn in range(5):
        if strokes and random.random() < 0.3:
            strokes = strokes[:-1]
        else:
            start = random.uniform((50, 10), (730, 450))
            points = start + np.cumsum(random.normal(0, 9, (4, 2)), axis=0)
            kind = list(Kind)[random.integers(3)]
            label = list(Label)[random.integers(2)]
            strokes = [*strokes, Stroke(f"{turn}", label, kind, (points,), random.uniform(1, 20))]
        client = random.integers(2)
        known = outlines.get(client)
        got = engine.refine(
            region, pixels, strokes, return_probability=True,
            known_outline=known.outline_id if known else "",
        )  # fmt: skip
        if got.change is not None:
            came = [got.polygons[index] for index in got.change.added]
            assert got.change.applied(known.polygons, came) == got.polygons
        outlines[client] = got
    whole = anew.refine(region, pixels, strokes, return_probability=True)
    np.testing.assert_array_equal(got.probability, whole.probability)
    assert got.outline_id == whole.outline_id
    for one, other in zip(got.polygons, whole.polygons, strict=True):
        assert [r.tobytes() for r in one.rings] == [r.tobytes() for r in other.rings]
        assert one.area_um2 == other.area_um2
        assert one.mean_probability == other.mean_probability
