"""The list of images and masks to learn from, and how they are shared out.

A manifest is `manifest.csv` in a folder, one row a pair of image and mask, paths relative to the
folder. The columns that are read: set, image, mask, split (`train` or `val`), mpp (µm per pixel),
target (what is inside the mask, e.g. `tumor`), group (patient or slide), licence, source.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepscribble.errors import InvalidInput
from deepscribble.geometry import check_mpp
from deepscribble.slides import slide_files

COLUMNS = ("set", "image", "mask", "split", "mpp", "target", "group", "licence", "source")
SPLITS = ("train", "val")


@dataclass(frozen=True, slots=True)
class Pair:
    """One image and its mask.

    Args:
        set: The data set's name.
        image: RGB image file.
        mask: PNG of the same size; over 127 is inside.
        split: `train` or `val`.
        mpp: µm per pixel of the image.
        target: What is inside the mask.
        group: Patient or slide within the set; never shared between learning and judging.
        licence: Terms of the image.
        source: Where it came from.
    """

    set: str
    image: Path
    mask: Path
    split: str
    mpp: float
    target: str
    group: str
    licence: str
    source: str


def read_manifest(folder: Path, leave_out: Collection[str] = ()) -> tuple[Pair, ...]:
    """Read `folder`/manifest.csv.

    Args:
        folder: Holds the manifest and its images.
        leave_out: Sets whose training rows are ignored; their `val` rows stay.

    Raises:
        InvalidInput: no manifest, a column, value or file that is missing or wrong, a set in
            `leave_out` that does not exist, or a group in both splits.
    """
    path = folder / "manifest.csv"
    if not path.is_file():
        what = "give a folder that holds manifest.csv and its images"
        if slide_files(folder):
            what = "cut the slides of the folder with deepscribble train patches first"
        raise InvalidInput("data", f"{path} is not there; {what}")
    rows = [_pair(folder, row, where) for where, row in read_table(path, COLUMNS)]
    if not rows:
        raise InvalidInput("data", f"{path} lists no images")
    unknown = sorted(set(leave_out) - {pair.set for pair in rows})
    if unknown:
        raise InvalidInput(
            "leave_out",
            f"{path} has no set {', '.join(unknown)}; "
            f"it has {', '.join(sorted({pair.set for pair in rows}))}",
        )
    pairs = tuple(pair for pair in rows if pair.split == "val" or pair.set not in leave_out)
    _refuse_crossing_groups(pairs, path)
    return pairs


def read_table(path: Path, columns: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """The rows of a CSV file, each with words for errors that say where it stands.

    Args:
        path: The file.
        columns: What each row has, at least; values are stripped.

    Raises:
        InvalidInput: a column is missing.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise InvalidInput(
                "data",
                f"{path} has no column {', '.join(missing)}; it needs {', '.join(columns)}",
            )
        return [
            (
                f"{path}, line {reader.line_num}",
                {name: (row[name] or "").strip() for name in columns},
            )
            for row in reader
        ]


def mpp_of(text: str, where: str) -> float:
    """µm per pixel as a table has it.

    Raises:
        InvalidInput: it is no number, or out of its range.
    """
    try:
        return check_mpp(float(text))
    except ValueError as error:
        raise InvalidInput("data", f"{where}: mpp {text!r} is not a number") from error
    except InvalidInput as error:
        raise InvalidInput("data", f"{where}: {error.reason}") from error


def is_of(target: str, wanted: str) -> bool:
    """Whether `target` is `wanted` or a kind of it, as "gland epithelium" is of "gland"."""
    return target == wanted or target.startswith(wanted + " ")


def halves(
    pairs: Iterable[Pair], targets: Collection[str]
) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Tell the training pairs that GuideNets for `targets` learn from and the others apart.

    RefineNet learns from all, but must meet the honest mistakes of GuideNet, on images that no
    GuideNet has learned from (paper, 2.1 and 2.3). Each set with such a target is cut in two by
    group, largest groups first and always into the smaller half. Sets of one group, which cannot be
    cut, and pairs of other targets are not for GuideNets. The same pairs are always told apart in
    the same way, in whatever order they come.

    Returns:
        The GuideNets' pairs and the others; no group of a set is in both.
    """
    groups: dict[str, dict[str, list[Pair]]] = defaultdict(lambda: defaultdict(list))
    guide: list[Pair] = []
    refine: list[Pair] = []
    for pair in sorted(pairs, key=lambda pair: str(pair.image)):
        if any(is_of(pair.target, wanted) for wanted in targets):
            groups[pair.set][pair.group].append(pair)
        else:
            refine.append(pair)
    for name, members in sorted(groups.items()):
        if len(members) == 1:
            refine += next(iter(members.values()))
            continue
        left: list[Pair] = []
        right: list[Pair] = []
        for group in sorted(members, key=lambda group: (-len(members[group]), _hash(name, group))):
            (left if len(left) <= len(right) else right).extend(members[group])
        guide += left
        refine += right
    return tuple(guide), tuple(refine)


def _hash(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _pair(folder: Path, values: dict[str, str], where: str) -> Pair:
    """One row as a pair; `where` names it in errors."""
    for name in ("set", "image", "mask", "target", "group"):
        if not values[name]:
            raise InvalidInput("data", f"{where}: {name} is empty")
    if values["split"] not in SPLITS:
        raise InvalidInput(
            "data", f"{where}: split is {values['split']!r}; it must be {' or '.join(SPLITS)}"
        )
    mpp = mpp_of(values["mpp"], where)
    files = [folder / values[name] for name in ("image", "mask")]
    for file in files:
        if not file.is_file():
            raise InvalidInput("data", f"{where}: {file} is not there")
    return Pair(
        set=values["set"],
        image=files[0],
        mask=files[1],
        split=values["split"],
        mpp=mpp,
        target=values["target"],
        group=values["group"],
        licence=values["licence"],
        source=values["source"],
    )


def _refuse_crossing_groups(pairs: Sequence[Pair], path: Path) -> None:
    splits: dict[tuple[str, str], set[str]] = defaultdict(set)
    for pair in pairs:
        splits[pair.set, pair.group].add(pair.split)
    for (name, group), found in sorted(splits.items()):
        if len(found) > 1:
            raise InvalidInput(
                "data",
                f"{path}: group {group} of set {name} is in both train and val, so val would not "
                f"be honest; mend the split or leave the set's training rows out "
                f"(--leave-out {name})",
            )
