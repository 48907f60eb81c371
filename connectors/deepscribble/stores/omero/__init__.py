"""Images on an OMERO server: pixels and strokes out of it, outlines into it, by omero-py.

Nothing of omero-py is needed until a store is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from deepscribble.errors import NotFound
from deepscribble.stores.omero.address import Address, is_address, parse_address
from deepscribble.stores.omero.answers import Answer, fingerprint
from deepscribble.stores.omero.credentials import USER, Credentials, find_credentials

if TYPE_CHECKING:
    from deepscribble.stores.omero.login import Connection
    from deepscribble.stores.omero.store import OmeroStore

__all__ = [
    "USER",
    "Address",
    "Answer",
    "Credentials",
    "find_credentials",
    "fingerprint",
    "is_address",
    "not_installed",
    "open_omero",
    "parse_address",
]


def open_omero(
    address: Address,
    credentials: Credentials,
    *,
    connection: Connection | None = None,
    folder: Path | None = None,
    plane: tuple[int, int] | None = None,
    colors: Mapping[str, str] | None = None,
) -> OmeroStore:
    """Log in to a server; a store of the images that an address means.

    Args:
        address: The server, and what on it.
        credentials: Who logs in.
        connection: How to reach the server; None for a certificate that is not checked.
        folder: As for `OmeroStore`.
        plane: As for `OmeroStore`.
        colors: As for `OmeroStore`.

    Raises:
        NotFound: omero-py is not installed.
        InvalidInput: the server refuses who logs in, or its certificate is refused here.
        StoreUnavailable: nobody answers there in time.
    """
    try:
        from deepscribble.stores.omero.login import Connection
        from deepscribble.stores.omero.session import Session
        from deepscribble.stores.omero.store import OmeroStore
    except ModuleNotFoundError as error:
        raise not_installed(error) from error
    session = Session(address, credentials, connection or Connection())
    return OmeroStore(session, address, folder=folder, plane=plane, colors=colors)


def not_installed(error: ModuleNotFoundError) -> NotFound:
    """The error where the client of OMERO, or a part of it, is missing."""
    return NotFound(
        f"omero-py is not installed ({error.name} is missing); see docs/omero.md for how to "
        "install it"
    )
