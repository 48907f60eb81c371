"""A small folder of real tissue to learn from."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
import tifffile

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


class Project:
    """A pathologist's folder of slides and outlines, to be filled by a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def slide(self, name: str, mpp: float | None = 0.5) -> Path:
        """A pyramid of 1400 x 1000 pixels: tissue to the left of x = 900, glass to the right."""
        tissue = np.tile(skimage.data.immunohistochemistry(), (2, 2, 1))[:1000, :900]
        image = np.full((1000, 1400, 3), 243, dtype=np.uint8)
        image[:, :900] = tissue
        path = self.folder / name
        scale = {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": 3} if mpp else {}
        options: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "compression": "zlib"}
        with tifffile.TiffWriter(path) as tiff:
            tiff.write(image, subifds=1, **scale, **options)
            small = cv2.resize(image, (350, 250), interpolation=cv2.INTER_AREA)
            tiff.write(small, subfiletype=1, **options)
        return path

    def outlines(self, file: str, *areas: tuple[str, Any], **properties: Any) -> Path:
        """GeoJSON of (class, rings of a polygon or a whole geometry); "" for no class."""
        features = [
            {
                "type": "Feature",
                "geometry": area
                if isinstance(area, dict)
                else {"type": "Polygon", "coordinates": [[*ring, ring[0]] for ring in area]},
                "properties": {
                    "objectType": "annotation",
                    **({"classification": {"name": kind}} if kind else {}),
                    **properties,
                },
            }
            for kind, area in areas
        ]
        path = self.folder / file
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty folder for slides and outlines."""
    return Project(tmp_path / "slides")


@pytest.fixture(scope="session")
def square() -> Callable[[int, int, int, int], list[list[int]]]:
    """The ring of a rectangle: left, top, right, bottom."""
    return lambda x0, y0, x1, y1: [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
