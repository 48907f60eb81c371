"""An answer in the middle of a trial, small enough to be kept, so that it can be drawn later."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Grid, Label, Stroke

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Line:
    """A stroke as drawn in a picture.

    Args:
        label: "foreground" or "background".
        xy: Points in model pixels, pixel edges at whole numbers.
    """

    label: str
    xy: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A mask and the strokes that led to it; it holds nothing of the image itself.

    Args:
        rows: Of the mask.
        columns: Of the mask.
        packed: The mask's bits by rows, eight a byte, deflated, as base64.
        lines: The strokes.
    """

    rows: int
    columns: int
    packed: str
    lines: tuple[Line, ...] = ()

    @classmethod
    def of(cls, mask: Mask, strokes: Sequence[Stroke], grid: Grid) -> Snapshot:
        """Keep `mask` (rows, columns of `grid`) and `strokes` (level-0 pixels)."""
        packed = base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 9)).decode("ascii")
        lines = tuple(
            Line(stroke.label.name.lower(), _corners(grid.from_level0(part)))
            for stroke in strokes
            for part in stroke.parts
        )
        return cls(grid.height, grid.width, packed, lines)

    @property
    def mask(self) -> Mask:
        """(rows, columns) bool.

        Raises:
            InvalidInput: `packed` holds no mask of this size.
        """
        try:
            data = zlib.decompress(base64.b64decode(self.packed))
        except (binascii.Error, zlib.error) as error:
            raise InvalidInput("packed", f"no packed mask ({error}); run anew") from error
        if len(data) != -(-self.rows * self.columns // 8):
            raise InvalidInput(
                "packed", f"{len(data)} bytes, not {self.rows} x {self.columns} bits; run anew"
            )
        flat = np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=self.rows * self.columns)
        return flat.reshape(self.rows, self.columns).astype(np.bool_)

    def lines_of(self, label: Label) -> tuple[Line, ...]:
        """The strokes of one label."""
        return tuple(line for line in self.lines if line.label == label.name.lower())


def _corners(xy: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """The ends of a line and where it turns: all that is needed to draw it."""
    xy = np.round(xy, 2)
    steps = np.diff(xy, axis=0)
    turns = np.ones(len(xy), dtype=np.bool_)
    if len(xy) > 2:
        turns[1:-1] = (steps[1:] != steps[:-1]).any(axis=1)
    return tuple((float(x), float(y)) for x, y in xy[turns])
