"""The server: rpcs on an engine, over gRPC and HTTP, with limits, errors, health and reflection.

Importing this package is light; the engine and with it torch come when a server starts.
"""

from deepscribble.server.app import Faces, background_faces, background_server, serve

__all__ = ["Faces", "background_faces", "background_server", "serve"]
