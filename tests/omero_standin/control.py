"""The side channel: JSON over HTTP, by which a test makes images and faults and looks inside."""

from __future__ import annotations

import json
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import omero

from omero_standin.buffers import pyramid, read_levels
from omero_standin.faults import Fault
from omero_standin.images import add_image, forget_settings, remove_pixels
from omero_standin.rights import Caller
from omero_standin.server import Server
from omero_standin.world import Quantity, Ref


class Orders:
    """What a test may order, by name; arguments and answers are JSON."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def image(
        self,
        path: str,
        name: str,
        mpp: list[float] | None,
        user: int,
        group: int,
        levels: int,
        tile: int,
    ) -> int:
        """An image of a file on this machine."""
        found = read_levels(Path(path))
        if levels > 1:
            found = pyramid(found[0], levels)
        size = (mpp[0], mpp[1]) if mpp else None
        caller = Caller(self.server.world, user, group, group)
        with self.server.world.lock:
            image, pixels = add_image(caller, name, found[0].shape, found[0].dtype, size)
        self.server.buffers.store(pixels, found)
        self.server.tile_sizes[pixels] = tile
        return image

    def importing(self, image: int) -> None:
        """Take an image's pixels away, as if they were not imported yet."""
        with self.server.world.lock:
            remove_pixels(self.server.world, image)

    def unseen(self, image: int) -> None:
        """Take an image's rendering settings away, as if nobody had looked at it yet."""
        with self.server.world.lock:
            forget_settings(self.server.world, image)

    def reset(self) -> None:
        """Forget all but users and groups; no sessions, no faults, no calls."""
        server = self.server
        server.faults.clear()
        server.sessions.expire("removed")
        with server.world.lock:
            server.world.empty()
        server.own.clear()
        server.hung.clear()
        server.held.clear()
        server.faults.forget_calls()

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind."""
        with self.server.world.lock:
            return [
                {
                    "id": row.id,
                    "kind": row.kind,
                    "owner": row.owner,
                    "group": row.group,
                    "fields": {name: _json(value) for name, value in row.values.items()},
                }
                for row in self.server.world.of_kind(kind)
            ]

    def fault(self, operation: str, kind: str, after: int, times: int, seconds: float) -> None:
        """Let something go wrong."""
        self.server.faults.plan(Fault(operation, kind, after, times, seconds))

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.server.faults.clear()

    def go_on(self) -> None:
        """Do what "cut-hold" held."""
        while self.server.held:
            # Nobody is told that it failed.
            with suppress(omero.ServerError):
                self.server.held.pop(0)()

    def calls(self) -> dict[str, int]:
        """How often each operation was called."""
        return self.server.faults.calls()

    def forget_calls(self) -> None:
        """Count anew."""
        self.server.faults.forget_calls()

    def expire(self, answer: str) -> None:
        """End all sessions."""
        self.server.sessions.expire(answer)

    def sessions(self) -> int:
        """How many sessions are open."""
        return len(self.server.sessions.open)

    def stores(self) -> int:
        """How many RawPixelsStores and command handles nobody has closed."""
        return len(self.server.own)


def listen(server: Server, port: int) -> ThreadingHTTPServer:
    """A listener for orders, which waits for `serve_forever`."""
    orders = Orders(server)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            name = self.path.strip("/")
            try:
                if name.startswith("_") or name not in dir(Orders):
                    raise LookupError(f"there is no order {name}")
                answer, status = getattr(orders, name)(**json.loads(body)), 200
            except Exception as error:  # noqa: BLE001 - the test that ordered must be told
                answer, status = f"{type(error).__name__}: {error}", 500
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            return

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def _json(value: Any) -> Any:
    if isinstance(value, Ref):
        return value.id
    if isinstance(value, Quantity):
        return [value.value, value.unit]
    if isinstance(value, bytes):
        return value.hex()
    return value
