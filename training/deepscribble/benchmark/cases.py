"""The patches that every method corrects: cut from a manifest's images, guessed at, chosen."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepscribble.benchmark.method import Case
from deepscribble.engine import Engine, complete
from deepscribble.errors import InvalidInput, UnknownModel
from deepscribble.learning import Pair, Sample, iou, load_sample, read_manifest
from deepscribble.learning.manifest import SPLITS, is_of
from deepscribble.learning.patches import own_grid
from deepscribble.models import Card

logger = logging.getLogger(__name__)

SIDE = 384
"""Patches are at most this many model pixels wide and high (paper, 2.3)."""

DOUBTFUL = (0.50, 0.75)
"""The IoU of the first guesses that the paper refines (3.1)."""

PATCHES = 20
"""How many of them the paper takes."""


def read_pairs(data: Path, split: str = "val", leave_out: Collection[str] = ()) -> tuple[Pair, ...]:
    """The images that cases are cut from.

    Args:
        data: Folder of a manifest.
        split: `train` or `val`; networks learned from `train`, so that only `val` is honest.
        leave_out: Sets whose `train` rows are ignored, as in training; their `val` rows stay.

    Raises:
        InvalidInput: the data or an argument is wrong, or no image is left.
    """
    if split not in SPLITS:
        raise InvalidInput("split", f"{split!r} is neither {' nor '.join(SPLITS)}")
    pairs = tuple(pair for pair in read_manifest(data, leave_out) if pair.split == split)
    if not pairs:
        raise InvalidInput("split", f"{data / 'manifest.csv'} has no image of {split} to judge on")
    return pairs


def read_samples(pairs: Sequence[Pair], mpp: float, side: int = SIDE) -> dict[str, Sample]:
    """One patch of each image: its middle, at most `side` model pixels wide and high.

    Patches that hold nothing to find, or nothing else, say nothing of a method; they are left out.

    Args:
        pairs: The images.
        mpp: µm per pixel that the networks work at.
        side: Model pixels.

    Returns:
        The patches by the name of their case, set and image, in the order of `pairs`.

    Raises:
        InvalidInput: a file is damaged, or no patch is left.
    """
    cut = {
        name: _middle(load_sample(pair, mpp), side)
        for name, pair in zip(_names(pairs), pairs, strict=True)
    }
    samples = {
        name: sample
        for name, sample in cut.items()
        if sample.truth.any() and not sample.truth.all()
    }
    if not samples:
        raise InvalidInput("data", "every patch is all inside or all outside; nothing to correct")
    return samples


def guide_for(engine: Engine, target: str) -> Card:
    """The card of the GuideNet that finds `target`, or what it is a kind of.

    Raises:
        UnknownModel: there is none.
    """
    guides = [card for card in engine.cards() if card.kind == "guide"]
    for card in guides:
        if is_of(target, card.target):
            return card
    known = ", ".join(card.target for card in guides) or "none"
    raise UnknownModel(
        f"no GuideNet finds {target!r} (there are those for: {known}); train one with "
        "`deepscribble train guide --target ...`"
    )


def build_case(name: str, sample: Sample, engine: Engine) -> Case:
    """A patch with the first guess that the product itself would make."""
    guide = guide_for(engine, sample.pair.target)
    rows, columns = sample.truth.shape
    grid = own_grid((rows, columns), guide.mpp)
    work = engine.segment(grid.region, sample.rgb, guide_model=guide.name, return_probability=True)
    outline = complete(work, engine.network)
    assert outline.probability is not None
    return Case(
        name=name,
        set=sample.pair.set,
        target=sample.pair.target,
        rgb=sample.rgb,
        truth=sample.truth,
        prior=outline.probability,
        grid=grid,
    )


def prior_mask(case: Case, threshold: float = 0.5) -> NDArray[np.bool_]:
    """The first guess as a mask, (rows, columns)."""
    inside: NDArray[np.bool_] = case.prior >= threshold
    return inside


def prior_iou(case: Case) -> float:
    """How good the first guess is."""
    return iou(case.truth, prior_mask(case))


def whole(cases: Sequence[Case], patches: int, seed: int) -> tuple[Case, ...]:
    """The protocol "whole": every case."""
    return tuple(cases)


def doubtful(cases: Sequence[Case], patches: int, seed: int) -> tuple[Case, ...]:
    """The protocol "paper": cases whose first guess is neither good nor useless (3.1).

    Args:
        cases: All there are.
        patches: At most so many are taken, from the sets by turns, by chance within each.
        seed: The same seed takes the same cases.

    Raises:
        InvalidInput: there is no such case.
    """
    low, high = DOUBTFUL
    by_set: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if low <= prior_iou(case) <= high:
            by_set[case.set].append(case)
    if not by_set:
        raise InvalidInput(
            "protocol",
            f"no first guess has an IoU of {low:.2f} to {high:.2f}; use --protocol whole",
        )
    rng = np.random.default_rng(seed)
    piles = [[found[i] for i in rng.permutation(len(found))] for _, found in sorted(by_set.items())]
    chosen: list[Case] = []
    for turn in range(max(map(len, piles))):
        chosen += [pile[turn] for pile in piles if turn < len(pile)]
    if len(chosen) < patches:
        logger.warning(
            "only %d of the %d patches asked for: no more first guesses are at %.2f to %.2f IoU",
            len(chosen),
            patches,
            low,
            high,
        )
    return tuple(chosen[:patches])


Choose = Callable[[Sequence[Case], int, int], tuple[Case, ...]]

PROTOCOLS: dict[str, Choose] = {"paper": doubtful, "whole": whole}
"""How cases are chosen: from all, how many where it matters, and a seed."""


def data_digest(data: Path, pairs: Sequence[Pair]) -> str:
    """ "sha256:" and the hex digest over the manifest and the files of `pairs`."""
    digest = hashlib.sha256((data / "manifest.csv").read_bytes())
    for path in sorted({file for pair in pairs for file in (pair.image, pair.mask)}):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{digest.hexdigest()}"


def _names(pairs: Sequence[Pair]) -> list[str]:
    """Set and image for each; numbered where two would be called the same."""
    seen: Counter[str] = Counter()
    names = []
    for pair in pairs:
        name = f"{pair.set}/{pair.image.stem}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def _middle(sample: Sample, side: int) -> Sample:
    rows, columns = sample.truth.shape
    top, left = (max(0, (length - side) // 2) for length in (rows, columns))
    here = (slice(top, top + side), slice(left, left + side))
    rgb, truth = np.ascontiguousarray(sample.rgb[here]), np.ascontiguousarray(sample.truth[here])
    return Sample(sample.pair, rgb, truth)
