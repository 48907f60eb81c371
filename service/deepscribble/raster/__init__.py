"""Strokes → label masks → distance fields; polygons → masks."""

from deepscribble.raster.draw import StrokeMask, crosses_itself, draw
from deepscribble.raster.fields import (
    DistanceFields,
    Undo,
    distance_fields,
    nearness,
    reach,
)
from deepscribble.raster.fill import fill
from deepscribble.raster.lattice import CELL, Cell, Lattice
from deepscribble.raster.plane import Plane, assemble
from deepscribble.raster.window import Window

__all__ = [
    "CELL",
    "Cell",
    "DistanceFields",
    "Lattice",
    "Plane",
    "StrokeMask",
    "Undo",
    "Window",
    "assemble",
    "crosses_itself",
    "distance_fields",
    "draw",
    "fill",
    "nearness",
    "reach",
]
