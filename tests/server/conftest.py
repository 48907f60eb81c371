"""A server on loopback with an engine that computes nothing, and a bare stub to it."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import grpc
import pytest

from deepscribble.server.app import background
from deepscribble.v1.deepscribble_pb2_grpc import DeepScribbleStub


@pytest.fixture
def engine(standin: ModuleType) -> Any:
    return standin.StandInEngine()


@pytest.fixture
def target(engine: Any) -> Iterator[str]:
    with background(lambda: engine, engine.limits.message_bytes) as address:
        yield address
        engine.gate.set()


@pytest.fixture
def channel(target: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(target) as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.Channel) -> DeepScribbleStub:
    return DeepScribbleStub(channel)
