"""A grid divided into square cells, so that only cells that hold something need memory."""

from __future__ import annotations

from dataclasses import dataclass

from deepscribble.raster.window import Window

Cell = tuple[int, int]
"""Row and column of a cell in its lattice, from 0."""

CELL = 256
"""Side of a cell, model pixels; a power of two."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Square cells over a grid, the first at its origin; those at the far borders may be cut off.

    Args:
        shape: (rows, columns) of the grid, pixels.
        side: Of a cell, pixels.
    """

    shape: tuple[int, int]
    side: int = CELL

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return -(-self.shape[0] // self.side), -(-self.shape[1] // self.side)

    def window(self, cell: Cell) -> Window:
        """The pixels of a cell."""
        top, left = cell[0] * self.side, cell[1] * self.side
        return Window(
            top,
            left,
            min(top + self.side, self.shape[0]),
            min(left + self.side, self.shape[1]),
        )

    def meeting(self, window: Window) -> list[Cell]:
        """The cells that share a pixel with `window`, row by row."""
        rows, columns = self.cells
        return [
            (row, column)
            for row in range(
                max(0, window.top // self.side), min(rows, -(-window.bottom // self.side))
            )
            for column in range(
                max(0, window.left // self.side), min(columns, -(-window.right // self.side))
            )
        ]

    def all(self) -> list[Cell]:
        """Every cell, row by row."""
        rows, columns = self.cells
        return [(row, column) for row in range(rows) for column in range(columns)]
