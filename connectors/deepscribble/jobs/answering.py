"""Images answered one by one, each under a lease, with a note of the strokes that were answered."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from deepscribble.client import Client
from deepscribble.errors import DeepScribbleError, StoreUnavailable
from deepscribble.geometry import Warning
from deepscribble.jobs.job import Job, Needs
from deepscribble.jobs.journal import Journal
from deepscribble.jobs.lease import NAMESPACE, Board, Lease, Leases, new_holder
from deepscribble.jobs.lock import one_writer
from deepscribble.jobs.report import ImageReport, State
from deepscribble.jobs.runner import all_told, outline
from deepscribble.slides import Slide
from deepscribble.stores import Content, Edit, Query, Store, StoreImage
from deepscribble.stores.omero import Answer, fingerprint

ANSWERED = (State.WRITTEN, State.UNCHANGED)

LOG = logging.getLogger(__name__)


@runtime_checkable
class NotedStore(Store, Protocol):
    """A store that keeps notes with its images, so that jobs anywhere find them."""

    def answered(self, image: StoreImage) -> Answer:
        """What was answered last."""

    def note_answer(self, image: StoreImage, answer: Answer) -> None:
        """Keep what was answered."""

    def notes(self, image: StoreImage, namespace: str) -> Board:
        """Other notes on the image."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at an image found.

    Args:
        asked: The fingerprint of what was drawn since the last answer; empty if nothing was.
        warnings: What was drawn and not understood.
    """

    asked: str
    warnings: tuple[Warning, ...]


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers images of a store.

    Args:
        store: The store.
        client: The server.
        job: What to do.
        needs: What the server needs for it.
        journal: Where it is written down.
        leases: Those of this job.
    """

    store: NotedStore
    client: Client
    job: Job
    needs: Needs
    journal: Journal
    leases: Leases

    def look(self, image: StoreImage) -> Look:
        """What was drawn on an image since its last answer.

        Two calls to the store, and no write. An image without strokes and regions is never due.

        Raises:
            DeepScribbleError: as the store raises.
        """
        content = self.store.read(image, self.job.query)
        if not content.strokes and not content.areas:
            return Look("", content.warnings)
        asked = self._fingerprint(image, content)
        is_answered = self.store.answered(image).is_of(content, asked)
        return Look("" if is_answered else asked, content.warnings)

    def answer(self, image: StoreImage, asked: str = "") -> ImageReport | None:
        """Outline an image, write, and note what was answered; None if another job holds it.

        Args:
            image: The image.
            asked: What a look gave; empty to outline it whatever was answered. What is drawn later
                is answered too, and is due once more.

        Raises:
            StoreUnavailable: the store went away before the image was begun.
            ServerUnavailable: the server went away before the image was done.
        """
        if image.problem:
            return ImageReport(image.id, image.name, State.FAILED, problems=(image.problem,))
        is_look = bool(asked)
        try:
            asked = asked or self._fingerprint(image, self.store.read(image, self.job.query))
            lease = self.leases.take(self.store.notes(image, NAMESPACE))
        except StoreUnavailable:
            raise
        except DeepScribbleError as error:
            return ImageReport(image.id, image.name, State.FAILED, problems=(str(error),))
        if lease is None:
            return None
        with lease.kept():
            if is_look and not self.look(image).asked:
                # By another job, since the look.
                return ImageReport(image.id, image.name, State.UNCHANGED)
            store = _Leased(self.store, lease)
            (report,) = outline(store, [image], self.client, self.job, self.needs, self.journal)
            if report.state in ANSWERED:
                try:
                    self.store.note_answer(image, Answer(asked, frozenset(store.results)))
                except DeepScribbleError as error:
                    # The outlines are there; the next look finds the image due and unchanged.
                    LOG.warning("%s: that it was answered was not noted: %s", image.id, error)
        return report

    def _fingerprint(self, image: StoreImage, content: Content) -> str:
        return fingerprint(content, self.needs.origin(self.job, image))


def annotate_noted(
    store: NotedStore, images: Sequence[StoreImage], client: Client, job: Job
) -> Iterator[ImageReport]:
    """As `annotate`, for a store whose images other jobs may be working on."""
    needs, journal = Needs.of(client), Journal(store.folder)
    if job.is_dry:
        yield from all_told(outline(store, images, client, job, needs, journal), images)
        return
    with one_writer(store.folder):
        answering = Answering(store, client, job, needs, journal, Leases(new_holder()))
        reports = (answering.answer(image) or busy(image) for image in images)
        yield from all_told(reports, images)


def busy(image: StoreImage) -> ImageReport:
    """The report of an image that another job holds."""
    problem = "another job is working on the image; run again, or leave it to that job"
    return ImageReport(image.id, image.name, State.CONFLICT, problems=(problem,))


@dataclass(slots=True)
class _Leased:
    """A store that writes only while the lease is held, and remembers which results it left.

    These are told from what was read and written, never by another look: what came up meanwhile,
    such as a save of an earlier run, is to be noticed by the next one.
    """

    store: Store
    lease: Lease
    results: set[str] = field(default_factory=set)

    @property
    def folder(self) -> Path:
        return self.store.folder

    def images(self) -> tuple[StoreImage, ...]:
        return self.store.images()

    def open(self, image: StoreImage, mpp: float | None) -> Slide:
        return self.store.open(image, mpp)

    def read(self, image: StoreImage, query: Query) -> Content:
        content = self.store.read(image, query)
        self.results = {former.id for former in content.formers}
        return content

    def check(self, image: StoreImage) -> None:
        self.store.check(image)

    def write(self, image: StoreImage, edit: Edit, seen: str) -> str:
        self.lease.renew()
        version = self.store.write(image, edit, seen)
        self.results.difference_update(edit.removed)
        self.results.update(result.id for result in (*edit.added, *edit.updated))
        return version

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
