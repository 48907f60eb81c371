"""A folder to learn from, made of a pathologist's own slides."""

from __future__ import annotations

import csv
import io
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from deepscribble.errors import InvalidInput, OutputRefused
from deepscribble.geometry import Warning
from deepscribble.learning.manifest import COLUMNS
from deepscribble.learning.project import find_entries
from deepscribble.learning.tiles import (
    SIZES,
    Cutting,
    Fate,
    Plan,
    Tile,
    cut_tiles,
    named,
    plan_tiles,
)
from deepscribble.stores import write_whole

Report = Callable[[int, int], None]
"""Told how many places of how many have been looked at."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the manifest says of the tiles.

    Args:
        target: What is inside, e.g. "tumor".
        licence: Terms of the slides; empty for not stated.
        val: Share of the slides that is kept for judging, from 0 to below 1.
        seed: Which slides these are.

    Raises:
        InvalidInput: a value is out of its range.
    """

    target: str = "tumor"
    licence: str = ""
    val: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.target.strip():
            raise InvalidInput("target", "it is empty; name what is inside, such as tumor")
        if not 0 <= self.val < 1:
            raise InvalidInput("val", f"{self.val:g} is no share of the slides from 0 to below 1")
        if self.seed < 0:
            raise InvalidInput("seed", f"{self.seed} is negative")


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of one slide.

    Args:
        slide: Its name, the group in the manifest.
        split: `train` or `val`; empty where nothing was kept.
        empty: Tiles with nothing inside.
        full: Tiles with nothing outside.
        between: All other tiles.
        balanced: Those of which 20 to 80 % is inside, which RefineNet prefers (paper, 2.1).
        bare: Places left out for too little tissue.
        ignored: Places left out for too much of `Ignore*`.
    """

    slide: str
    split: str
    empty: int
    full: int
    between: int
    balanced: int
    bare: int
    ignored: int

    @classmethod
    def of(cls, slide: str, split: str, tiles: Sequence[Tile]) -> Tally:
        """Count the tiles of a slide."""
        shares = np.array([tile.share for tile in tiles if tile.fate is Fate.KEPT])
        fates = Counter(tile.fate for tile in tiles)
        return cls(
            slide=slide,
            split=split,
            empty=int((shares == 0).sum()),
            full=int((shares == 1).sum()),
            between=int(((shares > 0) & (shares < 1)).sum()),
            balanced=int(((shares >= 0.2) & (shares <= 0.8)).sum()),
            bare=fates[Fate.BARE],
            ignored=fates[Fate.IGNORED],
        )


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder that was made.

    Args:
        folder: Ready for `--data`.
        tallies: One a slide, sorted by name.
        others: How many features were not taken, by what they are.
        warnings: What was left out or assumed.
    """

    folder: Path
    tallies: tuple[Tally, ...]
    others: Mapping[str, int]
    warnings: tuple[Warning, ...]


def make_dataset(
    slides: Path,
    out: Path,
    cutting: Cutting,
    terms: Terms,
    report: Report = lambda done, total: None,
) -> Dataset:
    """Cut the annotated tissue of slides into images and masks with a manifest.

    Slides, never tiles, are shared out between train and val; where there are two or more and
    `terms.val` is not 0 each has at least one. All files are checked before the first tile is cut,
    and the folder appears when it is whole.

    Args:
        slides: Folder of slides with GeoJSON beside them.
        out: Folder to make; it does not exist yet or is empty.
        cutting: What into.
        terms: What to say of them.
        report: Called after each place.

    Raises:
        InvalidInput: no slides or no outlines, a damaged file (named), a class that is nowhere,
            outlines that lie beside their slide, or nothing to keep.
        MissingScale: a slide without µm per pixel, and none was given.
        LimitExceeded: a file is over the limits of reading.
        OutputRefused: the folder has something in it already, or cannot be written.
    """
    _check_free(out)
    entries, warnings = find_entries(slides)
    with _whole(out) as folder:
        plans = [plan_tiles(entry, cutting) for entry in entries]
        _check_classes(plans, cutting)
        total = sum(len(plan.places) for plan in plans)
        cut: list[list[Tile]] = []
        done = 0
        for plan in plans:
            tiles = []
            for tile in cut_tiles(plan, cutting, folder):
                tiles.append(tile)
                done += 1
                report(done, total)
            cut.append(tiles)
        splits = _splits([any(tile.image for tile in tiles) for tiles in cut], terms)
        if not any(splits):
            raise InvalidInput(
                "slides",
                f"nothing of {slides} is kept: every place of at least {SIZES[0]} x {SIZES[0]} "
                f"pixels at {cutting.mpp:g} µm per pixel is {Fate.BARE} or {Fate.IGNORED}, "
                "or there is none",
            )
        rows = [
            _row(slides, plan, split, tile, cutting, terms)
            for plan, split, tiles in zip(plans, splits, cut, strict=True)
            for tile in tiles
            if tile.fate is Fate.KEPT
        ]
        _write_manifest(folder / "manifest.csv", rows)
    tallies = tuple(
        Tally.of(plan.entry.name, split, tiles)
        for plan, split, tiles in zip(plans, splits, cut, strict=True)
    )
    others: Counter[str] = Counter()
    for plan in plans:
        others.update(plan.others)
        warnings += plan.warnings
    warnings += _remarks(tallies)
    return Dataset(out, tallies, MappingProxyType(dict(others)), warnings)


