"""What a whole project costs: images a second of `annotate`, against the engine's own calls.

Twenty synthetic images with strokes are annotated through a server, pixels read, results compared,
journalled and written; the engine is given the same regions, their pixels already in memory. Both
begin with nothing cached, and take turns, so that the machine's noise meets both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image
from rich.console import Console

from deepscribble.client import Client
from deepscribble.engine import Engine, complete
from deepscribble.geometry import Region
from deepscribble.jobs import Job, Journal, State, annotate
from deepscribble.jobs.job import Needs
from deepscribble.jobs.reader import Ready, read_steps
from deepscribble.server import background_server
from deepscribble.settings import Settings
from deepscribble.stores import open_folder

OUT = Path(__file__).parent / "out"
TARGETS = {"annotate_over_engine": 0.8}
MPP = 0.5
SIDE = 768
"""Pixels of an image's side."""

STROKES = 4
WARM = (Region(0, 0, 64, 64, 1.0), np.zeros((64, 64, 3), np.uint8))
"""Asked first, so that no round pays for what a network does once."""


def make_project(folder: Path, images: int) -> None:
    """Tissue, shifted and mirrored so that no two images are alike, with strokes all over."""
    tissue = skimage.data.immunohistochemistry()  # type: ignore[no-untyped-call]
    pad = SIDE - tissue.shape[0]
    random = np.random.default_rng(0)
    for number in range(images):
        pixels = np.roll(tissue, (23 * number, 41 * number), axis=(0, 1))
        pixels = np.pad(pixels, ((0, pad), (0, pad), (0, 0)), mode="symmetric")
        Image.fromarray(pixels).save(folder / f"image {number:02}.png")
        features = [
            {
                "type": "Feature",
                "id": f"00000000-0000-4000-8000-{number:06}{at:06}",
                "geometry": {"type": "LineString", "coordinates": path.tolist()},
                "properties": {
                    "objectType": "annotation",
                    "classification": {"name": "Tumor" if at % 2 else "Stroma"},
                },
            }
            for at, path in enumerate(
                random.uniform(100, SIDE - 100, (STROKES, 1, 2))
                + random.uniform(-40, 40, (STROKES, 8, 2)).cumsum(axis=1) / 4
            )
        ]
        document = {"type": "FeatureCollection", "features": features}
        (folder / f"image {number:02}.geojson").write_text(json.dumps(document))


def regions_of(folder: Path, client: Client) -> list[Ready]:
    """Every region of the project with its pixels, as a run would read them."""
    store = open_folder(folder)
    job = Job(mpp=MPP, is_dry=True)
    steps = read_steps(store, store.images(), job, Needs.of(client), Journal(folder))
    return [step for step in steps if isinstance(step, Ready)]


def time_annotate(folder: Path) -> tuple[float, list[Ready]]:
    """Seconds of a run that writes every image, and what its regions were."""
    store = open_folder(folder)
    with background_server(device="cpu") as server, Client(server, timeout=600) as client:
        client.open(*WARM).refine(())
        regions = regions_of(folder, client)
        start = time.perf_counter()
        reports = list(annotate(store, store.images(), client, Job(mpp=MPP)))
        spent = time.perf_counter() - start
    assert {report.state for report in reports} == {State.WRITTEN}
    return spent, regions


def time_engine(regions: list[Ready]) -> float:
    """Seconds of the engine's own calls."""
    engine = Engine.open(None, "cpu", Settings())
    complete(engine.refine(*WARM, ()), engine.network)
    start = time.perf_counter()
    for ready in regions:
        assert ready.pixels is not None
        work = engine.refine(ready.part.region, ready.pixels, ready.part.strokes)
        complete(work, engine.network)
    return time.perf_counter() - start


def main() -> None:
    """Measure, write the JSON, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="each is timed this often")
    parser.add_argument("--out", type=Path, default=OUT / "annotate.json")
    arguments = parser.parse_args()
    engine, whole = [], []
    with tempfile.TemporaryDirectory() as name:
        for number in range(arguments.rounds):
            folder = Path(name) / str(number)
            folder.mkdir()
            make_project(folder, arguments.images)
            spent, regions = time_annotate(folder)
            whole.append(spent)
            engine.append(time_engine(regions))
    ratio = statistics.median(engine) / statistics.median(whole)
    result: dict[str, Any] = {
        "images": arguments.images,
        "regions": len(regions),
        "pixels": [ready.pixels.shape for ready in regions if ready.pixels is not None],
        "engine_s": engine,
        "annotate_s": whole,
        "targets": TARGETS,
        "against_targets": {"annotate_over_engine": ratio},
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    console = Console()
    console.print(
        f"{arguments.images} images, {len(regions)} regions: annotate "
        f"{arguments.images / statistics.median(whole):.2f} images a second, the engine alone "
        f"{arguments.images / statistics.median(engine):.2f}"
    )
    console.print(f"annotate_over_engine: {ratio:.3f} (at least {TARGETS['annotate_over_engine']})")
    console.print(f"Everything measured: {arguments.out}")


if __name__ == "__main__":
    main()
