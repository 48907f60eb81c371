"""What the service refuses to go beyond."""

from __future__ import annotations

from dataclasses import dataclass

from deepscribble.errors import LimitExceeded

MEBI = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of every queue, cache, message and image.

    Args:
        image_pixels: Pixels of one image, as sent.
        model_pixels: Pixels of one region at the model's scale.
        upload_bytes: Bytes of one upload.
        message_bytes: Bytes of one gRPC message, or one JSON body, that the server receives.
        strokes: Strokes in one request.
        points: Points over all strokes, or over all polygons of a prior, in one request.
        pending_requests: Requests waiting or running at a time.
        cache_bytes: Bytes that the region cache holds.
    """

    image_pixels: int = 128 * MEBI
    model_pixels: int = 32 * MEBI
    upload_bytes: int = 512 * MEBI
    message_bytes: int = 4 * MEBI
    strokes: int = 2_000
    points: int = 1_000_000
    pending_requests: int = 32
    cache_bytes: int = 2048 * MEBI


def check_limit(value: int, limit: int, what: str, advice: str) -> None:
    """Raise `LimitExceeded` if `value` is over `limit`, saying what to do about it."""
    if value > limit:
        raise LimitExceeded(f"{what}: {value:,} is over the limit of {limit:,}; {advice}")
