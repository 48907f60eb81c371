"""What the trials of one method come to, with 95 % intervals over the cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepscribble.benchmark.trial import MOST, Trial
from deepscribble.errors import InvalidInput

RESAMPLES = 2000
"""Times that the cases are drawn anew for an interval."""

Floats = NDArray[np.float64]
Numbers = NDArray[np.float64] | NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over cases and its 95 % bootstrap interval; None where there is nothing to average.

    Args:
        value: The mean.
        low: 2.5 % of the resamples lie below.
        high: 2.5 % of the resamples lie above.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Reached:
    """How many strokes it takes to a wanted IoU (NoI), and how often it is not reached.

    Args:
        target: The wanted IoU.
        interactions: Strokes that count, a failure counting as `MOST`.
        of_successes: The same over the cases that got there only, as the paper has it.
        share: Of the cases that got there.
        failures: Cases that did not.
    """

    target: float
    interactions: Estimate
    of_successes: Estimate
    share: Estimate
    failures: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What one method came to on the cases of one protocol.

    Args:
        method: Its name.
        cases: How many.
        first_iou: Before any stroke that counts.
        final_iou: After the last stroke.
        at85: Strokes to an IoU of 0.85.
        at90: Strokes to an IoU of 0.90.
        area: Mean IoU over 0 to `MOST` strokes: the area under the curve, 0 to 1.
        seconds: Mean seconds per interaction that counts.
        seconds_median: Their median; None where there were none.
        seconds_total: Of all interactions together, free ones too.
        flips: Mean share of stroke pixels that the answer is against, over rounds that count.
        far: Likewise the share of the pixels beyond all strokes' reach that changed in a round.
        shift_loss: IoU that is lost when strokes are moved a little.
    """

    method: str
    cases: int
    first_iou: Estimate
    final_iou: Estimate
    at85: Reached
    at90: Reached
    area: Estimate
    seconds: Estimate
    seconds_median: float | None
    seconds_total: float
    flips: Estimate
    far: Estimate
    shift_loss: Estimate


def figures_of(trials: Sequence[Trial], seed: int = 0) -> Figures:
    """Sum up the trials of one method.

    Args:
        trials: One a case.
        seed: Of the bootstrap; all methods of a table share it, so that they share resamples.

    Raises:
        InvalidInput: no trials, or of several methods.
    """
    methods = {trial.method for trial in trials}
    if len(methods) != 1:
        names = ", ".join(sorted(methods)) or "none"
        raise InvalidInput("trials", f"figures are of one method, but these are of {names}")
    draws = np.random.default_rng(seed).integers(len(trials), size=(RESAMPLES, len(trials)))
    curves = np.array([trial.curve for trial in trials])
    shifts = np.array(
        [
            np.nan if trial.shifted_iou is None else (trial.together_iou or 0) - trial.shifted_iou
            for trial in trials
        ]
    )
    # A free stroke may ask nothing of a method that waits for strokes of both labels.
    counted = [trial.rounds[trial.free_strokes :] for trial in trials]
    waits = [one.seconds for rounds in counted for one in rounds]

    def per_round(name: str) -> Estimate:
        sums = np.array([sum(getattr(one, name) for one in rounds) for rounds in counted])
        return _ratio(sums, np.array([len(rounds) for rounds in counted]), draws)

    return Figures(
        method=methods.pop(),
        cases=len(trials),
        first_iou=_mean(curves[:, 0], draws),
        final_iou=_mean(curves[:, -1], draws),
        at85=_reached(trials, 0.85, draws),
        at90=_reached(trials, 0.90, draws),
        area=_mean(curves.mean(axis=1), draws),
        seconds=per_round("seconds"),
        seconds_median=float(np.median(waits)) if waits else None,
        seconds_total=float(sum(one.seconds for trial in trials for one in trial.rounds)),
        flips=per_round("flips"),
        far=per_round("far"),
        shift_loss=_mean(shifts, draws),
    )


def mean_curve(trials: Sequence[Trial], seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Mean IoU after 0 to `MOST` strokes, and the ends of its interval; each (MOST + 1,)."""
    curves = np.array([trial.curve for trial in trials])
    draws = np.random.default_rng(seed).integers(len(trials), size=(RESAMPLES, len(trials)))
    low, high = np.percentile(curves[draws].mean(axis=1), (2.5, 97.5), axis=0)
    return curves.mean(axis=0), low, high


def _reached(trials: Sequence[Trial], target: float, draws: NDArray[np.int64]) -> Reached:
    found = [trial.interactions(target) for trial in trials]
    success = np.array([count is not None for count in found], dtype=np.float64)
    counts = np.array([MOST if count is None else count for count in found], dtype=np.float64)
    return Reached(
        target,
        _mean(counts, draws),
        _ratio(counts * success, success, draws),
        _mean(success, draws),
        sum(count is None for count in found),
    )


def _mean(values: Floats, draws: NDArray[np.int64]) -> Estimate:
    """The mean of what is not NaN."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0), known.astype(np.float64), draws)


def _ratio(above: Floats, below: Numbers, draws: NDArray[np.int64]) -> Estimate:
    """Sum of `above` over sum of `below`, both one value a case."""
    if below.sum() == 0:
        return Estimate(None, None, None)
    weights = below[draws].sum(axis=1)
    some = weights > 0
    ratios = above[draws].sum(axis=1)[some] / weights[some]
    low, high = np.percentile(ratios, (2.5, 97.5))
    return Estimate(float(above.sum() / below.sum()), float(low), float(high))
