"""Who may ask: this machine, by a name of its own, and no web page."""

from __future__ import annotations

import httpx2
import pytest


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.1.2.3:1", "[::1]:80"]
)
def test_names_of_this_machine_are_answered(host: str, web: httpx2.Client) -> None:
    assert web.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "[",
        "10.0.0.1",
        "@",
        "",
    ],
)
@pytest.mark.parametrize("address", ["/healthz", "/v1/server", "/nowhere"])
def test_another_host_s_name_is_refused(host: str, address: str, web: httpx2.Client) -> None:
    answer = web.get(address, headers={"Host": host})
    assert (answer.status_code, answer.json()["reason"]) == (403, "HOST_REFUSED")


def test_a_web_page_is_told_nothing(web: httpx2.Client) -> None:
    page = {"Origin": "https://evil.example"}
    asked = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type",
    }
    for answer in (
        web.get("/v1/server", headers=page),
        web.options("/v1/regions", headers=page | asked),
        web.options("/v1/refine", headers=page | asked),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]
