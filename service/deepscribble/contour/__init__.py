"""Probability → valid polygons with holes, exact at pixel centres."""

from deepscribble.contour.crossings import Crossings
from deepscribble.contour.pieces import Pieces

__all__ = ["Crossings", "Pieces"]
