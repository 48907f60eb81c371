"""From the channels that OMERO keeps to the RGB that its viewers show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry import Warning
from deepscribble.slides.decode import CONVERTED, RGB

LINEAR = "linear"
"""The family of curves that is applied here; OMERO has others, for fluorescence."""

RED_GREEN_BLUE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Channel:
    """How a channel is shown.

    Args:
        index: Which of the image's channels.
        low: The value that shows as black.
        high: The value that shows in full colour.
        color: Red, green and blue of that, 0 to 1.
    """

    index: int
    low: float
    high: float
    color: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Rendering:
    """The channels that are shown; their light adds up.

    Args:
        channels: At least one.
        warnings: What is converted.
    """

    channels: tuple[Channel, ...]
    warnings: tuple[Warning, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the channels are red, green and blue of 8 bits as they stand."""
        return tuple((each.index, each.low, each.high, each.color) for each in self.channels) == (
            tuple((at, 0.0, 255.0, color) for at, color in enumerate(RED_GREEN_BLUE))
        )

    def render(self, planes: list[NDArray[Any]]) -> RGB:
        """RGB of planes (rows, columns), one for each channel that is shown, in their order."""
        if self.is_plain:
            return np.asarray(cv2.merge(planes))
        light = np.zeros((*planes[0].shape, 3), dtype=np.float32)
        for plane, channel in zip(planes, self.channels, strict=True):
            span = np.float32(max(channel.high - channel.low, 1e-6))
            shade = np.clip((plane.astype(np.float32) - np.float32(channel.low)) / span, 0, 1)
            light += shade[..., None] * np.array(channel.color, dtype=np.float32)
        rgb: RGB = np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)
        return rgb


def rendering_of(name: str, dtype: str, channels: int, definition: Any | None) -> Rendering:
    """How an image is shown.

    8-bit images of three channels are read as they were scanned, whatever a viewer was set to:
    the networks know scanners, not settings.

    Args:
        name: What warnings call the image.
        dtype: How NumPy reads its pixels.
        channels: How many it has.
        definition: The server's `RenderingDef`, None if nobody has looked at the image yet.
    """
    full = float(np.iinfo(np.dtype(dtype)).max)
    if channels == 3 and full == 255:
        return Rendering(_plain(full))
    shown, notes = _from_settings(definition)
    if not shown and channels == 3:
        shown = _plain(full)
    elif not shown:
        shown = tuple(Channel(at, 0.0, full, (1.0, 1.0, 1.0)) for at in range(min(channels, 1)))
    how = "with the settings of OMERO's viewer" if definition is not None else "at full range"
    notes.insert(0, f"{len(shown)} of {channels} channels of {dtype[-2:]} are shown as RGB, {how}")
    return Rendering(shown, tuple(Warning(CONVERTED, f"{name}: {note}") for note in notes))


def _plain(full: float) -> tuple[Channel, ...]:
    return tuple(Channel(at, 0.0, full, color) for at, color in enumerate(RED_GREEN_BLUE))


def _from_settings(definition: Any | None) -> tuple[tuple[Channel, ...], list[str]]:
    if definition is None:
        return (), []
    shown, notes = [], []
    for at, wave in enumerate(definition.copyWaveRendering()):
        if wave is None or not wave.getActive().getValue():
            continue
        color = tuple(
            getattr(wave, f"get{name}")().getValue() / 255 for name in ("Red", "Green", "Blue")
        )
        low, high = wave.getInputStart().getValue(), wave.getInputEnd().getValue()
        shown.append(Channel(at, low, high, color))
        family = wave.getFamily()
        if family is not None and family.isLoaded() and family.getValue().getValue() != LINEAR:
            notes.append(f"channel {at} is shown linearly, not {family.getValue().getValue()}")
    return tuple(shown), notes
