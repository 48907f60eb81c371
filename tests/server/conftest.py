"""A server on loopback with an engine that computes nothing, and bare clients of both its faces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import httpx2
import pytest

from deepscribble.server.app import Running, beside
from deepscribble.v1.deepscribble_pb2_grpc import DeepScribbleStub


@pytest.fixture
def channel(server: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server) as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.Channel) -> DeepScribbleStub:
    return DeepScribbleStub(channel)


@pytest.fixture
def running(engine: Any) -> Iterator[Running]:
    with beside(lambda: engine, engine.settings.message_bytes, http="127.0.0.1:0") as running:
        yield running
        engine.gate.set()


@pytest.fixture
def web(running: Running) -> Iterator[httpx2.Client]:
    # A proxy of the network cannot reach this machine's own loopback.
    with httpx2.Client(base_url=f"http://{running.http}", trust_env=False, timeout=300) as client:
        yield client
