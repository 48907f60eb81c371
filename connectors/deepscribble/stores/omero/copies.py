"""Copies of our results that somebody sent back, as QuPath's extension does with all that it shows.

A copy keeps class, UUID and name, and becomes the sender's; our note is not on it. So the name says
what was written: a copy that is still so is nobody's work, and neither right by hand nor in the
way. One that is not so was edited, and stays.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from deepscribble.geometry import Polygon, Warning
from deepscribble.stores.features import NAME
from deepscribble.stores.shape import describe, shape_of
from deepscribble.stores.store import Former


def name_of(polygon: Polygon) -> str:
    """The name of a result: ours, then area and bounds as they are written."""
    return f"{NAME} {describe(shape_of(polygon))}"


def described(name: str) -> str:
    """What `name_of` says of the shape; empty for what people call theirs."""
    ours, _, description = name.partition(" ")
    return description if ours == NAME else ""


def without_copies(
    formers: Sequence[Former], theirs: Set[str], image: str
) -> tuple[tuple[Former, ...], tuple[Warning, ...]]:
    """Results without what others copied and did not edit; and the warning of that, or none.

    Args:
        formers: All that go by our name.
        theirs: The ids of those among them that others sent back.
        image: What the warning, code RESULTS_COPIED, calls the image.
    """
    left = tuple(former for former in formers if former.stays or former.id not in theirs)
    count = len(formers) - len(left)
    if not count:
        return left, ()
    message = (
        f"{image}: {count} copies of our outlines, as QuPath sends them back with all annotations, "
        "count for nothing, but show beside the outlines; whoever sent them should delete them, "
        "and send strokes only"
    )
    return left, (Warning("RESULTS_COPIED", message),)
