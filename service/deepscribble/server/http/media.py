"""Media types: what a body is, and what an answer may be."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from starlette.requests import Request

from deepscribble.server.http.problem import Problem, Refused

__all__ = ["GEOJSON", "IMAGES", "JSON", "RAW", "answer_type", "body_type"]

JSON = "application/json"
GEOJSON = "application/geo+json"
RAW = "application/octet-stream"
IMAGES = ("image/png", "image/jpeg", "image/tiff", "image/webp")


def body_type(request: Request, taken: Sequence[str]) -> str:
    """What the request says that its body is.

    Raises:
        Refused: none of `taken`.
    """
    named = request.headers.get("content-type", "")
    kind = named.partition(";")[0].strip().lower()
    if kind not in taken:
        raise Refused(
            Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                f"Content-Type {named!r} is not taken here; send {', '.join(taken)}",
                "Content-Type",
            )
        )
    return kind


def answer_type(request: Request, offered: Sequence[str]) -> str:
    """What the client would like of `offered`; the first where it does not mind.

    Raises:
        Refused: it takes none of them.
    """
    accept = request.headers.get("accept", "") or "*/*"
    ranges = [_read_range(text) for text in accept.split(",")]
    best = max(offered, key=lambda kind: _quality(kind, ranges))
    if _quality(best, ranges) <= 0:
        raise Refused(
            Problem(
                HTTPStatus.NOT_ACCEPTABLE,
                "NOT_ACCEPTABLE",
                f"Accept {accept!r} names nothing that is answered here; "
                f"ask for {' or '.join(offered)}",
                "Accept",
            )
        )
    return best


def _read_range(text: str) -> tuple[str, float]:
    """A media range and how much it is wanted, 0 to 1; what cannot be read is not wanted."""
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = "1"
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            quality = value.strip()
    try:
        return kind, float(quality)
    except ValueError:
        return kind, 0.0


def _quality(kind: str, ranges: list[tuple[str, float]]) -> float:
    """How much a type is wanted, by the range that names it most exactly."""
    wanted = dict(ranges)
    for pattern in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if pattern in wanted:
            return wanted[pattern]
    return 0.0
