"""A run over the images of a store: outline, compare, journal, write, one image at a time.

State is in two places, the store and its journal; whatever happens at any moment, each is whole,
and the next run goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import shapely
from numpy.typing import NDArray

from deepscribble.client import Client
from deepscribble.errors import (
    DeepScribbleError,
    Overloaded,
    ServerUnavailable,
    StoreConflict,
    StoreUnavailable,
)
from deepscribble.geometry import Outline, Warning
from deepscribble.jobs.account import change_entry, done_entry, done_warnings
from deepscribble.jobs.ahead import ahead
from deepscribble.jobs.job import Job, Needs
from deepscribble.jobs.journal import Journal
from deepscribble.jobs.lock import one_writer
from deepscribble.jobs.plan import Part
from deepscribble.jobs.reader import Begun, Ended, Failed, Known, Ready, Step, read_steps
from deepscribble.jobs.report import ImageReport, State, counts
from deepscribble.jobs.results import PART, largest, to_results
from deepscribble.stores import Edit, Former, Result, Store, StoreImage, plan_edit

PATIENCE_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""How long to wait before each further try of a server that others keep busy."""

MOSTLY = 0.5
"""A former result belongs to the parts that hold at least this share of it."""


def annotate(
    store: Store, images: Sequence[StoreImage], client: Client, job: Job
) -> Iterator[ImageReport]:
    """Outline images and write the results back; yields a report as each image is done.

    An image that fails leaves the others alone. When the server goes away, the images that are
    left are reported as not reached.

    Args:
        store: Where the images are.
        images: Which of them, in this order.
        client: The server.
        job: What to do.

    Raises:
        ServerUnavailable: the server does not answer at all.
        OutputRefused: another run works there, or nothing can be written there.
    """
    needs = Needs.of(client)
    journal = Journal(store.folder)
    with nullcontext() if job.is_dry else one_writer(store.folder):
        yield from all_told(outline(store, images, client, job, needs, journal), images)


def outline(
    store: Store,
    images: Sequence[StoreImage],
    client: Client,
    job: Job,
    needs: Needs,
    journal: Journal,
) -> Iterator[ImageReport]:
    """As `annotate`, for a caller that keeps other writers away and the journal itself.

    Raises:
        ServerUnavailable: the server went away; the images without a report are left.
    """
    run = _Run(store, client, job, needs, journal)
    with ahead(read_steps(store, images, job, needs, journal)) as steps:
        yield from run.reports(steps)


def all_told(reports: Iterable[ImageReport], images: Sequence[StoreImage]) -> Iterator[ImageReport]:
    """Reports of all images, also of those that are left when a server goes away.

    Args:
        reports: One for each image, in their order, as far as it goes.
        images: The images.
    """
    reached = 0
    try:
        for report in reports:
            reached += 1
            yield report
    except (ServerUnavailable, StoreUnavailable) as error:
        yield _failed(images[reached], str(error))
        for image in images[reached + 1 :]:
            yield ImageReport(image.id, image.name, State.NOT_REACHED)


@dataclass(slots=True)
class Work:
    """The image that is being done.

    Args:
        begun: The image and what was drawn on it.
        done: Its parts that were outlined.
        failed: Its parts that were not.
        results: The annotations of the parts that are done.
        problems: Why the others are not.
        notes: What was left out of the results.
    """

    begun: Begun
    done: list[tuple[Part, Outline]] = field(default_factory=list)
    failed: list[Part] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[Warning] = field(default_factory=list)

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """All of them, from the store to the server, each once."""
        answered = (note for _, outline in self.done for note in outline.warnings)
        return tuple(dict.fromkeys((*self.begun.warnings, *answered, *self.notes)))


