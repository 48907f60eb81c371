"""From the server's outline to annotations: cut to what was asked for, each with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import shapely

from deepscribble.geometry import Outline, Polygon, Warning
from deepscribble.jobs.plan import Part, shape_of_stroke
from deepscribble.stores import Result, polygon_of, provenance, shape_of, to_result
from deepscribble.stores.features import METADATA_PREFIX

PART = f"{METADATA_PREFIX}part"
"""The metadata that holds the rectangle of a result: x, y, width, height in level-0 pixels.

Nobody else writes it; that the scripts in QuPath write `deepscribble.region` tells theirs apart."""

LEAST_AREA = 1.0
"""Pieces smaller than this, level-0 pixels, are what cutting leaves, not tissue."""


def to_results(
    part: Part, outline: Outline, class_name: str, reach: float, time: datetime
) -> list[Result]:
    """The annotations of a part.

    Each names the strokes that can have shaped it: beyond their reach strokes change nothing, so
    a further stroke leaves the other annotations as they are, to the last letter.

    Args:
        part: What was asked.
        outline: What was answered.
        class_name: The class of the annotations.
        reach: How far a stroke changes the outline, level-0 pixels.
        time: When, aware of its time zone.
    """
    took_part = set(outline.stroke_ids)
    strokes = [stroke for stroke in part.strokes if stroke.id in took_part]
    tree = shapely.STRtree([shape_of_stroke(stroke) for stroke in strokes])
    region = part.region
    place = f"{region.x},{region.y},{region.width},{region.height}"
    results = []
    for polygon in _cut(part, outline):
        near = tree.query(shape_of(polygon), predicate="dwithin", distance=reach)
        ids = [strokes[at].id for at in sorted(near.tolist())]
        origin = provenance(outline.models, ids, time)
        results.append(to_result(polygon, class_name, {**origin, PART: place}))
    return results


def largest(
    results: Sequence[Result], most: int | None, name: str
) -> tuple[list[Result], list[Warning]]:
    """As many results as a store shows, the smallest left out, in the order in which they were.

    Args:
        results: Everything that shall stand there.
        most: How many; None for all.
        name: What the warning, code RESULTS_DROPPED, calls the image.
    """
    if most is None or len(results) <= most:
        return list(results), []
    sizes = [(-shape_of(result.polygon).area, at) for at, result in enumerate(results)]
    kept = sorted(at for _, at in sorted(sizes)[: max(most, 0)])
    dropped = sum(-size for size, _ in sorted(sizes)[max(most, 0) :])
    share = dropped / sum(-size for size, _ in sizes)
    message = (
        f"{name}: of {len(results)} outlines the {len(results) - len(kept)} smallest, "
        f"{share:.2%} of their area, were left out, since no more than {most} are shown beside the "
        "annotations that stay there; draw smaller regions"
    )
    if most <= 0:
        message = (
            f"{name}: all {len(results)} outlines were left out, since viewers show no more "
            "annotations than stay there already; delete some that are not needed"
        )
    return [results[at] for at in kept], [Warning("RESULTS_DROPPED", message)]


def _cut(part: Part, outline: Outline) -> Iterator[Polygon]:
    if not part.is_cut:
        yield from outline.polygons
        return
    shapely.prepare(part.shape)
    for polygon in outline.polygons:
        shape = shape_of(polygon)
        if part.shape.covers(shape):
            yield polygon
            continue
        for piece in shapely.get_parts(shape.intersection(part.shape)):
            if piece.geom_type == "Polygon" and piece.area >= LEAST_AREA:
                rings = polygon_of(piece)
                area = piece.area * part.region.mpp**2
                yield Polygon(rings.exterior, rings.holes, area, polygon.mean_probability)
