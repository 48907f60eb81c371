"""One stroke is one step: what that promises, for strokes of all kinds drawn anyhow."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from direct import opened
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepscribble.engine import Engine, Tile
from deepscribble.errors import InvalidInput, LimitExceeded
from deepscribble.geometry import Grid, Kind, Label, Region, Stroke
from deepscribble.raster import draw, nearness
from deepscribble.server.stages import Stages
from deepscribble.settings import Settings

RADIUS = 128
REGION = Region(40, 60, 900, 700, 1.0)
GRID = Grid.at(REGION, 1.0)
PIXELS = np.random.default_rng(5).integers(0, 256, (700, 900, 3), dtype=np.uint8)


class Noise:
    """Pixels of a region of any size, made where they are read."""

    id = "noise"

    def read(self, grid, window):
        rows = np.arange(window.top, window.bottom, dtype=np.uint32)[:, None, None]
        columns = np.arange(window.left, window.right, dtype=np.uint32)[None, :, None]
        mixed = rows // 16 * np.uint32(73) ^ columns // 16 * np.uint32(151)
        return (mixed * np.array([1, 3, 7], np.uint32) % 256).astype(np.uint8)


@pytest.fixture(scope="module")
def engine(untrained_models):
    return opened(untrained_models)


@st.composite
def drawn_strokes(draw_value, most=5):
    """Short and long lines, dots and brushes, loops and crossings, of both labels."""
    found = []
    for number in range(draw_value(st.integers(1, most))):
        random = np.random.default_rng(draw_value(st.integers(0, 2**32 - 1)))
        kind = draw_value(st.sampled_from(list(Kind)))
        step = draw_value(st.sampled_from([4.0, 15.0, 60.0]))
        start = random.uniform((0, 20), (960, 780))
        points = start + np.cumsum(random.normal(0, step, (8, 2)), axis=0)
        label = draw_value(st.sampled_from(list(Label)))
        found.append(Stroke(f"s{number}", label, kind, (points,), random.uniform(0.5, 25)))
    return found


def answer(engine, strokes, **options):
    return engine.refine(REGION, PIXELS, strokes, return_probability=True, **options)


def rings(outline):
    return [ring.tobytes() for polygon in outline.polygons for ring in polygon.rings]


def near(stroke):
    mask = draw(stroke, GRID)
    whole = np.zeros(GRID.shape, bool)
    if mask is not None:
        whole[mask.window.slices] = mask.mask
    return nearness(whole, RADIUS) > 0


class Counter:
    """Brings work to its end and counts RefineNet's tiles."""

    def __init__(self, engine):
        self.engine = engine
        self.tiles = []

    def refine(self, *arguments, **options):
        self.tiles = []
        work = self.engine.engine.refine(*arguments, **options)
        answers = None
        while True:
            try:
                tiles = next(work) if answers is None else work.send(answers)
            except StopIteration as end:
                return end.value
            self.tiles += [tile for tile in tiles if tile.card.kind == "refine"]
            answers = [self.engine.network.predict(tile.card, [tile.build()])[0] for tile in tiles]


slow = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@slow
@given(drawn_strokes())
def test_a_stroke_changes_nothing_beyond_its_own_reach(engine, strokes):
    before = engine.segment(REGION, PIXELS, return_probability=True).probability
    for count in range(1, len(strokes) + 1):
        after = answer(engine, strokes[:count]).probability
        beyond = ~near(strokes[count - 1])
        np.testing.assert_array_equal(after[beyond], before[beyond])
        before = after


@slow
@given(drawn_strokes())
def test_every_stroke_is_obeyed_and_the_newer_wins(engine, strokes):
    labels = np.zeros(GRID.shape, np.uint8)
    for stroke in strokes:
        mask = draw(stroke, GRID)
        if mask is not None:
            labels[mask.window.slices][mask.mask] = stroke.label.value
    probability = answer(engine, strokes).probability
    assert (probability[labels == Label.FOREGROUND.value] == 1).all()
    assert (probability[labels == Label.BACKGROUND.value] == 0).all()


