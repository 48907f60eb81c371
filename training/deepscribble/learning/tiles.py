"""Tiles: places on an annotated slide, cut out as an image and its mask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput, MissingScale, OutputRefused
from deepscribble.geometry import Grid, Region, Warning, check_mpp
from deepscribble.learning.project import Entry
from deepscribble.learning.tissue import find_tissue
from deepscribble.learning.truth import read_truth
from deepscribble.slides import Slide, open_slide
from deepscribble.stores import write_whole

SIZES = (128, 8192)
"""Sides of tiles in pixels; at borders, too, none is smaller."""

LEAST_TISSUE = 0.1
MOST_IGNORED = 0.1

COARSER = 1.05
"""Slides coarser than their tiles by more than this factor are warned about."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """What to cut slides into.

    Args:
        mpp: µm per pixel of the tiles.
        slide_mpp: µm per level-0 pixel of slides whose files do not tell it.
        classes: Patterns over names of QuPath classes that are inside.
        size: Side of a tile in pixels; tiles at a border are smaller.

    Raises:
        InvalidInput: a value is out of its range.
    """

    mpp: float = 1.0
    slide_mpp: float | None = None
    classes: tuple[str, ...] = ("Tumor",)
    size: int = 768

    def __post_init__(self) -> None:
        check_mpp(self.mpp, "mpp")
        if self.slide_mpp is not None:
            check_mpp(self.slide_mpp, "slide_mpp")
        if not self.classes or not all(self.classes):
            raise InvalidInput("class", "it is empty; name the QuPath classes that are inside")
        low, high = SIZES
        if not low <= self.size <= high:
            raise InvalidInput("size", f"{self.size} pixels is outside {low} to {high}")


class Fate(StrEnum):
    """What became of a place."""

    KEPT = "kept"
    BARE = "less than 10 % tissue"
    IGNORED = "more than 10 % Ignore*"


@dataclass(frozen=True, slots=True)
class Tile:
    """A place that was looked at.

    Args:
        place: Level-0 pixels.
        fate: Whether it was kept, or why not.
        image: RGB PNG, relative to the folder; of a tile that was kept.
        mask: Gray PNG, 255 inside, likewise.
        share: How much of it is inside, 0 to 1.
    """

    place: Region
    fate: Fate
    image: str = ""
    mask: str = ""
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A slide that was looked at before anything is cut.

    Args:
        entry: The slide.
        places: Where its tiles may lie, by rows.
        met: Patterns of the wanted classes that an area of the slide is of.
        classes: How many annotations there are of each class; "" stands for unclassified ones.
        others: How many features do not count, by what they are.
        warnings: What is assumed.
    """

    entry: Entry
    places: tuple[Region, ...]
    met: frozenset[str]
    classes: Mapping[str, int]
    others: Mapping[str, int]
    warnings: tuple[Warning, ...]


def plan_tiles(entry: Entry, cutting: Cutting) -> Plan:
    """Open a slide, read its outlines, and lay a grid over it or over the box of each `Region*`.

    Rests at the right and bottom that are narrower than the least size are dropped.

    Raises:
        InvalidInput: a damaged file, outlines that lie beside the slide, or an annotation without
            any of the wanted classes and without `Region*`, which would say that it has none.
        MissingScale: no µm per pixel, and none was given.
        LimitExceeded: a file is over the limits of reading.
    """
    truth = read_truth(entry.outlines, cutting.classes)
    if not truth.met and not len(truth.regions):
        raise InvalidInput(
            str(entry.outlines),
            f"no area is of class {' or '.join(cutting.classes)}; there are: "
            f"{named(truth.classes)}; choose with --class, or draw a Region* around tissue "
            "that has none of it",
        )
    with _open(entry.slide, cutting.slide_mpp) as slide:
        whole = slide.whole()
        warnings = list(slide.warnings)
    if not truth.lies_on(whole):
        raise InvalidInput(
            str(entry.outlines),
            f"all areas lie beside {entry.slide.name}, which is {whole.width} x {whole.height} "
            "pixels; export them from this slide, in pixels",
        )
    if whole.mpp > cutting.mpp * COARSER:
        message = (
            f"{entry.slide.name} has {whole.mpp:g} µm per pixel, so its tiles at "
            f"{cutting.mpp:g} are enlarged and blurred"
        )
        warnings.append(Warning("ENLARGED", message))
    if truth.own:
        message = (
            f"{entry.outlines.name}: {truth.own} areas were drawn by DeepScribble; "
            "learn from them only if a person has checked them"
        )
        warnings.append(Warning("OWN_OUTLINES", message))
    places = tuple(place for box in truth.boxes(whole) for place in _lay(box, cutting))
    return Plan(entry, places, truth.met, truth.classes, truth.others, tuple(warnings))


