"""How a network's square tiles are laid, padded, blended and composed: one way for all.

The server, the training and the benchmark call the same functions, so that networks learn from
the answers that users get.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry import Label
from deepscribble.models import Card
from deepscribble.raster import StrokeMask, Window, reach

Field = NDArray[np.float32]

GUIDE_TILE = 512
"""Side of GuideNet's tiles, model pixels; a smaller grid is one tile."""

GUIDE_OVERLAP = 48
"""Pixels that two neighbouring tiles of GuideNet share."""

_BLOCK = 8
"""A long stroke is divided into blocks of this many pixels when tiles are laid along it."""


class GuideTiles:
    """GuideNet's tiles over a grid, anchored at its origin, and how they are blended.

    Args:
        shape: (rows, columns) of the grid.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._axes = (_positions(shape[0]), _positions(shape[1]))
        self._shape = shape

    def meeting(self, window: Window) -> list[Window]:
        """The tiles that share a pixel with a window, row by row."""
        rows, columns = (
            [at for at in axis if at < stop and at + GUIDE_TILE > start]
            for axis, start, stop in (
                (self._axes[0], window.top, window.bottom),
                (self._axes[1], window.left, window.right),
            )
        )
        return [
            Window(
                top,
                left,
                min(top + GUIDE_TILE, self._shape[0]),
                min(left + GUIDE_TILE, self._shape[1]),
            )
            for top in rows
            for left in columns
        ]


def _positions(size: int) -> list[int]:
    """The first pixels of the tiles over an axis; the last one ends where the axis ends."""
    if size <= GUIDE_TILE:
        return [0]
    step = GUIDE_TILE - GUIDE_OVERLAP
    count = math.ceil((size - GUIDE_OVERLAP) / step)
    return [min(number * step, size - GUIDE_TILE) for number in range(count)]


def tiles_along(stroke: StrokeMask, shape: tuple[int, int], card: Card) -> list[Window]:
    """RefineNet's tiles for one stroke: one centred on it, or as many as its length needs.

    All pixels that the stroke reaches and does not decide itself lie in a tile.

    Args:
        stroke: The pixels that the stroke decides.
        shape: (rows, columns) of the grid.
        card: RefineNet's.
    """
    inner = card.patch_size - 2 * math.ceil(card.influence_radius)
    if stroke.window.height <= inner and stroke.window.width <= inner:
        return [_centred(stroke.window, shape, card.patch_size)]
    edge = _blocks(_edge(stroke.mask))
    most = max(1, inner // _BLOCK)
    tiles = []
    for top in range(len(edge)):
        while (columns := np.flatnonzero(edge[top])).size:
            first = int(columns[0])
            band = edge[top : top + most]
            # Of the squares that hold the first block, the one that holds most of the others.
            lefts = np.arange(max(0, first - most + 1), first + 1)
            sums = np.concatenate([[0], np.cumsum(band.sum(axis=0))])
            held = sums[np.minimum(lefts + most, edge.shape[1])] - sums[lefts]
            left = int(lefts[::-1][np.argmax(held[::-1])])
            square = edge[top : top + most, left : left + most]
            rows, found = np.nonzero(square)
            box = Window(
                stroke.window.top + (top + int(rows.min())) * _BLOCK,
                stroke.window.left + (left + int(found.min())) * _BLOCK,
                stroke.window.top + (top + int(rows.max()) + 1) * _BLOCK,
                stroke.window.left + (left + int(found.max()) + 1) * _BLOCK,
            )
            tiles.append(_centred(box, shape, card.patch_size))
            square[:] = False
    return tiles


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a mask that have a neighbour outside of it."""
    padded = np.pad(mask, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: NDArray[np.bool_] = mask & ~surrounded
    return edge


def _blocks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each block of pixels holds one of `mask`."""
    rows, columns = (-(-side // _BLOCK) * _BLOCK for side in mask.shape)
    padded = np.zeros((rows, columns), np.bool_)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    blocks = padded.reshape(rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK)
    return np.asarray(blocks.any(axis=(1, 3)), np.bool_)


def _centred(box: Window, shape: tuple[int, int], patch: int) -> Window:
    """A tile centred on `box` as far as the grid allows."""
    top = min(max((box.top + box.bottom) // 2 - patch // 2, 0), max(shape[0] - patch, 0))
    left = min(max((box.left + box.right) // 2 - patch // 2, 0), max(shape[1] - patch, 0))
    return Window(top, left, min(top + patch, shape[0]), min(left + patch, shape[1]))


def padded(channels: Field, multiple: int) -> Field:
    """Mirror the lower and right borders until both sides are multiples of `multiple`.

    Args:
        channels: (C, rows, columns).
        multiple: As the card has it.
    """
    rows, columns = channels.shape[1:]
    below, right = -rows % multiple, -columns % multiple
    if not below and not right:
        return channels
    return np.pad(channels, ((0, 0), (0, below), (0, right)), mode="symmetric")


class Blend:
    """Overlapping tiles averaged to one map, each counting most in its middle.

    Args:
        window: The part of the grid that is put together.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        shape = (window.height, window.width)
        self._sum: Field = np.zeros(shape, dtype=np.float32)
        self._weight: Field = np.zeros(shape, dtype=np.float32)

    def add(self, tile: Window, values: Field) -> None:
        """Lay the values of `tile` where it meets the window."""
        shared = tile.shared(self._window)
        if not shared.height or not shared.width:
            return
        rows, columns = shared.within(tile).slices
        weight = np.outer(hann_window(tile.height)[rows], hann_window(tile.width)[columns])
        target = shared.within(self._window).slices
        self._sum[target] += weight * values[rows, columns]
        self._weight[target] += weight

    def result(self) -> Field:
        """The blended map of the window, 0 where no tile lies."""
        blended = np.zeros_like(self._sum)
        np.divide(self._sum, self._weight, out=blended, where=self._weight > 0)
        return blended


def blended(window: Window, tiles: list[Window], values: list[Field]) -> Field:
    """The answers on several tiles as one map of `window`.

    A window that lies in one tile alone gets that tile's values as they are.
    """
    if len(tiles) == 1 and tiles[0].shared(window) == window:
        return values[0][window.within(tiles[0]).slices]
    blend = Blend(window)
    for tile, answer in zip(tiles, values, strict=True):
        blend.add(tile, answer)
    return blend.result()


def hann_window(size: int) -> Field:
    """Weights of a tile's pixels along one side: greatest in the middle, never 0."""
    return np.hanning(size + 2)[1:-1].astype(np.float32)


def compose(before: Field, refined: Field, near: Field, labels: NDArray[np.uint8]) -> Field:
    """One step: the answer after a stroke.

    before + reach * (refined - before), then the pixels of all strokes as they say. `reach` is 0
    where the newest stroke does not reach, which leaves `before` there bit for bit.

    Args:
        before: (rows, columns) the answer before the stroke.
        refined: RefineNet's.
        near: The newest stroke's own nearness, 1 on it and 0 from the influence radius on.
        labels: `Label` values of all strokes so far.
    """
    answer = before + reach(near) * (refined - before)
    answer[labels == Label.FOREGROUND.value] = 1.0
    answer[labels == Label.BACKGROUND.value] = 0.0
    return answer
