"""The pictures of docs/qupath.md: two corrections, before and after, on a real tissue image.

Run it in the environment of `make demo`; it writes docs/qupath/*.jpg.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from rounds import TISSUE_MPP, titled

from deepscribble.cli.overlay import paint
from deepscribble.client import Client
from deepscribble.geometry import Grid, Outline, Region, Stroke
from deepscribble.server import background_server
from deepscribble.stores import read_strokes

DOCS = Path(__file__).parents[1] / "docs" / "qupath"

PANEL = 340
"""Side of one panel, pixels."""


def main() -> None:
    """Outline, correct twice, and paint what a pathologist would see."""
    tissue = skimage.data.immunohistochemistry()  # type: ignore[no-untyped-call]
    tumor, _, stroma, *_ = read_strokes(Path(__file__).with_name("strokes.geojson")).strokes
    region = Region(0, 0, tissue.shape[1], tissue.shape[0], TISSUE_MPP)
    with background_server() as server, Client(server) as client:
        handle = client.open(region, tissue)
        first = handle.segment()
        second, third = handle.refine([tumor]), handle.refine([tumor, stroma])
    small = np.asarray(Image.fromarray(tissue).resize((PANEL, PANEL), Image.Resampling.LANCZOS))
    grid = Grid(region, PANEL, PANEL)

    def panel(title: str, outline: Outline, *strokes: Stroke) -> NDArray[np.uint8]:
        return titled(paint(small, grid, outline.polygons, strokes), title)

    DOCS.mkdir(exist_ok=True)
    for name, panels in {
        "segment": (
            titled(small, "the region"),
            panel("after Segment", first),
        ),
        "correct": (
            panel("a line of class Tumor ...", first, tumor),
            panel("... and the outline takes it in", second, tumor),
            panel("a line of class Stroma ...", second, tumor, stroma),
            panel("... and the outline keeps off it", third, tumor, stroma),
        ),
    }.items():
        rows = [np.hstack(panels[at : at + 2]) for at in range(0, len(panels), 2)]
        Image.fromarray(np.vstack(rows)).save(DOCS / f"{name}.jpg", quality=80)


if __name__ == "__main__":
    main()
