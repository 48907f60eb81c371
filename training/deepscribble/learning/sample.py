"""Images and masks in memory, at the scale that the networks work at."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput
from deepscribble.learning.manifest import Pair

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A pair resampled to the networks' µm per pixel.

    Args:
        pair: Where it came from.
        rgb: (rows, columns, 3) uint8.
        truth: (rows, columns) bool, the mask.
    """

    pair: Pair
    rgb: NDArray[np.uint8]
    truth: NDArray[np.bool_]


def load_sample(pair: Pair, mpp: float) -> Sample:
    """Read a pair and resample it from its own scale to `mpp` (µm per pixel).

    Raises:
        InvalidInput: a file is no image, or the mask's size is not the image's.
    """
    rgb = read_image(pair.image)
    mask = _read(pair.mask, cv2.IMREAD_GRAYSCALE)
    if mask.shape != rgb.shape[:2]:
        raise InvalidInput(
            "data",
            f"{pair.mask} is {mask.shape[1]}x{mask.shape[0]} pixels, but its image {pair.image} "
            f"is {rgb.shape[1]}x{rgb.shape[0]}",
        )
    factor = pair.mpp / mpp
    inside = np.where(mask > 127, np.uint8(255), np.uint8(0))
    return Sample(pair, resized(rgb, factor), resized(inside, factor) > 127)


def resized(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """An image with its sides multiplied by `factor`."""
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), dtype=np.uint8)


def load_samples(pairs: Iterable[Pair], mpp: float) -> tuple[Sample, ...]:
    """`load_sample` for each of `pairs`."""
    return tuple(load_sample(pair, mpp) for pair in pairs)


def check_masks(samples: Sequence[Sample]) -> None:
    """See that there is something to learn from masks, and say how many hold one answer only.

    An image without tumor teaches what tumor is not; a set of nothing but such images is a mistake.

    Raises:
        InvalidInput: all masks of a set are empty, or all are full.
    """
    by_set: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_set[sample.pair.set].append(sample)
    for name, members in sorted(by_set.items()):
        for word, kind in (
            ("empty", [not s.truth.any() for s in members]),
            ("full", [bool(s.truth.all()) for s in members]),
        ):
            if all(kind):
                raise InvalidInput(
                    "data",
                    f"all {len(members)} masks of set {name} are {word}; a mask holds values over "
                    "127 inside and others outside (leave the set out with --leave-out)",
                )
            if any(kind):
                logger.info("set %s: %d of %d masks are %s", name, sum(kind), len(members), word)


def read_image(path: Path) -> NDArray[np.uint8]:
    """(rows, columns, 3) uint8, RGB.

    Raises:
        InvalidInput: the file is no image.
    """
    rgb = cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return np.asarray(rgb, dtype=np.uint8)


def _read(path: Path, mode: int) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), mode)
    if image is None:
        raise InvalidInput("data", f"{path} cannot be read as an image; it is damaged or none")
    return np.asarray(image, dtype=np.uint8)
