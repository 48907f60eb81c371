"""What a stroke costs over HTTP: beside gRPC, stroke by stroke, in one run; and bytes sent.

Writes one JSON with everything measured and prints the same as a table.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from google.protobuf.json_format import MessageToDict
from latency import OUT, stroke, summary, tissue
from PIL import Image
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deepscribble.client import Client
from deepscribble.geometry import Region, Stroke, wire
from deepscribble.server import background_faces

SIZE = 384
TARGETS = {"http_over_grpc": 1.3, "bytes_per_stroke": 4096}
KINDS = {"JSON": "application/json", "GeoJSON": "application/geo+json"}


class LiveClient:
    """What a script inside QuPath does: pixels once, then one stroke a request.

    Args:
        address: HOST:PORT of the server.
        accept: The media type of the answers.
    """

    def __init__(self, address: str, accept: str) -> None:
        self._web = httpx2.Client(base_url=f"http://{address}", trust_env=False, timeout=600)
        self._accept = {"Accept": accept}
        self._region = {"width": SIZE, "height": SIZE, "mpp": 1.0}

    def open(self) -> None:
        """Send the pixels, and get the first outline."""
        file = io.BytesIO()
        Image.fromarray(tissue(SIZE)).save(file, "PNG")
        answer = self._web.put(
            "/v1/regions", content=file.getvalue(), headers={"Content-Type": "image/png"}
        )
        self._pixels = {"regionId": answer.json()["regionId"]}
        first = {"region": self._region, "pixels": self._pixels}
        self._known = self._web.post("/v1/segment", json=first, headers=self._accept).json()

    def request(self, drawn: list[Stroke], known: int) -> httpx2.Request:
        """The request of a session's strokes, of which the server knows the first few."""
        strokes = [MessageToDict(wire.write_stroke(new)) for new in drawn[known:]]
        body = {
            "region": self._region,
            "pixels": self._pixels,
            "strokes": strokes,
            "knownOutline": self._known["outlineId"],
            "knownStrokes": known,
        }
        return self._web.build_request("POST", "/v1/refine", json=body, headers=self._accept)

    def refine(self, drawn: list[Stroke], known: int = 0) -> None:
        """Send the newest strokes, and read the answer as JSON."""
        answer = self._web.send(self.request(drawn, known))
        answer.raise_for_status()
        self._known = answer.json()


def sent(request: httpx2.Request) -> int:
    """Bytes of a request on the wire: its line, its headers and its body."""
    head = f"{request.method} {request.url.raw_path.decode()} HTTP/1.1\r\n\r\n"
    headers = sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
    return len(head) + headers + len(request.content)


def measure(strokes: int) -> dict[str, Any]:
    """Each stroke over gRPC and over HTTP, each time in another order, on a warm region."""
    with background_faces(device="cpu") as faces, Client(faces.grpc, timeout=600) as client:
        handle = client.open(Region(0, 0, SIZE, SIZE, 1.0), tissue(SIZE))
        handle.segment()
        live = {name: LiveClient(faces.http, accept) for name, accept in KINDS.items()}
        for one in live.values():
            one.open()
        # Each road draws strokes of its own, so that none finds another's answer in the cache.
        roads: dict[str, Callable[[int], object]] = {
            "gRPC": lambda number: handle.refine([stroke(number, SIZE)]),
            **{
                name: lambda number, one=one: one.refine([stroke(number, SIZE)])  # type: ignore[misc]
                for name, one in live.items()
            },
        }
        walls: dict[str, list[float]] = {name: [] for name in roads}
        for turn in range(-2, strokes):
            names = list(roads)
            for place in range(len(names)):
                name = names[(turn + place) % len(names)]
                number = 1000 * names.index(name) + turn + 2
                start = time.perf_counter()
                roads[name](number)
                if turn >= 0:
                    walls[name].append((time.perf_counter() - start) * 1e3)
        session = [stroke(number, SIZE) for number in range(1, 21)]
        one = live["GeoJSON"]
        bytes_sent = []
        for count in range(1, len(session) + 1):
            request = one.request(session[:count], count - 1)
            bytes_sent.append(sent(request))
            one.refine(session[:count], count - 1)
    medians = {name: statistics.median(found) for name, found in walls.items()}
    return {
        "wall_ms": {name: summary(found) for name, found in walls.items()},
        "bytes_per_stroke": {"p50": statistics.median(bytes_sent), "max": max(bytes_sent)},
        "targets": TARGETS,
        "against_targets": {
            "http_over_grpc": max(medians[name] for name in KINDS) / medians["gRPC"],
            "bytes_per_stroke": max(bytes_sent),
        },
    }


def main() -> None:
    """Measure, write the JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strokes", type=int, default=40, help="strokes timed on each road")
    parser.add_argument("--out", type=Path, default=OUT / "live.json")
    arguments = parser.parse_args()
    result = measure(arguments.strokes)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    console = Console()
    table = Table(
        "road", "p50", "p95", "least", title=f"One stroke on a warm {SIZE}² region, ms",
        box=SIMPLE_HEAD,
    )  # fmt: skip
    for name, found in result["wall_ms"].items():
        table.add_row(name, *(f"{found[key]:.1f}" for key in ("p50", "p95", "min")))
    console.print(table)
    for name, value in result["against_targets"].items():
        console.print(f"{name}: {value:.4g} (at most {result['targets'][name]})")
    console.print(f"Everything measured: {arguments.out}")


if __name__ == "__main__":
    main()
