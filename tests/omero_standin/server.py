"""The whole server put together: one Ice adapter behind an SSL and a TCP endpoint."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import Ice
import omero
import omero.ObjectFactoryRegistrar

from omero_standin import data, images, login
from omero_standin.buffers import Buffers
from omero_standin.certificate import PASSWORD, write_certificate
from omero_standin.faults import Faults
from omero_standin.people import People
from omero_standin.sessions import Sessions
from omero_standin.world import World

MESSAGE_LIMIT = 64 * 1024 * 1024
"""Bytes that one message may have, as on a server with the settings that it comes with."""


@dataclass(frozen=True)
class Settings:
    """How a server is started.

    Args:
        folder: Where it keeps everything; another one started there goes on with it.
        ssl_port: Port of the encrypted endpoint, on 127.0.0.1.
        tcp_port: Port of the other one.
        root_password: Password of the administrator in a new folder.
        idle: Seconds without a call after which a session expires.
    """

    folder: Path
    ssl_port: int
    tcp_port: int
    root_password: str
    idle: float = 600.0


class Server:
    """State that the servants share, and the adapter that they are found through."""

    def __init__(self, settings: Settings) -> None:
        settings.folder.mkdir(parents=True, exist_ok=True)
        self.tcp_port = settings.tcp_port
        self.message_limit = MESSAGE_LIMIT
        self.uuid = str(uuid.uuid4())
        self.world = World(settings.folder / "journal")
        self.people = People(self.world, settings.root_password)
        self.buffers = Buffers(settings.folder)
        self.tile_sizes: dict[int, int] = {}
        self.sessions = Sessions(self.world, settings.idle)
        self.faults = Faults()
        self.hung: list[Any] = []
        self.held: list[Callable[[], Any]] = []
        self.lock = threading.Lock()
        self.own: dict[tuple[str, str], Any] = {}
        self.communicator = _communicator(settings)
        self.adapter = self.communicator.createObjectAdapterWithEndpoints(
            "Stand-in",
            f"ssl -h 127.0.0.1 -p {settings.ssl_port}:tcp -h 127.0.0.1 -p {settings.tcp_port}",
        )
        self.adapter.add(login.Router(self), Ice.Identity("router", "OMERO.Glacier2"))
        self.adapter.addServantLocator(Locator(self), "")
        self.adapter.activate()

    def add(self, servant: Any, key: str, kind: str) -> Any:
        """Make a servant of one session's reachable; its identity."""
        identity = Ice.Identity(f"{uuid.uuid4()}/{kind}", key)
        with self.lock:
            self.own[key, identity.name] = servant
        return identity

    def remove(self, identity: Any) -> None:
        """Let go of a servant of one session's."""
        with self.lock:
            self.own.pop((identity.category, identity.name), None)

    def forget(self, key: str) -> None:
        """Let go of all servants of a session's."""
        with self.lock:
            for place in [place for place in self.own if place[0] == key]:
                del self.own[place]

    def stateful(self, key: str) -> list[str]:
        """The names of a session's own servants."""
        with self.lock:
            return [name for (owner, name) in self.own if owner == key]

    def find(self, category: str, name: str) -> Any:
        """A session's own servant."""
        with self.lock:
            return self.own.get((category, name))

    def close(self) -> None:
        """Stop answering."""
        self.communicator.destroy()


class Locator(Ice.ServantLocator):
    """Finds the servant of a call by the identity's name; its category is the session's key."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.factory = login.Factory(server)
        self.services = {
            "IAdmin": data.Admin(server),
            "IConfig": data.Config(server),
            "IContainer": data.Container(server),
            "IMetadata": data.Metadata(server),
            "IPixels": images.Pixels(server),
            "IQuery": data.Query(server),
            "IRoi": data.Rois(server),
            "ISession": login.SessionService(server),
            "IUpdate": data.Update(server),
        }

    def locate(self, current: Any) -> Any:
        """The servant, or None: then Ice answers ObjectNotExistException."""
        identity = current.id
        if identity.name == identity.category:
            return self.factory
        return self.services.get(identity.name) or self.server.find(
            identity.category, identity.name
        )

    def finished(self, current: Any, servant: Any, cookie: Any) -> None:
        """Nothing is held for a call."""

    def deactivate(self, category: str) -> None:
        """Nothing is held at all."""


def _communicator(settings: Settings) -> Any:
    certificate = settings.folder / "certificate.p12"
    write_certificate(certificate)
    properties = Ice.createProperties()
    for name, value in {
        "Ice.Plugin.IceSSL": "IceSSL:createIceSSL",
        "IceSSL.CertFile": str(certificate),
        "IceSSL.Password": PASSWORD,
        "IceSSL.VerifyPeer": "0",
        "Ice.MessageSizeMax": str(2 * MESSAGE_LIMIT // 1024),
        "Ice.ThreadPool.Server.Size": "8",
        "Ice.ThreadPool.Server.SizeMax": "32",
        "Ice.Warn.Connections": "0",
        "Ice.Warn.Dispatch": "0",
        "Ice.ACM.Server.Close": "0",
    }.items():
        properties.setProperty(name, value)
    data = Ice.InitializationData()
    data.properties = properties
    communicator = Ice.initialize(data)
    omero.ObjectFactoryRegistrar.registerObjectFactory(communicator, None)
    for factory in omero.rtypes.ObjectFactories.values():
        factory.register(communicator)
    return communicator
