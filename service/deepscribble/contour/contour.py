"""An outline kept cell by cell, so that a change traces only the cells that it touches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepscribble.contour.cell import CellContour, seen_by, trace_cell
from deepscribble.contour.rings import Rings, join_rings
from deepscribble.geometry import Grid, Polygon
from deepscribble.raster import Cell, Lattice, Window

Read = Callable[[Window], NDArray[np.float32]]
"""The probability in a window, which may reach a pixel beyond the grid; NaN where not known."""

_POLYGON_BYTES = 512
"""What Python needs for a polygon beside its vertices."""


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """One polygon, and the nodes of the graph of components that it is made of.

    A node is a component of a cell: the number of the cell times 2^16, plus the component.
    """

    polygon: Polygon
    first_key: int
    nodes: NDArray[np.int64]


class Contour:
    """The outline of a probability map: polygons that are kept up to date. Not thread-safe.

    Each polygon is valid, keeps its holes, and rasterised at the grid's pixel centres gives its
    mask back exactly. Inside pixels that touch only at a corner belong to different polygons, so
    that no ring ever touches itself or another.

    Args:
        grid: Where the pixels lie on the slide.
        threshold: Inside means probability >= threshold.
    """

    def __init__(self, grid: Grid, threshold: float, lattice: Lattice | None = None) -> None:
        self._grid = grid
        self._threshold = threshold
        self._lattice = lattice or Lattice(grid.shape)
        self._cells: dict[Cell, CellContour] = {}
        self._chain_nodes: dict[Cell, NDArray[np.int64]] = {}
        self._links: dict[Cell, NDArray[np.int64]] = {}
        self._piece_of: dict[Cell, NDArray[np.int64]] = {}
        self._pieces: dict[int, _Piece] = {}
        self._next_piece = 0
        self._first_keys: NDArray[np.int64] = np.zeros(0, np.int64)
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)

    @property
    def polygons(self) -> tuple[Polygon, ...]:
        """Level-0 pixels, ordered by their first pixel (top to bottom, left to right)."""
        return tuple(self._pieces[number].polygon for number in self._order.tolist())

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        vertices = sum(cell.keys.nbytes for cell in self._cells.values())
        cells = sum(cell.nbytes for cell in self._cells.values())
        return cells + 2 * vertices + _POLYGON_BYTES * len(self._pieces)

    def copy(self) -> Contour:
        """The same outline; what changes in one does not change in the other."""
        other = Contour(self._grid, self._threshold, self._lattice)
        other._cells = self._cells.copy()
        other._chain_nodes = self._chain_nodes.copy()
        other._links = self._links.copy()
        # The only arrays that are changed in place.
        other._piece_of = {cell: pieces.copy() for cell, pieces in self._piece_of.items()}
        other._pieces = self._pieces.copy()
        other._next_piece = self._next_piece
        other._first_keys, other._order = self._first_keys, self._order
        return other

    def update(self, windows: Iterable[Window], read: Read) -> None:
        """Bring the outline up to a probability that differs only in `windows`.

        Polygons that are as before stay the same objects.

        Args:
            windows: What changed, or is known now.
            read: Gives the probability.
        """
        # The squares before a window's first row and column belong to the cells before it.
        wide = (Window(w.top - 1, w.left - 1, w.bottom, w.right) for w in windows)
        touched = sorted({cell for window in wide for cell in self._lattice.meeting(window)})
        if not touched:
            return
        old = [nodes for cell in touched if (nodes := self._chain_nodes.get(cell)) is not None]
        stale = self._pieces_of(np.concatenate([np.zeros(0, np.int64), *old]))
        for cell in touched:
            stale |= set(self._piece_of.get(cell, np.zeros(1, np.int64))[1:].tolist())
            self._trace(cell, read)
        around = self._before(touched)
        for cell in around:
            self._join(cell)
        links = np.concatenate([self._links[cell] for cell in around])
        numbers = np.array([self._node(cell) for cell in touched]) >> 16
        links = links[np.isin(links >> 16, numbers).any(axis=1)]
        reached = [self._chain_nodes[cell] for cell in touched]
        stale |= self._pieces_of(np.concatenate([*reached, links.ravel()]))
        self._draw(stale - {-1}, touched)

    def _trace(self, cell: Cell, read: Read) -> None:
        window = self._lattice.window(cell)
        values = read(seen_by(window, self._grid.shape))
        traced = trace_cell(values, window, self._grid.shape, self._threshold)
        self._cells[cell] = traced
        self._piece_of[cell] = np.full(len(traced.pixels), -1)

    def _before(self, cells: Sequence[Cell]) -> list[Cell]:
        """`cells` and those that hold squares with pixels of theirs."""
        found = {
            (row - up, column - left) for row, column in cells for up in (0, 1) for left in (0, 1)
        }
        return sorted(cell for cell in found if cell in self._cells)

    def _join(self, cell: Cell) -> None:
        """Find which components the chains of a cell bound, and which it shares with the next."""
        traced = self._cells[cell]
        self._chain_nodes[cell] = self._nodes_at(traced.inside)
        row, column = cell
        links = []
        for beside, own, other in (
            ((row, column + 1), np.s_[:, -1], np.s_[:, 0]),
            ((row + 1, column), np.s_[-1], np.s_[0]),
        ):
            if beside in self._cells:
                mine = traced.labels[own].astype(np.int64)
                theirs = self._cells[beside].labels[other].astype(np.int64)
                both = (mine > 0) & (theirs > 0)
                pairs = np.stack(
                    [self._node(cell) + mine[both], self._node(beside) + theirs[both]], axis=1
                )
                links.append(np.unique(pairs, axis=0) if len(pairs) > 1 else pairs)
        self._links[cell] = np.concatenate([np.zeros((0, 2), np.int64), *links])

    def _node(self, cell: Cell) -> int:
        """The number of a cell's component 0."""
        return (cell[0] * self._lattice.cells[1] + cell[1]) << 16

    def _cell_of(self, node: int) -> Cell:
        row, column = divmod(node >> 16, self._lattice.cells[1])
        return row, column

    def _nodes_at(self, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The nodes of inside pixels (N, 2), row and column; -1 where a cell is not known."""
        side = self._lattice.side
        nodes = np.full(len(pixels), -1)
        numbers = (pixels[:, 0] // side) * self._lattice.cells[1] + pixels[:, 1] // side
        for number in np.unique(numbers).tolist():
            here = numbers == number
            cell = self._cell_of(number << 16)
            if cell in self._cells:
                labels = self._cells[cell].labels
                row, column = (pixels[here] % side).T
                nodes[here] = (number << 16) + labels[row, column].astype(np.int64)
        return nodes

    def _pieces_of(self, nodes: NDArray[np.int64]) -> set[int]:
        """The polygons that nodes belong to; -1 for nodes that belong to none yet."""
        found: set[int] = set()
        nodes = np.unique(nodes)
        numbers = nodes >> 16
        for number in np.unique(numbers).tolist():
            pieces = self._piece_of.get(self._cell_of(number << 16))
            if pieces is not None:
                labels = nodes[numbers == number] & 0xFFFF
                found.update(pieces[labels[labels < len(pieces)]].tolist())
        return found

    def _draw(self, stale: set[int], touched: Sequence[Cell]) -> None:
        """Draw the polygons that are stale, and those of components that have none."""
        former = {self._pieces[number].first_key: self._pieces[number] for number in stale}
        kept = [self._pieces[number].nodes for number in stale]
        fresh = [self._node(cell) + np.arange(1, len(self._cells[cell].pixels)) for cell in touched]
        again = np.concatenate([np.zeros(0, np.int64), *kept])
        numbers = np.array([self._node(cell) for cell in touched]) >> 16
        again = again[~np.isin(again >> 16, numbers)]
        nodes = np.unique(np.concatenate([again, *fresh]))
        cells = [self._cell_of(number << 16) for number in np.unique(nodes >> 16).tolist()]
        links = [self._links[cell] for cell in self._before(cells)]
        group = _connected(nodes, np.concatenate([np.zeros((0, 2), np.int64), *links]))
        drawn = self._pieces_from(nodes, group, self._before(cells), former)

        gone = np.isin(self._order, np.array(sorted(stale), dtype=np.int64))
        first = np.array([piece.first_key for piece in drawn], dtype=np.int64)
        number = np.arange(self._next_piece, self._next_piece + len(drawn))
        self._next_piece += len(drawn)
        for old in stale:
            del self._pieces[old]
        for new, piece in zip(number.tolist(), drawn, strict=True):
            self._pieces[new] = piece
        keys = np.concatenate([self._first_keys[~gone], first])
        order = np.argsort(keys, kind="stable")
        self._first_keys = keys[order]
        self._order = np.concatenate([self._order[~gone], number])[order]
        owner = number[group]
        for cell, begin, end in _runs(nodes >> 16):
            self._piece_of[self._cell_of(cell << 16)][nodes[begin:end] & 0xFFFF] = owner[begin:end]

    def _pieces_from(
        self,
        nodes: NDArray[np.int64],
        group: NDArray[np.int64],
        cells: Sequence[Cell],
        former: dict[int, _Piece],
    ) -> list[_Piece]:
        """A piece for each group of nodes; a former one's polygon where it is still the same."""
        count = int(group.max()) + 1 if len(group) else 0
        chain_groups = []
        for cell in cells:
            found = self._chain_nodes[cell]
            place = np.minimum(np.searchsorted(nodes, found), max(len(nodes) - 1, 0))
            known = nodes[place] == found if len(nodes) else np.zeros(len(found), np.bool_)
            chain_groups.append(np.where(known, group[place] if len(nodes) else -1, -1))
        contours = [self._cells[cell] for cell in cells]
        rings = join_rings(contours, chain_groups, self._grid.shape)
        pixels, sums = np.zeros(count, np.int64), np.zeros(count)
        for number, begin, end in _runs(nodes >> 16):
            traced = self._cells[self._cell_of(number << 16)]
            labels = nodes[begin:end] & 0xFFFF
            np.add.at(pixels, group[begin:end], traced.pixels[labels])
            np.add.at(sums, group[begin:end], traced.sums[labels])
        by_group = np.argsort(group, kind="stable")
        ends = np.searchsorted(group[by_group], np.arange(1, count + 1)).tolist()
        members = [nodes[by_group[start:end]] for start, end in zip([0, *ends], ends, strict=False)]
        polygons = self._polygons(rings, sums / np.maximum(pixels, 1))
        return [
            _Piece(_former(polygon, former.get(key)), key, members[number])
            for number, (key, polygon) in enumerate(polygons)
        ]

    def _polygons(
        self, rings: Rings, mean_probability: NDArray[np.float64]
    ) -> list[tuple[int, Polygon]]:
        """The polygon of each group, with its lowest key."""
        xy = self._grid.to_level0(rings.xy)
        ends = [*rings.starts[1:].tolist(), len(xy)]
        level0 = [xy[start:end] for start, end in zip(rings.starts.tolist(), ends, strict=False)]
        pixel_um2 = self._grid.scale_x * self._grid.scale_y * self._grid.region.mpp**2
        exterior: dict[int, int] = {}
        holes: dict[int, list[int]] = {}
        for ring, group in enumerate(rings.group.tolist()):
            if rings.area[ring] > 0:
                exterior[group] = ring
            else:
                holes.setdefault(group, []).append(ring)
        found = []
        for group in range(len(mean_probability)):
            outer, inner = exterior[group], holes.get(group, [])
            # Copies, so that a polygon does not hold the vertices of all others.
            polygon = Polygon.from_rings(
                level0[outer].copy(),
                [level0[hole].copy() for hole in inner],
                float(rings.area[outer] + rings.area[inner].sum()) * pixel_um2,
                float(mean_probability[group]),
            )
            found.append((int(rings.first_keys[outer]), polygon))
        return found


def polygons_of(
    probability: NDArray[np.float32], threshold: float, grid: Grid
) -> tuple[Polygon, ...]:
    """The outline of where `probability` (rows, columns of `grid`) is at least `threshold`."""
    whole = Window(0, 0, *grid.shape)
    contour = Contour(grid, threshold)
    contour.update([whole], lambda window: read_array(probability, window))
    return contour.polygons


def read_array(array: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    """A window of an array, NaN where it reaches beyond."""
    inner = Window(0, 0, array.shape[0], array.shape[1]).shared(window)
    values = np.full((window.height, window.width), np.nan, dtype=np.float32)
    values[inner.within(window).slices] = array[inner.slices]
    return values


def _former(polygon: Polygon, piece: _Piece | None) -> Polygon:
    """The former polygon if it is the same, else the new one."""
    if piece is None:
        return polygon
    old = piece.polygon
    same = (
        len(old.holes) == len(polygon.holes)
        and old.mean_probability == polygon.mean_probability
        and all(map(_same, old.rings, polygon.rings))
    )
    return old if same else polygon


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return one.shape == other.shape and bool((one == other).all())


def _connected(nodes: NDArray[np.int64], links: NDArray[np.int64]) -> NDArray[np.int64]:
    """The group of each node, numbered from 0, of a graph whose links may name other nodes."""
    if not len(nodes):
        return np.zeros(0, np.int64)
    place = np.minimum(np.searchsorted(nodes, links), len(nodes) - 1)
    known = (nodes[place] == links).all(axis=1)
    parent = list(range(len(nodes)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in place[known].tolist():
        parent[root(other)] = root(one)
    roots = np.array([root(node) for node in range(len(nodes))])
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def _runs(values: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Each value of an ascending array, and where its run begins and ends."""
    found, begin = np.unique(values, return_index=True)
    end = np.append(begin, len(values))[1:]
    return list(zip(found.tolist(), begin.tolist(), end.tolist(), strict=True))
