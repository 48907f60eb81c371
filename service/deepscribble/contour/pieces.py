"""The pieces of an outline as polygons in level-0 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepscribble.contour.crossings import NEW, Crossings
from deepscribble.contour.rings import Rings, trace
from deepscribble.geometry import Grid, Polygon
from deepscribble.raster import Window

_VERTEX_BYTES = 16
_POLYGON_BYTES = 512
"""What Python needs for a polygon beside its vertices."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """An outline: its polygons, and the crossings that they run through.

    Each polygon is valid, keeps its holes, and rasterised at the grid's pixel centres gives its
    mask back exactly.

    Args:
        grid: Where the pixels lie on the slide.
        crossings: The outline's vertices, each with the number of its polygon.
        polygons: Level-0 pixels, ordered by their first pixel (top to bottom, left to right).
        first_keys: (P,) int64, ascending: the first crossing of each polygon.
    """

    grid: Grid
    crossings: Crossings
    polygons: tuple[Polygon, ...]
    first_keys: NDArray[np.int64]

    @classmethod
    def of(cls, probability: NDArray[np.float32], threshold: float, grid: Grid) -> Pieces:
        """The outline of where `probability` (rows, columns of `grid`) is at least `threshold`."""
        nothing = cls(grid, Crossings.of(probability, threshold), (), np.zeros(0, dtype=np.int64))
        return nothing._drawn_anew(nothing.crossings, np.zeros(0, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes held, about; counted without a look at each polygon."""
        vertices = _VERTEX_BYTES * len(self.crossings.keys)
        objects = _POLYGON_BYTES * len(self.polygons)
        return self.crossings.nbytes + self.first_keys.nbytes + vertices + objects

    def replaced(self, probability: NDArray[np.float32], windows: Sequence[Window]) -> Pieces:
        """The outline of `probability`, which differs from the former map only in `windows`.

        Equal to `Pieces.of(probability, threshold, grid)`. Polygons that have no pixel in or
        beside a window are the same objects as before, and cost nothing.
        """
        touched = [self.crossings.pieces_near(window) for window in windows]
        stale = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *touched]))
        return self._drawn_anew(self.crossings.replaced(probability, windows), stale)

    def _drawn_anew(self, crossings: Crossings, stale: NDArray[np.int64]) -> Pieces:
        """Draw the pieces that are `stale`, or new in `crossings`; keep the others."""
        is_stale = np.zeros(len(self.polygons) + 1, dtype=np.bool_)
        is_stale[stale] = True
        is_stale[NEW] = True
        chosen = is_stale[crossings.piece]
        fresh = crossings.subset(chosen)
        rings = trace(fresh)
        exteriors = np.flatnonzero(rings.parent == np.arange(len(rings.parent)))
        of_ring = np.searchsorted(exteriors, rings.parent)
        drawn = _polygons(rings, exteriors, of_ring, self.grid)
        piece = of_ring[rings.of_crossing] if len(of_ring) else rings.of_crossing
        begin = np.unique(piece, return_index=True)[1]

        kept = np.flatnonzero(~is_stale[:-1])
        first_keys = np.concatenate([self.first_keys[kept], fresh.keys[begin]])
        order = np.argsort(first_keys, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        candidates = [*(self.polygons[index] for index in kept.tolist()), *drawn]

        moved = np.full(len(is_stale), NEW, dtype=np.int64)
        moved[kept] = place[: len(kept)]
        numbers = moved[crossings.piece]
        numbers[chosen] = place[len(kept) + piece]
        return Pieces(
            self.grid,
            replace(crossings, piece=numbers),
            tuple(candidates[index] for index in order.tolist()),
            first_keys[order],
        )


def _polygons(
    rings: Rings, exteriors: NDArray[np.int64], of_ring: NDArray[np.int64], grid: Grid
) -> list[Polygon]:
    """A polygon for each exterior, with the holes that belong to it."""
    level0 = np.split(grid.to_level0(rings.xy), rings.starts[1:])
    pixel_um2 = grid.scale_x * grid.scale_y * grid.region.mpp**2
    holes: list[list[int]] = [[] for _ in exteriors]
    for ring in np.flatnonzero(rings.parent != np.arange(len(rings.parent))).tolist():
        holes[of_ring[ring]].append(ring)
    return [
        Polygon(
            level0[ring],
            tuple(level0[hole] for hole in inner),
            area_um2=float(rings.area[ring] + rings.area[inner].sum()) * pixel_um2,
            mean_probability=float(rings.probability[ring] / rings.pixels[ring]),
        )
        for ring, inner in zip(exteriors.tolist(), holes, strict=True)
    ]
