"""What to change in an image so that it holds the wanted results: the least that does.

An outline keeps its id from run to run: a wanted result takes the id of the former one that it
overlaps most. Where a person locked or edited a result, theirs is right, and none is drawn over it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import shapely

from deepscribble.stores.features import METADATA_PREFIX, NAMESPACE
from deepscribble.stores.shape import alike, shape_of
from deepscribble.stores.store import Content, Edit, Former, Result

SAME_PROBABILITY = 1e-3
"""Mean probabilities that differ by less tell a reader the same."""

SAME_OBJECT = 0.5
"""The share of a wanted result that a former one must cover to stand in its place."""


def plan_edit(
    content: Content, wanted: Sequence[Result], replaces: Callable[[Former], bool]
) -> Edit:
    """The edit that puts `wanted` in the place of the former results that `replaces` says.

    Args:
        content: What is stored.
        wanted: Everything that shall stand there, disjoint, with the ids of new annotations.
        replaces: Whether a former result is due; all others are left alone.
    """
    due = [former for former in content.formers if replaces(former)]
    kept = [former for former in due if former.stays]
    fixed = [former for former in content.formers if former.stays]
    free = [former for former in due if not former.stays]
    covered = {
        at
        for at, former, area in _overlaps(wanted, fixed)
        if fixed[former].class_name == wanted[at].class_name
        and area >= SAME_OBJECT * shape_of(wanted[at].polygon).area
    }
    drawn = [result for at, result in enumerate(wanted) if at not in covered]
    heirs = _pair(drawn, free)
    added, updated, unchanged, ids = [], [], [], set(content.ids)
    for at, result in enumerate(drawn):
        if at not in heirs:
            fresh = replace(result, id=_unused(result.id, ids))
            ids.add(fresh.id)
            added.append(fresh)
        elif _is_same(result, free[heirs[at]]):
            unchanged.append(free[heirs[at]].id)
        else:
            updated.append(replace(result, id=free[heirs[at]].id))
    gone = set(range(len(free))) - set(heirs.values())
    return Edit(
        tuple(added),
        tuple(updated),
        tuple(former.id for at, former in enumerate(free) if at in gone),
        tuple(unchanged),
        tuple(former.id for former in kept),
    )


def _pair(wanted: Sequence[Result], formers: Sequence[Former]) -> dict[int, int]:
    """Which former each wanted result goes on from, by position; the most alike first."""
    found = []
    for at, former, area in _overlaps(wanted, formers):
        union = shape_of(wanted[at].polygon).area + formers[former].shape.area - area
        # Of two that are alike the one that keeps its id goes on.
        found.append((-area / union, formers[former].is_namesake, at, former))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, at, former in sorted(found):
        if at not in pairs and former not in taken:
            pairs[at] = former
            taken.add(former)
    return pairs


def _overlaps(
    wanted: Sequence[Result], formers: Sequence[Former]
) -> Iterator[tuple[int, int, float]]:
    """Positions of a wanted result and a former one that overlap, and the area that they share."""
    tree = shapely.STRtree([former.shape for former in formers])
    for at, result in enumerate(wanted):
        shape = shape_of(result.polygon)
        for former in tree.query(shape, predicate="intersects").tolist():
            area = shape.intersection(formers[former].shape).area
            if area > 0:
                yield at, former, area


def _is_same(result: Result, former: Former) -> bool:
    return (
        not former.is_namesake
        and _origin(result.metadata) == _origin(former.metadata)
        and abs(result.polygon.mean_probability - former.mean_probability) < SAME_PROBABILITY
        and alike(shape_of(result.polygon), former.shape)
    )


def _origin(metadata: Mapping[str, str]) -> dict[str, str]:
    """The models and strokes of which a result came; time and version change nothing."""
    return {
        key: value
        for key, value in metadata.items()
        if key.startswith(f"{METADATA_PREFIX}model.") or key == f"{METADATA_PREFIX}strokes"
    }


def _unused(id: str, used: set[str]) -> str:
    while id in used:
        id = str(uuid.uuid5(NAMESPACE, id))
    return id
