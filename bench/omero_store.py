"""What OMERO costs: tiles against a bare omero-py loop, Rois read, outlines written and read back.

It runs against the stand-in of the tests, so it measures the client's side and the wire, not a
server. Loop, one reader and four take turns, and the median of all rounds counts. Four readers are
measured twice: against a stand-in that answers at once, where they share the cores with it, which
is one Python process; and against one that takes some milliseconds for each call, as the disk and
the network of a server do, where what counts is that none waits for another.

The exit code is 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from deepscribble.geometry import Polygon, Region
from deepscribble.stores import Query, Result, plan_edit, to_result
from deepscribble.stores.omero import Credentials, open_omero, parse_address

OUT = Path(__file__).parent / "out"
CORES = os.cpu_count() or 1
AT_LEAST = {
    "tiles_over_bare_loop": 0.9,
    "four_readers_over_one": 2.0,
    "four_readers_over_one_of_a_slow_server": 2.0,
}
AT_MOST = {"read_2000_rois_s": 2.0, "write_500_polygons_s": 5.0}
NEEDS_CORES = {"four_readers_over_one": 8}
"""Targets that only a machine with so many cores can show: four readers, and what answers them."""

SIDE = 4096
TILE = 512
MPP = 0.5
READERS = 4
ROIS = 2000
POLYGONS = 500
CORNERS = 100
CALL_SECONDS = 0.02
"""What a call for a tile takes at the slow server."""

Place = tuple[int, int]


def places() -> list[Place]:
    """The corners of all tiles."""
    return [(x, y) for y in range(0, SIDE, TILE) for x in range(0, SIDE, TILE)]


def bare_loop(server: Any, pixels: int) -> float:
    """Tiles a second of what omero-py does at the least."""
    import omero

    client = omero.client(server.host, server.port)
    session = client.createSession(server.user, server.password)
    try:
        store = session.createRawPixelsStore()
        store.setPixelsId(pixels, False)
        store.setResolutionLevel(store.getResolutionLevels() - 1)
        start = time.perf_counter()
        for x, y in places():
            raws = [store.getTile(0, channel, 0, x, y, TILE, TILE) for channel in range(3)]
            planes = [np.frombuffer(raw, np.uint8).reshape(TILE, TILE) for raw in raws]
            np.stack(planes, axis=-1)
        spent = time.perf_counter() - start
        store.close()
    finally:
        client.closeSession()
    return len(places()) / spent


def time_slide(slide: Any, readers: int) -> float:
    """Tiles a second of a slide out of the store."""

    def read(place: Place) -> None:
        slide.read(Region(*place, TILE, TILE, MPP), MPP)

    with ThreadPoolExecutor(readers) as pool:
        list(pool.map(read, places()[:readers]))  # each thread opens its raw store
        start = time.perf_counter()
        list(pool.map(read, places()))
        return len(places()) / (time.perf_counter() - start)


def time_tiles(server: Any, rounds: int) -> dict[str, list[float]]:
    """Tiles a second of the loop, of one reader and of several, and of a server that is slow."""
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    image = server.image(pixels, levels=3, tile=TILE)
    with server.gateway() as connection:
        number = connection.getObject("Image", image).getPixelsId()
    found: dict[str, list[float]] = {}
    with opened(server, image) as store, store.open(store.images()[0], None) as slide:
        for _ in range(rounds):
            rates = {
                "bare_loop": bare_loop(server, number),
                "one_reader": time_slide(slide, 1),
                "four_readers": time_slide(slide, READERS),
            }
            server.standin.fault(
                "RawPixelsStore.getTile", "slow", times=sys.maxsize, seconds=CALL_SECONDS
            )
            rates["one_reader_slow"] = time_slide(slide, 1)
            rates["four_readers_slow"] = time_slide(slide, READERS)
            server.standin.clear()
            for name, rate in rates.items():
                found.setdefault(name, []).append(rate)
    return found


def opened(server: Any, image: int) -> Any:
    """The store of one image."""
    address = parse_address(f"omero://{server.host}:{server.port}/Image:{image}")
    who = Credentials(server.user, server.password)
    return open_omero(address, who, folder=Path(tempfile.gettempdir()))


def time_rois(server: Any) -> float:
    """Seconds to read an image on which people have drawn a great deal."""
    import omero.model
    from omero.rtypes import rstring

    image = server.image(np.zeros((64, 64, 3), np.uint8))
    rois = []
    for number in range(ROIS):
        shape = omero.model.PolylineI()
        shape.setTextValue(rstring("Tumor" if number % 2 else "Vessel"))
        shape.setPoints(rstring(" ".join(f"{number + at},{at}.5" for at in range(20))))
        roi = omero.model.RoiI()
        roi.setImage(omero.model.ImageI(image, False))
        roi.addShape(shape)
        rois.append(roi)
    with server.gateway() as connection:
        for at in range(0, ROIS, 500):
            connection.getUpdateService().saveArray(rois[at : at + 500], connection.SERVICE_OPTS)
    with opened(server, image) as store:
        (listed,) = store.images()
        start = time.perf_counter()
        content = store.read(listed, Query())
        spent = time.perf_counter() - start
    assert len(content.strokes) == ROIS // 2
    return spent


def outlines() -> Iterator[Result]:
    """Polygons of many corners, none over another."""
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    for number in range(POLYGONS):
        centre = np.array([100 + 110 * (number % 25), 100 + 110 * (number // 25)])
        radius = 40 + 5 * np.sin(7 * turn + number)
        ring = centre + radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        yield to_result(Polygon(ring, (), 1.0, 0.9), "Tumor", {"deepscribble.strokes": "s"})


def time_writing(server: Any) -> float:
    """Seconds to write outlines, read them back and compare them."""
    image = server.image(np.zeros((64, 64, 3), np.uint8))
    with opened(server, image) as store:
        (listed,) = store.images()
        content = store.read(listed, Query())
        edit = plan_edit(content, list(outlines()), lambda former: True)
        start = time.perf_counter()
        store.write(listed, edit, content.version)
        spent = time.perf_counter() - start
        assert len(store.read(listed, Query()).formers) == POLYGONS
    return spent


def repeated(measure: Callable[[Any], float], server: Any, rounds: int) -> list[float]:
    """A measurement several times over."""
    return [measure(server) for _ in range(rounds)]


def main() -> None:
    """Measure, write the JSON, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="each is timed this often")
    parser.add_argument("--out", type=Path, default=OUT / "omero.json")
    arguments = parser.parse_args()
    console = Console()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    try:
        from omero_standin.harness import standin_server
    except ModuleNotFoundError as error:
        console.print(f"OMERO is not measured: {error.name} is not installed")
        return
    with tempfile.TemporaryDirectory() as name:
        server = standin_server(Path(name))
        try:
            tiles = time_tiles(server, arguments.rounds)
            rois = repeated(time_rois, server, arguments.rounds)
            writing = repeated(time_writing, server, arguments.rounds)
        finally:
            server.standin.kill()
    rate = {name: statistics.median(values) for name, values in tiles.items()}
    reached = {
        "tiles_over_bare_loop": ratio(tiles, "one_reader", "bare_loop"),
        "four_readers_over_one": ratio(tiles, "four_readers", "one_reader"),
        "four_readers_over_one_of_a_slow_server": ratio(
            tiles, "four_readers_slow", "one_reader_slow"
        ),
        "read_2000_rois_s": statistics.median(rois),
        "write_500_polygons_s": statistics.median(writing),
    }
    result = {
        "cores": CORES,
        "tiles_per_second": tiles,
        "read_2000_rois_s": rois,
        "write_500_polygons_s": writing,
        "targets": AT_LEAST | AT_MOST,
        "against_targets": reached,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    for name, value in rate.items():
        console.print(f"{name}: {value:.1f} tiles of {TILE} x {TILE} RGB a second")
    for name, value in reached.items():
        bound = f"at least {AT_LEAST[name]}" if name in AT_LEAST else f"below {AT_MOST[name]}"
        console.print(f"{name}: {value:.2f} ({bound})")
    console.print(f"Everything measured: {arguments.out}")
    if problems := missed(reached):
        sys.exit("\n".join(problems))


def ratio(tiles: dict[str, list[float]], one: str, other: str) -> float:
    """How many times as fast one was as the other, round by round; the median."""
    return statistics.median(a / b for a, b in zip(tiles[one], tiles[other], strict=True))


def missed(reached: dict[str, float]) -> list[str]:
    """A sentence for each target that was missed, of those that this machine can show."""
    low = [name for name, least in AT_LEAST.items() if reached[name] < least]
    high = [name for name, most in AT_MOST.items() if reached[name] > most]
    shown = (name for name in (*low, *high) if NEEDS_CORES.get(name, 0) <= CORES)
    return [f"missed: {name} is {reached[name]:.2f}" for name in shown]


if __name__ == "__main__":
    main()