@slow
@given(drawn_strokes())
def test_undo_of_the_last_stroke_runs_no_network(engine, strokes):
    counter = Counter(engine)
    before = answer(engine, strokes[:-1]) if strokes[:-1] else None
    known = counter.refine(REGION, PIXELS, strokes)
    undone = counter.refine(
        REGION, PIXELS, strokes[:-1], known_outline=known.outline_id, return_probability=True
    )
    assert counter.tiles == []
    if before is not None:
        np.testing.assert_array_equal(undone.probability, before.probability)
        assert rings(undone) == rings(before)
        assert undone.outline_id == before.outline_id


@slow
@given(drawn_strokes(), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_replay_edit_and_undo_give_what_a_fresh_engine_gives(
    engine, untrained_models, strokes, edited, seed
):
    """Whatever was drawn before: the answer is a function of the strokes in their order."""
    random = np.random.default_rng(seed)
    moved = list(strokes)
    index = edited % len(moved)
    moved[index] = replace(
        moved[index], parts=tuple(part + random.normal(0, 9, 2) for part in moved[index].parts)
    )
    without = moved[:index] + moved[index + 1 :]
    for drawn in (strokes, moved, strokes[: index + 1], without, moved):
        last = answer(engine, drawn)
    anew = answer(opened(untrained_models), moved)
    np.testing.assert_array_equal(last.probability, anew.probability)
    assert rings(last) == rings(anew)
    assert last.outline_id == anew.outline_id
    tight = Settings(cache_bytes=PIXELS.nbytes + 1, undo_steps=1)
    scarce = answer(opened(untrained_models, "cpu", tight), moved)
    np.testing.assert_array_equal(scarce.probability, anew.probability)


def dash(number, x, y, label=Label.FOREGROUND):
    return Stroke(f"d{number}", label, Kind.POLYLINE, (np.array([[x, y], [x + 80, y]]),), 2.0)


def test_each_stroke_of_a_row_runs_one_tile(engine):
    counter = Counter(engine)
    region = Region(0, 0, 3000, 500, 1.0)
    strokes = [dash(n, 60 + 125 * n, 250 + 30 * (n % 3), list(Label)[n % 2]) for n in range(22)]
    known = ""
    for count in range(1, len(strokes) + 1):
        outline = counter.refine(region, Noise(), strokes[:count], prior=[], known_outline=known)
        assert len(counter.tiles) == 1
        known = outline.outline_id


def test_editing_a_stroke_runs_only_the_later_ones_that_it_reached(engine):
    counter = Counter(engine)
    region = Region(0, 0, 3000, 500, 1.0)
    strokes = [dash(0, 100, 250), dash(1, 160, 300), dash(2, 2500, 250), dash(3, 1300, 100)]
    counter.refine(region, Noise(), strokes, prior=[])
    assert len(counter.tiles) == 4
    counter.refine(region, Noise(), [dash(9, 100, 262), *strokes[1:]], prior=[])
    assert len(counter.tiles) == 2
    counter.refine(region, Noise(), [*strokes[:2], strokes[3]], prior=[])
    assert counter.tiles == []


def test_a_long_stroke_runs_tiles_along_its_length_not_over_its_box(engine):
    counter = Counter(engine)
    line = np.stack([np.linspace(100, 2900, 60)] * 2, axis=1)
    stroke = Stroke("long", Label.FOREGROUND, Kind.POLYLINE, (line,), 2.0)
    counter.refine(Region(0, 0, 3000, 3000, 1.0), Noise(), [stroke], prior=[])
    # Its box would need more than 500.
    assert len(counter.tiles) <= 2800 / 80
    few = opened(None, "cpu", Settings(stroke_tiles=5))
    with pytest.raises(LimitExceeded, match="stroke_tiles"):
        few.refine(Region(0, 0, 3000, 3000, 1.0), Noise(), [stroke], prior=[])


def test_a_region_of_any_size_costs_what_its_strokes_reach(untrained_models):
    engine = opened(untrained_models)
    counter = Counter(engine)
    region = Region(0, 0, 100_000, 100_000, 1.0)
    strokes = [dash(n, 90_000.0 - 9000 * n, 5_000.0 + 9000 * n) for n in range(3)]
    outlines = [
        counter.refine(region, Noise(), strokes[:count], whole=False) for count in (1, 2, 3, 2)
    ]
    assert counter.tiles == []
    assert rings(outlines[1]) == rings(outlines[3])
    assert outlines[1].outline_id == outlines[3].outline_id
    assert engine._store.nbytes < 300e6
    with pytest.raises(LimitExceeded, match="model_pixels"):
        counter.refine(region, Noise(), strokes)


def test_a_stroke_id_that_comes_twice_is_refused(engine):
    first = dash(1, 100, 100)
    with pytest.raises(InvalidInput, match=r"strokes\[1\].id: 'd1' is strokes\[0\] already"):
        engine.refine(REGION, PIXELS, [first, dash(1, 300, 300)])
    known = engine.refine(REGION, PIXELS, [first]).outline_id
    with pytest.raises(InvalidInput, match=r"strokes\[0\].id: 'd1' is stroke 1 of the known"):
        engine.refine(REGION, PIXELS, [dash(1, 300, 300)], known_outline=known, known_strokes=1)


def test_work_that_is_given_up_leaves_whole_steps_only(engine, untrained_models):
    strokes = [dash(n, 100 + 90 * n, 200 + 60 * n) for n in range(4)]
    answer(engine, strokes[:2])
    work = engine.engine.refine(REGION, PIXELS, strokes)
    tiles = next(work)
    assert all(isinstance(tile, Tile) for tile in tiles)
    work.close()
    anew = opened(untrained_models)
    for count in (2, 3, 4):
        got, fresh = (answer(one, strokes[:count]).probability for one in (engine, anew))
        np.testing.assert_array_equal(got, fresh)


async def test_many_people_at_once_each_get_what_a_fresh_engine_gives(untrained_models):
    """16 clients on three images, two runners: each answer equals the one computed alone."""
    from deepscribble.models import Network, Priority, Registry, Ticket, choose_device

    registry = Registry(untrained_models)
    shared = Engine(registry, Network(registry, [choose_device("cpu")] * 2), Settings())
    for card in shared.cards():
        shared.network.load(card)
    stages = Stages(shared.network, 4)
    alone = opened(untrained_models)
    regions = [Region(0, 0, 700, 500, 1.0), Region(0, 0, 500, 700, 1.0), REGION]

    async def person(number):
        random = np.random.default_rng(number)
        region = regions[number % 3]
        strokes, known, answers = [], "", []
        for turn in range(4):
            if strokes and random.random() < 0.3:
                strokes = strokes[:-1]
            else:
                x, y = random.uniform(50, 400, 2)
                strokes = [*strokes, dash(f"{number}-{turn}", x, y, list(Label)[turn % 2])]
            work = shared.refine(
                region, Noise(), strokes, known_outline=known, return_probability=True
            )
            outline = await stages.run(work, Ticket(Priority.INTERACTIVE, number))
            known = outline.outline_id
            answers.append((region, strokes, outline))
        return answers

    people = await asyncio.gather(*(person(number) for number in range(16)))
    for region, strokes, outline in (one for answers in people for one in answers):
        expected = alone.refine(region, Noise(), strokes, return_probability=True)
        np.testing.assert_array_equal(outline.probability, expected.probability)
        assert rings(outline) == rings(expected)
        assert outline.outline_id == expected.outline_id
    shared.close()
    stages.close()
