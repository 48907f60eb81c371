"""A job that runs for ever: images whose strokes changed since their last answer are answered.

All that it knows is with the images: a note says which strokes were answered last, another which
job is at work. So it may be stopped and started anywhere, at any moment, and several may run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from deepscribble.client import Client
from deepscribble.errors import (
    DeepScribbleError,
    ServerUnavailable,
    SessionEnded,
    StoreUnavailable,
)
from deepscribble.geometry import Warning
from deepscribble.jobs.answering import Answering, NotedStore, busy
from deepscribble.jobs.backoff import Backoff
from deepscribble.jobs.health import Health
from deepscribble.jobs.job import Job, Needs
from deepscribble.jobs.journal import Journal
from deepscribble.jobs.lease import Leases, new_holder
from deepscribble.jobs.lock import one_writer
from deepscribble.jobs.metrics import Metrics
from deepscribble.jobs.report import GOOD, ImageReport, State
from deepscribble.jobs.rests import Rests
from deepscribble.jobs.status import STOPPED, STOPPING, Status
from deepscribble.stores import StoreImage

MOST_PAUSE_SECONDS = 300.0
"""The longest pause while a server is away."""

AWAY = (StoreUnavailable, ServerUnavailable)

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a job works.

    Args:
        every: Seconds between the starts of two looks at all images.
        workers: How many images are worked on at a time.
    """

    every: float = 30.0
    workers: int = 2


