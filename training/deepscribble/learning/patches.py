"""Patches as the networks learn from them, numbered so that a run can be repeated and resumed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from deepscribble.geometry import Grid, Region, Stroke
from deepscribble.learning.augment import cut, place, recolour, worsen
from deepscribble.learning.prior import spoiled
from deepscribble.learning.sample import Sample
from deepscribble.learning.scribble import VARIED, scribbles
from deepscribble.models import Card, input_channels
from deepscribble.raster import distance_fields, draw, reach

Field = NDArray[np.float32]

_TRIES = 6
"""Places looked at for a patch of which 20 to 80 % is inside (paper, 2.1)."""

_ANYWHERE = 0.15
"""Share of RefineNet's patches that are kept whatever is inside: a user also corrects those."""

_ALL = 0.6
"""Share of RefineNet's patches with strokes all over; the others have one to four."""


class Lesson(NamedTuple):
    """One patch, or a batch of them collated along a first axis.

    Attributes:
        inputs: (C, H, W) float32, the network's input channels.
        truth: (1, H, W) float32, 0 or 1.
        prior: (1, H, W) float32, the answer where no stroke reaches; 0 for GuideNet.
        reach: (1, H, W) float32, how much of the network's answer counts; 1 for GuideNet.
        labels: (H, W) uint8, strokes drawn so far.
        number: The patch's number, which all its chance hangs on.
    """

    inputs: torch.Tensor
    truth: torch.Tensor
    prior: torch.Tensor
    reach: torch.Tensor
    labels: torch.Tensor
    number: int | torch.Tensor


class Numbers(Sampler[int]):
    """Numbers of the patches of each epoch, going on from epoch to epoch without end."""

    def __init__(self, per_epoch: int) -> None:
        self.per_epoch = per_epoch
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says which epoch comes next, also after a resume."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        begin = self.epoch * self.per_epoch
        return iter(range(begin, begin + self.per_epoch))

    def __len__(self) -> int:
        return self.per_epoch


class Deck:
    """Draws samples so that small sets are seen too: each set by the root of its size."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        by_set: dict[str, list[int]] = defaultdict(list)
        for index, sample in enumerate(samples):
            by_set[sample.pair.set].append(index)
        self._sets = list(by_set.values())
        roots = np.sqrt([len(indices) for indices in self._sets])
        self._chances = roots / roots.sum()

    def draw(self, rng: np.random.Generator) -> int:
        """The index of a sample."""
        indices = self._sets[int(rng.choice(len(self._sets), p=self._chances))]
        return indices[int(rng.integers(len(indices)))]


class GuidePatches(Dataset[Lesson]):
    """Endless patches for GuideNet; patch `number` is the same each time."""

    def __init__(self, samples: Sequence[Sample], card: Card, seed: int) -> None:
        self._samples = samples
        self._deck = Deck(samples)
        self._card = card
        self._seed = seed

    def __getitem__(self, number: int) -> Lesson:
        rng = np.random.default_rng([self._seed, number])
        sample = self._samples[self._deck.draw(rng)]
        size = self._card.patch_size
        matrix = place(sample.truth.shape, size, rng)
        rgb = worsen(recolour(cut(sample.rgb, matrix, size), rng), rng)
        truth = _truth(sample, matrix, size)
        blank = np.zeros((size, size), dtype=np.float32)
        return _lesson(
            input_channels(self._card, rgb),
            truth,
            blank,
            np.ones_like(blank),
            np.zeros((size, size), dtype=np.uint8),
            number,
        )


class RefinePatches(Dataset[Lesson]):
    """Endless patches with a prior and strokes for RefineNet; patch `number` is always the same.

    Args:
        samples: Images that GuideNet has not learned from.
        priors: GuideNet's probability on each, of its size.
        card: RefineNet's.
        seed: All chance hangs on this and the patch's number.
    """

    def __init__(
        self, samples: Sequence[Sample], priors: Sequence[Field], card: Card, seed: int
    ) -> None:
        self._samples = samples
        self._priors = priors
        self._deck = Deck(samples)
        self._card = card
        self._seed = seed

    def __getitem__(self, number: int) -> Lesson:
        rng = np.random.default_rng([self._seed, number])
        index = self._deck.draw(rng)
        sample, size = self._samples[index], self._card.patch_size
        anywhere = rng.random() < _ANYWHERE
        for _ in range(_TRIES):
            matrix = place(sample.truth.shape, size, rng)
            truth = _truth(sample, matrix, size)
            if anywhere or 0.2 <= truth.mean() <= 0.8:
                break
        rgb = worsen(recolour(cut(sample.rgb, matrix, size), rng), rng)
        if rng.random() < 0.5:
            prior = cut(self._priors[index], matrix, size)
        else:
            prior = spoiled(truth, rng)
        labels = np.zeros((size, size), dtype=np.uint8)
        grid = own_grid((size, size), self._card.mpp)
        guess = prior >= self._card.threshold
        most = None if rng.random() < _ALL else int(rng.integers(1, 5))
        hand = replace(VARIED, most=most)
        draw_all(labels, scribbles(truth, guess, grid, hand, int(rng.integers(2**32))), grid)
        foreground, background = distance_fields(labels, self._card.influence_radius)
        return _lesson(
            input_channels(self._card, rgb, prior, foreground, background),
            truth,
            prior,
            reach(foreground, background),
            labels,
            number,
        )


def draw_all(labels: NDArray[np.uint8], strokes: Sequence[Stroke], grid: Grid) -> None:
    """Draw `strokes` over what `labels` (of `grid`) holds; the newer wins."""
    for stroke in strokes:
        drawn = draw(stroke, grid)
        if drawn is not None:
            labels[drawn.window.slices][drawn.mask] = stroke.label.value


def own_grid(shape: tuple[int, int], mpp: float) -> Grid:
    """The grid of an image of `shape` (rows, columns) that is at the model's scale already."""
    return Grid.at(Region(0, 0, shape[1], shape[0], mpp), mpp)


