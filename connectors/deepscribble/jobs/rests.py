"""Images that failed, which are left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import dataclass

from deepscribble.jobs.backoff import Backoff

MOST_SECONDS = 3600.0
"""The longest pause before an image that failed is tried again with the same strokes."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """An image that failed.

    Args:
        asked: The fingerprint of its strokes, or what is wrong with it.
        times: How often it failed with these.
        until: When it is tried again, by the monotonic clock.
    """

    asked: str
    times: int
    until: float


class Rests:
    """Which images rest: for longer each time, unless more is drawn on them.

    Args:
        every: Seconds between the starts of two looks.
    """

    def __init__(self, every: float) -> None:
        self._backoff = Backoff(every, max(every, MOST_SECONDS))
        self._failures: dict[str, _Failure] = {}

    def has(self, image: str, asked: str) -> bool:
        """Whether an image rests; `asked` is its fingerprint, or what is wrong with it."""
        failure = self._failures.get(image)
        return failure is not None and failure.asked == asked and time.monotonic() < failure.until

    def add(self, image: str, asked: str) -> None:
        """Let an image rest that failed."""
        before = self._failures.get(image)
        times = before.times + 1 if before is not None and before.asked == asked else 1
        until = time.monotonic() + self._backoff.pause(times)
        self._failures[image] = _Failure(asked, times, until)

    def end(self, image: str) -> None:
        """Forget that an image failed."""
        self._failures.pop(image, None)

    def keep(self, images: Set[str]) -> None:
        """Forget all other images."""
        for image in self._failures.keys() - images:
            del self._failures[image]
