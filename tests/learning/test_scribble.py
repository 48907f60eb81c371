from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from scipy.ndimage import gaussian_filter

from deepscribble.geometry import Grid, Kind, Label, Region
from deepscribble.learning import STEADY, VARIED, scribbles
from deepscribble.raster import draw

GRID = Grid.at(Region(1000, 2000, 1536, 1536, 0.25), 1.0)


def blobs(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(GRID.shape)
    return gaussian_filter(noise, 9) > 0.005


@pytest.mark.parametrize("seed", range(6))
def test_every_pixel_that_a_stroke_decides_is_a_mistake(seed: int) -> None:
    truth, answer = blobs(seed), blobs(seed + 100)
    strokes = scribbles(truth, answer, GRID)
    assert len(strokes) > 5
    for stroke in strokes:
        drawn = draw(stroke, GRID)
        assert drawn is not None
        assert not drawn.clipped
        wanted = stroke.label is Label.FOREGROUND
        assert (truth[drawn.window.slices][drawn.mask] == wanted).all()
        assert (answer[drawn.window.slices][drawn.mask] != wanted).all()


def test_steady_strokes_are_below_the_papers_size() -> None:
    truth = np.zeros(GRID.shape, dtype=bool)
    truth[100:220] = True
    (stroke,) = scribbles(truth, np.zeros_like(truth), GRID)
    points = GRID.from_level0(stroke.parts[0])
    pixels = {tuple(point) for point in np.floor(points).astype(int).tolist()}
    assert len(pixels) < 0.0005 * truth.size
    length = np.hypot(*np.diff(points, axis=0).T).sum()
    assert 30 < length < 80


def test_a_stroke_runs_along_the_middle_of_a_long_mistake() -> None:
    truth = np.zeros(GRID.shape, dtype=bool)
    truth[100:121, 50:110] = True
    (stroke,) = scribbles(truth, np.zeros_like(truth), GRID)
    assert stroke.label is Label.FOREGROUND
    assert stroke.kind is Kind.POLYLINE
    points = GRID.from_level0(stroke.parts[0])
    assert np.abs(points[:, 1] - 110.5).max() < 6
    assert np.ptp(points[:, 0]) > 30


def test_the_largest_mistake_comes_first_and_slivers_are_left() -> None:
    truth, answer = np.zeros(GRID.shape, dtype=bool), np.zeros(GRID.shape, dtype=bool)
    truth[10:30, 10:30] = True
    answer[100:160, 100:160] = True
    truth[200:202, 10:300] = True
    assert [stroke.label for stroke in scribbles(truth, answer, GRID)] == [
        Label.BACKGROUND,
        Label.FOREGROUND,
    ]
    (only,) = scribbles(truth, answer, GRID, replace(STEADY, most=1))
    assert only.label is Label.BACKGROUND


def test_nothing_is_drawn_where_nothing_is_wrong() -> None:
    assert scribbles(blobs(0), blobs(0), GRID, VARIED) == ()


def test_the_same_seed_draws_the_same_strokes() -> None:
    truth, answer = blobs(1), blobs(2)

    def drawn(seed: int) -> list[tuple]:
        return [
            (stroke.id, stroke.label, stroke.kind, stroke.width, stroke.parts[0].tolist())
            for stroke in scribbles(truth, answer, GRID, VARIED, seed)
        ]

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


def test_varied_strokes_vary() -> None:
    truth, answer = blobs(3), blobs(4)
    strokes = [s for seed in range(5) for s in scribbles(truth, answer, GRID, VARIED, seed)]
    assert {stroke.kind for stroke in strokes} == {Kind.POLYLINE, Kind.POINTS}
    assert max(stroke.width for stroke in strokes) > 2 * min(stroke.width for stroke in strokes)
    assert len(strokes) < 5 * len(scribbles(truth, answer, GRID))


def test_strokes_of_real_tissue_stay_in_the_region() -> None:
    tissue = skimage.data.immunohistochemistry()[:384, :384]
    strokes = scribbles(tissue[:, :, 2] < 140, tissue[:, :, 0] < 140, GRID, VARIED, 9)
    assert strokes
    for stroke in strokes:
        points = GRID.from_level0(stroke.parts[0])
        assert points.min() >= 0
        assert points.max() <= 384
