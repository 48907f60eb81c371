"""Logging in to an OMERO server, within a time, and what its refusals mean."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import Glacier2
import Ice
import omero
import omero.clients

from deepscribble.errors import InvalidInput, LoginRefused, StoreUnavailable
from deepscribble.stores.omero.address import Address
from deepscribble.stores.omero.credentials import Credentials

KEEP_ALIVE_SECONDS = 60
"""Servers end a session that is idle for ten minutes."""

AGENT = "DeepScribble"

LOST = (
    Ice.SocketException,
    Ice.TimeoutException,
    # A secure connection that is cut in the middle of a message is one, too.
    Ice.ProtocolException,
    Ice.ObjectNotExistException,
    Ice.CommunicatorDestroyedException,
    Ice.ObjectAdapterDeactivatedException,
    Glacier2.SessionNotExistException,
    omero.SessionException,
    omero.ClientError,
)
"""What says that the session or the connection is gone, so that a new one may do."""

FAILED = (omero.ServerError, Ice.UnknownException)
"""What a server says that got the call and did not do it."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a server.

    Args:
        patience: Seconds to wait for a connection.
        call_patience: Seconds to wait for an answer.
        authority: A file of certificates (PEM) that the server's must come from; without one the
            connection is encrypted, but the server is taken for who it says it is.
        is_anonymous: Whether to talk to a server without a certificate, as OMERO 5.5 and older
            are set up: encrypted, but open to whoever stands between.
    """

    patience: float = 10.0
    call_patience: float = 300.0
    authority: Path | None = None
    is_anonymous: bool = False


def log_in(address: Address, credentials: Credentials, connection: Connection) -> Any:
    """An `omero.client` with a session that is kept alive.

    Raises:
        LoginRefused: the server refuses who logs in.
        InvalidInput: it begins no session, or its certificate is refused here, or the file of the
            authority cannot be used.
        StoreUnavailable: nobody answers there in time, or somebody else does.
    """
    _knock(address, connection.patience)
    # Its warnings of a retry go to stderr, beside the sentence that ends up there.
    logging.getLogger("omero.client").setLevel(logging.ERROR)
    client = _client(address, connection)
    client.setAgent(AGENT)
    try:
        _enter(client, address, credentials, connection)
    except BaseException:
        drop_client(client)
        raise
    return client


def close_client(client: Any) -> None:
    """End a session as far as there is one."""
    try:
        client.closeSession()
    except (Ice.Exception, omero.ClientError):
        # It is gone already, which is what is wanted.
        logging.getLogger(__name__).debug("the session was gone before it was closed")


def drop_client(client: Any) -> None:
    """Let go of a session that is gone, or never was, without a word to the server."""
    try:
        client.stopKeepAlive()
        client.getCommunicator().destroy()
    except (Ice.Exception, omero.ClientError):
        logging.getLogger(__name__).debug("the session was let go of before")


def unavailable(address: Address, error: Exception) -> StoreUnavailable:
    """The error of a server that does not answer, or no longer."""
    kind = type(error).__name__.removesuffix("Exception")
    return StoreUnavailable(
        f"{address.server}: the OMERO server does not answer, or it went away ({kind}); "
        "check its name and port and that it runs, then try again"
    )


def said(error: Exception) -> str:
    """What a server says of a call that it did not do, as a part of a sentence."""
    message = getattr(error, "message", "") or getattr(error, "unknown", "")
    return f"{type(error).__name__}: {first_line(message)}"


def first_line(text: object) -> str:
    """What of a server's message fits into a sentence."""
    lines = str(text).strip().splitlines()
    return lines[0].strip().rstrip(":") if lines else "no reason given"


def _client(address: Address, connection: Connection) -> Any:
    properties = _properties(connection)
    try:
        return omero.client(host=address.host, port=address.port, pmap=properties)
    except (Ice.PluginInitializationException, Ice.InitializationException) as error:
        if connection.authority is None:
            raise
        raise InvalidInput(
            "--certificates",
            f"{connection.authority} cannot be used ({first_line(error.reason)}); give a file of "
            "certificates in PEM that you may read",
        ) from error


def _enter(client: Any, address: Address, credentials: Credentials, connection: Connection) -> None:
    """Begin the session."""
    try:
        if credentials.key:
            client.joinSession(credentials.key).detachOnDestroy()
        else:
            client.createSession(credentials.user, credentials.password)
        client.enableKeepAlive(KEEP_ALIVE_SECONDS)
    except Glacier2.PermissionDeniedException as error:
        reason = "it is over, or never was" if credentials.key else "its name or password is wrong"
        raise LoginRefused(address.server, _refusal(credentials, reason)) from error
    except omero.ExpiredCredentialException as error:
        raise LoginRefused(
            address.server, _refusal(credentials, "its password has expired")
        ) from error
    except Glacier2.CannotCreateSessionException as error:
        # Such as too many sessions, which may pass.
        reason = error.reason or "no reason given"
        raise InvalidInput(address.server, _refusal(credentials, reason)) from error
    except Ice.SecurityException as error:
        advice = (
            "its certificate is not of the authority that was given"
            if connection.authority
            else "a server without a certificate needs the option for anonymous TLS"
        )
        raise InvalidInput(
            address.server,
            f"no secure connection came about ({first_line(error.reason)}); {advice}",
        ) from error
    except (*LOST, *FAILED) as error:
        raise unavailable(address, error) from error


def _knock(address: Address, patience: float) -> None:
    """Make sure that somebody listens: the client itself waits several times as long."""
    try:
        socket.create_connection((address.host, address.port), patience).close()
    except OSError as error:
        raise StoreUnavailable(
            f"{address.server}: no OMERO server listens there "
            f"({error.strerror or error}); check its name and port and that it runs"
        ) from error


def _properties(connection: Connection) -> dict[str, str]:
    milliseconds = str(int(connection.patience * 1000 / 3))  # the client tries three times
    properties = {
        "Ice.Override.ConnectTimeout": milliseconds,
        "Ice.Default.InvocationTimeout": str(int(connection.call_patience * 1000)),
    }
    if connection.is_anonymous:
        properties["IceSSL.Ciphers"] = "ADH:@SECLEVEL=0"
    if connection.authority is not None:
        properties |= {
            "IceSSL.CAs": str(connection.authority),
            "IceSSL.VerifyPeer": "2",
            "IceSSL.CheckCertName": "1",
        }
    return properties


def _refusal(credentials: Credentials, reason: str) -> str:
    advice = (
        "make a new session with omero login"
        if credentials.key
        else "check the user and give the password anew"
    )
    return f"the OMERO server refuses {credentials.name}: {first_line(reason)}; {advice}"
