from pathlib import Path

import numpy as np
import pytest
import torch

from deepscribble.learning import Score, first_guess, iou, load_sample, read_manifest, score
from deepscribble.models import Card, Model


@pytest.fixture
def small_guide(guide_card: Card) -> Card:
    return guide_card.model_copy(update={"patch_size": 64})


@pytest.fixture
def small_refine(refine_card: Card) -> Card:
    return refine_card.model_copy(update={"patch_size": 64, "influence_radius": 30.0})


class Nearest(torch.nn.Module):
    """Says inside where the foreground strokes are nearer than the background's."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return 50 * (inputs[:, 4:5] - inputs[:, 5:6])


class Blue(torch.nn.Module):
    """Says inside where there is little blue."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return -50 * inputs[:, 2:3]


def test_intersection_over_union() -> None:
    truth = np.array([[True, True, False]])
    assert iou(truth, np.array([[True, False, True]])) == pytest.approx(1 / 3)
    nothing = np.zeros((1, 3), dtype=bool)
    assert iou(nothing, nothing) == 1
    assert iou(nothing, truth) == 0


def test_error_removed() -> None:
    assert Score(0.5, 0.8, 3).error_removed == pytest.approx(0.6)
    assert Score(0.5, 0.4, 3).error_removed == pytest.approx(-0.2)
    assert Score(1.0, 1.0, 0).error_removed == 0


def test_first_guess_of_an_image_of_any_size_is_in_place(folder: Path, small_guide: Card) -> None:
    sample = load_sample(read_manifest(folder)[0], 1.0)
    guess = first_guess(Model(small_guide, Blue(), torch.device("cpu")), sample.rgb)
    assert guess.shape == sample.truth.shape
    dark = sample.rgb[:, :, 2] < 120
    assert (guess[dark] > 0.9).all()


def test_one_round_of_strokes_raises_iou_and_locality_holds(
    folder: Path, small_refine: Card
) -> None:
    sample = load_sample(read_manifest(folder)[0], 1.0)
    refine = Model(small_refine, Nearest(), torch.device("cpu"))
    wrong = np.zeros(sample.truth.shape, dtype=np.float32)
    found = score(refine, sample, wrong)
    assert found.prior == 0
    assert found.refined > 0.3
    assert found.strokes >= 1
    right = score(refine, sample, sample.truth.astype(np.float32))
    assert (right.prior, right.refined, right.strokes) == (1, 1, 0)
