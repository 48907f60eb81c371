"""The Python client: pixels once, then strokes. Needs no torch."""

from deepscribble.client.asynchronous import AsyncClient, AsyncRegionHandle
from deepscribble.client.blocking import Client, RegionHandle
from deepscribble.client.info import ModelInfo, ServerInfo, finest_mpp

__all__ = [
    "AsyncClient",
    "AsyncRegionHandle",
    "Client",
    "ModelInfo",
    "RegionHandle",
    "ServerInfo",
    "finest_mpp",
]
