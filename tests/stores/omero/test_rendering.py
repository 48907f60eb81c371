import math

import numpy as np
import pytest

from deepscribble.stores.omero.rendering import Channel, Rendering, rendering_of

RED, WHITE = (1.0, 0.0, 0.0), (1.0, 1.0, 1.0)
VALUES = 2**16


def planes(*values):
    return [np.full((2, 3), value, dtype=np.uint16) for value in values]


def test_eight_bit_colours_are_what_was_scanned():
    rendering = rendering_of("a", "u1", 8, 3, None)
    scanned = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    rgb = rendering.render([np.ascontiguousarray(scanned[..., at]) for at in range(3)])
    assert (rgb == scanned).all()
    assert not rendering.warnings


@pytest.mark.parametrize(
    ("channels", "values", "rgb"),
    [
        # 2.55 * 50 is a hair below 127.5.
        ([Channel(0, 0, 100, RED)], [50], [127, 0, 0]),
        ([Channel(0, 100, 200, RED)], [50], [0, 0, 0]),
        ([Channel(0, 100, 200, RED)], [300], [255, 0, 0]),
        ([Channel(0, 0, 100, WHITE)], [100], [255, 255, 255]),
        # Light adds up, and ends at white.
        ([Channel(0, 0, 100, RED), Channel(1, 0, 100, WHITE)], [50, 20], [178, 51, 51]),
        ([Channel(0, 0, 100, RED), Channel(1, 0, 100, RED)], [80, 80], [255, 0, 0]),
        # Of half a colour what is behind the point is lost: int(128 / 255 * 127).
        ([Channel(0, 0, 100, (128 / 255, 0.0, 1.0))], [50], [63, 0, 127]),
        # A window of no width is a threshold, not a division by zero.
        ([Channel(0, 7, 7, RED)], [8], [255, 0, 0]),
        ([Channel(0, 7, 7, RED)], [6], [0, 0, 0]),
    ],
)
def test_channels_are_shown_within_their_windows(channels, values, rgb):
    shown = Rendering(tuple(channels), VALUES).render(planes(*values))
    assert shown.dtype == np.uint8
    assert shown[0, 0].tolist() == rgb


def java(v, family, k):
    """What `Quantization_8_16_bit.buildLUT` makes of 0 to 255, by its own words."""
    if family == "logarithmic":
        f = lambda x: math.log(x if x > 0 else 1.0)  # noqa: E731
    elif family == "exponential":
        f = lambda x: math.exp(x**k)  # noqa: E731
    else:
        f = lambda x: x**k  # noqa: E731
    return math.floor(255 / (f(255) - f(0)) * (f(v) - f(0)) + 0.5)


@pytest.mark.parametrize(
    ("curve", "coefficient", "at_51", "at_200"),
    [
        ("linear", 3.0, 51, 200),
        # 255 * (51 / 255)**2 = 10.2 and 255 * (200 / 255)**2 = 156.9
        ("polynomial", 2.0, 10, 157),
        # 255 * (51 / 255)**0.5 = 114.04
        ("polynomial", 0.5, 114, 226),
        # 255 * (exp(51**0.2) - 1) / (exp(255**0.2) - 1) = 103.5
        ("exponential", 0.2, 103, 219),
        # 255 / (exp(255) - 1) * (exp(200) - 1) is far below 1
        ("exponential", 1.0, 0, 0),
        # 255 * ln 51 / ln 255 = 180.9 and 255 * ln 200 / ln 255 = 243.8
        ("logarithmic", 1.0, 181, 244),
    ],
)
def test_curves_are_those_of_omero(curve, coefficient, at_51, at_200):
    shown = Channel(0, 0, 255, WHITE, curve, coefficient).brightness(256)
    assert (shown[51], shown[200]) == (at_51, at_200)
    assert (shown[0], shown[255]) == (0, 255)
    k = 1.0 if curve == "linear" else coefficient
    assert shown.tolist() == [java(float(v), curve, k) for v in range(256)]
    # A window of 16 bits goes the same way, as far as the value is one of 0 to 255.
    wide = Channel(0, 1000, 1000 + 100 * 255, WHITE, curve, coefficient).brightness(VALUES)
    assert wide[1000 + 100 * 51] == at_51
    assert (wide[:1001] == 0).all()
    assert (wide[1000 + 100 * 255 :] == 255).all()


def test_the_darkest_of_a_wide_logarithm_are_black():
    shown = Channel(0, 0, 65535, WHITE, "logarithmic").brightness(VALUES)
    # Below 65535 / 255 the logarithm is negative, and OMERO lets its byte turn over.
    assert (shown[:257] == 0).all()
    assert shown[2570] == round(255 * math.log(10) / math.log(255))


