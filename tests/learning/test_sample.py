from pathlib import Path

import cv2
import numpy as np
import pytest

from deepscribble.errors import InvalidInput
from deepscribble.learning import load_sample, read_manifest


def test_pixels_and_mask_come_at_the_wanted_scale(folder: Path) -> None:
    pair = read_manifest(folder)[0]
    sample = load_sample(pair, 1.0)
    assert sample.rgb.shape == (120, 100, 3)
    assert sample.truth.shape == (120, 100)
    whole = cv2.imread(str(pair.mask), cv2.IMREAD_GRAYSCALE) > 127
    assert sample.truth.mean() == pytest.approx(whole.mean(), abs=0.02)
    # Red before blue: brown stain is redder than it is blue.
    assert sample.rgb[sample.truth][:, 0].mean() > sample.rgb[sample.truth][:, 2].mean()


def test_mask_of_another_size_is_refused(folder: Path) -> None:
    cv2.imwrite(str(folder / "mask0.png"), np.zeros((10, 20), np.uint8))
    with pytest.raises(InvalidInput, match=r"mask0\.png is 20x10 .*image0\.png is 200x240"):
        load_sample(read_manifest(folder)[0], 1.0)


def test_file_that_is_no_image_is_named(folder: Path) -> None:
    (folder / "image0.png").write_bytes(b"no image")
    with pytest.raises(InvalidInput, match=r"image0\.png cannot be read"):
        load_sample(read_manifest(folder)[0], 1.0)
