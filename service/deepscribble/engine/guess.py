"""The first outline of a region: pixels at the model's scale and the prior on them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.contour import Pieces
from deepscribble.engine.tiles import Blend, cover, predict
from deepscribble.geometry import Grid, Polygon
from deepscribble.models import Model, input_channels
from deepscribble.raster import Window, fill

_BATCH = 4
"""GuideNet's tiles in one run: keeps a GPU busy, costs a CPU nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """The pixels of a region at a model's scale.

    Args:
        grid: Where the pixels lie.
        rgb: (rows, columns, 3) uint8.
    """

    grid: Grid
    rgb: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.rgb.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """What is known before any stroke.

    Args:
        probability: (rows, columns) float32, the prior.
        pieces: Its outline.
        outline_id: Names that outline.
    """

    probability: NDArray[np.float32]
    pieces: Pieces
    outline_id: str

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.probability.nbytes + self.pieces.nbytes


def scale_pixels(rgb: NDArray[np.uint8], grid: Grid) -> Scaled:
    """Resample pixels that cover a region edge to edge onto the model's grid."""
    if rgb.shape[:2] == grid.shape:
        return Scaled(grid, rgb)
    shrinking = rgb.shape[0] >= grid.height and rgb.shape[1] >= grid.width
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    resized = cv2.resize(rgb, (grid.width, grid.height), interpolation=method)
    return Scaled(grid, resized.astype(np.uint8, copy=False))


def guess_by_guide(model: Model, scaled: Scaled, grid: Grid, threshold: float) -> Guess:
    """GuideNet's probability, over overlapping tiles.

    Args:
        model: A GuideNet.
        scaled: Pixels at its scale.
        grid: The grid of the answer; another than `scaled.grid` where RefineNet runs at another
            scale.
        threshold: Of the outline.
    """
    rgb = scaled.rgb
    whole = Window(0, 0, *scaled.grid.shape)
    blend = Blend(whole)
    tiles = cover(whole, scaled.grid.shape, model.card.patch_size)
    for tile, probability in predict(
        model, tiles, lambda tile: input_channels(model.card, rgb[tile.slices]), _BATCH
    ):
        blend.add(tile, probability)
    probability = blend.result()
    if scaled.grid != grid:
        probability = cv2.resize(
            probability, (grid.width, grid.height), interpolation=cv2.INTER_LINEAR
        ).astype(np.float32, copy=False)
    return _guess(probability, grid, threshold)


def guess_from_polygons(polygons: Sequence[Polygon], grid: Grid, threshold: float) -> Guess:
    """A prior of 1 at the pixel centres inside `polygons` (level-0 pixels) and 0 elsewhere."""
    probability = np.zeros(grid.shape, dtype=np.float32)
    for polygon in polygons:
        rings = [grid.from_level0(ring) for ring in polygon.rings]
        low = np.floor(rings[0].min(axis=0)).astype(np.int64)
        high = np.ceil(rings[0].max(axis=0)).astype(np.int64)
        left, top = np.clip(low, 0, [grid.width, grid.height]).tolist()
        right, bottom = np.clip(high, 0, [grid.width, grid.height]).tolist()
        if right <= left or bottom <= top:
            continue
        window = Window(top, left, bottom, right)
        inside = fill([ring - [left, top] for ring in rings], (window.height, window.width))
        probability[window.slices][inside] = 1.0
    return _guess(probability, grid, threshold)


def _guess(probability: NDArray[np.float32], grid: Grid, threshold: float) -> Guess:
    digest = hashlib.sha256(f"{grid} {threshold}".encode())
    digest.update(probability.data)
    return Guess(probability, Pieces.of(probability, threshold, grid), digest.hexdigest())
