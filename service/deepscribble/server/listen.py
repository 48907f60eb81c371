"""Where a face may listen."""

from __future__ import annotations

from dataclasses import replace

from deepscribble.client.address import Address
from deepscribble.errors import InvalidInput

__all__ = ["on_loopback", "taken"]


def on_loopback(listen: Address, field: str) -> Address:
    """The address as a number, since a name may stand for two of which one is free.

    Raises:
        InvalidInput: other machines can reach it; `field` names where it came from.
    """
    if not listen.is_loopback:
        raise InvalidInput(
            field,
            f"{listen} can be reached from other machines, which needs TLS and a token that this "
            "version does not have; listen on 127.0.0.1 and reach it through an SSH tunnel",
        )
    return replace(listen, host="127.0.0.1") if listen.host == "localhost" else listen


def taken(listen: Address, field: str) -> InvalidInput:
    """The error of a port that cannot be opened."""
    return InvalidInput(
        field,
        f"{listen} cannot be opened; another program uses the port, or it is not ours to use. "
        "Stop that program or choose another port",
    )
