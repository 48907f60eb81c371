"""Errors to and from google.rpc.Status: one table for server and client.

InvalidInput and MissingScale travel with BadRequest, which names the field; all others with
ErrorInfo, whose reason tells apart what shares a status code.
"""

from __future__ import annotations

from dataclasses import dataclass

from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

from deepscribble.errors import (
    DeepScribbleError,
    InvalidInput,
    LimitExceeded,
    MissingScale,
    ModelRefused,
    OutlineForgotten,
    Overloaded,
    RegionForgotten,
    UnknownModel,
)

__all__ = ["DOMAIN", "read_failure", "write_failure"]

DOMAIN = "deepscribble"
"""The domain of every ErrorInfo that the server sends."""

_TEXT_BYTES = 1000
"""gRPC carries errors in trailers of 8 KiB at most; a longer sentence would lose the error."""


@dataclass(frozen=True, slots=True)
class _Row:
    error: type[DeepScribbleError]
    code: int
    reason: str = ""


_TABLE = (
    # A MissingScale is an InvalidInput too, so it stands first.
    _Row(MissingScale, code_pb2.FAILED_PRECONDITION),
    _Row(InvalidInput, code_pb2.INVALID_ARGUMENT),
    _Row(LimitExceeded, code_pb2.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"),
    _Row(Overloaded, code_pb2.RESOURCE_EXHAUSTED, "OVERLOADED"),
    _Row(RegionForgotten, code_pb2.NOT_FOUND, "REGION_NOT_FOUND"),
    _Row(OutlineForgotten, code_pb2.NOT_FOUND, "OUTLINE_NOT_FOUND"),
    _Row(UnknownModel, code_pb2.NOT_FOUND, "MODEL_NOT_FOUND"),
    _Row(ModelRefused, code_pb2.FAILED_PRECONDITION, "MODEL_REFUSED"),
)


def _bounded(text: str) -> str:
    raw = text.encode("utf-8", "replace")
    if len(raw) <= _TEXT_BYTES:
        return raw.decode()
    return raw[:_TEXT_BYTES].decode("utf-8", "ignore") + "..."


def write_failure(error: Exception) -> status_pb2.Status | None:
    """The status of an error that a server answers on purpose; None for any other."""
    row = next((row for row in _TABLE if isinstance(error, row.error)), None)
    if row is None:
        return None
    status = status_pb2.Status(code=row.code, message=_bounded(str(error)))
    detail = status.details.add()
    if isinstance(error, InvalidInput):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=_bounded(error.field), description=_bounded(error.reason)
        )
        detail.Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    else:
        detail.Pack(error_details_pb2.ErrorInfo(reason=row.reason, domain=DOMAIN))
    return status


def read_failure(status: status_pb2.Status) -> DeepScribbleError | None:
    """The error that a server meant; None where the status is not one of ours."""
    for detail in status.details:
        violations = error_details_pb2.BadRequest()
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(violations) and violations.field_violations:
            first = violations.field_violations[0]
            missing = status.code == code_pb2.FAILED_PRECONDITION
            error = MissingScale if missing else InvalidInput
            return error(first.field, first.description)
        if detail.Unpack(info) and info.domain == DOMAIN:
            for row in _TABLE:
                if row.reason and row.reason == info.reason:
                    return row.error(status.message)
    return None
