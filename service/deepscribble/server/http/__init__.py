"""The HTTP face of the server: the contract as JSON, outlines and strokes as GeoJSON too."""

from deepscribble.server.http.face import HttpFace

__all__ = ["HttpFace"]
