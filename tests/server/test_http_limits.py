"""Bodies and queues have bounds, and who hangs up costs nothing any more."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx2
import pytest

from deepscribble.server import servicer
from deepscribble.server.app import Running
from deepscribble.server.http import guard

ASKED: dict[str, Any] = {
    "region": {"width": 7, "height": 5, "mpp": 0.5},
    "pixels": {"raw": {"width": 7, "height": 5, "rgb": "A" * 140}},
}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def begin(running: Running, *lines: str, body: bytes = b"") -> socket.socket:
    """A connection that has sent this much of a request."""
    assert running.http is not None
    connection = socket.create_connection((running.http.host, running.http.port), 300)
    head = "\r\n".join((*lines, f"Host: {running.http}", "", ""))
    connection.sendall(head.encode() + body)
    return connection


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    with closing(connection):
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)


def ask(running: Running, model: str) -> socket.socket:
    body = json.dumps(ASKED | {"guideModel": model}).encode()
    return begin(
        running,
        "POST /v1/segment HTTP/1.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        body=body,
    )


def upload(web: httpx2.Client) -> int:
    kind = {"Content-Type": "application/octet-stream"}
    return web.put("/v1/regions?width=1&height=1", content=b"abc", headers=kind).status_code


@pytest.mark.parametrize(
    ("method", "address", "kind", "limit"),
    [
        ("POST", "/v1/segment", "application/json", "message_bytes"),
        ("POST", "/v1/refine", "application/geo+json", "message_bytes"),
        ("PUT", "/v1/regions", "image/png", "upload_bytes"),
    ],
)
@pytest.mark.parametrize("length", [True, False])
def test_a_body_over_its_limit_is_refused_and_the_client_hears_it(
    length: bool, method: str, address: str, kind: str, limit: str, web: httpx2.Client, engine: Any
) -> None:
    size = getattr(engine.settings, limit) + 1
    pieces = iter([b" " * 1_000_000] * (size // 1_000_000 + 1))
    got = web.request(
        method,
        address,
        content=b" " * size if length else pieces,
        headers={"Content-Type": kind},
    )
    assert (got.status_code, got.json()["reason"]) == (413, "LIMIT_EXCEEDED")
    assert limit in got.json()["detail"]
    assert web.get("/healthz").status_code == 200


def test_an_announced_body_over_the_limit_is_refused_before_it_comes(running: Running) -> None:
    connection = begin(
        running,
        "PUT /v1/regions HTTP/1.1",
        "Content-Type: image/png",
        f"Content-Length: {10**15}",
        "Expect: 100-continue",
    )
    said = connection.recv(65536)
    connection.close()
    assert said.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_goes_on_sending_is_cut_off(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "LINGER_SECONDS", 0.1)
    connection = begin(
        running,
        "POST /v1/segment HTTP/1.1",
        "Content-Type: text/plain",
        "Transfer-Encoding: chunked",
        body=b"3\r\nabc\r\n",
    )
    said = answer(connection)
    assert said.startswith(b"HTTP/1.1 415 ")
    assert b"\r\nconnection: close\r\n" in said.lower()


@pytest.mark.parametrize("kind", ["application/json", "image/png"])
def test_a_body_that_stops_coming_loses_its_place(
    kind: str, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(guard, "LINGER_SECONDS", 0.1)
    route = "PUT /v1/regions" if kind == "image/png" else "POST /v1/refine"
    connection = begin(
        running,
        f"{route} HTTP/1.1",
        f"Content-Type: {kind}",
        "Content-Length: 100",
        body=b"{",
    )
    head, _, body = answer(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["reason"] == "BODY_TIMEOUT"


def filled(web: httpx2.Client, connect: Callable[[], socket.socket]) -> list[socket.socket]:
    """Connections that hold all places; where an upload that looks was in the way, some more."""
    connections = []
    while upload(web) != 429:
        connections.append(connect())
        time.sleep(0.01)
    return connections


def test_one_request_too_many_is_told_to_come_again(web: httpx2.Client, engine: Any) -> None:
    engine.gate.clear()
    count = engine.settings.pending_requests

    def insist() -> httpx2.Response:
        # An upload that only looks may have the last place just then.
        while (answer := web.post("/v1/segment", json=ASKED)).status_code == 429:
            time.sleep(0.01)
        return answer

    with ThreadPoolExecutor(count) as threads:
        calls = [threads.submit(insist) for _ in range(count)]
        until(lambda: upload(web) == 429)
        over = web.post("/v1/segment", json=ASKED)
        assert (over.status_code, over.json()["reason"]) == (429, "OVERLOADED")
        assert int(over.headers["retry-after"]) >= 1
        assert web.get("/healthz").status_code == 200
        engine.gate.set()
        assert [call.result().status_code for call in calls] == [200] * count
    assert upload(web) == 200


def test_a_client_that_hangs_up_while_it_waits_is_never_served(
    running: Running, web: httpx2.Client, engine: Any
) -> None:
    engine.gate.clear()
    with closing(ask(running, "guide-tumor")):
        until(lambda: len(engine.calls) == 1)
        for connection in filled(web, lambda: ask(running, "guide-other")):
            connection.close()
        until(lambda: upload(web) == 200)
        engine.gate.set()
        assert web.post("/v1/segment", json=ASKED).status_code == 200
    assert engine.calls == ["guide-tumor", ""]


@pytest.mark.parametrize("route", ["PUT /v1/regions", "POST /v1/segment"])
def test_a_client_that_hangs_up_while_it_sends_gives_its_place_back(
    route: str, running: Running, web: httpx2.Client, engine: Any
) -> None:
    kind = "image/png" if "regions" in route else "application/json"
    lines = (f"{route} HTTP/1.1", f"Content-Type: {kind}", "Content-Length: 100")
    for connection in filled(web, lambda: begin(running, *lines, body=b"{")):
        connection.close()
    until(lambda: upload(web) == 200)
    assert engine.calls == []
