"""Who logs in to an OMERO server: told, from the environment, from a file, or already logged in."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deepscribble.errors import InvalidInput
from deepscribble.stores.omero.address import Address

USER, PASSWORD, SESSION = "OMERO_USER", "OMERO_PASSWORD", "OMERO_SESSION"
"""Variables of the environment: a user and password, or the key of a session."""

FILE = ".omero"
"""The file in the home folder that is read; omero.user, omero.pass and omero.sess are its names,
one NAME=VALUE a line, as in a file for Ice's ICE_CONFIG, which goes before it. Where it has an
omero.host, it is for that server alone."""

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and password, or the key of a session that was opened already.

    They are kept in memory only, and do not show in logs and errors.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """Who this is, as errors say it."""
        return f"user {self.user!r}" if not self.key else "the session key"


def find_credentials(
    address: Address,
    *,
    user: str = "",
    password: str = "",
    key: str = "",
    environment: Mapping[str, str] = os.environ,
) -> Credentials | None:
    """Credentials for a server, from the first place that has whole ones; None if none has.

    These places: what is given, the environment, a file of the user, and the session that
    `omero login` opened.

    Args:
        address: The server.
        user: The user's name as given.
        password: The password as given.
        key: A session key as given.
        environment: Variables.

    Raises:
        InvalidInput: a file that holds them can be read by others, or cannot be read.
    """
    if key:
        return Credentials(key=key)
    user = user or environment.get(USER, "")
    password = password or environment.get(PASSWORD, "")
    if user and password:
        return Credentials(user, password)
    if not user and environment.get(SESSION):
        return Credentials(key=environment[SESSION])
    kept = _from_file(address, environment)
    if kept is not None and user in ("", kept.user):
        return kept
    return _logged_in(address, user)


def _from_file(address: Address, environment: Mapping[str, str]) -> Credentials | None:
    path = Path(environment.get("ICE_CONFIG") or Path.home() / FILE)
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(str(path), f"the file cannot be read ({error})") from error
    named = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    values = {name.strip(): value.strip() for name, value in named}
    user, password = values.get("omero.user", ""), values.get("omero.pass", "")
    key = values.get("omero.sess", "")
    host = values.get("omero.host", "")
    is_elsewhere = bool(host) and host.lower() != address.host.lower()
    if is_elsewhere or (not key and not (user and password)):
        return None
    if mode & OTHERS:
        raise InvalidInput(str(path), f"others can read the password in it; run: chmod 600 {path}")
    return Credentials(key=key) if key else Credentials(user, password)


def _logged_in(address: Address, user: str) -> Credentials | None:
    """The session that `omero login` keeps for this server."""
    from omero.util import get_omero_userdir
    from omero.util.sessions import SessionsStore

    folder = Path(str(get_omero_userdir())) / "sessions"
    if not folder.is_dir():
        return None
    store = SessionsStore(str(folder))
    host, name, key, port = store.get_current()
    if host != address.host or str(port) != str(address.port) or user not in ("", name):
        return None
    return Credentials(key=str(key)) if key else None
