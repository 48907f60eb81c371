"""Copies of our results that somebody sent back, as QuPath's extension does with all that it shows.

A copy keeps class, UUID and name, and becomes the sender's; our note is not on it. So the name says
what was written: a copy that is still so is nobody's work, and neither right by hand nor in the
way. One that is not so was edited, and stays.

QuPath itself spoils areas with holes. It joins their rings as an `Area` of Java's, which cuts an
area of some hundred vertices into pieces side by side, and keeps only some of these
(`GeometryTools.convertAreaToGeometry`; seen with QuPath 0.6, not with 0.5). So what is left of an
area with holes is no edit either; whoever takes something away from one by hand must lock it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shapely.geometry.base import BaseGeometry

from deepscribble.geometry import Polygon, Warning
from deepscribble.stores.features import NAME
from deepscribble.stores.shape import describe, is_within, shape_of
from deepscribble.stores.store import Former

HOLED = " with holes"
"""How the name of a result with holes ends."""


def name_of(polygon: Polygon) -> str:
    """The name of a result: ours, then area and bounds as they are written."""
    return f"{NAME} {describe(shape_of(polygon))}{HOLED if polygon.holes else ''}"


def is_named(name: str) -> bool:
    """Whether a name is one that `name_of` gave."""
    return bool(_described(name))


def written(name: str, shape: BaseGeometry) -> str:
    """What `describe` said of a copy before anybody edited it.

    Args:
        name: Its name.
        shape: What it is now. If it is what QuPath may have left, that is what was written.
    """
    description = _described(name)
    is_left = name.endswith(HOLED) and is_within(shape, description)
    return describe(shape) if is_left else description


def _described(name: str) -> str:
    ours, _, description = name.partition(" ")
    return description.removesuffix(HOLED) if ours == NAME else ""


def without_theirs(
    formers: Sequence[Former], theirs: Mapping[str, bool], image: str
) -> tuple[tuple[Former, ...], tuple[Warning, ...]]:
    """Results without those of others that nobody edited; and warnings of these.

    Args:
        formers: All that go by our name.
        theirs: The ids of those among them that are others', and whether each is a copy; the rest
            is what jobs of other users made.
        image: What the warnings, codes RESULTS_COPIED and RESULTS_OF_OTHERS, call the image.
    """
    left = tuple(former for former in formers if former.stays or former.id not in theirs)
    gone = [theirs[former.id] for former in formers if former.id in theirs and not former.stays]
    copies, results = gone.count(True), gone.count(False)
    warnings = []
    if copies:
        message = (
            f"{image}: {copies} copies of our outlines, as QuPath sends them back with all "
            "annotations, count for nothing, but show beside the outlines; whoever sent them "
            "should delete them, and send strokes only"
        )
        warnings.append(Warning("RESULTS_COPIED", message))
    if results:
        message = (
            f"{image}: {results} outlines that DeepScribble made as another user count for "
            "nothing, but show beside the outlines; let one user's job alone answer the image"
        )
        warnings.append(Warning("RESULTS_OF_OTHERS", message))
    return left, tuple(warnings)