def next_round(lesson: Lesson, answer: NDArray[np.bool_], card: Card, seed: int) -> Lesson:
    """A batch with further strokes, drawn where the network's own `answer` is wrong.

    Only the distance fields change from one round to the next (paper, 2.2.4).

    Args:
        lesson: A batch.
        answer: (N, H, W), what the network made of it.
        card: RefineNet's.
        seed: As for the patches.
    """
    inputs, weights = lesson.inputs.clone(), lesson.reach.clone()
    labels = lesson.labels.cpu().clone()
    grid = own_grid((answer.shape[1], answer.shape[2]), card.mpp)
    numbers = cast(torch.Tensor, lesson.number).tolist()
    for index, number in enumerate(numbers):
        drawn = labels[index].numpy()
        truth = lesson.truth[index, 0].cpu().numpy() > 0.5
        strokes = scribbles(truth, answer[index], grid, VARIED, _again(seed, number))
        draw_all(drawn, strokes, grid)
        foreground, background = distance_fields(drawn, card.influence_radius)
        inputs[index, -2] = torch.from_numpy(foreground)
        inputs[index, -1] = torch.from_numpy(background)
        weights[index, 0] = torch.from_numpy(reach(foreground, background))
    return lesson._replace(inputs=inputs, reach=weights, labels=labels)


def _again(seed: int, number: int) -> int:
    """The seed of a patch's second round."""
    return int(np.random.default_rng([seed, number, 1]).integers(2**32))


def _truth(sample: Sample, matrix: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    inside = np.where(sample.truth, np.uint8(255), np.uint8(0))
    return cut(inside, matrix, size) > 127


def _lesson(
    inputs: Field,
    truth: NDArray[np.bool_],
    prior: Field,
    weight: Field,
    labels: NDArray[np.uint8],
    number: int,
) -> Lesson:
    return Lesson(
        torch.from_numpy(inputs),
        torch.from_numpy(truth[None].astype(np.float32)),
        torch.from_numpy(prior[None]),
        torch.from_numpy(weight[None]),
        torch.from_numpy(labels),
        number,
    )
