import numpy as np
import pytest

from deepscribble.stores.omero.rendering import Channel, Rendering, rendering_of

RED, WHITE = (1.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def planes(*values):
    return [np.full((2, 3), value, dtype=np.uint16) for value in values]


def test_eight_bit_colours_are_what_was_scanned():
    rendering = rendering_of("a", "u1", 3, None)
    scanned = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    rgb = rendering.render([np.ascontiguousarray(scanned[..., at]) for at in range(3)])
    assert (rgb == scanned).all()
    assert not rendering.warnings


@pytest.mark.parametrize(
    ("channels", "values", "rgb"),
    [
        ([Channel(0, 0, 100, RED)], [50], [128, 0, 0]),
        ([Channel(0, 100, 200, RED)], [50], [0, 0, 0]),
        ([Channel(0, 100, 200, RED)], [300], [255, 0, 0]),
        ([Channel(0, 0, 100, WHITE)], [100], [255, 255, 255]),
        # Light adds up, and ends at white.
        ([Channel(0, 0, 100, RED), Channel(1, 0, 100, WHITE)], [50, 20], [178, 51, 51]),
        ([Channel(0, 0, 100, RED), Channel(1, 0, 100, RED)], [80, 80], [255, 0, 0]),
        # A window of no width is a threshold, not a division by zero.
        ([Channel(0, 7, 7, RED)], [8], [255, 0, 0]),
    ],
)
def test_channels_are_shown_within_their_windows(channels, values, rgb):
    shown = Rendering(tuple(channels)).render(planes(*values))
    assert shown.dtype == np.uint8
    assert shown[0, 0].tolist() == rgb


def test_one_channel_without_settings_is_gray():
    rendering = rendering_of("a", ">u2", 1, None)
    assert rendering.render(planes(65535))[0, 0].tolist() == [255, 255, 255]
    assert "1 of 1 channels of u2" in rendering.warnings[0].message


def test_of_many_channels_without_settings_the_first_is_shown_and_it_is_said():
    rendering = rendering_of("a", "u1", 4, None)
    assert [channel.index for channel in rendering.channels] == [0]
    assert "1 of 4 channels" in rendering.warnings[0].message
