"""Rings → polygons in level-0 pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepscribble.contour.crossings import Crossings
from deepscribble.contour.rings import trace
from deepscribble.geometry import Grid, Polygon


def polygons_of(crossings: Crossings, grid: Grid) -> tuple[Polygon, ...]:
    """The pieces of an outline, ordered by their first pixel (top to bottom, left to right).

    Each polygon is valid, keeps its holes, and rasterised at the grid's pixel centres gives its
    mask back exactly.

    Args:
        crossings: The outline on the pixels of `grid`.
        grid: Where those pixels lie on the slide.
    """
    rings = trace(crossings)
    level0 = np.split(grid.to_level0(rings.xy), rings.starts[1:])
    pixel_um2 = grid.scale_x * grid.scale_y * grid.region.mpp**2
    count = len(rings.starts)
    holes: list[list[int]] = [[] for _ in range(count)]
    for ring in np.flatnonzero(rings.parent != np.arange(count)).tolist():
        holes[rings.parent[ring]].append(ring)
    return tuple(
        Polygon(
            level0[ring],
            tuple(level0[hole] for hole in holes[ring]),
            area_um2=float(rings.area[ring] + rings.area[holes[ring]].sum()) * pixel_um2,
            mean_probability=float(rings.probability[ring] / rings.pixels[ring]),
        )
        for ring in np.flatnonzero(rings.parent == np.arange(count)).tolist()
    )


def polygons(probability: NDArray[np.float32], threshold: float, grid: Grid) -> tuple[Polygon, ...]:
    """The polygons where `probability` (rows, columns of `grid`) is at least `threshold`."""
    return polygons_of(Crossings.of(probability, threshold), grid)
