"""What OMERO costs: tiles against a bare omero-py loop, Rois read, outlines written and read back.

It runs against the stand-in of the tests, so it measures the client's side and the wire, not a
server. The loop and the store take turns, and the best of all rounds counts, since whatever else a
machine does only ever takes time away. The stand-in is one Python process, so what several readers
gain is what it leaves them.
"""

from __future__ import annotations

import argparse
import json
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
TARGETS = {"tiles_over_bare_loop": 0.9, "four_readers_over_one": 2.0}
LIMITS = {"read_2000_rois_s": 2.0, "write_500_polygons_s": 5.0}
SIDE = 4096
TILE = 512
MPP = 0.5
READERS = 4
ROIS = 2000
POLYGONS = 500
CORNERS = 100

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
    """Tiles a second of the loop, of one reader and of several."""
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    image = server.image(pixels, levels=3, tile=TILE)
    with server.gateway() as connection:
        number = connection.getObject("Image", image).getPixelsId()
    found: dict[str, list[float]] = {"bare_loop": [], "one_reader": [], "four_readers": []}
    with opened(server, image) as store, store.open(store.images()[0], None) as slide:
        for _ in range(rounds):
            found["bare_loop"].append(bare_loop(server, number))
            found["one_reader"].append(time_slide(slide, 1))
            found["four_readers"].append(time_slide(slide, READERS))
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
    rate = {name: max(values) for name, values in tiles.items()}
    reached = {
        "tiles_over_bare_loop": rate["one_reader"] / rate["bare_loop"],
        "four_readers_over_one": rate["four_readers"] / rate["one_reader"],
    }
    spent = {
        "read_2000_rois_s": min(rois),
        "write_500_polygons_s": min(writing),
    }
    result = {
        "tiles_per_second": tiles,
        "read_2000_rois_s": rois,
        "write_500_polygons_s": writing,
        "targets": TARGETS | LIMITS,
        "against_targets": reached | spent,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    for name, value in rate.items():
        console.print(f"{name}: {value:.1f} tiles of {TILE} x {TILE} RGB a second")
    for name, value in reached.items():
        console.print(f"{name}: {value:.2f} (at least {TARGETS[name]})")
    for name, value in spent.items():
        console.print(f"{name}: {value:.2f} (below {LIMITS[name]})")
    console.print(f"Everything measured: {arguments.out}")


if __name__ == "__main__":
    main()
