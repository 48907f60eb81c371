from pathlib import Path

import numpy as np
import pytest
import torch

from deepscribble.benchmark.ablation import PRIOR, REFINENET, ablate, open_networks
from deepscribble.benchmark.method import Case
from deepscribble.errors import InvalidInput, UnknownModel
from deepscribble.learning import iou
from deepscribble.models import ABLATIONS, Card, Model, Registry

ROWS = ["I", "I + P", "I + P + S", "I + P + D", REFINENET]


class Confirm(torch.nn.Module):
    """Answers the prior."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.logit(inputs[:, 3:4].clamp(0.01, 0.99))


class Dark(torch.nn.Module):
    """Says inside where it is dark."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return -50 * inputs[:, 1:2]


def model(card: Card, network: torch.nn.Module, channels: tuple[str, ...]) -> Model:
    differs = {
        "channels": channels,
        "influence_radius": 20.0 if len(channels) > 4 else 0.0,
        "mean": (0.5, 0.5, 0.5),
    }
    return Model(card.model_copy(update=differs), network, torch.device("cpu"))


def test_the_first_guess_and_each_network_are_judged(easy: Case, interaction_card: Card) -> None:
    image, confirms, strokes = ABLATIONS[0], ABLATIONS[1], ABLATIONS[3]
    rows = ablate(
        [easy, easy],
        {
            "I": model(interaction_card, Dark(), image),
            "I + P": model(interaction_card, Confirm(), confirms),
            "I + P + D": model(interaction_card, Confirm(), strokes),
            "local": model(interaction_card, Dark(), strokes),
        },
    )
    prior, dark, same, obeyed, local = rows
    assert [row.name for row in rows] == [PRIOR, "I", "I + P", "I + P + D", "local"]
    assert prior.ious == (iou(easy.truth, easy.prior >= 0.5),) * 2
    # What reads no strokes answers everywhere, and is not made to obey.
    assert dark.iou > 0.95
    assert same.ious == prior.ious
    # The stroke itself is obeyed, and no pixel more where the network says nothing.
    assert prior.iou < obeyed.iou < prior.iou + 0.2
    assert obeyed.iou < local.iou <= dark.iou


def test_networks_are_opened_in_the_tables_order(
    untrained_models: Path, untrained_rivals: Path, tissue: Case
) -> None:
    networks = open_networks(Registry(untrained_models), Registry(untrained_rivals), "cpu")
    assert list(networks) == ROWS
    assert [len(model.card.channels) for model in networks.values()] == [3, 4, 6, 6, 6]
    rows = ablate([tissue], networks)
    assert [row.name for row in rows] == [PRIOR, *ROWS]
    assert all(0 <= row.iou <= 1 for row in rows)
    assert rows == ablate([tissue], networks)


def test_strokes_are_the_same_for_all_whatever_their_threshold(
    easy: Case, interaction_card: Card
) -> None:
    network = model(interaction_card, Confirm(), ABLATIONS[1])
    strict = Model(
        network.card.model_copy(update={"threshold": 0.9}), Confirm(), torch.device("cpu")
    )
    prior, usual, none = ablate([easy], {"usual": network, "strict": strict})
    assert prior.iou == usual.iou > 0
    assert none.iou == 0


def test_without_cases(interaction_card: Card) -> None:
    with pytest.raises(InvalidInput, match="cases: there are none to judge on"):
        ablate([], {})


def test_without_the_networks(untrained_models: Path) -> None:
    shipped = Registry(untrained_models)
    with pytest.raises(UnknownModel, match="no ablation model 'ablation-i'; there are: none"):
        open_networks(shipped, shipped, "cpu")


def test_a_case_is_not_changed(easy: Case, interaction_card: Card) -> None:
    before = easy.prior.copy()
    ablate([easy], {"I + P + D": model(interaction_card, Confirm(), ABLATIONS[3])})
    assert np.array_equal(easy.prior, before)
