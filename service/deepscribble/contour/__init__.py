"""Probability → valid polygons with holes, exact at pixel centres."""

from deepscribble.contour.crossings import Crossings
from deepscribble.contour.polygons import polygons, polygons_of

__all__ = ["Crossings", "polygons", "polygons_of"]
