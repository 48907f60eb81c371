"""What people do: strokes in a row along a border, undo, strokes beside another's first outline.

Writes one JSON with everything measured and prints the same as a table. Ratios are taken within
one run; the bare network's forward tells the machine's noise.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from latency import OUT, milliseconds, stroke, summary, tissue
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deepscribble.client import Client
from deepscribble.client.blocking import RegionHandle
from deepscribble.geometry import Kind, Label, Outline, Region, Stroke
from deepscribble.models import SHIPPED, Registry, choose_device
from deepscribble.server import background_server

BARS = {
    "row, strokes 51-60 / 1-10": 1.15,
    "row, strokes 51-60 / a stroke in 384²": 1.25,
    "a stroke in 384² / bare forward": 1.15,
    "undo / a stroke": 0.3,
    "p95 beside a first outline / idle": 2.0,
}


def row(count: int, size: int) -> list[Stroke]:
    """Strokes of 80 pixels, 105 to 160 pixels apart, along a winding border through a region."""
    random = np.random.default_rng(1)
    x, y, heading = 200.0, 200.0, 0.0
    strokes = []
    for number in range(count):
        if not 200 < x < size - 200:
            heading = np.pi - heading
            x, y = float(np.clip(x, 210, size - 210)), y + 300
        line = [[x, y], [x + 80 * np.cos(heading), y + 80 * np.sin(heading)]]
        label = Label.FOREGROUND if number % 2 else Label.BACKGROUND
        strokes.append(Stroke(f"row-{number}", label, Kind.POLYLINE, (np.array(line),), 2.0))
        step = random.uniform(105, 160)
        x += step * np.cos(heading)
    return strokes


def drawn(handle: RegionHandle, strokes: list[Stroke]) -> list[float]:
    """Milliseconds of each stroke, one after another."""
    spent = []
    for count in range(1, len(strokes) + 1):
        start = time.perf_counter()
        handle.refine(strokes[:count])
        spent.append((time.perf_counter() - start) * 1e3)
    return spent


def opened(client: Client, size: int, shift: int = 0) -> tuple[RegionHandle, Outline]:
    """A region of tissue whose first outline is known, and that."""
    pixels = np.roll(tissue(size), shift, axis=1)
    handle = client.open(Region(0, 0, size, size, 1.0), pixels)
    return handle, handle.segment()


def measure(server: str, count: int) -> dict[str, Any]:
    """Everything that goes over the wire."""
    with Client(server, timeout=600) as client:
        small, _ = opened(client, 384)
        session = [stroke(number, 384) for number in range(1, count + 1)]
        small_ms = drawn(small, session)
        undone = []
        for _ in range(count // 2):
            session.pop()
            start = time.perf_counter()
            small.refine(session)
            undone.append((time.perf_counter() - start) * 1e3)
        large, first = opened(client, 4096)
        row_ms = drawn(large, row(60, 4096))
        idle, _ = opened(client, 384, 40)
        idle_ms = drawn(idle, [stroke(number, 384) for number in range(1, count + 1)])
        busy, _ = opened(client, 384, 80)
        with Client(server, timeout=600) as other:
            outlines: list[float] = []
            ended = threading.Event()

            def outline() -> None:
                number = 1
                while not ended.is_set():
                    outlines.append(opened(other, 4096, number)[1].milliseconds["total"])
                    number += 1

            with ThreadPoolExecutor(1) as pool:
                working = pool.submit(outline)
                time.sleep(0.5)
                busy_ms = drawn(busy, [stroke(number, 384) for number in range(1, count + 1)])
                ended.set()
                working.result()
    return {
        "stroke_384_ms": summary(small_ms[2:]),
        "undo_ms": summary(undone),
        "row_1_10_ms": summary(row_ms[:10]),
        "row_51_60_ms": summary(row_ms[50:]),
        "row_ms": row_ms,
        "first_4096_ms": first.milliseconds["total"],
        "idle_ms": summary(idle_ms[2:]),
        "beside_first_outline_ms": summary(busy_ms[2:]),
    }


def main() -> None:
    """Measure, write the JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strokes", type=int, default=40, help="strokes timed in a small region")
    parser.add_argument("--rounds", type=int, default=3, help="each with a server of its own")
    parser.add_argument("--out", type=Path, default=OUT / "strokes.json")
    arguments = parser.parse_args()
    card = Registry(SHIPPED).card("", "refine")
    model = Registry(SHIPPED).load(card, choose_device("cpu"))
    batch = np.random.default_rng(0).random((1, 6, 384, 384), dtype=np.float32)
    rounds = []
    with ThreadPoolExecutor(1) as pool:
        for _ in range(arguments.rounds):
            forward = pool.submit(milliseconds, partial(model.predict, batch), 40).result()
            with background_server(device="cpu") as server:
                found = measure(server, arguments.strokes)
            forward += pool.submit(milliseconds, partial(model.predict, batch), 40).result()
            found["forward_ms"] = summary(forward)
            p50 = {name: one["p50"] for name, one in found.items() if isinstance(one, dict)}
            found["ratios"] = dict(
                zip(
                    BARS,
                    (
                        p50["row_51_60_ms"] / p50["row_1_10_ms"],
                        p50["row_51_60_ms"] / p50["stroke_384_ms"],
                        p50["stroke_384_ms"] / p50["forward_ms"],
                        p50["undo_ms"] / p50["stroke_384_ms"],
                        found["beside_first_outline_ms"]["p95"] / found["idle_ms"]["p95"],
                    ),
                    strict=True,
                )
            )
            rounds.append(found)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"bars": BARS, "rounds": rounds}, indent=2) + "\n")
    console = Console()
    table = Table("what", "median", "least", "most", "bar", box=SIMPLE_HEAD, title="Strokes")
    for name in ("forward_ms", "stroke_384_ms", "undo_ms", "row_1_10_ms", "row_51_60_ms"):
        values = [one[name]["p50"] for one in rounds]
        table.add_row(name, *_three(values), "")
    table.add_row("first_4096_ms", *_three([one["first_4096_ms"] for one in rounds]), "")
    for name, bar in BARS.items():
        table.add_row(name, *_three([one["ratios"][name] for one in rounds]), f"{bar:g}")
    console.print(table)
    console.print(f"Everything measured: {arguments.out}")


def _three(values: list[float]) -> tuple[str, str, str]:
    return f"{statistics.median(values):.2f}", f"{min(values):.2f}", f"{max(values):.2f}"


if __name__ == "__main__":
    main()
