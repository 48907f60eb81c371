"""Pixels and strokes → probability → polygons: tiles, caches, guarantees."""

from deepscribble.engine.engine import Engine
from deepscribble.engine.limits import Limits

__all__ = ["Engine", "Limits"]
