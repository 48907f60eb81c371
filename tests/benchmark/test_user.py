from dataclasses import replace

import numpy as np
import pytest

from deepscribble.benchmark.method import Case
from deepscribble.benchmark.user import next_stroke, shifted
from deepscribble.geometry import Label
from deepscribble.learning.patches import draw_all, own_grid

GRID = own_grid((384, 384), 1.0)


def blank():
    return np.zeros(GRID.shape, dtype=bool), np.zeros(GRID.shape, dtype=np.uint8)


def test_the_largest_mistake_gets_one_short_stroke() -> None:
    truth, drawn = blank()
    truth[20:60, 20:60] = True
    answer = np.zeros_like(truth)
    answer[100:200, 50:350] = True
    stroke = next_stroke(truth, answer, drawn, GRID)
    assert stroke is not None
    assert stroke.label is Label.BACKGROUND
    (xy,) = stroke.parts
    assert (answer & ~truth)[xy[:, 1].astype(int), xy[:, 0].astype(int)].all()
    # The mistake is 300 pixels long; a stroke has fewer than 0.05 % of the patch's pixels.
    assert 60 < len(xy) < 80


def test_the_bound_on_a_strokes_length_follows_the_patch() -> None:
    grid = own_grid((200, 200), 1.0)
    truth = np.zeros(grid.shape, dtype=bool)
    truth[80:120, 10:190] = True
    stroke = next_stroke(truth, ~truth & False, np.zeros(grid.shape, dtype=np.uint8), grid)
    assert stroke is not None
    assert len(stroke.parts[0]) <= 20


def test_a_right_answer_gets_none() -> None:
    truth, drawn = blank()
    truth[50:100, 50:100] = True
    assert next_stroke(truth, truth, drawn, GRID) is None


def test_mistakes_that_cannot_hold_a_stroke_get_none() -> None:
    truth, drawn = blank()
    truth[50:100, 50:100] = True
    answer = truth.copy()
    answer[50:100, 100:103] = True
    assert next_stroke(truth, answer, drawn, GRID) is None


def test_what_was_drawn_on_is_not_drawn_on_again() -> None:
    truth, drawn = blank()
    truth[100:200, 100:220] = True
    answer = np.zeros_like(truth)
    seen = np.zeros_like(drawn)
    for _ in range(4):
        stroke = next_stroke(truth, answer, drawn, GRID)
        assert stroke is not None
        xy = stroke.parts[0].astype(int)
        assert not seen[xy[:, 1], xy[:, 0]].any()
        draw_all(drawn, (stroke,), GRID)
        seen |= drawn
    assert set(np.unique(drawn)) == {0, Label.FOREGROUND.value}


def test_shifted_strokes_lie_just_that_far_away(strokes) -> None:
    grid = own_grid((80, 96), 1.0)
    moved = shifted(strokes, 3.0, grid, np.random.default_rng(1))
    steps = []
    for before, after in zip(strokes, moved, strict=True):
        assert (after.id, after.label) == (before.id, before.label)
        difference = after.parts[0] - before.parts[0]
        assert np.ptp(difference, axis=0) == pytest.approx(0)
        assert np.hypot(*difference[0]) == pytest.approx(3)
        steps.append(tuple(np.round(difference[0], 6)))
    assert len(set(steps)) == len(steps)
    again = shifted(strokes, 3.0, grid, np.random.default_rng(1))
    assert all(np.array_equal(a.parts[0], b.parts[0]) for a, b in zip(moved, again, strict=True))


def test_shifted_strokes_stay_within_the_region(easy: Case, strokes) -> None:
    edge = replace(strokes[0], parts=(np.array([[0.5, 0.5], [95.5, 79.5]]),))
    for seed in range(8):
        (moved,) = shifted((edge,), 5.0, easy.grid, np.random.default_rng(seed))
        assert (moved.parts[0] >= 0).all()
        assert (moved.parts[0] <= (96, 80)).all()


def test_a_tiny_patch_gets_a_tiny_stroke() -> None:
    grid = own_grid((40, 40), 1.0)
    truth = np.zeros(grid.shape, dtype=bool)
    truth[5:35, 10:30] = True
    stroke = next_stroke(truth, ~truth & False, np.zeros(grid.shape, dtype=np.uint8), grid)
    assert stroke is not None
    assert 1 <= len(stroke.parts[0]) <= 4
