"""Bodies of requests: read within limits, and JSON to messages."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from http import HTTPStatus
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message as Event

from deepscribble.errors import InvalidInput, LimitExceeded
from deepscribble.server import servicer
from deepscribble.server.http.problem import Problem, Refused

__all__ = ["read_body", "read_message"]

Wanted = TypeVar("Wanted", bound=Message)


async def read_body(request: Request, limit: int, name: str) -> deque[bytes]:
    """The body in the pieces in which it came, at most `limit` bytes together.

    Args:
        request: What it comes with.
        limit: The most bytes.
        name: What the limit is called.

    Raises:
        LimitExceeded: more bytes are announced, or came.
        Refused: nothing came for the time that an upload may pause.
        ClientDisconnect: the client went away.
    """
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdigit() else 0
    _check(size, limit, name)
    pieces: deque[bytes] = deque()
    size, more = 0, True
    while more:
        event = await _next(request)
        if event["type"] == "http.disconnect":
            raise ClientDisconnect
        piece, more = event.get("body", b""), event.get("more_body", False)
        size += len(piece)
        _check(size, limit, name)
        if piece:
            pieces.append(piece)
    return pieces


def _check(size: int, limit: int, name: str) -> None:
    if size > limit:
        raise LimitExceeded(
            f"body: {size} bytes are over the server's limit {name} of {limit}; "
            "send a smaller region or fewer strokes"
        )


async def _next(request: Request) -> Event:
    seconds = servicer.IDLE_SECONDS
    try:
        async with asyncio.timeout(seconds):
            return await request.receive()
    except TimeoutError as error:
        raise Refused(
            Problem(
                HTTPStatus.REQUEST_TIMEOUT,
                "BODY_TIMEOUT",
                f"nothing of the body came for {seconds:g} seconds; send it again",
            )
        ) from error


def read_message(data: bytes, message: Wanted) -> Wanted:
    """Fill an empty `message` from proto3 JSON, and return it.

    Raises:
        InvalidInput: not JSON, or a field that is unknown or of another type; `field` is its path.
    """
    document = _read_json(data)
    if not isinstance(document, dict):
        raise InvalidInput("body", "not a JSON object; send the request's fields in { }")
    try:
        json_format.ParseDict(document, message)
    except json_format.ParseError as error:
        raise _explained(error) from error
    return message


def _read_json(data: bytes) -> Any:
    try:
        return json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_never)
    except (ValueError, RecursionError) as error:
        # Not only text that is no JSON: a number may have more digits than Python reads.
        raise InvalidInput("body", f"not JSON ({error}); send it as UTF-8") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _never(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


_UNKNOWN = re.compile(r'has no field named "(.*?)" at "\w+(?:\.(.*?))?"\.', re.DOTALL)
_WHERE = re.compile(r'\s*at "?[A-Z]\w*\.([\w.\[\]]+?)"?\.*$')
_WRAPPED = re.compile(r"Failed to parse (\w+) field: ")


def _explained(error: json_format.ParseError) -> InvalidInput:
    """The error with the path of the field, which protobuf puts into its sentence."""
    text = str(error)
    if unknown := _UNKNOWN.search(text):
        name, parent = unknown.groups()
        path = f"{parent}.{name}" if parent else name
        return InvalidInput(path, "no field of the contract; leave it out or mend its name")
    where = _WHERE.search(text)
    if where is not None:
        text, path = text[: where.start()], where.group(1)
    else:
        path = ".".join(_WRAPPED.findall(text)) or "body"
    return InvalidInput(path, _WRAPPED.sub("", text).rstrip("."))
