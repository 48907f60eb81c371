"""What a stroke costs: latency, stages and bytes over loopback gRPC, fields and outlines by size.

Writes one JSON with everything measured and prints the same as tables. Ratios are taken within
one run; the spread of the bare network's forward tells the machine's noise.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deepscribble.client import Client
from deepscribble.contour import Contour, polygons_of, read_array
from deepscribble.geometry import Grid, Kind, Label, Region, Stroke
from deepscribble.models import SHIPPED, Registry, choose_device
from deepscribble.raster import DistanceFields, Lattice, Window, distance_fields, draw
from deepscribble.server import background_server

SIZES = (384, 1024, 4096)
OUT = Path(__file__).parent / "out"
TARGETS = {
    "refine_384_over_forward": 1.25,
    "refine_4096_over_384": 1.5,
    "request_bytes": 4096,
}


def tissue(size: int) -> NDArray[np.uint8]:
    """Real tissue, mirrored until it fills a square of `size` pixels."""
    image = skimage.data.immunohistochemistry()  # type: ignore[no-untyped-call]
    more = max(0, size - image.shape[0])
    return np.pad(image, ((0, more), (0, more), (0, 0)), mode="symmetric")[:size, :size]


def stroke(number: int, size: int) -> Stroke:
    """A stroke of about 80 pixels near the middle of a square region, another for each number."""
    random = np.random.default_rng(number)
    heading = random.uniform(0, 2 * np.pi) + np.cumsum(random.normal(0, 0.15, 20))
    steps = 4 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    path = np.cumsum(steps, axis=0)
    path += size / 2 - path.mean(axis=0) + random.uniform(-20, 20, 2)
    label = Label.FOREGROUND if number % 2 else Label.BACKGROUND
    return Stroke(f"00000000-0000-4000-8000-{number:012d}", label, Kind.POLYLINE, (path,), 2.0)


def milliseconds(work: Callable[[], Any], repeats: int) -> list[float]:
    """Wall times of `repeats` runs after one that is not counted."""
    work()
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        spent.append((time.perf_counter() - start) * 1e3)
    return spent


def summary(values: list[float]) -> dict[str, float]:
    """p50, p95, least and greatest."""
    return {
        "p50": statistics.median(values),
        "p95": float(np.percentile(values, 95)),
        "min": min(values),
        "max": max(values),
    }


def measure_refine(server: str, size: int, strokes: int) -> dict[str, Any]:
    """One stroke at a time on a warm region of `size` pixels at the model's scale."""
    with Client(server, timeout=600) as client:
        handle = client.open(Region(0, 0, size, size, 1.0), tissue(size))
        first = handle.segment()
        handle.refine([stroke(0, size)])
        walls, stages, answers = [], [], []
        for number in range(1, strokes + 1):
            start = time.perf_counter()
            answer = handle.refine([stroke(number, size)])
            walls.append((time.perf_counter() - start) * 1e3)
            stages.append(answer.milliseconds)
            answers.append(sum(len(ring) for p in answer.polygons for ring in p.rings))
        session = [stroke(number, size) for number in range(1, 21)]
        sent = []
        for count in range(1, len(session) + 1):
            # The client's own request, as it would go over the wire.
            request = next(handle._about.refine(session[:count], None, "", "", False)).request
            sent.append(request.ByteSize())
            start = time.perf_counter()
            handle.refine(session[:count])
            twentieth = (time.perf_counter() - start) * 1e3
    return {
        "wall_ms": summary(walls),
        "stages_ms_p50": {name: statistics.median(s[name] for s in stages) for name in stages[0]},
        "vertices": int(statistics.median(answers)),
        "polygons_before": len(first.polygons),
        "first_outline_ms": first.milliseconds,
        "twentieth_stroke_ms": twentieth,
        "request_bytes_max": max(sent),
    }


