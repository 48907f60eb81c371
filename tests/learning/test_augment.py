from dataclasses import replace

import numpy as np
import skimage.data

from deepscribble.learning.augment import cut, place, recolour, worsen


def test_image_and_mask_are_cut_alike() -> None:
    tissue = skimage.data.immunohistochemistry()
    mask = np.where(tissue[:, :, 2] < 140, np.uint8(255), np.uint8(0))
    for seed in range(8):
        at = place(mask.shape, 192, np.random.default_rng(seed))
        patch, inside = cut(tissue, at), cut(mask, at)
        assert ((patch[:, :, 2] < 140) == (inside > 127)).mean() > 0.95


def test_patches_of_a_large_image_stay_inside_and_differ() -> None:
    ramp = np.indices((600, 800)).astype(np.float32) + 1
    corners = []
    for seed in range(20):
        at = replace(place((600, 800), 256, np.random.default_rng(seed)), bend=None)
        rows, columns = (cut(axis, at) for axis in ramp)
        # A reflected border would make the ramp turn round somewhere.
        for axis in (rows, columns):
            bend = np.abs(np.diff(axis[128], 2))
            assert np.median(bend) < 0.1
        corners.append((rows[0, 0], columns[0, 0]))
    assert len(set(corners)) == 20


def test_small_images_fill_the_patch_with_tissue() -> None:
    tissue = skimage.data.immunohistochemistry()[:100, :80]
    patch = cut(tissue, place((100, 80), 384, np.random.default_rng(0)))
    assert patch.shape == (384, 384, 3)
    assert patch.min() > 0


def test_colours_change_but_tissue_stays() -> None:
    tissue = skimage.data.immunohistochemistry()[:256, :256]
    grey = tissue.mean(axis=2).ravel()
    seen = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        other = worsen(recolour(tissue, rng), rng)
        assert other.dtype == np.uint8
        assert np.corrcoef(grey, other.mean(axis=2).ravel())[0, 1] > 0.85
        seen.add(tuple(other.mean(axis=(0, 1)).round(1)))
    assert len(seen) == 8


def test_some_patches_are_bent_a_little_and_smoothly() -> None:
    ramp = np.indices((600, 800)).astype(np.float32)
    places = [place((600, 800), 256, np.random.default_rng(seed)) for seed in range(30)]
    bent = [at for at in places if at.bend is not None]
    assert 3 <= len(bent) <= 18
    for at in bent:
        straight = replace(at, bend=None)
        for axis in ramp:
            moved = cut(axis, at) - cut(axis, straight)
            assert 0.3 < np.abs(moved).max() < 40
            assert np.abs(np.diff(moved, axis=0)).max() < 2.5
