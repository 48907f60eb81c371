"""GuideNet and RefineNet: U-Nets on EfficientNet encoders, and what they are fed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from deepscribble.models.card import Card


def build_network(card: Card) -> torch.nn.Module:
    """The U-Net of a card, with random weights: (N, C, H, W) → logits (N, 1, H, W).

    H and W are multiples of 32.
    """
    admit_torchvision()
    import segmentation_models_pytorch as smp

    network = smp.Unet(
        encoder_name=card.encoder,
        encoder_weights=None,
        in_channels=len(card.channels),
        classes=1,
        decoder_channels=card.decoder_channels,
    )
    return cast(torch.nn.Module, network)


def input_channels(
    card: Card,
    rgb: NDArray[np.uint8],
    prior: NDArray[np.float32] | None = None,
    foreground: NDArray[np.float32] | None = None,
    background: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Stack what a model reads, in the card's order.

    Args:
        card: A guide's (RGB alone) or a refine model's (all).
        rgb: (H, W, 3) uint8.
        prior: (H, W) float32 in [0, 1], the first guess.
        foreground: (H, W) float32 in [0, 1], distance field of the foreground strokes.
        background: (H, W) float32 in [0, 1], distance field of the background strokes.

    Returns:
        (C, H, W) float32: RGB normalised, the others as they are.
    """
    stack = np.empty((len(card.channels), *rgb.shape[:2]), dtype=np.float32)
    scale = np.float32(1 / 255) / np.array(card.std, dtype=np.float32)
    shift = np.array(card.mean, dtype=np.float32) / np.array(card.std, dtype=np.float32)
    for channel in range(3):
        np.multiply(rgb[:, :, channel], scale[channel], out=stack[channel])
        stack[channel] -= shift[channel]
    for channel, values in enumerate((prior, foreground, background), start=3):
        if values is not None:
            stack[channel] = values
    return stack


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