def measure_pieces(size: int) -> dict[str, Any]:
    """Distance fields and outlines alone."""
    grid = Grid.at(Region(0, 0, size, size, 1.0), 1.0)
    mask = draw(stroke(1, size), grid)
    assert mask is not None
    radius = Registry(SHIPPED).card("", "refine").influence_radius
    fields = DistanceFields(Lattice(grid.shape), radius)
    areas = fields.areas(mask)
    near = {area: fields.near(mask, area) for area in areas}
    fields.add(mask, Label.FOREGROUND, near)
    gray = tissue(size)[:, :, 2].astype(np.float32) / 255
    probability = np.clip(np.float32(0.5) + 2 * (np.median(gray) - gray), 0, 1).astype(np.float32)
    contour = Contour(grid, 0.5)

    def read(window: Window) -> NDArray[np.float32]:
        return read_array(probability, window)

    contour.update([Window(0, 0, *grid.shape)], read)
    vertices = sum(len(ring) for polygon in contour.polygons for ring in polygon.rings)
    labels = fields.labels.read(Window(0, 0, *grid.shape))

    def update() -> None:
        near = {area: fields.near(mask, area) for area in areas}
        fields.restore(fields.add(mask, Label.FOREGROUND, near))

    return {
        "fields_whole_ms": summary(milliseconds(lambda: distance_fields(labels, radius), 5)),
        "fields_update_ms": summary(milliseconds(update, 20)),
        "outline_vertices": vertices,
        "outline_whole_ms": summary(milliseconds(lambda: polygons_of(probability, 0.5, grid), 3)),
        "outline_update_ms": summary(milliseconds(lambda: contour.update(areas, read), 5)),
    }


def main() -> None:
    """Measure, write the JSON, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strokes", type=int, default=40, help="strokes timed in each region")
    parser.add_argument("--out", type=Path, default=OUT / "latency.json")
    arguments = parser.parse_args()
    console = Console()

    registry = Registry(SHIPPED)
    card = registry.card("", "refine")
    model = registry.load(card, choose_device("cpu"))
    batch = np.random.default_rng(0).random((1, 6, 384, 384), dtype=np.float32)
    result: dict[str, Any] = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "python": platform.python_version(),
        },
        "model": {"name": card.name, "digest": card.digest, "precision": model.precision},
        "targets": TARGETS,
    }
    # In a thread, as the server does: the bare network under the same conditions.
    worker = ThreadPoolExecutor(1)

    def forwards() -> list[float]:
        return worker.submit(
            milliseconds, partial(model.predict, batch), arguments.strokes
        ).result()

    forward = forwards()
    with background_server(device="cpu") as server:
        result["refine"] = {
            str(size): measure_refine(server, size, arguments.strokes) for size in SIZES
        }
    forward += forwards()
    result["forward_384_ms"] = summary(forward)
    result["pieces"] = {str(size): measure_pieces(size) for size in SIZES}
    sent = max(found["request_bytes_max"] for found in result["refine"].values())
    walls = {size: result["refine"][str(size)]["wall_ms"]["p50"] for size in SIZES}
    result["against_targets"] = {
        "refine_384_over_forward": walls[384] / result["forward_384_ms"]["p50"],
        "refine_4096_over_384": walls[4096] / walls[384],
        "request_bytes": sent,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    report(console, result)
    console.print(f"Everything measured: {arguments.out}")


def report(console: Console, result: dict[str, Any]) -> None:
    """Print what was measured."""
    forward = result["forward_384_ms"]
    console.print(
        f"RefineNet's bare forward at 384²: p50 {forward['p50']:.1f} ms, "
        f"p95 {forward['p95']:.1f} ms ({result['model']['precision']})"
    )
    table = Table(
        "region",
        "p50",
        "p95",
        "refine",
        "outline",
        "vertices",
        "20th",
        "bytes sent",
        title="One stroke, ms; bytes are the most that any of 20 strokes sent",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for size, found in result["refine"].items():
        stages = found["stages_ms_p50"]
        table.add_row(
            f"{size}²",
            *(f"{found['wall_ms'][p]:.1f}" for p in ("p50", "p95")),
            *(f"{stages[s]:.1f}" for s in ("refine", "outline")),
            f"{found['vertices']:,}",
            f"{found['twentieth_stroke_ms']:.1f}",
            f"{found['request_bytes_max']:,}",
        )
    console.print(table)
    table = Table(
        "size",
        "fields whole",
        "fields update",
        "outline whole",
        "outline update",
        "vertices",
        title="Pieces, p50 ms",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for size, found in result["pieces"].items():
        keys = (
            "fields_whole_ms",
            "fields_update_ms",
            "outline_whole_ms",
            "outline_update_ms",
        )
        table.add_row(
            f"{size}²",
            *(f"{found[key]['p50']:.1f}" for key in keys),
            f"{found['outline_vertices']:,}",
        )
    console.print(table)
    for name, value in result["against_targets"].items():
        console.print(f"{name}: {value:.4g} (at most {result['targets'][name]})")


if __name__ == "__main__":
    main()
