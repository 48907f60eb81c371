"""What is known of a region before any stroke: cell by cell, computed when it is first needed."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deepscribble.engine.source import Source
from deepscribble.engine.store import Store
from deepscribble.engine.tiling import GuideTiles, blended, padded
from deepscribble.engine.work import Tile, Work
from deepscribble.geometry import Grid, Polygon
from deepscribble.models import Card, input_channels
from deepscribble.raster import Cell, Lattice, Plane, Window, fill

Field = NDArray[np.float32]
Cells = Mapping[Cell, Field]

_GROUP = 16
"""GuideNet's tiles that are asked for at a time."""


class Prior(ABC):
    """The first answer of a region. Thread-safe: what it has computed lies in the store.

    Attributes:
        id: Names the prior by all that it follows from.
        lattice: Of the grid.
    """

    id: str
    lattice: Lattice

    @abstractmethod
    def cells(self, wanted: Iterable[Cell]) -> Work[Cells]:
        """The probability, float32 in [0, 1], in some cells of the lattice."""


class GuidePrior(Prior):
    """GuideNet's probability.

    Args:
        source: The pixels.
        card: GuideNet's.
        own: The grid at GuideNet's scale.
        grid: The grid of the answer; another one where RefineNet runs at another scale.
        kind: Of device, since it decides the last bits.
        store: Keeps tiles and cells.
    """

    def __init__(
        self, source: Source, card: Card, own: Grid, grid: Grid, kind: str, store: Store
    ) -> None:
        named = f"{source.id} {card.name} {card.digest} {own} {grid} {kind}"
        self.id = hashlib.sha256(named.encode()).hexdigest()
        self.lattice = Lattice(grid.shape)
        self._source = source
        self._card = card
        self._own = own
        self._grid = grid
        self._store = store
        self._tiles = GuideTiles(own.shape)

    def cells(self, wanted: Iterable[Cell]) -> Work[Cells]:
        """GuideNet runs on the tiles that lie over cells which the store does not have."""
        found: dict[Cell, Field] = {}
        missing: list[Cell] = []
        for cell in wanted:
            held = self._store.get((self.id, cell))
            if held is None:
                missing.append(cell)
            else:
                found[cell] = held
        # Row by row of cells, so that few tiles are held at a time.
        for row in sorted({cell[0] for cell in missing}):
            cells = [cell for cell in missing if cell[0] == row]
            over = {cell: self._tiles.meeting(self._seen(cell)) for cell in cells}
            tiles = sorted({tile for tiles in over.values() for tile in tiles}, key=_place)
            answers = yield from self._answers(tiles)
            for cell in cells:
                values = self._blended(cell, over[cell], answers)
                values.flags.writeable = False
                self._store.put((self.id, cell), values, values.nbytes)
                found[cell] = values
        return found

    def _answers(self, tiles: Sequence[Window]) -> Work[dict[Window, Field]]:
        """GuideNet's probability on each tile."""
        answers: dict[Window, Field] = {}
        missing = []
        for tile in tiles:
            held = self._store.get((self.id, tile))
            if held is None:
                missing.append(tile)
            else:
                answers[tile] = held
        for first in range(0, len(missing), _GROUP):
            group = missing[first : first + _GROUP]
            results = yield [
                Tile(self._card, lambda tile=tile: self._channels(tile), (self.id, tile))  # type: ignore[misc]
                for tile in group
            ]
            for tile, result in zip(group, results, strict=True):
                values = np.ascontiguousarray(result[: tile.height, : tile.width])
                self._store.put((self.id, tile), values, values.nbytes)
                answers[tile] = values
        return answers

    def _channels(self, tile: Window) -> Field:
        rgb = self._source.read(self._own, tile)
        return padded(input_channels(self._card, rgb), self._card.multiple)

    def _blended(self, cell: Cell, over: list[Window], answers: Mapping[Window, Field]) -> Field:
        seen = self._seen(cell)
        values = blended(seen, over, [answers[tile] for tile in over])
        if self._own == self._grid:
            return np.ascontiguousarray(values)
        window = self.lattice.window(cell)
        down = _spread(window.top, window.bottom, self._grid.height, self._own.height)
        across = _spread(window.left, window.right, self._grid.width, self._own.width)
        return _interpolated(values, down - seen.top, across - seen.left)

    def _seen(self, cell: Cell) -> Window:
        """The window at GuideNet's scale that a cell is made of."""
        window = self.lattice.window(cell)
        if self._own == self._grid:
            return window
        down = _spread(window.top, window.bottom, self._grid.height, self._own.height)
        across = _spread(window.left, window.right, self._grid.width, self._own.width)
        return Window(
            int(down[0]),
            int(across[0]),
            min(int(down[-1]) + 2, self._own.height),
            min(int(across[-1]) + 2, self._own.width),
        )


class PolygonPrior(Prior):
    """1 at the pixel centres inside polygons and 0 elsewhere.

    Args:
        polygons: Level-0 pixels.
        grid: Of the answer.
    """

    def __init__(self, polygons: Sequence[Polygon], grid: Grid) -> None:
        digest = hashlib.sha256(f"{grid}".encode())
        self.lattice = Lattice(grid.shape)
        self._inside = Plane(self.lattice, np.bool_(False))
        whole = Window(0, 0, *grid.shape)
        for polygon in polygons:
            rings = [grid.from_level0(ring) for ring in polygon.rings]
            for ring in polygon.rings:
                digest.update(len(ring).to_bytes(8, "little"))
                digest.update(ring.tobytes())
            digest.update(b"end of polygon")
            low = np.clip(np.floor(rings[0].min(axis=0)), 0, [grid.width, grid.height])
            high = np.clip(np.ceil(rings[0].max(axis=0)), 0, [grid.width, grid.height])
            box = Window(int(low[1]), int(low[0]), int(high[1]), int(high[0])).shared(whole)
            if box.width and box.height:
                origin = np.array([box.left, box.top])
                mask = fill([ring - origin for ring in rings], (box.height, box.width))
                self._inside.write(box, self._inside.read(box) | mask)
        self.id = digest.hexdigest()

    def cells(self, wanted: Iterable[Cell]) -> Work[Cells]:
        """No network runs."""
        yield from ()
        return {
            cell: self._inside.read(self.lattice.window(cell)).astype(np.float32) for cell in wanted
        }


def _place(window: Window) -> tuple[int, int]:
    return window.top, window.left


def _spread(start: int, stop: int, size: int, source: int) -> NDArray[np.float64]:
    """Where the pixel centres `start` to `stop` of an axis lie between those of another scale."""
    at = (np.arange(start, stop) + 0.5) * (source / size) - 0.5
    spread: NDArray[np.float64] = np.clip(at, 0, source - 1)
    return spread


def _interpolated(values: Field, down: NDArray[np.float64], across: NDArray[np.float64]) -> Field:
    """Bilinear interpolation of `values` at the crossings of `down` and `across`."""
    row = np.minimum(down.astype(np.int64), values.shape[0] - 1)
    column = np.minimum(across.astype(np.int64), values.shape[1] - 1)
    below = np.minimum(row + 1, values.shape[0] - 1)
    right = np.minimum(column + 1, values.shape[1] - 1)
    share = (down - row).astype(np.float32)[:, None]
    rows = values[row] * (1 - share) + values[below] * share
    share = (across - column).astype(np.float32)[None]
    found: Field = rows[:, column] * (1 - share) + rows[:, right] * share
    return found
