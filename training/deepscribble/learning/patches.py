"""Patches as the networks learn from them, numbered so that a run can be repeated and resumed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from deepscribble.geometry import Grid, Region, Stroke
from deepscribble.learning.augment import Place, cut, place, recolour, worsen
from deepscribble.learning.mosaic import Mosaics, Tile, alike
from deepscribble.learning.prior import spoiled
from deepscribble.learning.sample import Sample
from deepscribble.learning.scribble import VARIED, scribbles
from deepscribble.models import Card, input_channels, stroke_channels
from deepscribble.raster import distance_fields, draw, reach

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]

_TRIES = 6
"""Places looked at for a patch of which 20 to 80 % is inside (paper, 2.1)."""

_ANYWHERE = 0.15
"""Share of RefineNet's patches that are kept whatever is inside: a user also corrects those."""

_ALL = 0.4
"""Share of RefineNet's patches with strokes all over; the others have one to four."""

_GUIDED = 0.5
"""Share of the patches whose first guess is a GuideNet's own, where there is one."""

_FOREIGN = 0.2
"""Share of those whose GuideNet is one for another target: what it guesses is honest and poor."""

_SWAPPED = 0.15
"""Share of RefineNet's patches in which inside and outside change places: it follows strokes,
whatever they are for."""

_MOSAIC = 0.12
"""Share of RefineNet's patches that are mosaics of tissue, where there are tiles."""

_ALIKE = 0.15
"""Share of RefineNet's patches in which regions of like colour take the place of the truth."""

_FROM_NOTHING = 0.5
"""Share of the patches without a first guess whose strokes answer an empty outline."""


class Lesson(NamedTuple):
    """One patch, or a batch of them collated along a first axis.

    Attributes:
        inputs: (C, H, W) float32, the network's input channels.
        truth: (1, H, W) float32, 0 or 1.
        prior: (1, H, W) float32, the answer where no stroke reaches; 0 where there is none.
        reach: (1, H, W) float32, how much of the network's answer counts, as `weight_of`.
        labels: (H, W) uint8, strokes drawn so far.
        number: The patch's number, which all its chance hangs on.
    """

    inputs: torch.Tensor
    truth: torch.Tensor
    prior: torch.Tensor
    reach: torch.Tensor
    labels: torch.Tensor
    number: int | torch.Tensor


class Priors(NamedTuple):
    """First guesses at one image, each of its size, probabilities in [0, 1].

    Attributes:
        own: Of GuideNets for the image's target.
        foreign: Of the others.
    """

    own: tuple[Field, ...] = ()
    foreign: tuple[Field, ...] = ()


class Numbers(Sampler[int]):
    """Numbers of the patches of each epoch, going on from epoch to epoch without end.

    Args:
        per_epoch: How many patches an epoch has.
        rank: Of several processes that share the epoch out, which this is.
        processes: How many they are.
    """

    def __init__(self, per_epoch: int, rank: int = 0, processes: int = 1) -> None:
        self.per_epoch = per_epoch
        self.rank = rank
        self.processes = processes
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says which epoch comes next, also after a resume."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        begin = self.epoch * self.per_epoch
        return iter(range(begin + self.rank, begin + self.per_epoch, self.processes))

    def __len__(self) -> int:
        return len(range(self.rank, self.per_epoch, self.processes))


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
    """Endless patches for GuideNet; patch `number` is the same each time.

    Args:
        samples: Images to learn from.
        card: GuideNet's.
        size: Side of a patch, model pixels.
        seed: All chance hangs on this and the patch's number.
    """

    def __init__(self, samples: Sequence[Sample], card: Card, size: int, seed: int) -> None:
        self._samples = samples
        self._deck = Deck(samples)
        self._card = card
        self._size = size
        self._seed = seed

    def __getitem__(self, number: int) -> Lesson:
        rng = np.random.default_rng([self._seed, number])
        sample = self._samples[self._deck.draw(rng)]
        at = place(sample.truth.shape, self._size, rng)
        rgb = worsen(recolour(cut(sample.rgb, at), rng), rng)
        blank = np.zeros(rgb.shape[:2], dtype=np.float32)
        labels = np.zeros(rgb.shape[:2], dtype=np.uint8)
        return _lesson(
            input_channels(self._card, rgb), _truth(sample, at), blank, blank + 1, labels, number
        )


