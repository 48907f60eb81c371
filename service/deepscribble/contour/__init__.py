"""Probability → valid polygons with holes, exact at pixel centres."""

from deepscribble.contour.contour import Contour, polygons_of, read_array

__all__ = ["Contour", "polygons_of", "read_array"]
