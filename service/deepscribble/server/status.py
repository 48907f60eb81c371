"""What a client is told when a request fails."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from grpc_status import rpc_status

from deepscribble.geometry.failure import write_failure

__all__ = ["answered"]

LOG = logging.getLogger("deepscribble.server")

Request = TypeVar("Request")
Response = TypeVar("Response")

Method = Callable[[Any, Request, Any], Awaitable[Response]]


def answered(method: Method[Request, Response]) -> Method[Request, Response]:
    """Wrap an rpc of a grpc.aio servicer so that its errors become gRPC statuses.

    Errors raised on purpose travel with google.rpc details. Any other is a fault of the server:
    its traceback goes to the log, and the client learns only that it happened, since the text
    may hold paths of this machine.
    """

    @functools.wraps(method)
    async def call(servicer: Any, request: Request, context: Any) -> Response:
        try:
            return await method(servicer, request, context)
        except Exception as error:
            failure = write_failure(error)
            if failure is None:
                LOG.exception("%s failed", method.__name__)
                return await context.abort(  # type: ignore[no-any-return]
                    grpc.StatusCode.INTERNAL,
                    "the server failed in a way that it does not know; its log says where",
                )
            LOG.info("%s refused: %s", method.__name__, failure.message)
        status = rpc_status.to_status(failure)
        return await context.abort(  # type: ignore[no-any-return]
            status.code, status.details, status.trailing_metadata
        )

    return call
