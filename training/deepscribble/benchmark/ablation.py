"""What each input of RefineNet is worth: the paper's table 2.

Networks that read less, trained alike, answer to one round of generated strokes in all mistakes
of the first guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deepscribble.benchmark.method import Case
from deepscribble.errors import InvalidInput
from deepscribble.learning.evaluate import iou, one_round, refined_guess
from deepscribble.models import Model, Registry, choose_device

PRIOR = "GuideNet"
"""The row of the first guess itself."""

REFINENET = "RefineNet"
"""The row of the network that is shipped."""

ABLATION_MODELS = {
    "I": "ablation-i",
    "I + P": "ablation-i-p",
    "I + P + S": "ablation-i-p-s",
    "I + P + D": "ablation-i-p-d",
}
"""The other rows, and their networks' names: I image, P prior, S strokes as drawn, D distance
fields. As the paper has it, each adds to the one before, but D takes the place of S."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """How well one network answered.

    Args:
        name: As table 2 has it.
        iou: Mean intersection over union of all cases.
        ious: Of each case, in their order.
    """

    name: str
    iou: float
    ious: tuple[float, ...]


def open_networks(models: Registry, rivals: Registry, device: str = "auto") -> dict[str, Model]:
    """The networks of table 2 by their rows' names: the ablations, then the default RefineNet.

    Args:
        models: Holds RefineNet.
        rivals: Holds the ablations.
        device: `auto`, `cpu`, `cuda` or `mps`.

    Raises:
        UnknownModel: a folder does not have what is asked of it.
        ModelRefused: a model's files are damaged.
        InvalidInput: the device is not there.
    """
    chosen = choose_device(device)
    networks = {
        row: rivals.load(rivals.card(name, "ablation"), chosen)
        for row, name in ABLATION_MODELS.items()
    }
    return networks | {REFINENET: models.load(models.card("", "refine"), chosen)}


def ablate(
    cases: Sequence[Case], networks: Mapping[str, Model], threshold: float = 0.5
) -> tuple[Ablation, ...]:
    """Judge the first guess, and what each network makes of it with the same strokes.

    Networks with strokes are composed as RefineNet is: the prior beyond the strokes' reach, and
    the strokes obeyed. The others answer everywhere.

    Args:
        cases: All are judged.
        networks: By the name of their row.
        threshold: Of the first guess; strokes are drawn where it is wrong.

    Returns:
        The first guess, then `networks` in their order.

    Raises:
        InvalidInput: there are no cases.
    """
    if not cases:
        raise InvalidInput("cases", "there are none to judge on")
    found: dict[str, list[float]] = {name: [] for name in (PRIOR, *networks)}
    for case in cases:
        guess = case.prior >= threshold
        labels, _ = one_round(case.truth, guess, case.grid.region.mpp)
        found[PRIOR].append(iou(case.truth, guess))
        for name, model in networks.items():
            answer = refined_guess(model, case.rgb, case.prior, labels)
            found[name].append(iou(case.truth, answer >= model.card.threshold))
    return tuple(Ablation(name, float(np.mean(ious)), tuple(ious)) for name, ious in found.items())
