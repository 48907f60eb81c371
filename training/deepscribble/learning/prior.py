"""First guesses for RefineNet to correct: another model's, a pathologist's, good ones and bad.

Made by spoiling the truth. GuideNet's own guesses are too alike in their mistakes: a RefineNet
that only met those neither keeps a good guess nor mends an unfamiliar one.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

_USELESS = 0.15
"""Share of the guesses that say the same everywhere, as on tissue that no GuideNet knows."""

_GOOD = 0.15
"""Share of the guesses that are only unsure, not wrong."""


def spoiled(truth: NDArray[np.bool_], rng: np.random.Generator) -> Field:
    """A guess at `truth` with mistakes of many kinds, sometimes none.

    Args:
        truth: (rows, columns).
        rng: Chooses the mistakes.

    Returns:
        Probability, (rows, columns) float32 in [0, 1].
    """
    rows, columns = truth.shape
    if rng.random() < _USELESS:
        return np.full((rows, columns), rng.uniform(0.0, 1.0), dtype=np.float32)
    guess: Field = truth.astype(np.float32)
    # A good guess is met too, and shall be kept.
    if rng.random() >= _GOOD:
        guess = _mistaken(guess, rng)
    guess = _float(cv2.GaussianBlur(guess, (0, 0), rng.uniform(0.6, 5.0)))
    # A network's guess is never quite sure, and seldom evenly so.
    low, high = rng.uniform(0.0, 0.3), rng.uniform(0.7, 1.0)
    texture = noise((rows, columns), rng.uniform(2.0, 24.0), rng)
    guess = low + (high - low) * guess + np.float32(rng.uniform(0.0, 0.15)) * texture
    return _float(np.clip(guess, 0.0, 1.0))


def _mistaken(guess: Field, rng: np.random.Generator) -> Field:
    """Overlooked pieces, bent, grown or shrunken edges, patches lost and invented."""
    if rng.random() < 0.4:
        guess = _missed(guess, rng)
    if rng.random() < 0.6:
        guess = _bent(guess, rng)
    if rng.random() < 0.5:
        reach = int(rng.integers(1, 10))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        grow = rng.random() < 0.5
        guess = _float((cv2.dilate if grow else cv2.erode)(guess, kernel))
    for value in (0.0, 1.0):
        if rng.random() < 0.6:
            guess[_blobs((guess.shape[0], guess.shape[1]), rng)] = value
    return guess


def _missed(guess: Field, rng: np.random.Generator) -> Field:
    """Whole glands or nests overlooked, as a first guess does; at times all of them."""
    count, pieces = cv2.connectedComponents((guess > 0.5).astype(np.uint8), connectivity=4)
    share = rng.uniform(0.2, 1.0)
    kept = np.append(True, rng.random(count - 1) >= share)
    return np.where(kept[pieces], guess, np.float32(0))


def noise(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> Field:
    """Smooth noise of unit variance; features are about `sigma` pixels wide."""
    step = max(1, int(sigma / 2))
    size = (shape[0] // step + 2, shape[1] // step + 2)
    coarse = _float(
        cv2.GaussianBlur(
            rng.standard_normal(size, dtype=np.float32), (0, 0), max(sigma / step, 0.5)
        )
    )
    coarse /= max(float(coarse.std()), 1e-6)
    return _float(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def _bent(guess: Field, rng: np.random.Generator) -> Field:
    """Edges moved by a smooth field of shifts, several pixels at most places."""
    shape = (guess.shape[0], guess.shape[1])
    rows, columns = np.indices(shape, dtype=np.float32)
    sigma, strength = rng.uniform(8.0, 40.0), np.float32(rng.uniform(1.0, 10.0))
    return _float(
        cv2.remap(
            guess,
            columns + strength * noise(shape, sigma, rng),
            rows + strength * noise(shape, sigma, rng),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    )


def _blobs(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A few round-edged patches that cover 2 to 20 % of the area."""
    field = noise(shape, rng.uniform(8.0, 40.0), rng)
    return above(field, 1.0 - rng.uniform(0.02, 0.2))


def above(field: Field, quantile: float) -> NDArray[np.bool_]:
    """Where a smooth field is above a quantile of itself."""
    return field > np.quantile(field[::4, ::4], quantile)


def _float(values: NDArray[Any]) -> Field:
    """OpenCV keeps the type of what it is given but does not say so."""
    return np.asarray(values, dtype=np.float32)