class Sync:
    """The job.

    Args:
        open_store: Opens the store, again and again until it can be opened.
        client: The server.
        job: What to do.
        pace: How often, how many at a time.
        health: The health file.
        metrics: What is counted.
    """

    def __init__(
        self,
        open_store: Callable[[], NotedStore],
        client: Client,
        job: Job,
        pace: Pace,
        health: Health,
        metrics: Metrics,
    ) -> None:
        self._open_store = open_store
        self._client = client
        self._job = job
        self._pace = pace
        self.metrics = metrics
        self._leases = Leases(new_holder())
        self._rests = Rests(pace.every)
        self._warned: dict[str, tuple[Warning, ...]] = {}
        self._status = Status(health)
        self._stop = threading.Event()

    def stop(self) -> None:
        """End after the images that are in work. Not for signal handlers: it takes locks."""
        LOG.info("stopping after the images in work")
        self._stop.set()
        self._status.note(STOPPING)

    @property
    def is_busy(self) -> bool:
        """Whether an image is in work, which `stop` lets be finished."""
        return self._status.is_busy

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def once(self) -> list[ImageReport]:
        """Look at all images once, and answer what is due; what another job holds is a conflict.

        Raises:
            DeepScribbleError: a server is away, or refuses.
        """
        with self._status.beating(), self._opened() as (store, journal):
            reports = self._round(store, journal, is_last=True)
        self._status.note(STOPPED)
        return reports

    def run(self) -> None:
        """Look at all images again and again, until `stop`.

        A server that is away is waited for, from the beginning.

        Raises:
            InvalidInput: the store refuses who logs in.
            SessionEnded: the session that was joined by its key is over.
            NotFound: there is no such place in it.
            OutputRefused: another run keeps its journal in the same folder, or none can be kept.
        """
        backoff = Backoff(self._pace.every, max(self._pace.every, MOST_PAUSE_SECONDS))
        failures = 0
        with self._status.beating(), ExitStack() as stack:
            opened = None
            while not self._stop.is_set():
                begun = time.monotonic()
                try:
                    opened = opened or stack.enter_context(self._opened())
                    self._round(*opened)
                except DeepScribbleError as error:
                    # What comes up later, such as a server that cannot answer, may pass.
                    is_passing = isinstance(error, AWAY) or bool(self._status.rounds)
                    if isinstance(error, SessionEnded) or not is_passing:
                        raise
                    failures += 1
                    pause = backoff.pause(failures)
                    LOG.warning("%s; next try in %.0f s", error, pause)
                    self._status.note("waiting for a server", str(error))
                    self.metrics.round(is_done=False)
                else:
                    failures = 0
                    pause = max(0.0, begun + self._pace.every - time.monotonic())
                    self._status.note("watching")
                self._stop.wait(pause)
        self._status.note(STOPPED)
        LOG.info("stopped")

    @contextmanager
    def _opened(self) -> Iterator[tuple[NotedStore, Journal]]:
        """The store, and the journal beside it, which no other run writes to."""
        self._status.note("logging in")
        with self._open_store() as store, one_writer(store.folder):
            yield store, Journal(store.folder)

    def _round(
        self, store: NotedStore, journal: Journal, *, is_last: bool = False
    ) -> list[ImageReport]:
        """One look at all images.

        Args:
            store: The store.
            journal: The journal.
            is_last: Whether no other look will find what another job holds now and may leave.

        Raises:
            StoreUnavailable, ServerUnavailable: it was not finished.
        """
        self._status.note("asking for the models")
        needs = Needs.of(self._client)
        self._status.note("listing images")
        images = store.images()
        self._status.note("working")
        self._forget(images)
        self.metrics.images.set(len(images))
        if self._status.watches(len(images)):
            LOG.info("images watched: %d", len(images))
        answering = Answering(store, self._client, self._job, needs, journal, self._leases)
        reports = self._each(images, answering, is_last)
        self._status.ended_round()
        self.metrics.round(is_done=True)
        return reports

    def _each(
        self, images: Sequence[StoreImage], answering: Answering, is_last: bool
    ) -> list[ImageReport]:
        """Work on images in threads, no more at a time than there are workers."""
        reports: list[ImageReport] = []
        left = list(reversed(images))
        running: set[Future[ImageReport | None]] = set()
        error: Exception | None = None
        with ThreadPoolExecutor(self._pace.workers, "deepscribble-sync") as pool:
            while running or (left and error is None and not self._stop.is_set()):
                while left and len(running) < self._pace.workers and error is None:
                    running.add(pool.submit(self._image, left.pop(), answering, is_last))
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    try:
                        report = future.result()
                    except AWAY as caught:
                        error = caught
                    else:
                        reports += [report] if report is not None else []
                if self._stop.is_set():
                    left.clear()
        if error is not None:
            raise error
        return reports

    def _image(self, image: StoreImage, answering: Answering, is_last: bool) -> ImageReport | None:
        """Look at an image; None if there is nothing to do, or nothing yet.

        Raises:
            StoreUnavailable: the store went away before the image was begun.
        """
        if image.problem:
            return self._failed(image, image.problem)
        try:
            look = answering.look(image)
        except StoreUnavailable:
            raise
        except DeepScribbleError as error:
            return self._failed(image, str(error))
        except Exception as error:  # noqa: BLE001 - the log has all of it
            return self._failed(image, _fault(error), error)
        asked = look.asked
        if not asked:
            self._warn(image, look.warnings)
            return None
        if self._rests.has(image.id, asked) or self._stop.is_set():
            return None
        begun = time.monotonic()
        with self._status.in_work(image.id), self.metrics.busy.track_inprogress():
            report = self._answer(image, asked, answering)
        if report is None and is_last:
            report = busy(image)
        if report is not None:
            self._tell(report, time.monotonic() - begun)
            if report.state in GOOD:
                self._rests.end(image.id)
                # Among those that were just told.
                self._warned[image.id] = look.warnings
            elif report.state is not State.CONFLICT:
                self._rests.add(image.id, asked)
        return report

    def _answer(self, image: StoreImage, asked: str, answering: Answering) -> ImageReport | None:
        try:
            return answering.answer(image, asked)
        except AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - the log has all of it
            _log_fault(image, error)
            return ImageReport(image.id, image.name, State.FAILED, problems=(_fault(error),))

    def _failed(
        self, image: StoreImage, problem: str, fault: Exception | None = None
    ) -> ImageReport | None:
        """An image of which nothing can be done; told again only after a while."""
        if self._rests.has(image.id, problem):
            return None
        if fault is not None:
            _log_fault(image, fault)
        self._rests.add(image.id, problem)
        report = ImageReport(image.id, image.name, State.FAILED, problems=(problem,))
        self._tell(report, 0.0)
        return report

    def _forget(self, images: Sequence[StoreImage]) -> None:
        there = {image.id for image in images}
        self._rests.keep(there)
        for id in self._warned.keys() - there:
            del self._warned[id]

    def _warn(self, image: StoreImage, warnings: tuple[Warning, ...]) -> None:
        """Log what was not understood on an image of which nothing is due, until it changes."""
        if self._warned.get(image.id, ()) != warnings:
            _log(image.id, image.name, [warning.message for warning in warnings])
        self._warned[image.id] = warnings

    def _tell(self, report: ImageReport, seconds: float) -> None:
        """Count and log an image."""
        self.metrics.image(report, seconds)
        self._status.ended_image(report.state)
        names = ("added", "updated", "removed", "kept")
        numbers = [f"{getattr(report, name)} {name}" for name in names if getattr(report, name)]
        said = ", ".join((report.state.value, *numbers))
        LOG.info("%s %s: %s, %.1f s", report.image, report.name, said, seconds)
        messages = [warning.message for warning in report.warnings]
        _log(report.image, report.name, [*report.problems, *messages])


def _fault(error: Exception) -> str:
    """A fault of ours as a problem; one image that brings it out leaves all others alone."""
    return f"an error of DeepScribble's own, which its log explains ({error!r})"


def _log_fault(image: StoreImage, error: Exception) -> None:
    LOG.error("%s %s: an error that is not known", image.id, image.name, exc_info=error)


def _log(image: str, name: str, texts: Sequence[str]) -> None:
    for text in texts:
        LOG.warning("%s %s: %s", image, name, text)
