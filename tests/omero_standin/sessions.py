"""Who is logged in. Sessions live in memory only: a server that was killed knows none."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import Glacier2
import Ice
import omero

from omero_standin.rights import USER_GROUP, Caller
from omero_standin.world import Ref, World

ENDED: dict[str, Callable[[str], Exception]] = {
    "removed": lambda key: omero.RemovedSessionException(
        None, None, f"No session with uuid: {key}"
    ),
    "timeout": lambda key: omero.SessionTimeoutException(None, None, f"Session timed out: {key}"),
    "unknown": lambda key: Ice.ObjectNotExistException(),
}
"""The three ways in which servers answer a call for a session that is over."""


@dataclass
class Session:
    """One login.

    Args:
        key: Its uuid, with which others may join.
        user: Id of the experimenter.
        group: The group that is used unless a call names another.
        idle: Seconds without a call after which it is gone.
        number: Its id.
        touched: When a call came last, seconds of the monotonic clock.
        started: When it was made, seconds since the epoch.
        detached: It stays when the client that made it goes.
    """

    key: str
    user: int
    group: int
    idle: float
    number: int
    touched: float = field(default_factory=time.monotonic)
    started: float = field(default_factory=time.time)
    detached: bool = False


class Sessions:
    """All sessions of a server."""

    def __init__(self, world: World, idle: float) -> None:
        self.world = world
        self.idle = idle
        self.lock = threading.Lock()
        self.open: dict[str, Session] = {}
        self.number = 0
        self.answer = "removed"

    def log_in(self, user: str, password: str) -> Session:
        """A new session for a user's password, or the session whose key stands for both.

        Raises:
            Glacier2.PermissionDeniedException: the password is wrong, or the key not known.
        """
        joined = self.find(user) if user == password else None
        if joined is not None:
            return joined
        for row in self.world.of_kind("Experimenter"):
            if row.values["omeName"] == user and row.values["password"] == password:
                return self.create(row.id)
        raise Glacier2.PermissionDeniedException(f"Password check failed for '{user}': [id=null]")

    def create(self, user: int) -> Session:
        """A new session of a user, in her first group."""
        maps = self.world.referring("GroupExperimenterMap", "child", Ref("Experimenter", user))
        groups = [row.values["parent"].id for row in maps]
        group = next((id for id in groups if id != USER_GROUP), USER_GROUP)
        with self.lock:
            self.number += 1
            session = Session(str(uuid.uuid4()), user, group, self.idle, self.number)
            self.open[session.key] = session
        return session

    def find(self, key: str) -> Session | None:
        """A session that is still there."""
        with self.lock:
            session = self.open.get(key)
            if session is not None and time.monotonic() - session.touched > session.idle:
                del self.open[key]
                return None
            return session

    def touch(self, key: str) -> Session:
        """A session that a call came for.

        Raises:
            omero.SessionException: it expired or was closed, as `answer` says.
            Ice.ObjectNotExistException: likewise.
        """
        session = self.find(key)
        if session is None:
            raise ENDED[self.answer](key)
        session.touched = time.monotonic()
        return session

    def close(self, key: str) -> None:
        """End a session."""
        with self.lock:
            self.open.pop(key, None)

    def expire(self, answer: str) -> None:
        """End them all; calls that come for one are answered by a name of `ENDED`."""
        with self.lock:
            self.answer = answer
            self.open.clear()

    def caller(self, session: Session, group: str) -> Caller:
        """Who calls in a session, for the group that the call's context names, if any."""
        wanted = int(group) if group.lstrip("-").isdigit() else session.group
        return Caller(self.world, session.user, wanted, session.group)