def _check_classes(plans: Sequence[Plan], cutting: Cutting) -> None:
    missing = set(cutting.classes).difference(*(plan.met for plan in plans))
    if missing:
        classes: Counter[str] = Counter()
        for plan in plans:
            classes.update(plan.classes)
        raise InvalidInput(
            "class",
            f"no area of any slide is of class {', '.join(sorted(missing))}; "
            f"there are: {named(classes)}",
        )


def _splits(kept: Sequence[bool], terms: Terms) -> list[str]:
    """The split of each slide, empty for one of which nothing was kept."""
    slides = np.flatnonzero(kept)
    count = 0
    if terms.val > 0 and len(slides) > 1:
        count = min(max(1, round(terms.val * len(slides))), len(slides) - 1)
    judged = np.random.default_rng(terms.seed).permutation(slides)[:count]
    return [
        ("val" if index in judged else "train") if of_use else ""
        for index, of_use in enumerate(kept)
    ]


def _row(
    slides: Path, plan: Plan, split: str, tile: Tile, cutting: Cutting, terms: Terms
) -> dict[str, str]:
    place = tile.place
    return {
        "set": slides.resolve().name or "slides",
        "image": tile.image,
        "mask": tile.mask,
        "split": split,
        "mpp": f"{cutting.mpp:g}",
        "target": terms.target.strip(),
        "group": plan.entry.name,
        "licence": terms.licence,
        "source": f"{plan.entry.slide.name} {place.x},{place.y},{place.width},{place.height}",
    }


def _write_manifest(path: Path, rows: Sequence[dict[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def _remarks(tallies: Sequence[Tally]) -> tuple[Warning, ...]:
    """What a person should know before training on it."""
    remarks = []
    unused = [tally.slide for tally in tallies if not tally.split]
    if unused:
        message = (
            f"nothing is kept of {', '.join(unused)}: no place is wide enough ({SIZES[0]} pixels), "
            "has enough tissue and little of Ignore*"
        )
        remarks.append(Warning("NOTHING_KEPT", message))
    if len(tallies) - len(unused) == 1:
        message = "with a single slide all of it is in train, so nothing is left to judge by"
        remarks.append(Warning("NO_VAL", message))
    if sum(tally.split == "train" for tally in tallies) == 1:
        message = (
            "train has one slide, but GuideNet and RefineNet learn from different ones; "
            "annotate another slide"
        )
        remarks.append(Warning("TOO_FEW_SLIDES", message))
    return tuple(remarks)


def _check_free(out: Path) -> None:
    try:
        is_free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    except OSError as error:
        raise _refused(out, error) from error
    if not is_free:
        raise OutputRefused(f"{out}: it exists and is not empty; name a new folder with --out")


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder to fill, which takes the place of `out` when it is full and goes if it fails."""
    place = out.resolve()
    folder = place.with_name(f".{place.name}-{uuid.uuid4().hex}.partial")
    try:
        try:
            for name in ("images", "masks"):
                (folder / name).mkdir(parents=True)
        except OSError as error:
            raise _refused(out, error) from error
        yield folder
        try:
            if place.exists():
                place.rmdir()
            folder.rename(place)
        except OSError as error:
            raise _refused(out, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refused(out: Path, error: OSError) -> OutputRefused:
    reason = error.strerror or str(error)
    return OutputRefused(
        f"{out}: the folder cannot be written ({reason}); name another one with --out"
    )