@dataclass(frozen=True, slots=True)
class _Run:
    store: Store
    client: Client
    job: Job
    needs: Needs
    journal: Journal

    def reports(self, steps: Iterator[Step]) -> Iterator[ImageReport]:
        """Take the steps, and report each image when it is through.

        While one image is compared and written, the server computes the next.
        """
        writing: list[Future[ImageReport]] = []
        with ThreadPoolExecutor(1, "deepscribble-writer") as writer:
            for step in steps:
                match step:
                    case Known(image, entry):
                        yield from _written(writing)
                        yield ImageReport(
                            image.id,
                            image.name,
                            State.UNCHANGED,
                            unchanged=int(entry["unchanged"]),
                            kept=int(entry["kept"]),
                            warnings=done_warnings(entry),
                        )
                    case Failed(image, problem):
                        yield from _written(writing)
                        yield _failed(image, problem)
                    case Begun():
                        work = Work(step)
                    case Ready():
                        try:
                            self._outline(work, step)
                        except ServerUnavailable:
                            yield from _written(writing)
                            raise
                    case Ended():
                        yield from _written(writing)
                        writing.append(writer.submit(self._finish, work))
                if writing and writing[0].done():
                    yield from _written(writing)
            yield from _written(writing)

    def _outline(self, work: Work, ready: Ready) -> None:
        """Ask for the outline of a part."""
        part, problem = ready.part, ready.problem
        if ready.pixels is not None:
            try:
                outline = self._ask(part, ready.pixels)
            except ServerUnavailable:
                raise
            except DeepScribbleError as error:
                problem = str(error)
            else:
                work.done.append((part, outline))
                work.results += to_results(
                    part, outline, self.job.class_name, work.begun.reach, datetime.now(UTC)
                )
                return
        work.failed.append(part)
        work.problems.append(f"{part.name}: {problem}")

    def _ask(self, part: Part, pixels: NDArray[np.uint8]) -> Outline:
        for pause in PATIENCE_SECONDS:
            try:
                return self.client.open(part.region, pixels).refine(part.strokes)
            except Overloaded:
                time.sleep(pause)
        return self.client.open(part.region, pixels).refine(part.strokes)

    def _finish(self, work: Work) -> ImageReport:
        """Write what is new of an image."""
        image = work.begun.image
        if not work.done:
            return _failed(image, *work.problems)
        edit = self._plan(work)
        state = State.PLANNED if self.job.is_dry else State.WRITTEN
        try:
            if not self.job.is_dry:
                self._write(work, edit)
        except StoreConflict as error:
            return _failed(image, str(error), state=State.CONFLICT)
        except (DeepScribbleError, OSError) as error:
            return _failed(image, str(error))
        if work.problems:
            state = State.PARTIAL
        elif not edit:
            state = State.UNCHANGED
        return ImageReport(
            image.id,
            image.name,
            state,
            **counts(edit),
            problems=tuple(work.problems),
            warnings=work.warnings,
        )

    def _plan(self, work: Work) -> Edit:
        """What to change, within what the store shows."""
        content, due, most = work.begun.content, self._due(work), work.begun.image.most_results
        if most is not None:
            most -= content.others
            most -= sum(1 for former in content.formers if former.stays or not due(former))
        wanted, notes = largest(work.results, most, work.begun.image.name)
        work.notes += notes
        return plan_edit(content, wanted, due)

    def _write(self, work: Work, edit: Edit) -> None:
        image, version = work.begun.image, work.begun.content.version
        if edit:
            # The journal shall hold no change that is refused.
            self.store.check(image)
            self.journal.add("change", change_entry(work.begun, work.done, edit, self.job))
            version = self.store.write(image, edit, version)
        if not work.problems:
            key = self.needs.key(self.job, image, work.begun.file, version)
            self.journal.add("done", done_entry(image, key, edit, work.warnings))

    def _due(self, work: Work) -> _Due:
        done = shapely.union_all([part.shape for part, _ in work.done])
        failed = shapely.union_all([part.shape for part in work.failed])
        return _Due(self.job.class_name, done, failed)


@dataclass(frozen=True, slots=True)
class _Due:
    """Whether a former result makes room for the new ones.

    It does where an outline was made anew. What annotate made for a region that is gone goes too;
    what came of another place, such as a script in QuPath, is left there.
    """

    class_name: str
    done: shapely.Geometry
    failed: shapely.Geometry

    def __call__(self, former: Former) -> bool:
        if former.class_name != self.class_name:
            return False
        if _mostly_in(former, self.done):
            return True
        return PART in former.metadata and not _mostly_in(former, self.failed)


def _mostly_in(former: Former, shape: shapely.Geometry) -> bool:
    area = former.shape.area
    return bool(area and former.shape.intersection(shape).area >= MOSTLY * area)


def _written(writing: list[Future[ImageReport]]) -> Iterator[ImageReport]:
    """The report of the image that is being written, if one is; it is taken out."""
    while writing:
        yield writing.pop().result()


def _failed(image: StoreImage, *problems: str, state: State = State.FAILED) -> ImageReport:
    return ImageReport(image.id, image.name, state, problems=problems)
