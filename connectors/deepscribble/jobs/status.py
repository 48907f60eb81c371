"""What a job that runs for ever says of itself, in its health file."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from deepscribble.jobs.beat import beating
from deepscribble.jobs.health import Health
from deepscribble.jobs.report import State

BEAT_SECONDS = 5.0
"""How often the health file is written, whatever the job waits for."""

STOPPING = "stopping"
STOPPED = "stopped"


class Status:
    """What the job does, and the file that tells it.

    Args:
        health: The file.
    """

    def __init__(self, health: Health) -> None:
        self._health = health
        self._doing = "starting"
        self._since = time.monotonic()
        self._problem = ""
        self._rounds = 0
        self._images = 0
        self._in_work: dict[str, float] = {}
        self._answered: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    @property
    def rounds(self) -> int:
        """How many looks at all images came to their end."""
        return self._rounds

    @property
    def is_busy(self) -> bool:
        """Whether an image is in work."""
        return bool(self._in_work)

    def note(self, doing: str, problem: str = "") -> None:
        """Say what is done now; a job that is stopping does nothing else until it has stopped."""
        with self._lock:
            if self._doing != STOPPING or doing == STOPPED:
                self._doing, self._problem = doing, problem
                self._since = time.monotonic()
        self.write()

    def watches(self, images: int) -> bool:
        """Say how many images there are; whether that is news."""
        with self._lock:
            is_news = not self._rounds or self._images != images
            self._images = images
        return is_news

    def ended_round(self) -> None:
        """Count a look at all images."""
        with self._lock:
            self._rounds += 1

    def ended_image(self, state: State) -> None:
        """Count an image that was due."""
        with self._lock:
            self._answered[state.value] += 1

    @contextmanager
    def in_work(self, image: str) -> Iterator[None]:
        """Say that an image is in work while the block runs."""
        with self._lock:
            self._in_work[image] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._in_work[image]

    def beating(self) -> AbstractContextManager[None]:
        """Show that the job lives while the block runs, also while a server keeps it waiting."""
        return beating(self.write, BEAT_SECONDS, "deepscribble-health")

    def write(self) -> None:
        """Write the file."""
        # What is older never comes last.
        with self._writing:
            self._health.write(self._document())

    def _document(self) -> dict[str, Any]:
        now = time.monotonic()
        with self._lock:
            return {
                "status": self._doing,
                "seconds": round(now - self._since),
                "rounds": self._rounds,
                "images": self._images,
                "problem": self._problem,
                "in_work": {image: round(now - since) for image, since in self._in_work.items()},
                "answered": dict(self._answered),
            }
