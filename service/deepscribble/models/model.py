"""A network with its weights on a device, ready to answer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils.fusion import fuse_conv_bn_eval

from deepscribble.models.card import Card
from deepscribble.models.device import has_bfloat16

BFLOAT16_BOUND = 0.05
"""Largest mean difference of probabilities that bfloat16 may make against float32."""


class Model:
    """A loaded model.

    Attributes:
        card: What the model is.
        precision: "bfloat16" where the hardware has it and the answers agree, else "float32".
        bfloat16_difference: Mean absolute difference of the probabilities in the check, or None
            where the hardware has no bfloat16.
    """

    def __init__(self, card: Card, network: torch.nn.Module, device: torch.device) -> None:
        self.card = card
        self._device = device
        self._network = _folded(network.eval()).to(device)
        for parameter in self._network.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.precision = "float32"
        self.bfloat16_difference: float | None = None
        if has_bfloat16(device):
            self.bfloat16_difference = self._compare_precisions()
            if self.bfloat16_difference <= BFLOAT16_BOUND:
                self.precision = "bfloat16"

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of inputs as `input_channels` stacks them.

        Args:
            batch: (N, C, H, W) float32; H and W multiples of `card.multiple`.

        Returns:
            (N, H, W) float32 in [0, 1]; the same input gives the same output on the same device.
        """
        return self._run(batch, self.precision == "bfloat16")

    def between_layers(self, call: Callable[[], None]) -> None:
        """Call `call` before each convolution, in the thread that runs the network."""

        def pause(module: torch.nn.Module, inputs: Any) -> None:
            call()

        for module in self._network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_pre_hook(pause)

    def _run(self, batch: NDArray[np.float32], bfloat16: bool) -> NDArray[np.float32]:
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=bfloat16),
        ):
            pixels = torch.from_numpy(batch).to(
                device=self._device, memory_format=torch.channels_last
            )
            probability = torch.sigmoid(self._network(pixels).float())[:, 0]
        result: NDArray[np.float32] = probability.cpu().numpy()
        return result

    def _compare_precisions(self) -> float:
        """Mean absolute difference that bfloat16 makes on a fixed input.

        The input is smooth, as images, priors and fields are: noise from pixel to pixel is what no
        model ever sees.
        """
        size = min(self.card.patch_size, 256)
        coarse = np.random.default_rng(0).random((len(self.card.channels), 16, 16), np.float32)
        channels = [cv2.resize(channel, (size, size)) for channel in coarse]
        sample = np.stack(channels)[None].astype(np.float32, copy=False)
        full, half = self._run(sample, False), self._run(sample, True)
        return float(np.abs(full - half).mean())


def _folded(network: torch.nn.Module) -> torch.nn.Module:
    """`network` with each batch norm folded into the convolution before it; it is left as it was.

    What lies between the two can be large, and in bfloat16 rounding it costs most of the
    precision.
    """
    network = copy.deepcopy(network)
    for sequence in network.modules():
        if not isinstance(sequence, torch.nn.Sequential):
            continue
        for (name, layer), (after, norm) in pairwise(list(sequence.named_children())):
            if isinstance(layer, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
                setattr(sequence, name, fuse_conv_bn_eval(layer, norm))
                setattr(sequence, after, torch.nn.Identity())
    return network
