import numpy as np
from scipy.ndimage import gaussian_filter

from deepscribble.learning import iou
from deepscribble.learning.prior import spoiled

TRUTH = gaussian_filter(np.random.default_rng(0).standard_normal((256, 256)), 12) > 0


def test_guesses_are_probabilities_good_and_bad() -> None:
    scores = []
    for seed in range(60):
        guess = spoiled(TRUTH, np.random.default_rng(seed))
        assert guess.dtype == np.float32
        assert guess.shape == TRUTH.shape
        assert 0 <= guess.min() <= guess.max() <= 1
        scores.append(iou(TRUTH, guess >= 0.5))
    assert min(scores) < 0.6
    assert max(scores) > 0.9
    assert np.std(scores) > 0.1


def test_empty_and_full_truths_can_be_spoiled() -> None:
    for truth in (np.zeros((64, 96), dtype=bool), np.ones((64, 96), dtype=bool)):
        guesses = [spoiled(truth, np.random.default_rng(seed)) for seed in range(20)]
        assert all(np.isfinite(guess).all() for guess in guesses)
        assert any(((guess >= 0.5) != truth).any() for guess in guesses)
