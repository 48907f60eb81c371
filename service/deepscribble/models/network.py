"""GuideNet and RefineNet: U-Nets on EfficientNet encoders, and what they are fed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Label
from deepscribble.models.card import STROKE_CHANNELS, Card

_UNSURE = 0.02
"""A prior is taken for no surer than this of either answer when a network corrects its logit."""

_FEATURES = 8
"""Channels that a U-Net hands to the head of `TwoScales`."""

_WIDTH = 16
"""Channels within that head."""

_SHARP = 8
"""The head also reads the fields raised to this further power: a stroke's next few pixels."""


class TwoScales(torch.nn.Module):
    """A U-Net on reduced inputs, then a small head at full resolution.

    The U-Net sees far at little cost; the head reads pixels, prior and strokes once more, so that
    the answer ends where strokes and edges lie, to the pixel. Where there is a prior, the answer
    is a correction added to its logit: what nobody speaks of stays as good as it was.

    Args:
        unet: (N, C, H, W) → (N, `_FEATURES`, H, W).
        channels: The card's.
        downsample: By how much the U-Net's inputs are reduced.
    """

    def __init__(self, unet: torch.nn.Module, channels: Sequence[str], downsample: int) -> None:
        super().__init__()
        self.unet = unet
        self._downsample = downsample
        self._prior = channels.index("prior") if "prior" in channels else None
        self._strokes = 2 if len(channels) > 4 else 0
        self.head = torch.nn.Sequential(
            torch.nn.Conv2d(_FEATURES + len(channels) + self._strokes, _WIDTH, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(_WIDTH, 1, 3, padding=1),
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) → logits (N, 1, H, W) float32."""
        return self.finished(self.unet(self.reduced(inputs)), inputs)

    def reduced(self, inputs: torch.Tensor) -> torch.Tensor:
        """What the U-Net reads: the mean over squares of pixels."""
        if self._downsample == 1:
            return inputs
        return torch.nn.functional.avg_pool2d(inputs, self._downsample)

    def finished(self, features: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """The answer to `inputs` from what the U-Net made of them."""
        if self._downsample > 1:
            features = torch.nn.functional.interpolate(
                features, scale_factor=self._downsample, mode="bilinear"
            )
        sharp = inputs[:, inputs.shape[1] - self._strokes :] ** _SHARP
        answer: torch.Tensor = self.head(torch.cat([features, inputs, sharp], dim=1)).float()
        if self._prior is None:
            return answer
        prior = inputs[:, self._prior : self._prior + 1].float()
        return torch.logit(prior.clamp(_UNSURE, 1 - _UNSURE)) + answer


def build_network(card: Card) -> torch.nn.Module:
    """The network of a card, with random weights: (N, C, H, W) → logits (N, 1, H, W).

    GuideNet is a U-Net, all others are `TwoScales`. H and W are multiples of `card.multiple`.
    """
    admit_torchvision()
    import segmentation_models_pytorch as smp

    unet = smp.Unet(
        encoder_name=card.encoder,
        encoder_weights=None,
        in_channels=len(card.channels),
        classes=1 if card.kind == "guide" else _FEATURES,
        decoder_channels=card.decoder_channels,
    )
    if card.kind == "guide":
        return cast(torch.nn.Module, unet)
    return TwoScales(unet, card.channels, card.downsample)


def input_channels(
    card: Card,
    rgb: NDArray[np.uint8],
    prior: NDArray[np.float32] | None = None,
    foreground: NDArray[np.float32] | None = None,
    background: NDArray[np.float32] | None = None,
    labels: NDArray[np.uint8] | None = None,
) -> NDArray[np.float32]:
    """Stack what a model reads, in the card's order.

    Args:
        card: Its `channels` say which of the following are used.
        rgb: (H, W, 3) uint8.
        prior: (H, W) float32 in [0, 1], the first guess.
        foreground: (H, W) float32 in [0, 1], distance field of the foreground strokes.
        background: (H, W) float32 in [0, 1], distance field of the background strokes.
        labels: (H, W) uint8 of `Label` values, the strokes as drawn.

    Returns:
        (C, H, W) float32: RGB normalised, the fields raised to the card's power, the others as
        they are.
    """
    stack = np.empty((len(card.channels), *rgb.shape[:2]), dtype=np.float32)
    scale = np.float32(1 / 255) / np.array(card.std, dtype=np.float32)
    shift = np.array(card.mean, dtype=np.float32) / np.array(card.std, dtype=np.float32)
    for channel in range(3):
        np.multiply(rgb[:, :, channel], scale[channel], out=stack[channel])
        stack[channel] -= shift[channel]
    if "prior" in card.channels:
        stack[card.channels.index("prior")] = _given(prior, "prior")
    if len(card.channels) > 4:
        stack[-2:] = stroke_channels(card, foreground, background, labels)
    return stack


def stroke_channels(
    card: Card,
    foreground: NDArray[np.float32] | None,
    background: NDArray[np.float32] | None,
    labels: NDArray[np.uint8] | None = None,
) -> NDArray[np.float32]:
    """The last two of `input_channels`, for a model that reads strokes: (2, H, W) float32.

    Only these change from one round of strokes to the next (paper, 2.2.4).
    """
    if card.channels[-2:] == STROKE_CHANNELS:
        drawn = _given(labels, "labels")
        return np.stack([drawn == label.value for label in Label]).astype(np.float32)
    fields = np.stack([_given(foreground, "foreground"), _given(background, "background")])
    result = fields.copy()
    for _ in range(card.field_power - 1):
        result *= fields
    return result


def _given(values: NDArray[Any] | None, name: str) -> NDArray[Any]:
    if values is None:
        raise InvalidInput(name, "this model reads it, and it was not given")
    return values


def admit_torchvision() -> None:
    """Let torchvision be imported beside a torch build that its binary was not made for.

    smp needs torchvision's Python classes only. Where its compiled operators cannot be loaded (a
    CPU build of torch beside the CUDA build that package indexes carry), its import fails on two
    operators that nobody calls here; declaring their names is enough.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.submodule_search_locations is None:
        return
    for library in Path(spec.submodule_search_locations[0]).glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except OSError:
            _declare_operators()


def _declare_operators() -> None:
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
