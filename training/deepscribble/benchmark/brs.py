"""BRS: the distance fields themselves are changed until the strokes come out right.

Jang and Kim, "Interactive image segmentation via backpropagating refinement scheme", CVPR 2019,
in the version "DistMap-BRS" of the f-BRS authors' code.
"""

from __future__ import annotations

import torch

from deepscribble.benchmark.refinement import CHANGE_COST, Predict, Refinement


class BRS(Refinement):
    """Adds a change of its own to each pixel of both distance fields."""

    name = "BRS"

    def opened(self, inputs: torch.Tensor) -> tuple[Predict, int]:
        """The whole network runs, forth and back, at every step of the search."""
        network, fields = self.interaction.network, inputs[:, -2:]

        def predict(variables: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            changed = fields + variables.reshape(fields.shape)
            stacked = torch.cat([inputs[:, :-2], changed], dim=1)
            logits = network(stacked.contiguous(memory_format=torch.channels_last))
            return logits, CHANGE_COST * variables.square().sum()

        return predict, fields.numel()
