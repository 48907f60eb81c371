"""HOST:PORT, as a person types it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from deepscribble.errors import InvalidInput

__all__ = ["Address"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens. `str()` gives HOST:PORT back, IPv6 hosts in brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, field: str) -> Address:
        """Read HOST:PORT or [IPV6]:PORT.

        Raises:
            InvalidInput: the text is neither; `field` names where it came from.
        """
        host, colon, port = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            host = ""
        number = int(port) if port.isascii() and port.isdigit() else -1
        if not host or not colon or not 0 <= number <= 65535 or host != host.strip():
            raise InvalidInput(
                field, f"{text!r} is not an address; write HOST:PORT, such as 127.0.0.1:50051"
            )
        return cls(host, number)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
