"""What stands before every route: who may ask, and that an early answer is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepscribble.client.address import Address
from deepscribble.server.http.problem import STOPPING, Problem

__all__ = ["Guard", "Lingering"]

HEALTH = "/healthz"

LINGER_SECONDS = 2.0
"""How long the rest of a body may still come after its request was answered."""


class Guard:
    """Refuses requests to another host's name, and all but health checks while the server stops.

    A web page can point a name of its own at 127.0.0.1 and then read what is answered there; its
    requests still carry that name.
    """

    def __init__(self, app: ASGIApp, stopping: Callable[[], bool]) -> None:
        self._app = app
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        host = Headers(scope=scope).get("host", "")
        answer: ASGIApp = self._app
        if not _is_here(host):
            answer = Problem(
                HTTPStatus.FORBIDDEN,
                "HOST_REFUSED",
                f"the Host header {host!r} is not this machine; "
                "ask http://127.0.0.1 or http://localhost",
            ).response()
        elif self._stopping() and scope["path"] != HEALTH:
            answer = STOPPING.response()
        await answer(scope, receive, send)


def _is_here(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is not None and Address(name, 0).is_loopback


class Lingering:
    """Takes in, for a moment, what still comes of a body whose request is answered already.

    Closing at once would reset the connection, and a client that is still sending would then see
    a broken connection in place of the reason.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and watch the body."""
        headers = Headers(scope=scope)
        coming = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"

        async def watched() -> Message:
            nonlocal coming
            message = await receive()
            coming = coming and message.get("more_body", False)
            return message

        async def answered(message: Message) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not coming:
                await send(message)
            elif not last:
                # What is left of the body would else be read as the next request.
                MutableHeaders(scope=message).append("Connection", "close")
                await send(message)
            else:
                await send({**message, "more_body": True})
                with suppress(TimeoutError):
                    async with asyncio.timeout(LINGER_SECONDS):
                        while coming:
                            await watched()
                await send({"type": "http.response.body", "body": b""})

        await self._app(scope, watched, answered)