def named(counts: Mapping[str, int]) -> str:
    """Classes and how many there are of each, for a sentence."""
    return ", ".join(f"{name or 'no class'} ({n})" for name, n in counts.items()) or "nothing"


def cut_tiles(plan: Plan, cutting: Cutting, folder: Path) -> Iterator[Tile]:
    """Write images and masks of a slide below `folder`, reading the slide tile by tile.

    What lies outside of the regions, if there are any, was never judged: it is painted white and
    is outside in the mask, which is right for white glass.

    Yields:
        What became of each of the plan's places.

    Raises:
        InvalidInput: the slide is damaged.
        OutputRefused: a file cannot be written.
    """
    truth = read_truth(plan.entry.outlines, cutting.classes)
    with _open(plan.entry.slide, cutting.slide_mpp) as slide:
        tissue = find_tissue(slide)
        for number, place in enumerate(plan.places):
            grid = Grid.at(place, cutting.mpp)
            known = truth.is_known(grid)
            if (tissue.on(grid) & known).mean() < LEAST_TISSUE:
                yield Tile(place, Fate.BARE)
                continue
            if truth.is_ignored(grid).mean() > MOST_IGNORED:
                yield Tile(place, Fate.IGNORED)
                continue
            rgb = slide.read(place, cutting.mpp)
            rgb[~known] = 255
            inside = truth.is_inside(grid) & known
            name = f"{plan.entry.name}_{number:05d}.png"
            tile = Tile(place, Fate.KEPT, f"images/{name}", f"masks/{name}", float(inside.mean()))
            _write(folder / tile.image, np.ascontiguousarray(rgb[:, :, ::-1]))
            _write(folder / tile.mask, np.where(inside, np.uint8(255), np.uint8(0)))
            yield tile


def _open(path: Path, given: float | None) -> Slide:
    """A slide at the scale that its file tells, or else at the one given."""
    try:
        return open_slide(path)
    except InvalidInput as error:
        if error.field != "mpp":
            raise
        if given is None:
            raise MissingScale(
                "slide_mpp",
                f"{path} does not tell its micrometres per pixel, or not of square ones; pass "
                "--slide-mpp (a 20x scan has about 0.5, a 40x scan about 0.25)",
            ) from error
    return open_slide(path, mpp=given)


def _lay(box: Region, cutting: Cutting) -> Iterator[Region]:
    """Tiles over a box, side by side from its upper left corner."""
    factor = box.mpp / cutting.mpp
    side = max(1, round(cutting.size / factor))
    for y in range(box.y, box.y + box.height, side):
        height = min(side, box.y + box.height - y)
        for x in range(box.x, box.x + box.width, side):
            width = min(side, box.x + box.width - x)
            if round(min(width, height) * factor) >= SIZES[0]:
                yield Region(x, y, width, height, box.mpp)


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    done, data = cv2.imencode(".png", image)
    if not done:
        raise OutputRefused(f"{path}: the picture cannot be encoded as PNG")
    write_whole(path, data.tobytes())
