"""The gRPC server: rpcs on an engine, limits, errors, health and reflection.

Importing this package is light; the engine and with it torch come when a server starts.
"""

from deepscribble.server.app import background_server, serve

__all__ = ["background_server", "serve"]
