import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from deepscribble.errors import InvalidInput
from deepscribble.learning.mosaic import COLUMNS, Mosaics, Tile, alike, read_tiles

DARK, LIGHT = 40, 220


@pytest.fixture
def tiles() -> tuple[Tile, ...]:
    """A dark and a light tissue of one source, and a lonely tissue of another."""
    gray = [np.full((40, 50, 3), value, dtype=np.uint8) for value in (DARK, LIGHT, 128)]
    named = (("TUM", "a"), ("STR", "a"), ("TUM", "b"))
    return tuple(
        Tile(rgb, tissue, source, "CC0") for rgb, (tissue, source) in zip(gray, named, strict=True)
    )


def write(folder: Path, rows: list[dict[str, str]], columns: tuple[str, ...] = COLUMNS) -> None:
    with (folder / "tiles.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def row(**other: str) -> dict[str, str]:
    return {
        "image": "one.png",
        "tissue": "TUM",
        "mpp": "0.5",
        "licence": "CC0",
        "source": "a",
    } | other


def test_a_mosaic_shows_two_tissues_of_one_source_and_says_where(tiles) -> None:
    mosaics = Mosaics(tiles)
    shares = []
    for seed in range(12):
        rgb, truth = mosaics.draw(96, np.random.default_rng(seed))
        assert rgb.shape == (96, 96, 3)
        assert truth.shape == (96, 96)
        shares.append(truth.mean())
        # Away from the border, where the two melt, each pixel is the one or the other.
        kernel = np.ones((11, 11), dtype=np.uint8)
        sides = [cv2.erode(side.astype(np.uint8), kernel) > 0 for side in (truth, ~truth)]
        values = [set(np.unique(rgb[side])) for side in sides]
        assert any(values)
        assert all(len(value) <= 1 and value <= {DARK, LIGHT} for value in values)
        assert values[0] != values[1]
    assert 0.15 < min(shares) < max(shares) < 0.85
    assert len(set(shares)) == len(shares)


def test_there_are_no_mosaics_of_one_tissue(tiles) -> None:
    assert not Mosaics(tiles[1:])
    assert not Mosaics(())


def test_tiles_are_read_at_the_scale_of_the_networks(tmp_path: Path) -> None:
    assert read_tiles(tmp_path, 1.0) == ()
    rgb = skimage.data.immunohistochemistry()[:60, :80]
    cv2.imwrite(str(tmp_path / "one.png"), rgb[:, :, ::-1])
    write(tmp_path, [row()])
    (tile,) = read_tiles(tmp_path, 1.0)
    assert tile.rgb.shape == (30, 40, 3)
    assert (tile.tissue, tile.source, tile.licence) == ("TUM", "a", "CC0")
    assert np.abs(tile.rgb.mean(axis=(0, 1)) - rgb.mean(axis=(0, 1))).max() < 1


@pytest.mark.parametrize(
    ("changed", "columns", "says"),
    [
        ({"image": "two.png"}, COLUMNS, r"two\.png cannot be read"),
        ({"mpp": "much"}, COLUMNS, r"tiles\.csv, line 2: mpp 'much' is not a number"),
        ({"mpp": "-1"}, COLUMNS, r"tiles\.csv, line 2"),
        ({}, COLUMNS[:2], r"tiles\.csv has no column mpp, licence, source"),
    ],
)
def test_a_wrong_list_of_tiles_is_refused(tmp_path: Path, changed, columns, says) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((8, 8, 3), dtype=np.uint8))
    write(tmp_path, [row(**changed)], columns)
    with pytest.raises(InvalidInput, match=says):
        read_tiles(tmp_path, 1.0)


def test_what_looks_alike_is_inside_together() -> None:
    rgb = np.full((96, 96, 3), 230.0)
    rgb[:, 48:] = (120, 40, 130)
    rgb = (rgb + np.random.default_rng(1).normal(0, 1, size=rgb.shape)).astype(np.uint8)
    kept = 0
    for seed in range(12):
        mask = alike(rgb, np.random.default_rng(seed))
        assert 0.1 < mask.mean() < 0.9
        # One side is as one at least, and the other is not like it.
        left, right = mask[:, :36].mean(), mask[:, 60:].mean()
        kept += {0.0, 1.0} & {left, right} != set() and abs(left - right) > 0.3
    assert kept >= 10
