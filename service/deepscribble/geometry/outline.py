"""What an answer holds: polygons, who made them, what it cost, and what was assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput
from deepscribble.geometry.polygon import Polygon


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model and the exact weights that answered."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Warning:
    """Something that was assumed, clipped or left out, for a machine and for a person."""

    code: str
    message: str
    stroke_id: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """How an outline comes out of a known one: drop, then insert.

    Args:
        known: The id of the outline that is changed.
        removed: Positions in it of the polygons that are gone, ascending.
        added: Positions in the new outline of the polygons that came, ascending.
        gone: The polygons at `removed`, as far as whoever made the change had them.
    """

    known: str
    removed: tuple[int, ...]
    added: tuple[int, ...]
    gone: tuple[Polygon, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def between(cls, known: str, old: Sequence[Polygon], new: Sequence[Polygon]) -> Change:
        """What turns `old` into `new`, where polygons that stay are the same objects."""
        before, after = {id(polygon) for polygon in old}, {id(polygon) for polygon in new}
        removed = tuple(index for index, polygon in enumerate(old) if id(polygon) not in after)
        added = tuple(index for index, polygon in enumerate(new) if id(polygon) not in before)
        return cls(known, removed, added, tuple(old[index] for index in removed))

    def applied(self, old: Sequence[Polygon], came: Sequence[Polygon]) -> tuple[Polygon, ...]:
        """The new outline.

        Args:
            old: The known outline.
            came: The polygons at the positions `added`.

        Raises:
            InvalidInput: the change does not fit the outline.
        """
        gone = set(self.removed)
        count = len(old) - len(gone) + len(came)
        if (
            not len(came) == len(self.added) == len(set(self.added))
            or not gone <= set(range(len(old)))
            or not set(self.added) <= set(range(count))
        ):
            raise InvalidInput("change", "the answer does not fit the outline that it changes")
        stay = iter([polygon for index, polygon in enumerate(old) if index not in gone])
        fresh = dict(zip(self.added, came, strict=True))
        return tuple(fresh[index] if index in fresh else next(stay) for index in range(count))


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The outline of a region after all strokes drawn so far.

    Args:
        polygons: Level-0 pixels, ordered by their first pixel; all of them, whatever `change` says.
        region_id: Stands for the pixels in later requests.
        models: GuideNet and RefineNet where they answered.
        milliseconds: Wall time of each stage, by name; `total` is the whole.
        warnings: What was assumed, clipped or left out.
        stroke_ids: The strokes that took part, in the order they were applied.
        probability: (rows, columns) float32 at the model's scale, only on request.
        outline_id: Names this outline, so that a later answer can say what changed since.
        change: How it comes out of an outline that the asker knows, if it does.
    """

    polygons: tuple[Polygon, ...]
    region_id: str
    models: tuple[ModelRef, ...]
    milliseconds: dict[str, float]
    warnings: tuple[Warning, ...] = ()
    stroke_ids: tuple[str, ...] = ()
    probability: NDArray[np.float32] | None = field(default=None, repr=False)
    outline_id: str = ""
    change: Change | None = None
