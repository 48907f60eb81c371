"""How a call is answered: counted, spoiled if a fault is planned, checked, logged when it fails.

Most operations of OMERO are asynchronous on the server's side, and the generated skeletons leave
them empty: a call would never be answered. Here every operation of a servant's interface is
replaced, and one that the servant does not have raises at the caller, with its name.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import Ice
import omero

from omero_standin.hql import Unreadable
from omero_standin.rights import Caller
from omero_standin.schema import UnknownName
from omero_standin.sessions import Session

if TYPE_CHECKING:
    from omero_standin.server import Server

GROUP = "omero.group"
OF_ICE = ("ice_id", "ice_ids", "ice_isA", "ice_ping")


@dataclass
class Call:
    """One call on its way.

    Args:
        server: The server that it came to.
        current: What Ice knows of it.
        session: Whose it is; None before the login.
    """

    server: Server
    current: Any
    session: Session | None

    @property
    def key(self) -> str:
        """The session's key."""
        return str(self.current.id.category)

    def caller(self) -> Caller:
        """Who calls, for which group.

        Raises:
            omero.SecurityViolation: the group is none of the user's.
        """
        if self.session is None:
            raise omero.SecurityViolation(None, None, "not logged in")
        sessions = self.server.sessions
        caller = sessions.caller(self.session, self.current.ctx.get(GROUP, ""))
        caller.check_group()
        return caller


class Servant:
    """Base of all servants; mixed in before an interface of Ice's.

    A subclass has a method for each operation that it serves, with a `Call` first and the
    operation's arguments after it. One that is annotated to return None answers an operation
    without a result.
    """

    needs_session = True

    def __init__(self, server: Server) -> None:
        self.server = server

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        interface = cls.__bases__[1]
        for attribute in dir(interface):
            name = attribute.removeprefix("_op_")
            if name == attribute or name in OF_ICE:
                continue
            served = cls.__dict__.get(name)
            label = f"{interface.__name__}.{name}"
            if hasattr(interface, f"{name}_async"):
                setattr(cls, f"{name}_async", _asynchronous(label, served))
            else:
                setattr(cls, name, _synchronous(label, served))


def _synchronous(label: str, served: Callable[..., Any] | None) -> Callable[..., Any]:
    def answer(self: Servant, *arguments: Any) -> Any:
        done = threading.Event()
        outcome: list[Any] = [None, None]

        def respond(*values: Any) -> None:
            outcome[0] = values[0] if values else None
            done.set()

        def fail(error: BaseException) -> None:
            outcome[1] = error
            done.set()

        _dispatch(self, label, served, arguments, respond, fail)
        done.wait()
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]

    return answer


def _asynchronous(label: str, served: Callable[..., Any] | None) -> Callable[..., None]:
    def answer(self: Servant, callback: Any, *arguments: Any) -> None:
        _dispatch(self, label, served, arguments, callback.ice_response, callback.ice_exception)

    return answer


def _dispatch(
    servant: Servant,
    label: str,
    served: Callable[..., Any] | None,
    arguments: tuple[Any, ...],
    respond: Callable[..., None],
    fail: Callable[[BaseException], None],
) -> None:
    server = servant.server
    *values, current = arguments
    fault = server.faults.arriving(label)
    kind = fault.kind if fault is not None else ""
    if kind == "hang":
        server.hung.append((respond, fail))
        return
    if kind == "slow" and fault is not None:
        time.sleep(fault.seconds)
    try:
        _before(server, kind, label, current)
        if served is None:
            raise omero.InternalException(None, None, f"the stand-in does not serve {label}")
        session = None
        if servant.needs_session:
            session = server.sessions.touch(current.id.category)
        if kind == "cut-hold":
            current.con.close(True)
            server.held.append(partial(served, servant, Call(server, current, session), *values))
            return
        result = served(servant, Call(server, current, session), *values)
    except (omero.ServerError, Ice.Exception) as error:
        fail(error)
        return
    except (Unreadable, UnknownName) as error:
        fail(omero.QueryException(None, None, str(error)))
        return
    except Exception as error:  # noqa: BLE001 - whatever is wrong here, the client must be told
        report = traceback.format_exc()
        sys.stderr.write(f"{label}: {report}\n")
        fail(omero.InternalException(report, type(error).__name__, f"{label}: {error}"))
        return
    if kind == "kill-after":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "cut-after":
        current.con.close(True)
        return
    if served.__annotations__.get("return") == "None":
        respond()
    else:
        respond(result)


def _before(server: Server, kind: str, label: str, current: Any) -> None:
    if kind == "kill-before":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "cut-before":
        current.con.close(True)
        raise omero.InternalException(None, None, "the connection was cut on demand")
    if kind == "expire-before":
        server.sessions.expire("removed")
    if kind == "refuse":
        raise omero.SecurityViolation(None, None, f"{label} was refused on demand")
    if kind == "fail":
        raise omero.InternalException(None, None, f"{label} failed on demand")
