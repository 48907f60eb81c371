"""How good a first guess is, and how much of its error one round of strokes removes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry import Label
from deepscribble.learning.patches import draw_all, fields_of, own_grid, weight_of
from deepscribble.learning.sample import Sample
from deepscribble.learning.scribble import STEADY, scribbles
from deepscribble.models import Model, input_channels

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Score:
    """What one image, or the mean over several, came to.

    Args:
        prior: Intersection over union of the first guess.
        refined: The same after one round of strokes.
        strokes: How many strokes the round had.
    """

    prior: float
    refined: float
    strokes: float

    @property
    def error_removed(self) -> float:
        """Share of the first guess's error (1 - IoU) that the round removed; below 0 if worse."""
        return 1 - (1 - self.refined) / (1 - self.prior) if self.prior < 1 else 0.0


def iou(truth: Mask, answer: Mask) -> float:
    """Intersection over union of two masks.

    An image that holds nothing to find scores 1 if nothing was found and 0 if anything was.
    """
    union = int((truth | answer).sum())
    return int((truth & answer).sum()) / union if union else 1.0


def first_guess(guide: Model, rgb: NDArray[np.uint8]) -> Field:
    """GuideNet's probability on a whole image at its scale, (rows, columns)."""
    return _run(guide, input_channels(guide.card, rgb))


def refined_guess(
    refine: Model, rgb: NDArray[np.uint8], prior: Field, labels: NDArray[np.uint8]
) -> Field:
    """RefineNet's probability on a whole image after the strokes in `labels`.

    Composed as a user sees it: the prior beyond the strokes' reach, and the strokes obeyed. An
    ablation that reads no strokes answers everywhere.

    Args:
        refine: RefineNet or an ablation of it.
        rgb: (rows, columns, 3) at its scale.
        prior: (rows, columns), the first guess.
        labels: (rows, columns) of `Label` values.
    """
    card = refine.card
    fields = fields_of(card, labels)
    answer = _run(refine, input_channels(card, rgb, prior, *fields, labels))
    answer = prior + weight_of(card, fields) * (answer - prior)
    if card.influence_radius > 0:
        answer[labels == Label.FOREGROUND.value] = 1
        answer[labels == Label.BACKGROUND.value] = 0
    return answer


def score(refine: Model, sample: Sample, prior: Field) -> Score:
    """One round: a steady stroke in each of the prior's mistakes, and the answer to them."""
    threshold = refine.card.threshold
    guess = prior >= threshold
    labels, strokes = one_round(sample.truth, guess, refine.card.mpp)
    answer = refined_guess(refine, sample.rgb, prior, labels) >= threshold
    return Score(iou(sample.truth, guess), iou(sample.truth, answer), strokes)


def one_round(truth: Mask, guess: Mask, mpp: float) -> tuple[NDArray[np.uint8], int]:
    """A steady stroke in each mistake of `guess`: the label mask, and how many strokes."""
    grid = own_grid(guess.shape, mpp)
    strokes = scribbles(truth, guess, grid, STEADY)
    labels = np.zeros(guess.shape, dtype=np.uint8)
    draw_all(labels, strokes, grid)
    return labels, len(strokes)


def mean(scores: Sequence[Score]) -> Score:
    """The mean of each figure; at least one score."""
    return Score(
        *(
            float(np.mean([getattr(score, name) for score in scores]))
            for name in ("prior", "refined", "strokes")
        )
    )


def guide_metrics(guide: Model, samples: Sequence[Sample]) -> dict[str, float]:
    """GuideNet's mean IoU on `samples`, over all and per set, as a card has it."""
    by_set: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        guess = first_guess(guide, sample.rgb) >= guide.card.threshold
        by_set[sample.pair.set].append(iou(sample.truth, guess))
    metrics = {"val_iou": float(np.mean([value for found in by_set.values() for value in found]))}
    metrics |= {f"val_iou_{name}": float(np.mean(found)) for name, found in by_set.items()}
    return _rounded(metrics)


def refine_metrics(
    refine: Model, samples: Sequence[Sample], priors: Sequence[Field]
) -> dict[str, float]:
    """Prior and refined mean IoU after one round, over all samples, per set and per target."""
    by_name: dict[str, list[Score]] = defaultdict(list)
    for sample, prior in zip(samples, priors, strict=True):
        found = score(refine, sample, prior)
        for name in ("", f"_{sample.pair.set}", f"_target_{sample.pair.target.replace(' ', '_')}"):
            by_name[name].append(found)
    metrics: dict[str, float] = {}
    for name, scores in by_name.items():
        whole = mean(scores)
        metrics |= {
            f"val_prior_iou{name}": whole.prior,
            f"val_refined_iou{name}": whole.refined,
            f"val_error_removed{name}": whole.error_removed,
            f"val_strokes_per_image{name}": whole.strokes,
        }
    return _rounded(metrics)


def _rounded(metrics: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in metrics.items()}


def _run(model: Model, inputs: Field) -> Field:
    """Probability of a whole image of any size, reflected to what the network can take."""
    rows, columns = inputs.shape[1:]
    down, across = (
        max(model.card.patch_size, -(-side // model.card.multiple) * model.card.multiple) - side
        for side in (rows, columns)
    )
    padded = [
        cv2.copyMakeBorder(channel, 0, down, 0, across, cv2.BORDER_REFLECT_101)
        for channel in inputs
    ]
    return model.predict(np.stack(padded)[None])[0, :rows, :columns]
