"""A small folder of real tissue to learn from."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

COLUMNS = ["set", "image", "mask", "split", "mpp", "target", "group", "licence", "source"]

ROWS = [
    ("lung", "train", "tumor", "p1"),
    ("lung", "train", "tumor", "p1"),
    ("lung", "train", "tumor", "p2"),
    ("lung", "train", "tumor", "p3"),
    ("lung", "val", "tumor", "p4"),
    ("colon", "train", "gland", "p1"),
    ("colon", "val", "gland", "p2"),
]

Write = Callable[[list[dict[str, str]], list[str]], Path]


@pytest.fixture
def rows() -> list[dict[str, str]]:
    """The manifest's rows, to be spoiled by a test."""
    return [
        {
            "set": name,
            "image": f"image{index}.png",
            "mask": f"mask{index}.png",
            "split": split,
            "mpp": "0.5",
            "target": target,
            "group": group,
            "licence": "CC0",
            "source": "scikit-image",
        }
        for index, (name, split, target, group) in enumerate(ROWS)
    ]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes rows as a manifest beside its images, and returns the folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    tissue = skimage.data.immunohistochemistry()
    for index in range(len(ROWS)):
        top = 30 * index
        rgb = tissue[top : top + 240, top : top + 200]
        brown = (rgb[:, :, 2] < 140).astype(np.uint8) * 255
        cv2.imwrite(str(folder / f"image{index}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(folder / f"mask{index}.png"), cv2.medianBlur(brown, 9))

    def to_folder(rows: list[dict[str, str]], columns: list[str] = COLUMNS) -> Path:
        with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        return folder

    return to_folder


@pytest.fixture
def folder(write: Write, rows: list[dict[str, str]]) -> Path:
    """A good folder to learn from."""
    return write(rows, COLUMNS)
