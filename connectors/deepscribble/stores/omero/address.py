"""Addresses of images in OMERO: omero://HOST[:PORT]/KIND:ID."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deepscribble.errors import InvalidInput

PORT = 4064
"""The port of servers that name none."""

KINDS = ("Image", "Dataset", "Project", "Well", "Plate", "Screen")
"""What an address may name: an image, or whatever holds images."""

SCHEME = "omero://"

MAX_PORT = 65535
MAX_ID = 2**63 - 1

PATTERN = re.compile(
    r"omero://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]]+)(?::(?P<port>[0-9]{1,5}))?"
    r"/(?P<kind>[A-Za-z]+):(?P<id>[0-9]{1,19})/?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A thing on an OMERO server.

    Args:
        host: Name or number of the server, an IPv6 number without brackets.
        port: Its secure port.
        kind: One of `KINDS`.
        id: Its number.
    """

    host: str
    port: int
    kind: str
    id: int

    @property
    def server(self) -> str:
        """HOST:PORT, as errors and folders call the server."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{SCHEME}{self.server}/{self.kind}:{self.id}"


def is_address(text: str) -> bool:
    """Whether a text is meant as an address in OMERO."""
    return text.lower().startswith(SCHEME)


def parse_address(text: str) -> Address:
    """Read an address.

    Raises:
        InvalidInput: it is none, or holds a user or password, which belong elsewhere.
    """
    if "@" in text:
        # The text is not repeated: it may hold a password.
        raise InvalidInput(
            "address",
            "an OMERO address holds no user and no password, which others could read; "
            "write omero://HOST/Image:ID and name the user with --user",
        )
    found = PATTERN.fullmatch(text)
    if found is None:
        raise InvalidInput(
            "address",
            f"{text!r} is no OMERO address; write omero://HOST[:PORT]/KIND:ID, "
            "as in omero://omero.example.org/Dataset:51",
        )
    kind = found["kind"].capitalize()
    if kind not in KINDS:
        raise InvalidInput(
            "address", f"{text!r} names a {found['kind']}; name one of {', '.join(KINDS)}"
        )
    port, id = int(found["port"] or PORT), int(found["id"])
    if not 1 <= port <= MAX_PORT:
        raise InvalidInput("address", f"{text!r}: {port} is no port; a port is 1 to {MAX_PORT}")
    if not 1 <= id <= MAX_ID:
        raise InvalidInput("address", f"{text!r}: {id} is no number that OMERO gives")
    return Address(found["host"].strip("[]"), port, kind, id)
