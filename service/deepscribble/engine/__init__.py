"""Pixels and strokes → probability → polygons: canvas, steps, store, guarantees."""

from deepscribble.engine.engine import Engine
from deepscribble.engine.source import Source
from deepscribble.engine.work import Tile, Work, complete

__all__ = ["Engine", "Source", "Tile", "Work", "complete"]
