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
"""Channels that a U-Net hands to the head of a `Correction`."""

_SHARP = 8
"""The head also reads the fields raised to this further power: a stroke's next few pixels."""


class Correction(torch.nn.Module):
    """A U-Net that corrects the prior: its output is added to the prior's logit.

    Where the network has nothing to say the prior stays, so a good one is not spoiled. A U-Net
    sees its inputs at half resolution and coarser; a small head at full resolution reads prior and
    strokes once more, so that corrections end where strokes and outline lie, to the pixel.

    Args:
        unet: (N, C, H, W) → (N, `_FEATURES`, H, W).
        channels: The card's.
    """

    def __init__(self, unet: torch.nn.Module, channels: Sequence[str]) -> None:
        super().__init__()
        self.unet = unet
        self._prior = channels.index("prior")
        self._strokes = len(channels) - self._prior - 1
        width = _FEATURES + 1 + 2 * self._strokes
        self.head = torch.nn.Sequential(
            torch.nn.Conv2d(width, 2 * _FEATURES, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(2 * _FEATURES, 1, 3, padding=1),
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) → logits (N, 1, H, W) float32."""
        known = inputs[:, self._prior :]
        sharp = known[:, 1:] ** _SHARP
        correction: torch.Tensor = self.head(torch.cat([self.unet(inputs), known, sharp], dim=1))
        prior = known[:, :1].float().clamp(_UNSURE, 1 - _UNSURE)
        return torch.logit(prior) + correction.float()


def build_network(card: Card) -> torch.nn.Module:
    """The network of a card, with random weights: (N, C, H, W) → logits (N, 1, H, W).

    A U-Net, within a `Correction` where the card says `residual`. H and W are multiples of 32.
    """
    admit_torchvision()
    import segmentation_models_pytorch as smp

    unet = smp.Unet(
        encoder_name=card.encoder,
        encoder_weights=None,
        in_channels=len(card.channels),
        classes=_FEATURES if card.residual else 1,
        decoder_channels=card.decoder_channels,
    )
    if card.residual:
        return Correction(unet, card.channels)
    return cast(torch.nn.Module, unet)


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
