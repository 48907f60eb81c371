"""Strokes on a real tissue image, round by round, through the real server.

Round 0 is the first outline; each further round adds one stroke of the file, as a pathologist
would. Writes a GeoJSON file for every round, which QuPath opens, and one picture of all rounds.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deepscribble.cli.overlay import paint
from deepscribble.client import Client
from deepscribble.errors import DeepScribbleError
from deepscribble.geometry import Grid, Outline, Polygon, Region, Stroke
from deepscribble.server import background_server
from deepscribble.slides import Slide, open_slide
from deepscribble.stores import read_strokes, write_annotations

HERE = Path(__file__).parent
TISSUE_MPP = 0.5
"""µm per pixel of scikit-image's tissue, estimated from the size of its nuclei."""

AROUND_UM = 300.0
"""Of a slide, the strokes and this much around them are outlined."""

PANEL = 420
"""Longest side of a round in the picture, pixels."""


def main() -> int:
    """Run the rounds; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", type=Path, help="your own image or slide")
    parser.add_argument("--strokes", type=Path, help="your own strokes, GeoJSON from QuPath")
    parser.add_argument("--mpp", type=float, help="µm per pixel, where the image does not say it")
    parser.add_argument("--out", type=Path, default=HERE / "out")
    arguments = parser.parse_args()
    if (arguments.image is None) != (arguments.strokes is None):
        parser.error("give IMAGE and STROKES together: strokes belong to one image")
    try:
        run(
            arguments.image,
            arguments.strokes or HERE / "strokes.geojson",
            arguments.mpp,
            arguments.out,
        )
    except DeepScribbleError as error:
        Console(stderr=True).print(f"[red]Error:[/red] {error}", soft_wrap=True)
        return 1
    return 0


def run(image: Path | None, strokes_file: Path, mpp: float | None, out: Path) -> None:
    """Outline the image once for each stroke, write what came out and print what it cost."""
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    if image is None:
        image, mpp = out / "tissue.png", mpp or TISSUE_MPP
        tissue = skimage.data.immunohistochemistry()  # type: ignore[no-untyped-call]
        Image.fromarray(tissue).save(image)
    read = read_strokes(strokes_file)
    with open_slide(image, mpp=mpp) as slide, console.status("Starting the server"):
        region = region_of(slide, read.strokes)
        panel = panel_pixels(slide, region)
        with background_server() as server, Client(server) as client:
            scale = min(model.mpp for model in client.list_models())
            pixels = slide.read(region, max(scale, region.mpp))
            handle = client.open(region, pixels)
            rounds = [handle.segment()]
            rounds += [
                handle.refine(read.strokes[: count + 1]) for count in range(len(read.strokes))
            ]
    for former in out.glob("round-*.geojson"):
        former.unlink()
    for number, outline in enumerate(rounds):
        write_annotations(out / f"round-{number}.geojson", outline)
    picture = out / "rounds.png"
    Image.fromarray(side_by_side(panel, region, rounds, read.strokes)).save(picture)
    console.print(table_of(rounds, read.strokes, region))
    for warning in {w.message: w for o in rounds for w in o.warnings}.values():
        console.print(f"[yellow]Warning:[/yellow] {warning.message}")
    console.print(f"Outlines for QuPath: {out}/round-*.geojson\nThe rounds as a picture: {picture}")


def region_of(slide: Slide, strokes: tuple[Stroke, ...]) -> Region:
    """The whole of a small image; of a slide, what lies around the strokes."""
    whole = slide.whole()
    side_um = max(whole.width, whole.height) * whole.mpp
    if side_um <= 10 * AROUND_UM or not strokes:
        return whole
    bounds = np.array([stroke.bounds for stroke in strokes])
    margin = AROUND_UM / whole.mpp
    left, top = (int(max(0, v)) for v in bounds[:, :2].min(axis=0) - margin)
    right, bottom = np.minimum(bounds[:, 2:].max(axis=0) + margin, (slide.width, slide.height))
    return slide.region(left, top, max(1, int(right) - left), max(1, int(bottom) - top))


def panel_pixels(slide: Slide, region: Region) -> NDArray[np.uint8]:
    """The region's pixels at the size of a panel."""
    return slide.read(region, region.mpp * max(1.0, max(region.width, region.height) / PANEL))


def side_by_side(
    pixels: NDArray[np.uint8],
    region: Region,
    rounds: list[Outline],
    strokes: tuple[Stroke, ...],
) -> NDArray[np.uint8]:
    """All rounds in one picture, each with its outline and the strokes drawn so far."""
    grid = Grid(region, pixels.shape[1], pixels.shape[0])
    columns = math.ceil(math.sqrt(len(rounds) + 1))
    panels = [titled(pixels, "the image")]
    for number, outline in enumerate(rounds):
        title = "first outline" if number == 0 else f"after stroke {number}"
        panels.append(titled(paint(pixels, grid, outline.polygons, strokes[:number]), title))
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % columns)
    rows = [np.hstack(panels[at : at + columns]) for at in range(0, len(panels), columns)]
    return np.vstack(rows)


def titled(pixels: NDArray[np.uint8], title: str) -> NDArray[np.uint8]:
    """A panel with its title above and a margin around."""
    framed = np.pad(pixels, ((28, 8), (4, 4), (0, 0)), constant_values=255)
    cv2.putText(framed, title, (6, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return framed


def table_of(rounds: list[Outline], strokes: tuple[Stroke, ...], region: Region) -> Table:
    """What each round gave and cost."""
    stages = ("guide", "refine", "outline", "total")
    title = f"{region.width} x {region.height} pixels at {region.mpp:g} µm; stages in ms"
    table = Table(
        *("round", "stroke", "polygons", "mm²", *stages),
        title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for column in table.columns[2:]:
        column.justify = "right"
    for number, outline in enumerate(rounds):
        cost = (outline.milliseconds.get(stage, 0.0) for stage in stages)
        table.add_row(
            str(number),
            strokes[number - 1].label.name.lower() if number else "-",
            str(len(outline.polygons)),
            f"{area(outline.polygons):.4f}",
            *(f"{milliseconds:.1f}" for milliseconds in cost),
        )
    return table


def area(polygons: tuple[Polygon, ...]) -> float:
    """Square millimetres."""
    return sum(polygon.area_um2 for polygon in polygons) / 1e6


if __name__ == "__main__":
    sys.exit(main())
