"""Errors as HTTP tells them: RFC 9457 problem details, made of the statuses that gRPC sends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]
from starlette.responses import Response

from deepscribble.server.status import told

__all__ = ["PROBLEM", "STOPPING", "Problem", "Refused"]

PROBLEM = "application/problem+json"

RETRY_SECONDS = 1
"""When a client that was refused for want of a place may try again."""

_BY_REASON = {
    "LIMIT_EXCEEDED": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "OVERLOADED": HTTPStatus.TOO_MANY_REQUESTS,
    "MODEL_REFUSED": HTTPStatus.CONFLICT,
}
_BY_CODE = {
    code_pb2.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    code_pb2.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    code_pb2.NOT_FOUND: HTTPStatus.NOT_FOUND,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One error.

    Args:
        status: The HTTP status.
        reason: What happened, for a program.
        detail: What happened and what to do, for a person.
        field: The field or parameter to blame, if it is one.
        headers: What the status asks for besides.
    """

    status: HTTPStatus
    reason: str
    detail: str
    field: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_status(cls, status: status_pb2.Status) -> Problem:
        """The problem that a google.rpc.Status tells of."""
        reason, named = code_pb2.Code.Name(status.code), ""
        for detail in status.details:
            violations, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
            if detail.Unpack(violations):
                named = violations.field_violations[0].field
            elif detail.Unpack(info):
                reason = info.reason
        code = _BY_REASON.get(reason) or _BY_CODE.get(status.code, HTTPStatus.INTERNAL_SERVER_ERROR)
        retry = (("Retry-After", str(RETRY_SECONDS)),) if reason == "OVERLOADED" else ()
        return cls(code, reason, status.message, named, retry)

    @classmethod
    def of_error(cls, method: str, error: Exception) -> Problem:
        """The problem that an error in `method` is, as gRPC would tell it."""
        return error.problem if isinstance(error, Refused) else cls.of_status(told(method, error))

    def response(self) -> Response:
        """The problem as an answer."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            "reason": self.reason,
        }
        if self.field:
            document["field"] = self.field
        return Response(json.dumps(document), self.status.value, dict(self.headers), PROBLEM)


STOPPING = Problem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "STOPPING",
    "the server was asked to stop; start it again",
)
"""What is told to requests that come, or still run, at the end."""


class Refused(Exception):
    """A request that ends in a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem
