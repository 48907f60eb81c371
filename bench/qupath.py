"""What a QuPath project costs: writing a thousand polygons, reading strokes among many annotations.

Each figure is the median of several runs in one process, so Java has started and is warm but for
the first of them; every run has a project of its own. Needs QuPath 0.5 or 0.6.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import tifffile
from numpy.typing import NDArray
from rich.console import Console

from deepscribble.errors import InvalidInput, NotFound
from deepscribble.geometry import Polygon
from deepscribble.stores import Edit, Query, Result, provenance, to_result
from deepscribble.stores.qupath import open_project
from deepscribble.stores.qupath.runtime import qupath_version

OUT = Path(__file__).parent / "out"
TARGETS = {"write_1000_s": 2.0, "read_among_5000_s": 3.0}
SIZE = 2048
STROKES = 20


def ring(at: int, per_row: int, corners: int) -> NDArray[np.float64]:
    """A wavy outline in its own square of the image, number `at`."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    step = SIZE / per_row
    radius = step * (0.35 + 0.1 * np.sin(5 * angles))
    centre = (np.array(divmod(at, per_row))[::-1] + 0.5) * step
    points: NDArray[np.float64] = centre + radius[:, None] * np.stack(
        [np.cos(angles), np.sin(angles)], axis=1
    )
    return points


def results(count: int) -> tuple[Result, ...]:
    """Polygons of 100 vertices, as the server's answer becomes them."""
    origin = provenance((), ("stroke",), datetime.now(UTC))
    return tuple(
        to_result(Polygon(ring(at, 32, 100), mean_probability=0.9), "Tumor", origin)
        for at in range(count)
    )


def make_project(folder: Path, others: int) -> Path:
    """A project of one image with strokes, and annotations of a class that says nothing."""
    from paquo.classes import QuPathPathClass
    from paquo.projects import QuPathProject

    image = folder / "image.tif"
    tifffile.imwrite(image, np.zeros((SIZE, SIZE, 3), np.uint8))
    project = QuPathProject(folder / "project", mode="x")
    hierarchy = project.add_image(image).hierarchy
    with hierarchy.no_autoflush():
        for at in range(others):
            shape = shapely.Polygon(ring(at, 71, 100))
            hierarchy.add_annotation(shape, QuPathPathClass("Lymphocytes"))
        for at in range(STROKES):
            line = shapely.LineString(ring(at, 32, 30))
            hierarchy.add_annotation(line, QuPathPathClass("Tumor" if at % 2 else "Stroma"))
    project.save()
    return folder / "project" / "project.qpproj"


def seconds(run: Callable[[int], object], runs: int) -> list[float]:
    """How long each run took."""
    found = []
    for number in range(runs):
        begin = time.perf_counter()
        run(number)
        found.append(time.perf_counter() - begin)
    return found


def measure_write(folder: Path, count: int, runs: int) -> list[float]:
    """Adding polygons to an image, from `Store.write` to the file in its place."""
    wanted = results(count)
    file = make_project(folder, 0)
    stores = []
    for number in range(runs):
        shutil.copytree(file.parent, folder / f"copy {number}")
        stores.append(open_project(folder / f"copy {number}" / file.name))
    images = [store.images()[0] for store in stores]
    seen = [store.read(image, Query()).version for store, image in zip(stores, images, strict=True)]
    return seconds(
        lambda at: stores[at].write(images[at], Edit(added=wanted), seen[at]),
        runs,
    )


def measure_read(folder: Path, others: int, runs: int) -> list[float]:
    """Reading the strokes of an image that has many other annotations."""
    store = open_project(make_project(folder, others))
    (image,) = store.images()

    def read(_: int) -> None:
        content = store.read(image, Query())
        if len(content.strokes) != STROKES or content.ignored != {"of class Lymphocytes": others}:
            raise SystemExit("the strokes were not read as they were drawn")

    return seconds(read, runs)


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, first and worst of some seconds."""
    return {"p50": statistics.median(values), "first": values[0], "max": max(values)}


def main() -> None:
    """Measure, write the JSON, print the figures; say so where there is no QuPath."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of which the median is taken")
    parser.add_argument("--out", type=Path, default=OUT / "qupath.json")
    arguments = parser.parse_args()
    console = Console()
    try:
        version = qupath_version()
    except (NotFound, InvalidInput) as error:
        console.print(f"QuPath: not measured ({error})")
        return
    with tempfile.TemporaryDirectory() as name:
        found: dict[str, Any] = {"qupath": version, "targets": TARGETS}
        for key in TARGETS:
            Path(name, key).mkdir()
        written = measure_write(Path(name, "write_1000_s"), 1000, arguments.runs)
        read = measure_read(Path(name, "read_among_5000_s"), 5000, arguments.runs)
    found |= {"write_1000_s": summary(written), "read_among_5000_s": summary(read)}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=2) + "\n")
    for key, text in (
        ("write_1000_s", "writing 1,000 polygons of 100 vertices"),
        ("read_among_5000_s", "reading the strokes among 5,000 other annotations"),
    ):
        console.print(
            f"QuPath {version}, {text}: median {found[key]['p50']:.2f} s, "
            f"first {found[key]['first']:.2f} s (target below {TARGETS[key]:.0f} s)",
            soft_wrap=True,
        )


if __name__ == "__main__":
    main()
