import numpy as np
import pytest
import torch

from deepscribble.errors import InvalidInput
from deepscribble.models import (
    ABLATIONS,
    REFINE_CHANNELS,
    STROKE_CHANNELS,
    Card,
    Correction,
    build_network,
    input_channels,
)

RGB = np.full((64, 64, 3), 128, dtype=np.uint8)


def planes(*values: float) -> list[np.ndarray]:
    return [np.full((64, 64), value, dtype=np.float32) for value in values]


def test_channels_lie_in_the_cards_order(refine_card: Card) -> None:
    stack = input_channels(refine_card, RGB, *planes(0.1, 0.5, 0.25))
    assert stack.shape == (6, 64, 64)
    assert stack[3:, 0, 0].tolist() == pytest.approx([0.1, 0.5, 0.25])


def test_fields_are_raised_to_the_cards_power(refine_card: Card) -> None:
    card = refine_card.model_copy(update={"field_power": 3})
    stack = input_channels(card, RGB, *planes(0.1, 0.5, 1.0))
    assert stack[3:, 0, 0].tolist() == pytest.approx([0.1, 0.125, 1.0])


def test_strokes_as_drawn_are_two_masks(refine_card: Card) -> None:
    labels = np.zeros((64, 64), dtype=np.uint8)
    labels[0, :2] = (1, 2)
    card = refine_card.model_copy(
        update={"kind": "ablation", "channels": (*REFINE_CHANNELS[:4], *STROKE_CHANNELS)}
    )
    stack = input_channels(card, RGB, planes(0.1)[0], labels=labels)
    assert stack[4:, 0, :3].tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(InvalidInput, match="labels"):
        input_channels(card, RGB, planes(0.1)[0])


def test_what_is_read_must_be_given(refine_card: Card) -> None:
    with pytest.raises(InvalidInput, match="prior"):
        input_channels(refine_card, RGB)


def test_a_correction_of_nothing_is_the_prior(refine_card: Card) -> None:
    network = build_network(refine_card.model_copy(update={"residual": True})).eval()
    assert isinstance(network, Correction)
    torch.nn.init.zeros_(network.head[-1].weight)
    torch.nn.init.zeros_(network.head[-1].bias)
    inputs = torch.rand(1, 6, 64, 64)
    with torch.no_grad():
        answer = torch.sigmoid(network(inputs))
    assert torch.allclose(answer[:, 0], inputs[:, 3].clamp(0.02, 0.98), atol=1e-5)


@pytest.mark.parametrize("channels", ABLATIONS[1:4], ids="+".join)
def test_every_network_that_corrects_runs(refine_card: Card, channels) -> None:
    card = refine_card.model_copy(
        update={"kind": "ablation", "channels": channels, "residual": True}
    )
    with torch.no_grad():
        logits = build_network(card).eval()(torch.rand(2, len(channels), 64, 96))
    assert logits.shape == (2, 1, 64, 96)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": REFINE_CHANNELS[:4]}, "a model of kind refine reads"),
        ({"kind": "ablation", "channels": REFINE_CHANNELS[:4]}, "influence_radius"),
        (
            {
                "kind": "ablation",
                "channels": (*REFINE_CHANNELS[:3], *REFINE_CHANNELS[4:]),
                "residual": True,
            },
            "residual needs",
        ),
        ({"field_power": 0}, "field_power"),
    ],
)
def test_cards_that_contradict_themselves_are_refused(refine_card: Card, wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        Card.model_validate(refine_card.model_dump() | wrong)