def test_an_exponential_beyond_all_numbers_is_black_as_in_omero():
    shown = Channel(0, 0, 255, WHITE, "exponential", 2.0).brightness(256)
    assert (shown[:255] == 0).all()
    assert shown[255] == 255


def test_a_reversed_channel_shows_black_for_bright():
    shown = Channel(0, 0, 100, WHITE, is_reversed=True).brightness(256)
    assert (shown[0], shown[50], shown[100], shown[255]) == (255, 128, 0, 0)


def test_one_channel_without_settings_is_gray():
    rendering = rendering_of("a", ">u2", 16, 1, None)
    assert rendering.render(planes(65535))[0, 0].tolist() == [255, 255, 255]
    assert "1 of 1 channels of u2" in rendering.warnings[0].message


def test_twelve_bits_in_sixteen_are_the_full_range():
    rendering = rendering_of("a", ">u2", 12, 3, None)
    assert rendering.render(planes(4095, 2048, 0))[0, 0].tolist() == [255, 128, 0]


def test_of_many_channels_without_settings_the_first_is_shown_and_it_is_said():
    rendering = rendering_of("a", "u1", 8, 4, None)
    assert [channel.index for channel in rendering.channels] == [0]
    assert "1 of 4 channels" in rendering.warnings[0].message


@pytest.fixture
def settings():
    """Makes a `RenderingDef` of a model and channels: red with the window 0 to 4095, unless said.

    `settings("rgb", {"family": "polynomial", "coefficient": 2.0}, …)`
    """
    pytest.importorskip("omero.gateway", reason="omero-py is not installed")
    from omero.model import ChannelBindingI, FamilyI, RenderingDefI, RenderingModelI
    from omero.rtypes import rbool, rdouble, rint, rstring

    def named(kind, name):
        made = kind()
        made.setValue(rstring(name))
        return made

    def make(model, *channels):
        definition = RenderingDefI()
        definition.setModel(named(RenderingModelI, model))
        for about in channels:
            wave = ChannelBindingI()
            wave.setFamily(named(FamilyI, about.get("family", "linear")))
            wave.setCoefficient(rdouble(about.get("coefficient", 1.0)))
            wave.setInputStart(rdouble(about.get("low", 0.0)))
            wave.setInputEnd(rdouble(about.get("high", 4095.0)))
            wave.setActive(rbool(about.get("active", True)))
            wave.setNoiseReduction(rbool(about.get("noise", False)))
            for name, value in zip(
                ("Red", "Green", "Blue"), about.get("color", (255, 0, 0)), strict=True
            ):
                getattr(wave, f"set{name}")(rint(value))
            if "table" in about:
                wave.setLookupTable(rstring(about["table"]))
            if about.get("reversed"):
                wave.addCodomainMapContext(about["reversed"])
            definition.addChannelBinding(wave)
        return definition

    return make


def of(definition, channels=2):
    return rendering_of("a", ">u2", 16, channels, definition)


def test_what_a_viewer_was_set_to_is_done(settings):
    rendering = of(
        settings(
            "rgb",
            {"active": False},
            {"family": "polynomial", "coefficient": 2.0, "high": 255.0, "color": (0, 128, 255)},
        )
    )
    assert rendering.channels == (Channel(1, 0.0, 255.0, (0.0, 128 / 255, 1.0), "polynomial", 2.0),)
    (warning,) = rendering.warnings
    assert "1 of 2 channels of u2 are shown as RGB, with the settings" in warning.message
    assert rendering.render(planes(200))[0, 0].tolist() == [0, int(128 / 255 * 157), 157]


def test_in_gray_the_first_active_channel_is_shown_alone(settings):
    rendering = of(settings("greyscale", {"active": False}, {"table": "cool.lut"}, {}), 3)
    assert rendering.channels == (Channel(1, 0.0, 4095.0, WHITE),)
    assert len(rendering.warnings) == 1


def test_what_is_not_done_is_said(settings):
    rendering = of(settings("rgb", {"table": "cool.lut"}, {"noise": True, "family": "odd"}))
    messages = [warning.message for warning in rendering.warnings[1:]]
    assert messages == [
        "a: channel 0 is shown in its colour, not by cool.lut",
        "a: channel 1 is shown linearly, not odd",
        "a: channel 1 is shown without its noise reduction",
    ]


@pytest.mark.parametrize(
    ("low", "high", "window"),
    [(-10.0, 100.0, (0.0, 100.0)), (5.0, 70000.0, (0.0, 65535.0)), (9.0, 3.0, (0.0, 65535.0))],
)
def test_a_window_beyond_the_type_is_cut_as_omero_does(settings, low, high, window):
    (channel,) = of(settings("rgb", {"low": low, "high": high})).channels
    assert (channel.low, channel.high) == window
