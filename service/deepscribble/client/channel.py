"""The wire under both clients: how a channel is set up, and what its errors mean."""

from __future__ import annotations

from typing import Any

import grpc
from grpc_status import rpc_status

from deepscribble.client.address import Address
from deepscribble.errors import DeepScribbleError, LimitExceeded, ServerUnavailable
from deepscribble.geometry.failure import read_failure

__all__ = ["explain", "options"]

ANSWER_BYTES = 160 * 1024 * 1024
"""The largest answer that a client takes: the probability map of the largest region that a server
takes by default is 128 MiB, and polygons come with it."""


def options(address: Address) -> list[tuple[str, Any]]:
    """Channel options for a server at `address`."""
    return [
        ("grpc.max_receive_message_length", ANSWER_BYTES),
        ("grpc.max_send_message_length", -1),
        # A server that was restarted is found again within a second, not within two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # A proxy of the network cannot reach this machine's own loopback.
        ("grpc.enable_http_proxy", 0 if address.is_loopback else 1),
    ]


def explain(error: Any, address: Address, method: str, timeout: float) -> DeepScribbleError:
    """The error that a failed rpc stands for.

    Args:
        error: A grpc.RpcError of either client, which is a call too.
        address: Where the server was sought.
        method: The rpc that failed.
        timeout: Seconds that it had.
    """
    code, details = error.code(), error.details()
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        # Details that contradict the status come from a proxy between us; the status counts.
        status = None
    failure = read_failure(status) if status is not None else None
    if failure is not None:
        return failure
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ServerUnavailable(
            f"the server at {address} did not answer {method} within {timeout:g} seconds; it is "
            "busy or cannot be reached. Try again, or give the client a longer timeout"
        )
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return ServerUnavailable(
            f"no DeepScribble server answers {method} at {address}, or it went away ({details}); "
            f"start one with `deepscribble serve --listen {address}`, or check the address"
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServerUnavailable(
            f"what answers at {address} does not know {method}; it is not a DeepScribble server, "
            "or one of another version. Check the address"
        )
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return LimitExceeded(
            f"{method} at {address}: a message is over a limit ({details}); "
            "send fewer strokes or a smaller region"
        )
    return DeepScribbleError(f"the server at {address} failed in {method}: {details}")
