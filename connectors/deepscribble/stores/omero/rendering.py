"""From the channels that OMERO keeps to the RGB that its viewers show.

The arithmetic is that of OMERO's own renderer, which makes the pictures of all its viewers
(ome/omero-renderer: Quantization_8_16_bit, RenderHSBRegionTask, GreyScaleStrategy). Lookup tables
and noise reduction are not applied; a warning says where a viewer does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry import Warning
from deepscribble.slides.decode import CONVERTED, RGB

WHITE = (1.0, 1.0, 1.0)
RED_GREEN_BLUE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

BRIGHTEST = 255
"""The brightness of a channel is a whole number from 0 to this."""

GREYSCALE = "greyscale"
"""The model that shows the first active channel alone, in gray."""

REVERSED = "ReverseIntensityContext"
"""The only change of the brightness, once it is found, that OMERO's renderer knows."""

Values = NDArray[np.float64]


def _logarithm(v: Values, k: float) -> Values:
    return np.log(np.where(v > 0, v, 1.0))


LINEAR = "linear"
CURVES: Mapping[str, Callable[[Values, float], Values]] = MappingProxyType(
    {
        LINEAR: lambda v, k: v,
        "polynomial": lambda v, k: v**k,
        "exponential": lambda v, k: np.exp(v**k),
        "logarithmic": _logarithm,
    }
)
"""OMERO's families of curves: what becomes of 0 to 255 by a coefficient, scaled back later."""


@dataclass(frozen=True, slots=True)
class Channel:
    """How a channel is shown.

    Args:
        index: Which of the image's channels.
        low: The value that shows as black.
        high: The value that shows in full colour.
        color: Red, green and blue of that, 0 to 1.
        curve: One of `CURVES`: how it gets from one to the other.
        coefficient: Of the curve; a straight line has none.
        is_reversed: Whether black and full colour change places.
    """

    index: int
    low: float
    high: float
    color: tuple[float, float, float]
    curve: str = LINEAR
    coefficient: float = 1.0
    is_reversed: bool = False

    def brightness(self, values: int) -> NDArray[np.uint8]:
        """What the values 0, 1, … of a pixel show as; (values,), 0 to 255."""
        value = np.arange(values, dtype=np.float64)
        bend = CURVES[self.curve]
        ends = np.array([0.0, BRIGHTEST])
        # A steep exponential goes beyond all numbers; OMERO shows what is lost there as black.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            slope = BRIGHTEST / (self.high - self.low) if self.high > self.low else 0.0
            first, last = bend(ends, self.coefficient)
            bent = bend(np.maximum(slope * value - slope * self.low, 0.0), self.coefficient)
            shown = np.nan_to_num(BRIGHTEST / (last - first) * (bent - first), posinf=BRIGHTEST)
        # Below 1 a logarithm is negative. OMERO lets these bytes turn over into bright specks.
        shown = np.clip(np.floor(shown + 0.5), 0, BRIGHTEST)
        shown[value < self.low] = 0
        shown[value >= self.high] = BRIGHTEST
        return np.asarray(BRIGHTEST - shown if self.is_reversed else shown, dtype=np.uint8)

    def table(self, values: int) -> NDArray[np.uint8]:
        """What the values 0, 1, … of a pixel add to the picture; RGB, (values, 3)."""
        light = self.brightness(values)[:, None] * np.array(self.color)
        return np.asarray(light, dtype=np.uint8)


@dataclass(frozen=True)
class Rendering:
    """The channels that are shown; their light adds up.

    Args:
        channels: At least one.
        values: How many values a pixel of the image can have.
        warnings: What is converted.
    """

    channels: tuple[Channel, ...]
    values: int
    warnings: tuple[Warning, ...] = ()

    @cached_property
    def is_plain(self) -> bool:
        """Whether the channels are red, green and blue of 8 bits as they stand."""
        return self.channels == _plain(BRIGHTEST)

    @cached_property
    def tables(self) -> tuple[NDArray[np.uint8], ...]:
        """The table of each channel."""
        return tuple(channel.table(self.values) for channel in self.channels)

    def render(self, planes: list[NDArray[Any]]) -> RGB:
        """RGB of planes (rows, columns), one for each channel that is shown, in their order."""
        if self.is_plain:
            return np.asarray(cv2.merge(planes))
        rgb: RGB = np.zeros((*planes[0].shape, 3), dtype=np.uint8)
        for plane, table in zip(planes, self.tables, strict=True):
            cv2.add(rgb, table[plane], dst=rgb)  # ends at 255
        return rgb


