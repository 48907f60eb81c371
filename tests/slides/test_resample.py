"""Area resampling: weights are exact overlaps, wherever the source starts."""

from __future__ import annotations

import numpy as np
import pytest

from deepscribble.slides.resample import Axis, resample

NOISE = np.random.default_rng(0).integers(0, 256, (24, 36, 3), dtype=np.uint8)


def test_step_one_is_a_crop() -> None:
    out = resample(NOISE, Axis(3, 1, 10, 24), Axis(5, 1, 20, 36))
    np.testing.assert_array_equal(out, NOISE[3:13, 5:25])


def test_whole_steps_average_blocks() -> None:
    out = resample(NOISE, Axis(0, 4, 6, 24), Axis(0, 3, 12, 36))
    blocks = NOISE.reshape(6, 4, 12, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(out, blocks, atol=0.5 + 1e-9)


def test_a_fractional_window_weighs_pixels_by_their_overlap() -> None:
    row = np.zeros((1, 4, 3), dtype=np.uint8)
    row[0, :, 0] = [0, 100, 200, 40]
    out = resample(row, Axis(0, 1, 1, 1), Axis(0.5, 1.5, 2, 4))
    # 0.5 to 2: half of 0 and all of 100. 2 to 3.5: all of 200 and half of 40.
    assert out[0, :, 0].tolist() == [round(100 / 1.5), round(220 / 1.5)]


def test_enlarging_interpolates_between_pixel_centres_and_keeps_the_border() -> None:
    row = np.zeros((1, 2, 3), dtype=np.uint8)
    row[0, :, 0] = [0, 80]
    out = resample(row, Axis(0, 1, 1, 1), Axis(0, 0.25, 8, 2))
    assert out[0, :, 0].tolist() == [0, 0, 10, 30, 50, 70, 80, 80]


@pytest.mark.parametrize("step", [0.7, 1.0, 1.9, 3.3])
def test_a_part_of_the_output_is_bit_identical_to_the_whole(step: float) -> None:
    count = int(20 / step)
    rows, columns = Axis(2.3, step, count, 24), Axis(4.6, step, count, 36)
    whole = resample(NOISE, rows, columns)
    part = rows.part(3, count - 4)
    top, bottom = part.span()
    cut = resample(NOISE[top:bottom], part.seen_from(top, bottom - top), columns)
    np.testing.assert_array_equal(cut, whole[3 : count - 1])


def test_past_the_end_the_last_pixel_is_repeated() -> None:
    out = resample(NOISE, Axis(0, 1, 24, 24), Axis(34, 1, 5, 36))
    np.testing.assert_array_equal(out[:, 2:], np.repeat(NOISE[:, -1:], 3, axis=1))
