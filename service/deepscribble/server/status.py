"""What a client is told when a request fails."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from google.rpc import code_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from deepscribble.geometry.failure import write_failure

__all__ = ["answered", "told"]

LOG = logging.getLogger("deepscribble.server")

Request = TypeVar("Request")
Response = TypeVar("Response")

Method = Callable[[Any, Request, Any], Awaitable[Response]]


def told(method: str, error: Exception) -> status_pb2.Status:
    """What a client is told of an error in `method`; the log is told here.

    Errors raised on purpose travel with google.rpc details. Any other is a fault of the server:
    its traceback goes to the log, and the client learns only that it happened, since the text
    may hold paths of this machine.
    """
    failure = write_failure(error)
    if failure is None:
        LOG.error("%s failed", method, exc_info=error)
        return status_pb2.Status(
            code=code_pb2.INTERNAL,
            message="the server failed in a way that it does not know; its log says where",
        )
    LOG.info("%s refused: %s", method, failure.message)
    return failure


def answered(method: Method[Request, Response]) -> Method[Request, Response]:
    """Wrap an rpc of a grpc.aio servicer so that its errors become gRPC statuses, as `told`."""

    @functools.wraps(method)
    async def call(servicer: Any, request: Request, context: Any) -> Response:
        try:
            return await method(servicer, request, context)
        except Exception as error:  # noqa: BLE001 - every one is told
            status = rpc_status.to_status(told(method.__name__, error))
        return await context.abort(  # type: ignore[no-any-return]
            status.code, status.details, status.trailing_metadata
        )

    return call
