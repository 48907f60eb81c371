import numpy as np
import pytest
from PIL import Image

from deepscribble.geometry import Grid
from deepscribble.learning.tissue import find_tissue
from deepscribble.slides import open_slide


def test_tissue_is_told_from_glass_where_it_lies(project) -> None:
    with open_slide(project.slide("a.tif")) as slide:
        tissue = find_tissue(slide)
        assert tissue.grid.shape == (62, 88)
        left = Grid.at(slide.region(0, 0, 800, 1000), 1.0)
        right = Grid.at(slide.region(950, 0, 450, 1000), 1.0)
        assert tissue.on(left).shape == left.shape
        assert tissue.on(left).mean() > 0.6
        assert not tissue.on(right).any()


@pytest.mark.parametrize("level", [255, 243, 180])
def test_bare_glass_holds_no_tissue_even_tinted_and_noisy(tmp_path, level) -> None:
    noise = np.random.default_rng(0).normal(0, 4, (400, 500, 3))
    image = np.clip(np.array([level, level - 3, level - 8]) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=0.5) as slide:
        assert not find_tissue(slide).mask.any()


def test_a_crop_that_is_all_tissue_stays_all_tissue(tmp_path) -> None:
    image = np.full((400, 500, 3), (225, 180, 205), dtype=np.uint8)
    image[:, 250:] = (110, 50, 140)
    Image.fromarray(image).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=0.5) as slide:
        assert find_tissue(slide).mask.all()


def test_a_slide_of_skin(shared) -> None:
    with open_slide(shared / "slides" / "CMU-1-Small-Region.svs") as slide:
        tissue = find_tissue(slide)
        assert 0.3 < tissue.mask.mean() < 0.45
        assert not tissue.on(Grid.at(slide.region(0, 1600, 400, 800), 1.0)).any()
        assert tissue.on(Grid.at(slide.region(900, 1600, 300, 800), 1.0)).mean() > 0.95
