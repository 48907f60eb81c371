"""What became of each image, and of a whole run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from deepscribble.geometry import Warning
from deepscribble.stores import Edit


class State(StrEnum):
    """How an image came out."""

    WRITTEN = "written"
    PLANNED = "planned"
    UNCHANGED = "unchanged"
    PARTIAL = "partial"
    CONFLICT = "conflict"
    FAILED = "failed"
    NOT_REACHED = "not reached"


GOOD = (State.WRITTEN, State.PLANNED, State.UNCHANGED)
"""What needs nobody's attention."""


@dataclass(frozen=True, slots=True)
class ImageReport:
    """One image of a run.

    Args:
        image: Its id in the store.
        name: What people call it.
        state: How it came out.
        added: How many annotations are new.
        updated: How many changed.
        removed: How many are gone.
        unchanged: How many were right already.
        kept: How many may not be touched, being locked or edited by hand.
        problems: What went wrong, where, and what to do.
        warnings: What was assumed, clipped or left out.
    """

    image: str
    name: str
    state: State
    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    kept: int = 0
    problems: tuple[str, ...] = ()
    warnings: tuple[Warning, ...] = ()


def counts(edit: Edit) -> dict[str, int]:
    """The numbers of an edit, by the names that a report has for them."""
    names = ("added", "updated", "removed", "unchanged", "kept")
    return {name: len(getattr(edit, name)) for name in names}


def exit_code(reports: Sequence[ImageReport]) -> int:
    """0 if all is well, 1 if nothing was done, 3 if a part was."""
    if all(report.state in GOOD for report in reports):
        return 0
    done = (*GOOD, State.PARTIAL)
    return 3 if any(report.state in done for report in reports) else 1
