"""The picture of an answer: pixels, outline and strokes."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from deepscribble.geometry import Grid, Kind, Label, Polygon, Stroke

# Told apart from the pink and violet of H&E, and from each other without seeing red and green.
OUTLINE = (255, 230, 0)
STROKE = {Label.FOREGROUND: (0, 110, 255), Label.BACKGROUND: (255, 70, 0)}

SOFTWARE = "DeepScribble"

# OpenCV draws at sixteenths of a pixel, and lines of at most this width.
SHIFT = 4
WIDEST = 32767


def paint(
    rgb: NDArray[np.uint8], grid: Grid, polygons: Iterable[Polygon], strokes: Iterable[Stroke]
) -> NDArray[np.uint8]:
    """Draw outline and strokes over the pixels of a region.

    Args:
        rgb: uint8 (*grid.shape, 3).
        grid: Where these pixels lie in level 0.
        polygons: Drawn yellow.
        strokes: Drawn at their width, foreground blue, background orange.

    Returns:
        A painted copy of `rgb`.
    """
    canvas = rgb.copy()
    scale = (grid.scale_x + grid.scale_y) / 2
    for stroke in strokes:
        width = min(max(3, round(stroke.width / scale)), WIDEST)
        parts = [_fixed(grid, part) for part in stroke.parts]
        if stroke.kind is Kind.POINTS:
            parts = [point[None] for part in parts for point in part]
        closed = stroke.kind is Kind.BRUSH
        cv2.polylines(canvas, parts, closed, STROKE[stroke.label], width, cv2.LINE_AA, SHIFT)
    rings = [_fixed(grid, ring) for polygon in polygons for ring in polygon.rings]
    cv2.polylines(canvas, rings, True, OUTLINE, 2, cv2.LINE_AA, SHIFT)
    return canvas


def draw_overlay(
    rgb: NDArray[np.uint8], grid: Grid, polygons: Iterable[Polygon], strokes: Iterable[Stroke]
) -> bytes:
    """What `paint` gives as a PNG that says whose it is, so that a later run may replace it."""
    info = PngInfo()
    info.add_text("Software", SOFTWARE)
    buffer = io.BytesIO()
    Image.fromarray(paint(rgb, grid, polygons, strokes)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def is_our_picture(path: Path) -> bool:
    """Whether `draw_overlay` made this file."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get("Software") == SOFTWARE
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        return False


def _fixed(grid: Grid, xy: NDArray[np.float64]) -> NDArray[np.int32]:
    """Level-0 points as OpenCV's fixed-point ones, whose whole numbers are pixel centres."""
    points = (grid.from_level0(xy) - 0.5) * 2**SHIFT
    # Points far outside are drawn nowhere, but must not overflow.
    fixed: NDArray[np.int32] = np.rint(np.clip(points, -(2**28), 2**28)).astype(np.int32)
    return fixed