def rendering_of(
    name: str, dtype: str, bits: int, channels: int, definition: Any | None
) -> Rendering:
    """How an image is shown.

    8-bit images of three channels are read as they were scanned, whatever a viewer was set to:
    the networks know scanners, not settings.

    Args:
        name: What warnings call the image.
        dtype: How NumPy reads its pixels.
        bits: How many bits of them are used.
        channels: How many it has.
        definition: The server's `RenderingDef`, None if nobody has looked at the image yet.
    """
    values = int(np.iinfo(np.dtype(dtype)).max) + 1
    full = 2**bits - 1
    if channels == 3 and values == BRIGHTEST + 1:
        return Rendering(_plain(BRIGHTEST), values)
    shown, notes = _from_settings(definition, values, full)
    if not shown and channels == 3:
        shown = _plain(full)
    elif not shown:
        shown = tuple(Channel(at, 0.0, full, WHITE) for at in range(min(channels, 1)))
    how = "with the settings of OMERO's viewer" if definition is not None else "at full range"
    notes.insert(0, f"{len(shown)} of {channels} channels of {dtype[-2:]} are shown as RGB, {how}")
    warnings = tuple(Warning(CONVERTED, f"{name}: {note}") for note in notes)
    return Rendering(shown, values, warnings)


def _plain(full: float) -> tuple[Channel, ...]:
    return tuple(Channel(at, 0.0, full, color) for at, color in enumerate(RED_GREEN_BLUE))


def _from_settings(
    definition: Any | None, values: int, full: int
) -> tuple[tuple[Channel, ...], list[str]]:
    """The channels that are shown, and what of their settings is not applied."""
    if definition is None:
        return (), []
    waves = [
        (at, wave)
        for at, wave in enumerate(definition.copyWaveRendering())
        if wave is not None and wave.getActive().getValue()
    ]
    is_gray = _name(definition.getModel()) == GREYSCALE
    if is_gray:
        waves = waves[:1]
    shown = tuple(_channel(at, wave, values, full, is_gray) for at, wave in waves)
    return shown, [note for at, wave in waves for note in _left_out(at, wave, is_gray)]


def _channel(at: int, wave: Any, values: int, full: int, is_gray: bool) -> Channel:
    """A channel as a `ChannelBinding` has it."""
    red, green, blue = (
        getattr(wave, f"get{name}")().getValue() / 255 for name in ("Red", "Green", "Blue")
    )
    low, high = wave.getInputStart().getValue(), wave.getInputEnd().getValue()
    if not 0 <= high - low < values:
        low, high = 0.0, full
    curve = _name(wave.getFamily())
    coefficient = wave.getCoefficient()
    has_changes = wave.sizeOfSpatialDomainEnhancement() > 0
    changes = wave.copySpatialDomainEnhancement() if has_changes else ()
    return Channel(
        index=at,
        low=max(low, 0.0),
        high=min(high, full),
        color=WHITE if is_gray else (red, green, blue),
        curve=curve if curve in CURVES else LINEAR,
        coefficient=1.0 if coefficient is None else coefficient.getValue(),
        is_reversed=any(type(each).__name__.removesuffix("I") == REVERSED for each in changes),
    )


def _left_out(at: int, wave: Any, is_gray: bool) -> Iterator[str]:
    """What of the settings of a channel is not applied here."""
    curve = _name(wave.getFamily())
    if curve and curve not in CURVES:
        yield f"channel {at} is shown linearly, not {curve}"
    table = wave.getLookupTable()
    if table is not None and table.getValue() and not is_gray:
        yield f"channel {at} is shown in its colour, not by {table.getValue()}"
    noise = wave.getNoiseReduction()
    if noise is not None and noise.getValue():
        yield f"channel {at} is shown without its noise reduction"


def _name(enumeration: Any | None) -> str:
    """The name of a value of an enumeration of OMERO's; empty if it was not sent."""
    if enumeration is None or not enumeration.isLoaded():
        return ""
    return str(enumeration.getValue().getValue())
