from collections.abc import Callable

import numpy as np
import pytest

from deepscribble.benchmark.figures import figures_of, mean_curve
from deepscribble.benchmark.trial import MOST, Trial
from deepscribble.errors import InvalidInput

Tried = Callable[..., Trial]


def test_counted_by_hand(tried: Tried) -> None:
    trials = (
        tried("a", 0.6, (0.7, 0.86, 0.91), seconds=(0.1, 0.2, 0.6)),
        tried("b", 0.6, (0.7, 0.7, 0.7, 0.88), seconds=(0.1, 0.1, 0.1, 0.1)),
        tried("c", 0.6, (0.7,), seconds=(0.5,)),
        tried("d", 0.96, ()),
    )
    found = figures_of(trials)
    assert (found.method, found.cases) == ("RefineNet", 4)
    assert found.at85.interactions.value == (2 + 4 + 20 + 0) / 4
    assert found.at85.of_successes.value == (2 + 4 + 0) / 3
    assert found.at85.share.value == 0.75
    assert found.at85.failures == 1
    assert found.at90.interactions.value == (3 + 20 + 20 + 0) / 4
    assert found.at90.of_successes.value == 1.5
    assert found.at90.failures == 2
    assert found.seconds.value == pytest.approx(1.8 / 8)
    assert found.seconds_median == pytest.approx(0.1)
    assert found.seconds_total == pytest.approx(1.8)
    assert found.first_iou.value == pytest.approx((3 * 0.6 + 0.96) / 4)
    assert found.final_iou.value == pytest.approx((0.91 + 0.88 + 0.7 + 0.96) / 4)
    area = [
        np.mean([0.6, 0.7, 0.86, *[0.91] * 18]),
        np.mean([0.6, 0.7, 0.7, 0.7, *[0.88] * 17]),
        np.mean([0.6, *[0.7] * 20]),
        0.96,
    ]
    assert found.area.value == pytest.approx(np.mean(area))


def test_free_strokes_do_not_count(tried: Tried) -> None:
    found = figures_of((tried("a", 0.0, (0.5, 0.6, 0.87), free_strokes=2),))
    assert found.first_iou.value == 0.6
    assert found.at85.interactions.value == 1
    already = figures_of((tried("a", 0.0, (0.5, 0.9), free_strokes=2),))
    assert already.at85.interactions.value == 0
    assert already.seconds.value is None
    timed = figures_of((tried("a", 0.0, (0.5, 0.6, 0.7), free_strokes=1, seconds=(9, 1, 2)),))
    assert timed.seconds.value == timed.seconds_median == 1.5
    assert timed.seconds_total == 12


def test_the_last_stroke_still_counts(tried: Tried) -> None:
    late = tried("a", 0.5, (*[0.6] * (MOST - 1), 0.9))
    found = figures_of((late,))
    assert found.at90.interactions.value == MOST
    assert found.at90.failures == 0


def test_flips_far_and_shifts(tried: Tried) -> None:
    trials = (
        tried("a", 0.6, (0.7, 0.7), flips=0.5, far=0.2, together=0.8, shifted=0.7),
        tried("b", 0.6, (0.7, 0.7, 0.7, 0.7, 0.7, 0.7), together=0.8, shifted=0.8),
        tried("c", 0.99, ()),
    )
    found = figures_of(trials)
    assert found.flips.value == pytest.approx(0.5 * 2 / 8)
    assert found.far.value == pytest.approx(0.2 * 2 / 8)
    assert found.shift_loss.value == pytest.approx(0.05)


def test_intervals_hold_the_value_and_are_repeatable(tried: Tried) -> None:
    trials = tuple(tried(f"c{n}", 0.5, (0.5 + n / 50, 0.55 + n / 50)) for n in range(20))
    found = figures_of(trials, seed=1)
    for one in (found.area, found.at85.interactions, found.at85.share, found.seconds):
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.value <= one.high
    # Of n values the mean's interval is about 4 standard errors wide.
    finals = np.array([trial.rounds[-1].iou for trial in trials])
    width = found.final_iou.high - found.final_iou.low
    assert width == pytest.approx(3.92 * finals.std() / np.sqrt(20), rel=0.1)
    assert figures_of(trials, seed=1) == found
    assert figures_of(trials, seed=2) != found


def test_nothing_to_average(tried: Tried) -> None:
    found = figures_of((tried("a", 0.5, (0.6,), together=None, shifted=None),))
    assert found.at85.of_successes.value is None
    assert found.shift_loss.value is None
    none = figures_of((tried("a", 0.97, ()),))
    assert none.seconds.value is None
    assert none.seconds_median is None
    assert none.seconds_total == 0


def test_trials_of_several_methods_or_none(tried: Tried) -> None:
    with pytest.raises(InvalidInput, match="of BRS, RefineNet"):
        figures_of((tried("a", 0.5, ()), tried("a", 0.5, (), method="BRS")))
    with pytest.raises(InvalidInput, match="of none"):
        figures_of(())


def test_mean_curve(tried: Tried) -> None:
    middle, low, high = mean_curve((tried("a", 0.5, (0.7,)), tried("b", 0.6, (0.9, 0.95))))
    assert middle.shape == low.shape == high.shape == (MOST + 1,)
    assert middle[:3] == pytest.approx([0.55, 0.8, 0.825])
    assert (low <= middle).all()
    assert (middle <= high).all()
