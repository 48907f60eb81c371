"""A server as an operator meets it: health, reflection, its port, its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from deepscribble.errors import InvalidInput, ModelRefused
from deepscribble.server.app import background, serve

MESSAGE_BYTES = 4 * 1024 * 1024


@pytest.fixture
def taken() -> Iterator[str]:
    """An address on which something else listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def free(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


@pytest.mark.parametrize("service", ["", "deepscribble.v1.DeepScribble"])
def test_health_says_serving(service: str, channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_and_describes_the_service(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="deepscribble.v1.DeepScribble"
        ),
    ]
    listed, described = stub.ServerReflectionInfo(iter(requests))
    assert {service.name for service in listed.list_services_response.service} == {
        "deepscribble.v1.DeepScribble",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert b"RefineRequest" in described.file_descriptor_response.file_descriptor_proto[0]


def test_a_background_server_is_gone_after_its_block(engine: Any) -> None:
    with background(lambda: engine, MESSAGE_BYTES) as address:
        assert not free(address)
    assert free(address)
    with background(lambda: engine, MESSAGE_BYTES, address) as again:
        assert again == address


def test_a_taken_port_is_refused_before_models_are_loaded(taken: str) -> None:
    def never() -> Any:
        raise AssertionError("the models were loaded for a port that is taken")

    for listen in (taken, taken.replace("127.0.0.1", "localhost")):
        with (
            pytest.raises(InvalidInput, match="another port") as refused,
            background(never, MESSAGE_BYTES, listen),
        ):
            pass
        assert refused.value.field == "listen"


def test_two_servers_do_not_share_a_port(server: str, engine: Any) -> None:
    with (
        pytest.raises(InvalidInput, match="another program"),
        background(lambda: engine, MESSAGE_BYTES, server),
    ):
        pass


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051", "example.org:1"])
def test_beyond_loopback_is_refused(listen: str) -> None:
    with pytest.raises(InvalidInput, match="TLS") as refused:
        serve(listen)
    assert refused.value.field == "listen"


@pytest.mark.parametrize("listen", ["", "50051", "127.0.0.1", "127.0.0.1:http", "localhost:70000"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(InvalidInput, match="HOST:PORT") as refused:
        serve(listen)
    assert refused.value.field == "listen"


def test_models_that_do_not_load_are_told_and_the_port_is_given_back() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"

    def damaged() -> Any:
        raise ModelRefused("refine: the digest differs from its card's")

    for _ in range(2):
        with (
            pytest.raises(ModelRefused, match="digest"),
            background(damaged, MESSAGE_BYTES, address),
        ):
            pass


SERVE = """
import logging, sys
from types import SimpleNamespace
import deepscribble.engine
sys.path.insert(0, sys.argv[1])
import standin
deepscribble.engine.Engine = SimpleNamespace(open=lambda *_: standin.StandInEngine())
logging.basicConfig(level=logging.INFO, format="%(message)s")
from deepscribble.server import serve
serve("127.0.0.1:0")
sys.stderr.write("returned\\n")
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process can handle")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_tells_where_it_listens_and_stops_when_asked(number: int) -> None:
    tests = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, tests], stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        ready = next(line for line in child.stderr if "listens" in line)
        address = ready.split("listens on ")[1].split(",")[0]
        assert "cpu" in ready
        assert "guide-tumor" in ready
        with grpc.insecure_channel(address) as channel:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        child.send_signal(number)
        assert "returned" in child.stderr.read()
        assert child.wait(10) == 0
    assert free(address)
