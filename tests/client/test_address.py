"""HOST:PORT as people type it."""

from __future__ import annotations

import pytest

from deepscribble.client.address import Address
from deepscribble.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.0.1:1", True),
        ("localhost:0", True),
        ("[::1]:50051", True),
        ("0.0.0.0:50051", False),
        ("[::]:50051", False),
        ("10.0.0.7:65535", False),
        ("pathology.example.org:443", False),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, loopback: bool) -> None:
    address = Address.parse(text, "server")
    assert str(address) == text
    assert address.is_loopback is loopback


@pytest.mark.parametrize(
    "text", ["", ":", ":1", "host", "host:", "host:-1", "host:65536", "host:x", "::1:5", "h h :²"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="HOST:PORT") as refused:
        Address.parse(text, "server")
    assert refused.value.field == "server"
