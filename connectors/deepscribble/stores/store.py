"""What every store can do: list its images, read what was drawn on one, write results as a diff.

Nothing in a store is ever lost. What DeepScribble made before it may change; strokes, other
annotations, locked ones and those that a person edited stay as they are. `deepscribble.stores.diff`
decides what an `Edit` holds; a store applies it, whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from shapely.geometry.base import BaseGeometry

from deepscribble.geometry import Polygon, Stroke, Warning
from deepscribble.slides import Slide
from deepscribble.stores.classes import StrokeClasses

REGIONS = ("Region*",)


@dataclass(frozen=True, slots=True)
class StoreImage:
    """One image of a store.

    Args:
        id: Names it within the store, for as long as the store lives.
        name: What people call it.
        path: Its file, None if the store cannot tell it.
        mpp: µm per level-0 pixel as the store knows it; None leaves it to the file.
        size: Width and height, level-0 pixels, as the store knows them; None likewise.
        problem: Why it cannot be worked on, and what to do; empty if it can.
        most_results: How many annotations its viewers show, of whomever; None for any number.
    """

    id: str
    name: str
    path: Path | None
    mpp: float | None = None
    size: tuple[int, int] | None = None
    problem: str = ""
    most_results: int | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What to read of an image.

    Args:
        classes: Which classes are strokes, and what they say.
        regions: Patterns over names of classes, as in `StrokeClasses`, of regions of interest.
        width: Full width, level-0 pixels, of strokes that have none of their own.
    """

    classes: StrokeClasses = StrokeClasses()  # noqa: RUF009 - frozen
    regions: tuple[str, ...] = REGIONS
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Area:
    """A region of interest: a valid Polygon or MultiPolygon, level-0 pixels."""

    id: str
    name: str
    shape: BaseGeometry


@dataclass(frozen=True, slots=True)
class Former:
    """An annotation that DeepScribble made before, as it is stored now.

    Args:
        id: Its UUID.
        class_name: Its class.
        shape: Level-0 pixels; whatever a person may have made of the polygon.
        mean_probability: As it was written, 0 if it is gone.
        metadata: Text by name.
        stays: Why it may not be changed, such as "locked"; empty if it may.
        is_namesake: Whether it is stored under an id that is another annotation's by right, so that
            it is written anew under `id` though nothing else of it is new.
    """

    id: str
    class_name: str
    shape: BaseGeometry
    mean_probability: float
    metadata: Mapping[str, str]
    stays: str = ""
    is_namesake: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """What was drawn on an image.

    Args:
        areas: Regions of interest, in the order of the store.
        strokes: Oldest first, as far as the store tells.
        formers: Our former results.
        ids: The ids of all annotations of the image, whoever made them.
        ignored: How many annotations were left out, by the reason or the class.
        warnings: What was left out, assumed or repaired.
        version: Digest of all that is stored for the image; equal exactly if nothing changed.
        others: How many annotations beside `formers` its viewers show, of the
            `StoreImage.most_results`.
    """

    areas: tuple[Area, ...]
    strokes: tuple[Stroke, ...]
    formers: tuple[Former, ...]
    ids: frozenset[str]
    ignored: Mapping[str, int]
    warnings: tuple[Warning, ...]
    version: str
    others: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """An annotation to be stored; `deepscribble.stores.annotations.to_feature` has all of it."""

    id: str
    class_name: str
    polygon: Polygon
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Edit:
    """What to change in an image, by id.

    Args:
        added: New annotations, whose ids the image does not have.
        updated: Annotations of ours that get this geometry, measurements and metadata.
        removed: Ids of ours that go.
        unchanged: Ids of ours that are right already.
        kept: Ids of ours that may not be touched, though they would have been.
    """

    added: tuple[Result, ...] = ()
    updated: tuple[Result, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.added or self.updated or self.removed)


class Store(Protocol):
    """Images and their annotations. `read` and `write` may be called from two threads at a time."""

    @property
    def folder(self) -> Path:
        """Where the store lies, and its journal."""

    def images(self) -> tuple[StoreImage, ...]:
        """All images, those with a problem too.

        Raises:
            InvalidInput: the store itself cannot be read.
        """

    def open(self, image: StoreImage, mpp: float | None) -> Slide:
        """The pixels of an image, to be closed after use.

        Args:
            image: The image.
            mpp: µm per level-0 pixel where nobody else tells it.

        Raises:
            InvalidInput: the store has a problem with it, or it is not the image that the store
                means.
            MissingScale: nobody tells its µm per pixel.
        """

    def read(self, image: StoreImage, query: Query) -> Content:
        """What is stored for an image now.

        Raises:
            InvalidInput: it is damaged, or a stroke or region has no usable geometry.
            LimitExceeded: there is too much of it.
        """

    def check(self, image: StoreImage) -> None:
        """Make sure that an image may be written, as far as can be told before `write`.

        Raises:
            InvalidInput: the store has a problem with it.
            OutputRefused: what is stored for it is read-only.
        """

    def write(self, image: StoreImage, edit: Edit, seen: str) -> str:
        """Apply an edit, whole or not at all; returns the new version.

        Everything that the edit does not name stays as it is, to the bit, and what was stored
        before the first change ever is kept as a backup. Not called with an edit that is false,
        so that a run that changes nothing leaves no trace.

        Args:
            image: The image.
            edit: Made of what `read` gave.
            seen: The version that `read` gave.

        Raises:
            StoreConflict: what is stored is no longer `seen`; nothing was written.
            OutputRefused: it cannot be written; what is stored is untouched.
        """

    def close(self) -> None:
        """Let go of the store."""

    def __enter__(self) -> Self:
        """The store itself."""

    def __exit__(self, *error: object) -> None:
        """Close it."""
