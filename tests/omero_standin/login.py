"""The way in: the router, a session's service factory, and the services it hands out by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import Glacier2
import Ice
import omero
from omero.rtypes import rlong, rstring, rtime

from omero_standin.commands import Handle
from omero_standin.rights import Caller
from omero_standin.servant import Call, Servant
from omero_standin.sessions import Session
from omero_standin.tiles import RawPixels

SERVICES = (
    "IAdmin",
    "IConfig",
    "IContainer",
    "IMetadata",
    "IPixels",
    "IQuery",
    "IRoi",
    "ISession",
    "IUpdate",
)
"""The stateless services; each is reached at its name, in the category of the session's key."""


def _service(name: str) -> Callable[..., Any]:
    """The operation of a factory that hands out a service."""

    def served(self: Servant, call: Call) -> Any:
        proxy = self.server.adapter.createProxy(Ice.Identity(name, call.key))
        return getattr(omero.api, f"{name}Prx").uncheckedCast(proxy)

    return served


class Router(Servant, Glacier2.Router):
    """Glacier2's router, without routing: every object is behind the same endpoints."""

    needs_session = False

    def createSession(self, call: Call, user: str, password: str) -> Any:
        session = self.server.sessions.log_in(user, password)
        group = call.current.ctx.get("omero.group", "")
        if group:
            self._enter(session, group)
        identity = Ice.Identity(session.key, session.key)
        return Glacier2.SessionPrx.uncheckedCast(self.server.adapter.createProxy(identity))

    def getCategoryForClient(self, call: Call) -> str:
        return "clients"

    def getClientProxy(self, call: Call) -> Any:
        return None

    def getServerProxy(self, call: Call) -> Any:
        # The client goes on over the transport that it came by, as through a real router.
        proxy = self.server.adapter.createProxy(Ice.Identity("router", "OMERO.Glacier2"))
        kind = call.current.con.type()
        ends = [end for end in proxy.ice_getEndpoints() if str(end).startswith(kind)]
        return proxy.ice_endpoints(ends)

    def addProxies(self, call: Call, proxies: Any) -> Any:
        return []

    def getSessionTimeout(self, call: Call) -> int:
        return int(self.server.sessions.idle)

    def getACMTimeout(self, call: Call) -> int:
        return 0

    def refreshSession(self, call: Call) -> None:
        return None

    def destroySession(self, call: Call) -> None:
        session = self.server.sessions.find(call.current.ctx.get("omero.session.uuid", ""))
        if session is not None and not session.detached:
            self.server.sessions.close(session.key)
            self.server.forget(session.key)

    def _enter(self, session: Session, group: str) -> None:
        world = self.server.world
        found = [
            row.id
            for row in world.of_kind("ExperimenterGroup")
            if group in (row.values["name"], str(row.id))
        ]
        caller = self.server.sessions.caller(session, "")
        if not found or (found[0] not in caller.groups and not caller.is_admin):
            raise Glacier2.CannotCreateSessionException(
                f"User {session.user} is not a member of group {group}"
            )
        session.group = found[0]


class Factory(Servant, omero.api.ServiceFactory):
    """What a session starts from."""

    getAdminService = _service("IAdmin")
    getConfigService = _service("IConfig")
    getContainerService = _service("IContainer")
    getMetadataService = _service("IMetadata")
    getPixelsService = _service("IPixels")
    getQueryService = _service("IQuery")
    getRoiService = _service("IRoi")
    getSessionService = _service("ISession")
    getUpdateService = _service("IUpdate")

    def getByName(self, call: Call, name: str) -> Any:
        short = name.rsplit(".", 1)[-1]
        if short not in SERVICES:
            raise omero.InternalException(
                None, None, f"the stand-in does not serve the service {name}"
            )
        identity = Ice.Identity(short, call.key)
        proxy = self.server.adapter.createProxy(identity)
        return omero.api.ServiceInterfacePrx.uncheckedCast(proxy)

    def createRawPixelsStore(self, call: Call) -> Any:
        identity = self.server.add(RawPixels(self.server), call.key, "RawPixelsStore")
        return omero.api.RawPixelsStorePrx.uncheckedCast(self.server.adapter.createProxy(identity))

    def submit(self, call: Call, request: Any) -> Any:
        handle = Handle(self.server)
        handle.run(call, request)
        identity = self.server.add(handle, call.key, "Handle")
        return omero.cmd.HandlePrx.uncheckedCast(self.server.adapter.createProxy(identity))

    def activeServices(self, call: Call) -> Any:
        return self.server.stateful(call.key)

    def setCallback(self, call: Call, callback: Any) -> None:
        return None

    def detachOnDestroy(self, call: Call) -> None:
        if call.session is not None:
            call.session.detached = True

    def closeOnDestroy(self, call: Call) -> None:
        if call.session is not None:
            call.session.detached = False

    def keepAlive(self, call: Call, proxy: Any) -> bool:
        return True

    def keepAllAlive(self, call: Call, proxies: Any) -> int:
        return 0

    def setSecurityContext(self, call: Call, target: Any) -> None:
        if call.session is None:
            return
        session = call.session
        Caller(self.server.world, session.user, target.id.val, session.group).check_group()
        session.group = target.id.val

    def destroy(self, call: Call) -> None:
        self.server.sessions.close(call.key)
        self.server.forget(call.key)


class SessionService(Servant, omero.api.ISession):
    """Sessions as objects."""

    def getSession(self, call: Call, key: str) -> Any:
        return self._object(self.server.sessions.touch(key))

    def createUserSession(self, call: Call, live: int, idle: int, group: str) -> Any:
        if call.session is None:
            return None
        session = self.server.sessions.create(call.session.user)
        session.idle = idle / 1000 if idle else session.idle
        return self._object(session)

    def closeSession(self, call: Call, session: Any) -> int:
        self.server.sessions.close(session.uuid.val)
        self.server.forget(session.uuid.val)
        return -2

    def getReferenceCount(self, call: Call, key: str) -> int:
        return 1

    def _object(self, session: Session) -> Any:
        made = omero.model.SessionI(session.number)
        made.unloadCollections()
        made._uuid = rstring(session.key)
        made._timeToIdle = rlong(int(1000 * session.idle))
        made._timeToLive = rlong(0)
        made._started = rtime(int(1000 * session.started))
        made._owner = omero.model.ExperimenterI(session.user, False)
        made._details._owner = omero.model.ExperimenterI(session.user, False)
        made._details._group = omero.model.ExperimenterGroupI(session.group, False)
        return made
