"""Tiny cases, and networks that nobody trained."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from numpy.typing import NDArray

from deepscribble.benchmark.ablation import ABLATION_MODELS, Ablation
from deepscribble.benchmark.machine import Machine
from deepscribble.benchmark.method import Case
from deepscribble.benchmark.refinement import INTERACTION
from deepscribble.benchmark.report import FORMAT, Origin, Patch, Report, Selection, Setting
from deepscribble.benchmark.snapshot import Snapshot
from deepscribble.benchmark.trial import Round, Trial
from deepscribble.geometry import Grid, Kind, Label, Polygon, Stroke
from deepscribble.learning.manifest import COLUMNS
from deepscribble.learning.patches import own_grid
from deepscribble.models import ABLATIONS, Card, build_network, save_model
from deepscribble.raster import fill

Tried = Callable[..., Trial]
Answer = Callable[[tuple[Polygon, ...], Grid], NDArray[np.bool_]]


@pytest.fixture
def easy() -> Case:
    """A dark round piece on bright ground, which all methods must find; 80 x 96 pixels."""
    rows, columns = np.indices((80, 96))
    truth = np.hypot(rows - 40, columns - 52) < 24
    noise = np.random.default_rng(0).normal(0, 12, size=(80, 96, 3))
    colour = np.where(truth[:, :, None], (110, 60, 130), (225, 190, 215))
    rgb = np.clip(colour + noise, 0, 255).astype(np.uint8)
    prior = np.where(columns < 52, truth, 0).astype(np.float32) * 0.8
    return Case("drawn/disc", "drawn", "tumor", rgb, truth, prior, own_grid((80, 96), 1.0))


@pytest.fixture
def tissue() -> Case:
    """Real tissue with brown stain to find; 128 x 128 pixels."""
    whole = skimage.data.immunohistochemistry()  # type: ignore[no-untyped-call]
    rgb: NDArray[np.uint8] = np.ascontiguousarray(whole[100:228, 60:188])
    truth = rgb[:, :, 2] < 130
    prior = np.where(rgb[:, :, 2] < 110, 0.9, 0.2).astype(np.float32)
    return Case("skimage/ihc", "skimage", "tumor", rgb, truth, prior, own_grid((128, 128), 1.0))


@pytest.fixture
def strokes() -> tuple[Stroke, ...]:
    """Right strokes for `easy`: inside, outside on the left, outside at the lower right."""
    return (
        line(Label.FOREGROUND, (45, 35), (58, 46)),
        line(Label.BACKGROUND, (8, 10), (10, 70)),
        line(Label.BACKGROUND, (70, 74), (90, 70)),
    )


@pytest.fixture
def mask() -> Answer:
    """The mask that is judged."""

    def of(polygons: tuple[Polygon, ...], grid: Grid) -> NDArray[np.bool_]:
        rings = [grid.from_level0(ring) for polygon in polygons for ring in polygon.rings]
        return fill(rings, grid.shape)

    return of


@pytest.fixture(scope="session")
def interaction_card(refine_card: Card) -> Card:
    """The card of a small network that reads strokes but no first guess."""
    return refine_card.model_copy(
        update={
            "name": INTERACTION,
            "kind": "ablation",
            "patch_size": 64,
            "channels": ABLATIONS[-1],
            "influence_radius": 40.0,
        }
    )


@pytest.fixture(scope="session")
def untrained_rivals(tmp_path_factory: pytest.TempPathFactory, interaction_card: Card) -> Path:
    """A registry of all networks to compare with, with random weights."""
    folder = tmp_path_factory.mktemp("rivals")
    torch.manual_seed(0)
    for name, channels in zip((*ABLATION_MODELS.values(), INTERACTION), ABLATIONS, strict=True):
        differs = {
            "name": name,
            "channels": channels,
            "influence_radius": 40.0 if len(channels) > 4 else 0.0,
        }
        card = interaction_card.model_copy(update=differs)
        save_model(folder, build_network(card), card)
    return folder


@pytest.fixture
def tried(easy: Case) -> Tried:
    """Makes a trial of which only the figures are of interest."""

    def made(
        case: str,
        first: float,
        ious: tuple[float, ...],
        *,
        method: str = "RefineNet",
        free_strokes: int = 0,
        seconds: tuple[float, ...] | None = None,
        flips: float = 0.0,
        far: float = 0.0,
        together: float | None = 0.8,
        shifted: float | None = 0.75,
    ) -> Trial:
        times = seconds or tuple(0.1 + 0.01 * n for n in range(len(ious)))
        rounds = tuple(
            Round(value, time, flips, far, 20) for value, time in zip(ious, times, strict=True)
        )
        snapshot = Snapshot.of(easy.truth, (), easy.grid)
        return Trial(case, method, free_strokes, first, rounds, together, shifted, snapshot)

    return made


@pytest.fixture
def report(tried: Tried, easy: Case) -> Report:
    """A run of two methods on three cases, of which two are the paper's."""
    prior = Snapshot.of(easy.prior >= 0.5, (), easy.grid)
    return Report(
        format=FORMAT,
        setting=Setting(data="data", methods=None, patches=2),
        origin=Origin("sha256:0", {"refine": "sha256:1"}, 1.0, Machine.here("cpu", "float32")),
        patches=tuple(
            Patch(name, "s", "tumor", 80, 96, value, prior)
            for name, value in (("s/a", 0.5), ("s/b", 0.6), ("s/c", 0.9))
        ),
        selections=(
            Selection("paper", ("s/a", "s/b"), ("BRS", "RefineNet")),
            Selection("whole", ("s/a", "s/b", "s/c"), ("RefineNet",)),
        ),
        trials=(
            tried("s/a", 0.5, (0.9,)),
            tried("s/b", 0.6, (0.7, 0.92)),
            tried("s/c", 0.9, (0.96,)),
            tried("s/a", 0.0, (0.3, 0.5), method="BRS", free_strokes=1),
            tried("s/b", 0.0, (0.4, 0.9), method="BRS", free_strokes=1),
        ),
        ablation=(Ablation("GuideNet", 0.6, (0.5, 0.7)), Ablation("I + P + D", 0.8, (0.75, 0.85))),
    )


@pytest.fixture
def images(lasting_images: Path, tmp_path: Path) -> Path:
    """A folder of three images of real tissue to be judged on, and one to learn from."""
    return Path(shutil.copytree(lasting_images, tmp_path / "images"))


@pytest.fixture(scope="session")
def lasting_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, for tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("images")
    whole = skimage.data.immunohistochemistry()  # type: ignore[no-untyped-call]
    rows = []
    for index in range(4):
        rgb = whole[190 + 40 * index : 286 + 40 * index, 80:192]
        brown = (rgb[:, :, 2] < 150).astype(np.uint8) * 255
        cv2.imwrite(str(folder / f"{index}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(folder / f"{index}m.png"), cv2.medianBlur(brown, 7))
        values = ("lung", f"{index}.png", f"{index}m.png", "val" if index else "train", "1.0")
        rows.append(dict(zip(COLUMNS, (*values, "tumor", f"p{index}", "CC0", "ihc"), strict=True)))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder


def line(label: Label, *points: tuple[float, float]) -> Stroke:
    """A stroke of one pixel's width through `points` (x, y)."""
    return Stroke(f"{label.name}{points}", label, Kind.POLYLINE, (np.array(points),), 1.0)
