"""The HTTP face as an operator meets it: its port, its line, its end."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from deepscribble.errors import InvalidInput, ModelRefused
from deepscribble.server import app, serve
from deepscribble.server.app import beside

MESSAGE_BYTES = 4 * 1024 * 1024
ASKED: dict[str, Any] = {
    "region": {"width": 7, "height": 5, "mpp": 0.5},
    "pixels": {"raw": {"width": 7, "height": 5, "rgb": "A" * 140}},
}


def client(address: Any) -> httpx2.Client:
    return httpx2.Client(base_url=f"http://{address}", trust_env=False, timeout=300)


def test_a_taken_port_is_refused_before_models_are_loaded() -> None:
    def never() -> Any:
        raise AssertionError("the models were loaded for a port that is taken")

    with socket.create_server(("127.0.0.1", 0)) as taken:
        for host in ("127.0.0.1", "localhost"):
            with (
                pytest.raises(InvalidInput, match="another program") as refused,
                beside(never, MESSAGE_BYTES, http=f"{host}:{taken.getsockname()[1]}"),
            ):
                pass
            assert refused.value.field == "http"


def test_both_faces_on_one_port_are_refused(engine: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with (
        pytest.raises(InvalidInput, match="another port"),
        beside(lambda: engine, MESSAGE_BYTES, address, address),
    ):
        pass


@pytest.mark.parametrize(
    ("http", "says"),
    [("0.0.0.0:0", "TLS"), ("[::]:0", "TLS"), ("example.org:80", "TLS"), ("8080", "HOST:PORT")],
)
def test_beyond_loopback_and_what_is_no_address_are_refused(http: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        serve("127.0.0.1:0", http=http)
    assert refused.value.field == "http"


def test_models_that_do_not_load_are_told_and_the_port_is_given_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"

    def damaged() -> Any:
        raise ModelRefused("refine: the digest differs from its card's")

    for _ in range(2):
        with (
            pytest.raises(ModelRefused, match="digest"),
            beside(damaged, MESSAGE_BYTES, http=address),
        ):
            pass


def test_ipv6_loopback_is_served(engine: Any) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with beside(lambda: engine, MESSAGE_BYTES, http="[::1]:0") as running:
        assert str(running.http).startswith("[::1]:")
        with client(running.http) as web:
            assert web.get("/healthz").status_code == 200


def test_what_runs_is_finished_and_what_is_new_is_refused_while_it_stops(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "GRACE_SECONDS", 300)
    engine.gate.clear()
    with (
        ThreadPoolExecutor(1) as threads,
        beside(lambda: engine, MESSAGE_BYTES, http="127.0.0.1:0") as running,
        client(running.http) as web,
    ):
        call = threads.submit(web.post, "/v1/segment", json=ASKED)
        while not engine.calls:
            assert not call.done()
        running.stop()
        while (health := web.get("/healthz")).status_code == 200:
            assert not call.done()
        assert (health.status_code, health.json()) == (503, {"status": "stopping"})
        new = web.post("/v1/segment", json=ASKED)
        assert (new.status_code, new.json()["reason"]) == (503, "STOPPING")
        engine.gate.set()
        assert call.result().status_code == 200
        address = running.http
    with pytest.raises(httpx2.ConnectError), client(address) as web:
        web.get("/healthz")


def test_what_runs_too_long_is_told_that_the_server_stops(
    engine: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app, "GRACE_SECONDS", 0.1)
    engine.gate.clear()
    with (
        ThreadPoolExecutor(1) as threads,
        beside(lambda: engine, MESSAGE_BYTES, http="127.0.0.1:0") as running,
        client(running.http) as web,
    ):
        call = threads.submit(web.post, "/v1/segment", json=ASKED)
        while not engine.calls:
            assert not call.done()
        running.stop()
        answer = call.result()
        assert (answer.status_code, answer.json()["reason"]) == (503, "STOPPING")
        engine.gate.set()
    assert not caplog.records


def test_a_connection_that_rests_does_not_hold_the_server_up(engine: Any) -> None:
    others = threading.enumerate()
    with beside(lambda: engine, MESSAGE_BYTES, http="127.0.0.1:0") as running:
        assert running.http is not None
        silent = socket.create_connection((running.http.host, running.http.port))
        web = client(running.http)
        assert web.get("/healthz").status_code == 200
    left = [thread for thread in threading.enumerate() if thread not in others]
    assert "deepscribble-server" not in [thread.name for thread in left]
    silent.close()
    web.close()
