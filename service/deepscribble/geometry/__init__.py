"""Regions, strokes, polygons and outlines: frozen values in level-0 pixels."""

from deepscribble.geometry.outline import Change, ModelRef, Outline, Warning
from deepscribble.geometry.polygon import Polygon
from deepscribble.geometry.region import Grid, Region, check_mpp
from deepscribble.geometry.stroke import Kind, Label, Stroke

__all__ = [
    "Change",
    "Grid",
    "Kind",
    "Label",
    "ModelRef",
    "Outline",
    "Polygon",
    "Region",
    "Stroke",
    "Warning",
    "check_mpp",
]