class RefinePatches(Dataset[Lesson]):
    """Endless patches with strokes for RefineNet or an ablation; a number's patch never changes.

    Args:
        samples: Images to learn from.
        priors: What GuideNets that have not learned from it guess at each.
        card: Its channels say what the network reads.
        size: Side of a patch, model pixels.
        seed: All chance hangs on this and the patch's number.
        tiles: What mosaics are made of, which some patches show in place of an image.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        priors: Sequence[Priors],
        card: Card,
        size: int,
        seed: int,
        tiles: Sequence[Tile] = (),
    ) -> None:
        self._samples = samples
        self._priors = priors
        self._mosaics = Mosaics(tiles)
        self._deck = Deck(samples)
        self._card = card
        self._size = size
        self._seed = seed

    def __getitem__(self, number: int) -> Lesson:
        rng = np.random.default_rng([self._seed, number])
        size = self._size
        rgb, truth, prior = self._scene(rng)
        rgb = worsen(recolour(rgb, rng), rng)
        if rng.random() < _SWAPPED:
            truth, prior = ~truth, 1 - prior
        guess = prior >= self._card.threshold
        if "prior" not in self._card.channels:
            prior = np.zeros_like(prior)
            guess &= rng.random() >= _FROM_NOTHING
        labels = np.zeros((size, size), dtype=np.uint8)
        grid = own_grid(truth.shape, self._card.mpp)
        most = None if rng.random() < _ALL else int(rng.integers(1, 5))
        hand = replace(VARIED, most=most)
        draw_all(labels, scribbles(truth, guess, grid, hand, int(rng.integers(2**32))), grid)
        fields = fields_of(self._card, labels)
        return _lesson(
            input_channels(self._card, rgb, prior, *fields, labels),
            truth,
            prior,
            weight_of(self._card, fields),
            labels,
            number,
        )

    def _scene(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Mask, Field]:
        """What a patch shows, what is inside, and the first guess."""
        size, kind = self._size, rng.random()
        if self._mosaics and kind < _MOSAIC:
            rgb, truth = self._mosaics.draw(size, rng)
            return rgb, truth, spoiled(truth, rng)
        index = self._deck.draw(rng)
        sample = self._samples[index]
        anywhere = rng.random() < _ANYWHERE
        for _ in range(_TRIES):
            at = place(sample.truth.shape, size, rng)
            truth = _truth(sample, at)
            if anywhere or 0.2 <= truth.mean() <= 0.8:
                break
        rgb = cut(sample.rgb, at)
        if kind > 1 - _ALIKE:
            truth = alike(rgb, rng)
            return rgb, truth, spoiled(truth, rng)
        return rgb, truth, self._prior(self._priors[index], at, truth, rng)

    def _prior(
        self, priors: Priors, at: Place, truth: NDArray[np.bool_], rng: np.random.Generator
    ) -> Field:
        guesses = priors.foreign if rng.random() < _FOREIGN else priors.own
        if guesses and rng.random() < _GUIDED:
            return cut(guesses[int(rng.integers(len(guesses)))], at)
        return spoiled(truth, rng)


def fields_of(card: Card, labels: NDArray[np.uint8]) -> tuple[Field, Field]:
    """The distance fields of `labels` for a model; of no use to one that reads no strokes."""
    return distance_fields(labels, card.influence_radius or 1.0)


def weight_of(card: Card, fields: tuple[Field, Field]) -> Field:
    """How much of a network's answer counts at each pixel: 1 throughout where it knows no strokes
    or no prior to fall back on, else by the strokes' reach.
    """
    if "prior" in card.channels and len(card.channels) > 4:
        return reach(np.maximum(*fields))
    return np.ones_like(fields[0])


def draw_all(labels: NDArray[np.uint8], strokes: Sequence[Stroke], grid: Grid) -> None:
    """Draw `strokes` over what `labels` (of `grid`) holds; the newer wins."""
    for stroke in strokes:
        drawn = draw(stroke, grid)
        if drawn is not None:
            labels[drawn.window.slices][drawn.mask] = stroke.label.value


def own_grid(shape: tuple[int, int], mpp: float) -> Grid:
    """The grid of an image of `shape` (rows, columns) that is at the model's scale already."""
    return Grid.at(Region(0, 0, shape[1], shape[0], mpp), mpp)


class Drawn(NamedTuple):
    """What strokes change in a batch of lessons: labels, channels of `inputs`, and reach.

    Attributes:
        labels: (N, H, W) uint8.
        channels: (N, 2, H, W) float32, the last two of the inputs.
        reach: (N, 1, H, W) float32.
    """

    labels: torch.Tensor
    channels: torch.Tensor
    reach: torch.Tensor


def next_round(
    labels: torch.Tensor,
    truth: torch.Tensor,
    answer: torch.Tensor,
    numbers: torch.Tensor,
    card: Card,
    seed: int,
) -> Drawn:
    """Further strokes, drawn where the network's own `answer` is wrong.

    Only what stands for the strokes changes from one round to the next (paper, 2.2.4).

    Args:
        labels: (N, H, W) uint8, strokes so far; left as they are.
        truth: (N, H, W) bool.
        answer: (N, H, W) bool, what the network made of it.
        numbers: (N,), the patches'.
        card: What the network reads.
        seed: All chance hangs on this and the patches' numbers.
    """
    grid = own_grid((answer.shape[1], answer.shape[2]), card.mpp)
    drawn = labels.numpy().copy()
    channels, weights = [], []
    for index, number in enumerate(numbers.tolist()):
        rng = np.random.default_rng([seed, number])
        most = None if rng.random() < _ALL else int(rng.integers(1, 5))
        hand = replace(VARIED, most=most)
        chance = int(rng.integers(2**32))
        strokes = scribbles(truth[index].numpy(), answer[index].numpy(), grid, hand, chance)
        draw_all(drawn[index], strokes, grid)
        fields = fields_of(card, drawn[index])
        channels.append(stroke_channels(card, *fields, drawn[index]))
        weights.append(weight_of(card, fields)[None])
    return Drawn(
        torch.from_numpy(drawn),
        torch.from_numpy(np.stack(channels)),
        torch.from_numpy(np.stack(weights)),
    )


def _truth(sample: Sample, at: Place) -> NDArray[np.bool_]:
    inside = np.where(sample.truth, np.uint8(255), np.uint8(0))
    return cut(inside, at) > 127


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
