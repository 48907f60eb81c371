"""What a program that uses a client relies on, the same for both clients."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image

from deepscribble import errors
from deepscribble.geometry import Kind, Label, Polygon, Region, Stroke
from deepscribble.server.app import background

Connect = Callable[..., Any]

REGION = Region(10, 20, 7, 5, 0.5)
RGB = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
STANDIN = Path(__file__).parents[1] / "standin.py"


def stroke(points: int = 2) -> Stroke:
    xy = np.random.default_rng(points).random((points, 2))
    return Stroke("4f1c", Label.BACKGROUND, Kind.POLYLINE, (xy,), 2.0)


def test_a_region_is_uploaded_once_and_refined_stroke_by_stroke(
    connect: Connect, server: str, engine: Any
) -> None:
    handle = connect(server).open(REGION, RGB)
    assert handle.region == REGION
    np.testing.assert_array_equal(engine.pixels[handle.region_id], RGB)
    first = handle.segment()
    np.testing.assert_array_equal(
        first.polygons[0].exterior, [[10, 20], [17, 20], [17, 25], [10, 25]]
    )
    outline = handle.refine([stroke()], refine_model="refine", return_probability=True)
    assert outline.stroke_ids == ("4f1c",)
    assert outline.region_id == handle.region_id
    assert outline.probability.shape == (5, 7)
    assert [warning.stroke_id for warning in outline.warnings] == ["4f1c"]
    assert outline.milliseconds["total"] >= outline.milliseconds["refine"]
    np.testing.assert_array_equal(engine.strokes[0].parts[0], stroke().parts[0])
    assert engine.uploads == 1


def test_a_prior_travels_and_an_empty_one_is_one(connect: Connect, server: str) -> None:
    handle = connect(server).open(REGION, RGB)
    triangle = Polygon(np.array([[11.0, 21.0], [12.5, 21.0], [11.0, 23.0]]))
    (polygon,) = handle.refine([stroke()], prior=[triangle]).polygons
    np.testing.assert_array_equal(polygon.exterior, triangle.exterior)
    assert handle.refine([stroke()], prior=[]).polygons == ()
    assert len(handle.refine([stroke()]).polygons) == 1


def test_an_image_file_is_sent_as_it_is_and_its_conversion_stays_a_warning(
    connect: Connect, server: str, engine: Any
) -> None:
    file = io.BytesIO()
    Image.fromarray(RGB[:, :, 0]).save(file, "PNG")
    handle = connect(server).open(REGION, file.getvalue())
    np.testing.assert_array_equal(engine.pixels[handle.region_id][:, :, 1], RGB[:, :, 0])
    for _ in range(2):
        codes = [warning.code for warning in handle.segment().warnings]
        assert codes == ["PIXELS_CONVERTED"]


def test_an_image_over_the_message_limit_goes_through(
    connect: Connect, server: str, engine: Any
) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (1500, 1501, 3), dtype=np.uint8)
    assert rgb.nbytes > engine.settings.message_bytes
    handle = connect(server).open(Region(0, 0, 1501, 1500, 0.5), rgb)
    np.testing.assert_array_equal(engine.pixels[handle.region_id], rgb)


def test_an_answer_over_the_message_limit_comes_back(
    connect: Connect, server: str, engine: Any
) -> None:
    side = 1100
    assert 4 * side**2 > engine.settings.message_bytes
    rgb = np.zeros((side, side, 3), np.uint8)
    outline = connect(server).open(Region(0, 0, side, side, 1), rgb).segment("", True)
    assert outline.probability.shape == (side, side)


def test_forgotten_pixels_are_sent_again_once(connect: Connect, server: str, engine: Any) -> None:
    handle = connect(server).open(REGION, RGB)
    engine.pixels.clear()
    assert handle.refine([stroke()]).stroke_ids == ("4f1c",)
    engine.pixels.clear()
    assert handle.segment().polygons
    assert engine.uploads == 3
    engine.failure = errors.RegionForgotten("the cache is too small for it")
    with pytest.raises(errors.RegionForgotten, match="too small"):
        handle.segment()
    assert engine.uploads == 4


@pytest.mark.parametrize(
    "failure",
    [
        errors.InvalidInput("strokes[3].width", "0 is not a width"),
        errors.MissingScale("region.mpp", "not known"),
        errors.LimitExceeded("over model_pixels"),
        errors.Overloaded("try again"),
        errors.UnknownModel("no model is called x"),
        errors.ModelRefused("digest differs"),
    ],
)
def test_errors_of_the_server_are_raised_as_themselves(
    failure: errors.DeepScribbleError, connect: Connect, server: str, engine: Any
) -> None:
    handle = connect(server).open(REGION, RGB)
    engine.failure = failure
    with pytest.raises(type(failure)) as raised:
        handle.segment()
    assert str(raised.value) == str(failure)
    assert getattr(raised.value, "field", None) == getattr(failure, "field", None)


def test_a_fault_of_the_server_is_told_as_one(connect: Connect, server: str, engine: Any) -> None:
    handle = connect(server).open(REGION, RGB)
    engine.failure = ZeroDivisionError()
    with pytest.raises(errors.DeepScribbleError, match=f"{server} failed in Segment"):
        handle.segment()


def test_strokes_over_the_message_limit_are_told_as_such(connect: Connect, server: str) -> None:
    handle = connect(server).open(REGION, RGB)
    with pytest.raises(errors.LimitExceeded, match="fewer strokes"):
        handle.refine([stroke(300_000)])


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (RGB.astype(np.uint16), "uint16"),
        (RGB[:, :, :2], "RGB"),
        (RGB[:, :, 0], "RGB"),
        (RGB[:0], "at least one pixel"),
        (b"", "at least one pixel"),
        (b"no image", "encoded"),
    ],
)
def test_what_is_no_image_is_refused(pixels: Any, says: str, connect: Connect, server: str) -> None:
    with pytest.raises(errors.InvalidInput, match=says):
        connect(server).open(REGION, pixels)


def test_too_large_an_image_is_refused_before_it_is_sent_whole(
    connect: Connect, server: str
) -> None:
    with pytest.raises(errors.LimitExceeded, match="image_pixels"):
        connect(server).open(Region(0, 0, 3000, 2000, 1), np.zeros((2000, 3000, 3), np.uint8))


def test_models_and_server_are_told(connect: Connect, server: str, engine: Any) -> None:
    client = connect(server)
    models = {model.name: model for model in client.list_models()}
    assert models["guide-tumor"].is_default
    assert not models["guide-other"].is_default
    assert models["refine"].influence_radius == 128
    assert models["refine"].card["training"] == {"licence": "CC0"}
    info = client.server_info()
    assert (info.device, info.precision) == ("cpu", "float32")
    assert info.limits["image_pixels"] == engine.settings.image_pixels


def test_no_server_is_told_with_the_address_and_the_command(connect: Connect) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(errors.ServerUnavailable, match=f"deepscribble serve --listen {address}"):
        connect(address).server_info()


def test_a_server_of_another_kind_is_told_as_such(connect: Connect) -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with pytest.raises(errors.ServerUnavailable, match="not a DeepScribble server"):
            connect(f"127.0.0.1:{port}").list_models()
    finally:
        server.stop(None)


def test_a_server_that_takes_too_long_is_told_with_the_time(
    connect: Connect, server: str, engine: Any
) -> None:
    handle = connect(server, timeout=0.5).open(REGION, RGB)
    engine.gate.clear()
    with pytest.raises(errors.ServerUnavailable, match=r"within 0\.5 seconds"):
        handle.segment()


def test_an_address_that_is_none_is_refused(connect: Connect) -> None:
    with pytest.raises(errors.InvalidInput, match="HOST:PORT"):
        connect("somewhere")


@pytest.mark.parametrize("moment", ["while it works", "between two calls"])
def test_a_server_killed_is_told_as_gone(moment: str, connect: Connect) -> None:
    slow = ["--slow"] if moment == "while it works" else []
    with subprocess.Popen(
        [sys.executable, str(STANDIN), "127.0.0.1:0", *slow], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        address = child.stdout.readline().strip()
        handle = connect(address).open(REGION, RGB)
        if slow:
            threading.Timer(0.5, child.kill).start()
        else:
            child.kill()
            child.wait()
        with pytest.raises(errors.ServerUnavailable, match=f"{address}, or it went away"):
            handle.segment()


def test_a_server_that_was_restarted_gets_the_pixels_again(connect: Connect, standin: Any) -> None:
    before, after = standin.StandInEngine(), standin.StandInEngine()
    with background(lambda: before, before.settings.message_bytes) as address:
        handle = connect(address).open(REGION, RGB)
        handle.refine([stroke()])
    with pytest.raises(errors.ServerUnavailable):
        handle.refine([stroke()])
    with background(lambda: after, after.settings.message_bytes, address):
        time.sleep(1.2)  # a client looks for a lost server once a second
        assert handle.refine([stroke()]).stroke_ids == ("4f1c",)
        np.testing.assert_array_equal(after.pixels[handle.region_id], RGB)


class Meter:
    """A TCP relay that counts the bytes that a client sends."""

    def __init__(self, server: str) -> None:
        host, port = server.rsplit(":", 1)
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        upstream = socket.create_connection(self._target)
        for source, sink in ((client, upstream), (upstream, client)):
            threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            counted = sink.getpeername() == self._target
            while data := source.recv(1 << 16):
                self.sent += len(data) * counted
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def meter(server: str) -> Iterator[Meter]:
    meter = Meter(server)
    yield meter
    meter.close()


@pytest.mark.parametrize("side", [16, 384, 1024])
def test_a_further_stroke_costs_no_more_than_four_kilobytes_on_the_wire(
    side: int, connect: Connect, meter: Meter
) -> None:
    handle = connect(meter.address).open(
        Region(0, 0, side, side, 0.5), np.zeros((side, side, 3), np.uint8)
    )
    assert meter.sent > 3 * side * side
    handle.refine([stroke(80)])
    before = meter.sent
    handle.refine([stroke(80), stroke(79)])
    assert 80 * 16 < meter.sent - before <= 4096


def test_the_network_proxy_is_not_asked_for_the_own_machine(
    connect: Connect, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert connect(server).server_info().device == "cpu"
    with grpc.insecure_channel(server) as plain, pytest.raises(grpc.RpcError):
        health_pb2_grpc.HealthStub(plain).Check(health_pb2.HealthCheckRequest(), timeout=2)
