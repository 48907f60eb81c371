"""What a run works on, one step after the other: images opened, planned, and read part by part."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import DeepScribbleError, InvalidInput
from deepscribble.geometry import Warning
from deepscribble.jobs.job import Job, Needs, file_state
from deepscribble.jobs.journal import Journal
from deepscribble.jobs.pixels import read_pixels
from deepscribble.jobs.plan import TINY, Part, plan_parts
from deepscribble.stores import Content, Store, StoreImage

ADVICE = "draw smaller regions on it (annotations of a class such as Region*)"


@dataclass(frozen=True, slots=True)
class Known:
    """An image that was done before from the same input; `entry` is what the journal says."""

    image: StoreImage
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """An image of which nothing can be done, and why."""

    image: StoreImage
    problem: str


@dataclass(frozen=True, slots=True)
class Begun:
    """An image that was opened; its parts follow, then `Ended`.

    Args:
        image: The image.
        file: What `file_state` said of it before it was opened.
        content: What was drawn on it.
        reach: How far a stroke changes the outline, level-0 pixels.
        warnings: What was left out or assumed so far.
    """

    image: StoreImage
    file: tuple[int, int] | None
    content: Content
    reach: float
    warnings: tuple[Warning, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A part whose pixels were read, or why they could not be."""

    part: Part
    pixels: NDArray[np.uint8] | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The image begun last has no more parts."""


Step = Known | Failed | Begun | Ready | Ended


def read_steps(
    store: Store, images: Iterable[StoreImage], job: Job, needs: Needs, journal: Journal
) -> Generator[Step]:
    """Everything to do, in order, with pixels. An image that fails ends only itself."""
    for image in images:
        try:
            yield from _image_steps(store, image, job, needs, journal)
        except (DeepScribbleError, OSError, MemoryError) as error:
            yield Failed(image, str(error) or "there is not enough memory for it")


def _image_steps(
    store: Store, image: StoreImage, job: Job, needs: Needs, journal: Journal
) -> Generator[Step]:
    if image.problem:
        yield Failed(image, image.problem)
        return
    # Before the pixels: a file that takes its place meanwhile is another to the next run.
    file = file_state(image)
    content = store.read(image, job.query)
    entry = journal.done(image.id, needs.key(job, image, file, content.version))
    if entry is not None:
        yield Known(image, entry)
        return
    with store.open(image, job.mpp) as slide:
        reach = needs.reach_um / slide.mpp
        parts, notes = plan_parts(content, slide.whole(), reach)
        if not parts:
            tiny = [note.message for note in notes if note.code == TINY]
            reason = (
                tiny[0]
                if tiny
                else "its regions and strokes lie outside of the image; draw them on it"
            )
            raise InvalidInput(image.name, reason)
        yield Begun(image, file, content, reach, (*content.warnings, *slide.warnings, *notes))
        for part in parts:
            try:
                pixels = read_pixels(slide, part.region, needs.mpp, needs.limits, ADVICE)
            except (DeepScribbleError, OSError, MemoryError) as error:
                yield Ready(part, None, str(error) or "there is not enough memory for it")
            else:
                yield Ready(part, pixels)
        yield Ended()
