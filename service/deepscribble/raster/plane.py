"""Values over a grid of any size, held only in the cells that somebody wrote to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from deepscribble.raster.lattice import Cell, Lattice
from deepscribble.raster.window import Window

Value = TypeVar("Value", np.float32, np.uint8, np.bool_)


class Plane(Generic[Value]):
    """One value for each pixel of a grid. Not thread-safe.

    Args:
        lattice: Of the grid.
        empty: The value of cells that nobody wrote to; it says the type too.
    """

    def __init__(self, lattice: Lattice, empty: Value) -> None:
        self.lattice = lattice
        self._empty: Value = empty
        self._cells: dict[Cell, NDArray[Value]] = {}

    def __contains__(self, cell: Cell) -> bool:
        return cell in self._cells

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._cells)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(values.nbytes for values in self._cells.values())

    def read(self, window: Window) -> NDArray[Value]:
        """A copy of the values in a window of the grid."""
        return assemble(window, self.lattice, self._cells.get, self._empty)

    def write(self, window: Window, values: NDArray[Value]) -> None:
        """Set the values in a window of the grid."""
        for cell in self.lattice.meeting(window):
            own = self.lattice.window(cell)
            shared = own.shared(window)
            held = self._cells.get(cell)
            if held is None:
                held = np.full((own.height, own.width), self._empty)
                self._cells[cell] = held
            held[shared.within(own).slices] = values[shared.within(window).slices]

    def get(self, cell: Cell) -> NDArray[Value] | None:
        """The values of a whole cell, not to be changed; None where nobody wrote."""
        return self._cells.get(cell)

    def drop(self, cell: Cell) -> None:
        """Forget a cell."""
        self._cells.pop(cell, None)

    def clear(self) -> None:
        """Forget all cells."""
        self._cells.clear()


def assemble(
    window: Window,
    lattice: Lattice,
    get: Callable[[Cell], NDArray[Value] | None],
    empty: Value,
) -> NDArray[Value]:
    """A window put together from cells.

    Args:
        window: It may reach beyond the grid.
        lattice: Of the grid.
        get: The values of a cell, or None.
        empty: What stands where a cell is None, and beyond the grid.
    """
    cells = lattice.meeting(window)
    if len(cells) == 1:
        own = lattice.window(cells[0])
        held = get(cells[0])
        if held is not None and own.shared(window) == window:
            return held[window.within(own).slices].copy()
    values = np.full((window.height, window.width), empty)
    for cell in cells:
        held = get(cell)
        if held is not None:
            own = lattice.window(cell)
            shared = own.shared(window)
            values[shared.within(window).slices] = held[shared.within(own).slices]
    return values
