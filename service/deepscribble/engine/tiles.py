"""How a network's square tiles are laid over a region, and blended where they overlap."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from deepscribble.models import Model
from deepscribble.raster import Window

OVERLAP = 0.25
"""Share of a tile that its neighbour covers too."""


def cover(area: Window, shape: tuple[int, int], patch: int) -> list[Window]:
    """Tiles of at most `patch` pixels a side that cover `area`, inside an array of `shape`.

    An area that fits one tile gets one, centred on it as far as the array's border allows.
    """
    rows = _positions(area.top, area.bottom, shape[0], patch)
    columns = _positions(area.left, area.right, shape[1], patch)
    return [
        Window(top, left, min(top + patch, shape[0]), min(left + patch, shape[1]))
        for top in rows
        for left in columns
    ]


def _positions(start: int, stop: int, size: int, patch: int) -> list[int]:
    """First pixels of the tiles that cover `start` to `stop` of an axis of `size` pixels."""
    if size <= patch:
        return [0]
    if stop - start <= patch:
        centred = (start + stop) // 2 - patch // 2
        return [min(max(centred, 0), size - patch)]
    step = patch - int(patch * OVERLAP)
    count = math.ceil((stop - start - patch) / step) + 1
    return [round(p) for p in np.linspace(start, stop - patch, count)]


def predict(
    model: Model,
    tiles: Sequence[Window],
    stack: Callable[[Window], NDArray[np.float32]],
    batch_size: int,
) -> Iterable[tuple[Window, NDArray[np.float32]]]:
    """Run `model` over `tiles`, `batch_size` at a time.

    Args:
        model: GuideNet or RefineNet.
        tiles: Windows of one size.
        stack: Gives the input channels (C, rows, columns) of a window.
        batch_size: Tiles in one run of the network.

    Yields:
        Each window with its probability (rows, columns) float32.
    """
    for first in range(0, len(tiles), batch_size):
        group = tiles[first : first + batch_size]
        batch = np.stack([_padded(stack(tile), model.card.multiple) for tile in group])
        for tile, probability in zip(group, model.predict(batch), strict=True):
            yield tile, probability[: tile.height, : tile.width]


def _padded(channels: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    """Mirror the lower and right borders until both sides are multiples of `multiple`."""
    rows, columns = channels.shape[1:]
    below, right = -rows % multiple, -columns % multiple
    if not below and not right:
        return channels
    return np.pad(channels, ((0, 0), (0, below), (0, right)), mode="symmetric")


class Blend:
    """Overlapping tiles averaged to one map, each counting most in its middle.

    Args:
        window: The part of the region that is put together.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        shape = (window.height, window.width)
        self._sum: NDArray[np.float32] = np.zeros(shape, dtype=np.float32)
        self._weight: NDArray[np.float32] = np.zeros(shape, dtype=np.float32)

    def add(self, tile: Window, values: NDArray[np.float32]) -> None:
        """Lay `values` of `tile` where it meets the window."""
        if not tile.meets(self._window):
            return
        shared = Window(
            max(tile.top, self._window.top),
            max(tile.left, self._window.left),
            min(tile.bottom, self._window.bottom),
            min(tile.right, self._window.right),
        )
        weight = np.outer(_hill(tile.height), _hill(tile.width))[shared.within(tile).slices]
        target = shared.within(self._window).slices
        self._sum[target] += weight * values[shared.within(tile).slices]
        self._weight[target] += weight

    def result(self) -> NDArray[np.float32]:
        """The blended map of the window, 0 where no tile lies."""
        blended = np.zeros_like(self._sum)
        np.divide(self._sum, self._weight, out=blended, where=self._weight > 0)
        return blended


def _hill(size: int) -> NDArray[np.float32]:
    """Weights of a tile's pixels along one side: greatest in the middle, never 0."""
    return np.hanning(size + 2)[1:-1].astype(np.float32)
