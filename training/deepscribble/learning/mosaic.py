"""Mosaics: tiles of single tissues joined along invented borders, and regions of like colour.

A few hundred images with one outline each are soon known by heart. Here the borders are exact and
new each time, so that only prior and strokes tell what is wanted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.learning.augment import DENSITY, cut, place
from deepscribble.learning.manifest import mpp_of, read_table
from deepscribble.learning.prior import above, noise
from deepscribble.learning.sample import read_image, resized

RGB = NDArray[np.uint8]
Mask = NDArray[np.bool_]

COLUMNS = ("image", "tissue", "mpp", "licence", "source")


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A picture of one tissue.

    Args:
        rgb: (rows, columns, 3) uint8, at the networks' µm per pixel.
        tissue: What it shows.
        source: Where it came from; only tiles of one source are joined.
        licence: Its terms.
    """

    rgb: RGB
    tissue: str
    source: str
    licence: str


def read_tiles(folder: Path, mpp: float) -> tuple[Tile, ...]:
    """Tiles that `folder`/tiles.csv lists, at `mpp` µm per pixel; none where there is no such file.

    Raises:
        InvalidInput: a column or an image is missing, or a scale is none.
    """
    path = folder / "tiles.csv"
    if not path.is_file():
        return ()
    return tuple(
        Tile(
            resized(read_image(folder / row["image"]), mpp_of(row["mpp"], where) / mpp),
            row["tissue"],
            row["source"],
            row["licence"],
        )
        for where, row in read_table(path, COLUMNS)
    )


class Mosaics:
    """Joins tiles of two tissues.

    Args:
        tiles: At least two tissues of one source, or else there are no mosaics.
    """

    def __init__(self, tiles: Sequence[Tile]) -> None:
        found: dict[str, dict[str, list[Tile]]] = defaultdict(lambda: defaultdict(list))
        for tile in tiles:
            found[tile.source][tile.tissue].append(tile)
        self._sources = [list(by.values()) for by in found.values() if len(by) > 1]

    def __bool__(self) -> bool:
        return bool(self._sources)

    def draw(self, size: int, rng: np.random.Generator) -> tuple[RGB, Mask]:
        """A patch of `size` x `size` pixels and which of them show the second of two tissues."""
        tissues = self._sources[int(rng.integers(len(self._sources)))]
        chosen = rng.choice(len(tissues), size=2, replace=False)
        outside, inside = (self._patch(tissues[int(index)], size, rng) for index in chosen)
        truth = above(noise((size, size), _width(6, 70, rng), rng), rng.uniform(0.2, 0.8))
        share = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), rng.uniform(0.3, 1.5))
        rgb = outside + share[:, :, None] * (inside.astype(np.float32) - outside)
        return np.asarray(np.rint(rgb), dtype=np.uint8), truth

    @staticmethod
    def _patch(tiles: Sequence[Tile], size: int, rng: np.random.Generator) -> RGB:
        rgb = tiles[int(rng.integers(len(tiles)))].rgb
        return cut(rgb, place((rgb.shape[0], rgb.shape[1]), size, rng))


def alike(rgb: RGB, rng: np.random.Generator) -> Mask:
    """Where a patch is darker than elsewhere, seen through a filter of any colour, out of focus.

    Args:
        rgb: (rows, columns, 3) uint8.
        rng: Chooses the colour, the focus and how much is inside: 20 to 80 %.
    """
    density = cv2.transform(DENSITY[rgb], rng.normal(size=(1, 3)).astype(np.float32))
    seen = np.asarray(cv2.GaussianBlur(density, (0, 0), _width(3, 10, rng)), dtype=np.float32)
    return above(seen, rng.uniform(0.2, 0.8))


def _width(least: float, most: float, rng: np.random.Generator) -> float:
    """A width in pixels, small ones as likely as large ones."""
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))
