from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from deepscribble.benchmark.classical import WATERSHED
from deepscribble.benchmark.method import Case
from deepscribble.benchmark.trial import ENOUGH, MOST, PICTURED, mask_of, run_trial
from deepscribble.contour import polygons_of
from deepscribble.geometry import Label, Polygon, Stroke
from deepscribble.learning.evaluate import iou
from deepscribble.learning.patches import draw_all, own_grid


@dataclass(frozen=True)
class Brush:
    """Changes the first guess just where strokes were drawn, as its `obeys` says."""

    obeys: bool = True
    guesses: bool = True
    free_strokes: int = 0
    name: str = "Brush"

    def start(self, case: Case) -> "Painting":
        return Painting(self, case)


class Painting:
    def __init__(self, brush: Brush, case: Case) -> None:
        self.brush = brush
        self.case = case
        self.first = self.outline(case.prior >= 0.5) if brush.guesses else ()
        self.asked: list[int] = []

    def outline(self, mask: np.ndarray) -> tuple[Polygon, ...]:
        return polygons_of(mask.astype(np.float32), 0.5, self.case.grid)

    def correct(self, strokes: Sequence[Stroke]) -> tuple[Polygon, ...]:
        labels = np.zeros(self.case.grid.shape, dtype=np.uint8)
        draw_all(labels, strokes, self.case.grid)
        mask = self.case.prior >= 0.5 if self.brush.guesses else np.zeros(labels.shape, dtype=bool)
        if self.brush.obeys:
            mask = mask & (labels != Label.BACKGROUND.value) | (labels == Label.FOREGROUND.value)
        return self.outline(mask)


@pytest.fixture
def large() -> Case:
    """A square of which the first guess misses the half; its far corner is out of reach."""
    truth = np.zeros((256, 256), dtype=bool)
    truth[20:140, 20:140] = True
    prior = np.zeros(truth.shape, dtype=np.float32)
    prior[20:140, 20:80] = 0.9
    rgb = np.zeros((*truth.shape, 3), dtype=np.uint8)
    return Case("drawn/square", "drawn", "tumor", rgb, truth, prior, own_grid((256, 256), 1.0))


def test_masks_are_exact_with_holes(large: Case) -> None:
    mask = large.truth.copy()
    mask[40:60, 40:60] = False
    mask[48:52, 48:52] = True
    outline = polygons_of(mask.astype(np.float32), 0.5, large.grid)
    assert np.array_equal(mask_of(outline, large.grid), mask)
    assert not mask_of((), large.grid).any()


def test_rounds_go_on_until_strokes_run_out(large: Case) -> None:
    trial = run_trial(Brush(), large, 128.0, 0)
    assert trial.first_iou == 0.5
    assert len(trial.rounds) == MOST
    ious = [one.iou for one in trial.rounds]
    assert ious == sorted(ious)
    assert ious[0] > 0.5
    assert all(one.flips == 0 for one in trial.rounds)
    assert all(0 < one.stroke_pixels <= 0.0005 * large.truth.size for one in trial.rounds)
    assert all(one.seconds > 0 for one in trial.rounds)
    assert trial.curve == (0.5, *ious)
    assert len(trial.snapshot.lines) == PICTURED
    assert iou(large.truth, trial.snapshot.mask) == pytest.approx(ious[PICTURED - 1], abs=1e-5)


def test_who_does_not_obey_flips(large: Case) -> None:
    trial = run_trial(Brush(obeys=False), large, 128.0, 0)
    assert {one.flips for one in trial.rounds} == {1.0}
    assert trial.curve == (0.5,) * (MOST + 1)
    assert trial.together_iou == trial.shifted_iou == 0.5


def test_free_strokes_come_before_counting(large: Case) -> None:
    trial = run_trial(Brush(guesses=False, free_strokes=2), large, 128.0, 0)
    assert trial.first_iou == 0
    assert len(trial.rounds) == 2 + MOST
    assert trial.curve == tuple(one.iou for one in trial.rounds[1:])
    assert len(trial.snapshot.lines) == 2 + PICTURED


def test_a_content_user_stops(large: Case) -> None:
    trial = run_trial(Brush(), replace(large, prior=large.truth.astype(np.float32)), 128.0, 0)
    assert trial.rounds == ()
    assert trial.curve == (1.0,) * (MOST + 1)
    assert trial.interactions(0.9) == 0
    assert trial.together_iou is None
    assert trial.shifted_iou is None
    assert np.array_equal(trial.snapshot.mask, large.truth)


def test_the_last_iou_stays_after_the_user_stopped(easy: Case) -> None:
    trial = run_trial(WATERSHED, easy, 128.0, 0)
    assert trial.method == "Watershed"
    assert len(trial.rounds) < MOST
    assert trial.rounds[-1].iou >= ENOUGH
    assert trial.curve[-1] == trial.rounds[-1].iou
    assert trial.interactions(0.85) is not None
    assert trial.interactions(1.01) is None


def test_changes_beyond_all_strokes_are_seen(large: Case) -> None:
    class Restless(Painting):
        def correct(self, strokes: Sequence[Stroke]) -> tuple[Polygon, ...]:
            mask = self.case.prior >= 0.5
            if len(strokes) % 2:
                mask[200:, 200:] = True
            return self.outline(mask)

    class Restlessness(Brush):
        def start(self, case: Case) -> Restless:
            return Restless(self, case)

    trial = run_trial(Restlessness(), large, 60.0, 0)
    assert all(one.far > 0.01 for one in trial.rounds)
    assert {one.far for one in run_trial(Brush(), large, 60.0, 0).rounds} == {0.0}
    # Where all is within reach nothing can be far.
    assert {one.far for one in run_trial(Restlessness(), large, 400.0, 0).rounds} == {0.0}


def test_the_same_seed_gives_the_same_trial(easy: Case) -> None:
    def answers(seed: int) -> tuple[object, ...]:
        trial = run_trial(WATERSHED, easy, 128.0, seed)
        return trial.curve, trial.together_iou, trial.shifted_iou, trial.snapshot

    assert answers(3) == answers(3)
    assert answers(3)[0] == answers(4)[0]


def test_moving_strokes_costs_what_it_costs(large: Case) -> None:
    trial = run_trial(Brush(), large, 128.0, 0)
    assert trial.together_iou == pytest.approx(trial.rounds[4].iou, abs=1e-5)
    assert trial.shifted_iou is not None
    assert trial.shifted_iou != trial.together_iou
