"""The HTTP face: its port, its beginning and its end."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import uvicorn

from deepscribble.client.address import Address
from deepscribble.server.http.routes import application
from deepscribble.server.listen import on_loopback, taken
from deepscribble.server.servicer import Servicer

__all__ = ["HttpFace"]

KEEP_ALIVE_SECONDS = 300
"""How long a connection may rest between two strokes."""

CLOSING_SECONDS = 1
"""How long connections may take to close when no more is answered."""


class HttpFace:
    """The servicer over HTTP, on the event loop of the gRPC server.

    The port is bound from the beginning, so that a taken one is known before models are loaded.

    Raises:
        InvalidInput: the address can be reached from other machines, or the port is taken.
    """

    def __init__(self, listen: Address) -> None:
        numeric = on_loopback(listen, "http")
        family = socket.AF_INET6 if ":" in numeric.host else socket.AF_INET
        try:
            self._socket = socket.create_server((numeric.host, numeric.port), family=family)
        except OSError as error:
            raise taken(listen, "http") from error
        self.address = replace(numeric, port=self._socket.getsockname()[1])
        self._stopping = False

    def close(self) -> None:
        """Give the port back; for a face that never started."""
        self._socket.close()

    async def start(self, servicer: Servicer) -> None:
        """Answer requests from now on."""
        config = uvicorn.Config(
            application(servicer, lambda: self._stopping),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=CLOSING_SECONDS,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve([self._socket]))
        while not (self._server.started or self._serving.done()):
            await asyncio.sleep(0)

    async def stop(self, grace: float) -> None:
        """Refuse new requests, let those that run end within `grace` seconds, and be gone."""
        self._stopping = True
        if running := set(self._server.server_state.tasks):
            _, late = await asyncio.wait(running, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CLOSING_SECONDS)
        self._server.should_exit = True
        await self._serving


class _Server(uvicorn.Server):
    """A server beside others, which leaves signals to whoever runs them all."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()
