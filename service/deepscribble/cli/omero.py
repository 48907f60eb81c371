"""The options of commands that work on an OMERO server, and who logs in there."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepscribble.errors import InvalidInput
from deepscribble.stores.omero import (
    USER,
    Address,
    Credentials,
    find_credentials,
    not_installed,
    open_omero,
    parse_address,
)

if TYPE_CHECKING:
    from deepscribble.stores.omero.store import OmeroStore

User = Annotated[
    str | None,
    typer.Option("--user", metavar="NAME", help="Who logs in to OMERO. Default: $OMERO_USER."),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="The password is the first line of FILE. Default: $OMERO_PASSWORD, ~/.omero, the "
        "session of `omero login`; else it is asked for.",
    ),
]
AskSession = Annotated[
    bool,
    typer.Option("--session", help="Ask for the key of a session, in place of a password."),
]
Plane = Annotated[
    str | None,
    typer.Option(
        "--plane", metavar="Z,T", help="Section and moment, from 0, of images with several."
    ),
]
Colors = Annotated[
    list[str] | None,
    typer.Option(
        "--color",
        metavar="#RRGGBB=CLASS",
        help="The class of shapes in OMERO that have this line colour and no text; repeatable.",
    ),
]
Certificates = Annotated[
    Path | None,
    typer.Option(
        "--certificates",
        metavar="PEM",
        help="Only talk to an OMERO server whose certificate comes from these authorities.",
    ),
]
Anonymous = Annotated[
    bool,
    typer.Option(
        "--anonymous-tls",
        help="For OMERO servers without a certificate: encrypted, but it may be anybody's.",
    ),
]

COLOR = re.compile(r"(#[0-9A-Fa-f]{6})=(.+)")
PLANE = re.compile(r"([0-9]{1,6}),([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class OmeroOptions:
    """What was typed of the options above, as typed."""

    user: str | None = None
    password_file: Path | None = None
    ask_session: bool = False
    plane: str | None = None
    colors: tuple[str, ...] = ()
    certificates: Path | None = None
    anonymous: bool = False


def opener(text: str, options: OmeroOptions, folder: str = "") -> Callable[[], OmeroStore]:
    """A function that opens the store of an address; who logs in is asked here, once.

    Args:
        text: The address.
        options: The options.
        folder: The name of a folder for the journal within that of the server; empty for that.

    Raises:
        InvalidInput: the address or an option is wrong, or nobody can be asked for a password.
        NotFound: omero-py is not installed.
    """
    address = parse_address(text)
    plane, colors = _plane(options.plane), dict(_color(color) for color in options.colors)
    try:
        from deepscribble.stores.omero.login import Connection
        from deepscribble.stores.omero.store import state_folder
    except ModuleNotFoundError as error:
        raise not_installed(error) from error
    if options.certificates is not None and not options.certificates.is_file():
        raise InvalidInput("--certificates", f"{options.certificates} is no file")
    connection = Connection(
        authority=options.certificates and options.certificates.absolute(),
        is_anonymous=options.anonymous,
    )
    credentials = _credentials(address, options)
    place = state_folder(address) / folder

    def open_it() -> OmeroStore:
        return open_omero(
            address, credentials, connection=connection, folder=place, plane=plane, colors=colors
        )

    return open_it


def _credentials(address: Address, options: OmeroOptions) -> Credentials:
    """Whoever was named, or asked for without an echo; nothing secret is ever an argument."""
    user = options.user or ""
    if options.ask_session:
        return Credentials(key=_ask("Session key"))
    if options.password_file is not None:
        # No other place: whoever logs in there would do so by another password.
        user = user or os.environ.get(USER, "")
        if not user:
            raise InvalidInput(
                "--user", f"say whose password --password-file holds, here or with ${USER}"
            )
        return Credentials(user, _first_line(options.password_file))
    found = find_credentials(address, user=user)
    if found is not None:
        return found
    if not user:
        raise InvalidInput(
            "--user",
            f"say who logs in to {address.server}: with --user, $OMERO_USER and $OMERO_PASSWORD, "
            "~/.omero, or omero login",
        )
    return Credentials(user, _ask(f"Password of {user} at {address.server}"))


def _ask(what: str) -> str:
    if not sys.stdin.isatty():
        raise InvalidInput(
            "--user",
            f"there is no terminal to ask for the {what.lower()}; give it by --password-file or "
            "the environment ($OMERO_PASSWORD, $OMERO_SESSION)",
        )
    return str(typer.prompt(what, hide_input=True, err=True))


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("--password-file", f"{path} cannot be read ({error})") from error
    if not lines or not lines[0]:
        raise InvalidInput("--password-file", f"{path} holds no password in its first line")
    return lines[0]


def _plane(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = PLANE.fullmatch(text)
    if found is None:
        raise InvalidInput("--plane", f"{text!r} is not Z,T: two whole numbers from 0, as in 3,0")
    return int(found[1]), int(found[2])


def _color(text: str) -> tuple[str, str]:
    found = COLOR.fullmatch(text)
    if found is None:
        raise InvalidInput("--color", f"{text!r} is not #RRGGBB=CLASS, as in #ff0000=Tumor")
    return found[1], found[2]
