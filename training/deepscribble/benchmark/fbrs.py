"""f-BRS: the channels of an inner layer are scaled and shifted until the strokes come out right.

Sofiiuk et al., "f-BRS: rethinking backpropagating refinement for interactive segmentation", CVPR
2020. Two numbers a channel are searched, and only what comes after the layer runs in the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from deepscribble.benchmark.refinement import CHANGE_COST, Interaction, Predict, Refinement

_SHIFT_COST = 10.0
"""How many times dearer a shift is than a scale."""


class FBRS(Refinement):
    """Scales and shifts the features between two blocks of the U-Net's decoder.

    Args:
        interaction: The network.
        blocks: Blocks of the decoder that come before the layer: 3 for that of f-BRS-C, at a
            quarter of the resolution, 0 for the encoder's last features, as in f-BRS-A.
    """

    name = "f-BRS"

    def __init__(self, interaction: Interaction, blocks: int = 3) -> None:
        super().__init__(interaction)
        self._blocks = blocks

    def opened(self, inputs: torch.Tensor) -> tuple[Predict, int]:
        """The network up to the layer runs once, the rest at every step of the search."""
        network, unet = self.interaction.network, self.interaction.network.unet
        depth = len(unet.decoder.blocks)
        with torch.no_grad():
            features = unet.encoder(network.reduced(inputs))
            layer = unet.decoder.center(features[-1])
            layer = _decoded(unet.decoder, features, layer, range(self._blocks))
        channels = layer.shape[1]

        def predict(variables: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            scale, shift = variables.reshape(2, 1, channels, 1, 1)
            cost = scale.square().sum() + _SHIFT_COST * shift.square().sum()
            changed = layer * (1 + scale) + shift
            decoded = _decoded(unet.decoder, features, changed, range(self._blocks, depth))
            answer = network.finished(unet.segmentation_head(decoded), inputs)
            return answer, CHANGE_COST * cost

        return predict, 2 * channels


def _decoded(
    decoder: Any, features: Sequence[torch.Tensor], layer: torch.Tensor, blocks: range
) -> torch.Tensor:
    """`layer` after some of the decoder's blocks, each fed with the encoder's finer features."""
    finer = features[-2::-1]
    for index in blocks:
        # The finest are the pixels themselves, of which smp's decoder takes the size alone.
        skip = finer[index] if index < len(finer) - 1 else None
        height, width = finer[index].shape[2:]
        layer = decoder.blocks[index](layer, height, width, skip_connection=skip)
    return layer
