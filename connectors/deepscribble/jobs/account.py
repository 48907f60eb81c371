"""The lines of the journal: what explains each annotation, and what ends an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from deepscribble.geometry import Outline, Stroke, Warning
from deepscribble.jobs.job import Job
from deepscribble.jobs.plan import Part
from deepscribble.jobs.reader import Begun
from deepscribble.jobs.report import counts
from deepscribble.stores import Edit, Former, StoreImage, software_version, to_feature


def change_entry(
    begun: Begun, done: Iterable[tuple[Part, Outline]], edit: Edit, job: Job
) -> dict[str, Any]:
    """What is about to change in an image, of what it comes, and what was there before.

    Args:
        begun: The image.
        done: Its parts and their outlines.
        edit: The change.
        job: What was asked.
    """
    formers = {former.id: former for former in begun.content.formers}
    changes: list[dict[str, Any]] = [
        {"id": result.id, "before": None, "after": to_feature(result)} for result in edit.added
    ]
    changes += [
        {"id": result.id, "before": _before(formers[result.id]), "after": to_feature(result)}
        for result in edit.updated
    ]
    changes += [{"id": id, "before": _before(formers[id]), "after": None} for id in edit.removed]
    return {
        **_about(begun.image),
        "class": job.class_name,
        "seen": begun.content.version,
        "parts": [_part(part, outline) for part, outline in done],
        "changes": changes,
    }


def done_entry(
    image: StoreImage, key: str, edit: Edit, warnings: Iterable[Warning]
) -> dict[str, Any]:
    """That an image is done; `key` is what its result follows from."""
    number = counts(edit)
    return {
        **_about(image),
        "key": key,
        **number,
        # What a run from the same input finds.
        "unchanged": number["added"] + number["updated"] + number["unchanged"],
        "warnings": [asdict(warning) for warning in warnings],
    }


def done_warnings(entry: Mapping[str, Any]) -> tuple[Warning, ...]:
    """The warnings of a `done_entry`."""
    return tuple(Warning(**warning) for warning in entry["warnings"])


def _about(image: StoreImage) -> dict[str, Any]:
    return {
        "image": image.id,
        "name": image.name,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "version": software_version(),
    }


def _part(part: Part, outline: Outline) -> dict[str, Any]:
    region = part.region
    return {
        "name": part.name,
        "region": [region.x, region.y, region.width, region.height],
        "mpp": region.mpp,
        "models": {model.name: model.digest for model in outline.models},
        "strokes": [_stroke(stroke) for stroke in part.strokes],
        "milliseconds": outline.milliseconds,
        "warnings": [asdict(warning) for warning in outline.warnings],
    }


def _stroke(stroke: Stroke) -> dict[str, Any]:
    return {
        "id": stroke.id,
        "label": stroke.label.name.lower(),
        "kind": stroke.kind.value,
        "parts": [part.tolist() for part in stroke.parts],
        "width": stroke.width,
    }


def _before(former: Former) -> dict[str, Any]:
    return {
        "geometry": former.shape.__geo_interface__,
        "mean_probability": former.mean_probability,
        "metadata": dict(former.metadata),
    }
