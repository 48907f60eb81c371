"""What a sync job counts, for Prometheus to fetch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from deepscribble.errors import InvalidInput
from deepscribble.jobs.report import ImageReport, State

SECONDS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)
"""Bounds of the buckets of how long an image takes."""


class Metrics:
    """The numbers of one job."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        answers = Counter(
            "deepscribble_sync_images",
            "Images that were due, by how they came out.",
            ("state",),
            registry=self.registry,
        )
        # Shown as 0 before the first of its kind, so that an alarm can be set on it.
        self._answers = {state: answers.labels(state.value) for state in State}
        outlines = Counter(
            "deepscribble_sync_outlines",
            "Annotations by what was done with them.",
            ("change",),
            registry=self.registry,
        )
        self._outlines = {name: outlines.labels(name) for name in ("added", "updated", "removed")}
        self._seconds = Histogram(
            "deepscribble_sync_image_seconds",
            "How long an image that was due took.",
            buckets=SECONDS,
            registry=self.registry,
        )
        rounds = Counter(
            "deepscribble_sync_rounds",
            "Looks at all images, by whether they came to their end.",
            ("outcome",),
            registry=self.registry,
        )
        self._rounds = {name: rounds.labels(name) for name in ("done", "failed")}
        self._round = Gauge(
            "deepscribble_sync_last_round_timestamp_seconds",
            "When the last look that came to its end did so.",
            registry=self.registry,
        )
        self.images = Gauge(
            "deepscribble_sync_images_watched", "Images at the last look.", registry=self.registry
        )
        self.busy = Gauge(
            "deepscribble_sync_images_in_work", "Images being answered.", registry=self.registry
        )

    def image(self, report: ImageReport, seconds: float) -> None:
        """Count an image that was due."""
        self._answers[report.state].inc()
        self._seconds.observe(seconds)
        for name, counter in self._outlines.items():
            counter.inc(getattr(report, name))

    def round(self, is_done: bool) -> None:
        """Count a look at all images."""
        self._rounds["done" if is_done else "failed"].inc()
        if is_done:
            self._round.set_to_current_time()

    @contextmanager
    def served(self, host: str, port: int) -> Iterator[int]:
        """Answer GET /metrics while the block runs; yields the port.

        Raises:
            InvalidInput: the address cannot be listened on.
        """
        try:
            server, thread = start_http_server(port, host, self.registry)
        except OSError as error:
            raise InvalidInput(
                "metrics", f"{host}:{port} cannot be listened on ({error.strerror or error})"
            ) from error
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
