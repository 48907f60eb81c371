"""Strokes → label masks → distance fields; polygons → masks."""

from deepscribble.raster.draw import StrokeMask, draw
from deepscribble.raster.fields import DistanceFields, distance_fields, nearness, reach
from deepscribble.raster.fill import fill
from deepscribble.raster.window import Window

__all__ = [
    "DistanceFields",
    "StrokeMask",
    "Window",
    "distance_fields",
    "draw",
    "fill",
    "nearness",
    "reach",
]
