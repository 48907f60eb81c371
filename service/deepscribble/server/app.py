"""The server put together, and two ways to run it: for good, or beside the caller."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from deepscribble.client.address import Address
from deepscribble.server.listen import on_loopback, taken
from deepscribble.server.servicer import Servicer
from deepscribble.v1 import deepscribble_pb2 as pb
from deepscribble.v1.deepscribble_pb2_grpc import add_DeepScribbleServicer_to_server

if TYPE_CHECKING:
    from deepscribble.engine import Engine
    from deepscribble.server.http import HttpFace
    from deepscribble.settings import Settings

__all__ = [
    "Faces",
    "Running",
    "background",
    "background_faces",
    "background_server",
    "beside",
    "run",
    "serve",
]

LOG = logging.getLogger("deepscribble.server")

GRACE_SECONDS = 5.0
"""How long requests that run may go on after the server was asked to stop."""

SERVICE = pb.DESCRIPTOR.services_by_name["DeepScribble"].full_name


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers: where, with what, and how to stop it from any thread."""

    address: Address
    http: Address | None
    engine: Engine
    stop: Callable[[], None]


async def run(
    listen: Address,
    open_engine: Callable[[], Engine],
    message_bytes: int,
    ready: Callable[[Running], None],
    http: Address | None = None,
) -> None:
    """The whole server, from its ports to its end.

    Ports are bound before the models are loaded, so that a taken one is known at once, and
    `ready` is called when requests are answered.

    Args:
        listen: Where gRPC is answered.
        open_engine: What loads the models.
        message_bytes: The largest gRPC message that is received.
        ready: Told of the server when it answers.
        http: Where HTTP is answered, if it is.

    Raises:
        InvalidInput: a port is taken.
        ModelRefused, UnknownModel: what opening the engine raises.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", message_bytes),
            ("grpc.max_send_message_length", -1),
            # With it a second server would share a taken port instead of being refused.
            ("grpc.so_reuseport", 0),
        ]
    )
    address = _bind(server, listen)
    face = None
    try:
        face = None if http is None else _face(http)
        engine = open_engine()
    except BaseException:
        if face is not None:
            face.close()
        # gRPC lets go of a port only when a server that was started is stopped.
        await server.start()
        await server.stop(None)
        raise
    servicer = Servicer(engine)
    add_DeepScribbleServicer_to_server(servicer, server)
    healthy = health.aio.HealthServicer()  # type: ignore[attr-defined]
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection(
        (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server
    )
    for name in ("", SERVICE):
        await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    if face is not None:
        await face.start(servicer)
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        loop.call_soon_threadsafe(stopped.set)

    ready(Running(address, None if face is None else face.address, engine, stop))
    await stopped.wait()
    await healthy.enter_graceful_shutdown()
    ending = [server.stop(GRACE_SECONDS)]
    if face is not None:
        ending.append(face.stop(GRACE_SECONDS))
    await asyncio.gather(*ending)
    servicer.close()


def _bind(server: grpc.aio.Server, listen: Address) -> Address:
    """Open the port; port 0 becomes the one that the system gave."""
    numeric = on_loopback(listen, "listen")
    try:
        port = server.add_insecure_port(str(numeric))
    except RuntimeError as error:
        raise taken(listen, "listen") from error
    return replace(numeric, port=port)


def _face(http: Address) -> HttpFace:
    # Imported here, so that a server without this face starts without what the face needs.
    from deepscribble.server.http import HttpFace

    return HttpFace(http)


def _opener(models: Path | None, device: str, settings: Settings) -> Callable[[], Engine]:
    from deepscribble.engine import Engine

    return partial(Engine.open, models, device, settings)


def serve(
    listen: str = "127.0.0.1:50051",
    models: Path | None = None,
    device: str = "auto",
    http: str | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then let running requests finish. Main thread only.

    Args:
        listen: HOST:PORT on this machine for gRPC; port 0 takes any free one.
        models: Folder of models; None for those that come with the package.
        device: "auto", "cpu", "cuda" or "mps".
        http: HOST:PORT on this machine for HTTP; None for no HTTP.

    Raises:
        InvalidInput: an address is none, beyond loopback, or taken; `device` is not there.
        ModelRefused, UnknownModel: the models cannot be used.
    """
    from deepscribble.settings import Settings

    settings = Settings()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ready(running: Running) -> None:
        for number in handlers:
            signal.signal(number, lambda *_: running.stop())
        LOG.info(
            "DeepScribble listens on %s, runs on %s, has %s; Ctrl-C stops it",
            _named(running),
            running.engine.device,
            ", ".join(card.name for card in running.engine.cards()),
        )

    opener = _opener(models, device, settings)
    address = Address.parse(listen, "listen")
    web = None if http is None else Address.parse(http, "http")
    try:
        asyncio.run(run(address, opener, settings.message_bytes, ready, web))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    LOG.info("DeepScribble stopped")


def _named(running: Running) -> str:
    """Where a server answers, in words."""
    if running.http is None:
        return str(running.address)
    return f"{running.address} (gRPC) and http://{running.http}"


@contextmanager
def beside(
    open_engine: Callable[[], Engine],
    message_bytes: int,
    listen: str = "127.0.0.1:0",
    http: str | None = None,
) -> Iterator[Running]:
    """A server in a thread of its own with its own event loop.

    Errors while it starts are raised here; leaving the block stops it and waits for its end.
    """
    started: Future[Running] = Future()

    def work() -> None:
        try:
            address = Address.parse(listen, "listen")
            web = None if http is None else Address.parse(http, "http")
            asyncio.run(run(address, open_engine, message_bytes, started.set_result, web))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=work, name="deepscribble-server", daemon=True)
    thread.start()
    running = started.result()
    try:
        yield running
    finally:
        running.stop()
        thread.join()


@contextmanager
def background(
    open_engine: Callable[[], Engine], message_bytes: int, listen: str = "127.0.0.1:0"
) -> Iterator[str]:
    """A server `beside` the caller that answers gRPC alone; yields its HOST:PORT."""
    with beside(open_engine, message_bytes, listen) as running:
        yield str(running.address)


@contextmanager
def background_server(
    models: Path | None = None, device: str = "auto", settings: Settings | None = None
) -> Iterator[str]:
    """A server on a free loopback port while the block runs; yields its "127.0.0.1:PORT".

    Args:
        models: Folder of models; None for those that come with the package.
        device: "auto", "cpu", "cuda" or "mps".
        settings: What it refuses to go beyond; None for the defaults.

    Raises:
        InvalidInput: `device` is not there.
        ModelRefused, UnknownModel: the models cannot be used.
    """
    from deepscribble.settings import Settings

    settings = settings or Settings()
    with background(_opener(models, device, settings), settings.message_bytes) as target:
        yield target


@dataclass(frozen=True, slots=True)
class Faces:
    """Where one server answers gRPC and where HTTP, each HOST:PORT."""

    grpc: str
    http: str


@contextmanager
def background_faces(
    models: Path | None = None, device: str = "auto", settings: Settings | None = None
) -> Iterator[Faces]:
    """As `background_server`, with the HTTP face on a second free port."""
    from deepscribble.settings import Settings

    settings = settings or Settings()
    opener = _opener(models, device, settings)
    with beside(opener, settings.message_bytes, http="127.0.0.1:0") as running:
        yield Faces(str(running.address), str(running.http))
