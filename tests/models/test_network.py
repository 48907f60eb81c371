import numpy as np
import pytest
import torch

from deepscribble.errors import InvalidInput
from deepscribble.models import (
    ABLATIONS,
    REFINE_CHANNELS,
    STROKE_CHANNELS,
    Card,
    TwoScales,
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
    network = build_network(refine_card).eval()
    assert isinstance(network, TwoScales)
    torch.nn.init.zeros_(network.head[-1].weight)
    torch.nn.init.zeros_(network.head[-1].bias)
    inputs = torch.rand(1, 6, 64, 64)
    with torch.no_grad():
        answer = torch.sigmoid(network(inputs))
    assert torch.allclose(answer[:, 0], inputs[:, 3].clamp(0.02, 0.98), atol=1e-5)


@pytest.mark.parametrize("downsample", [1, 2])
@pytest.mark.parametrize("channels", ABLATIONS, ids="+".join)
def test_every_network_that_is_compared_runs(refine_card: Card, channels, downsample) -> None:
    differs = {"kind": "ablation", "channels": channels, "downsample": downsample}
    card = refine_card.model_copy(update=differs)
    with torch.no_grad():
        logits = build_network(card).eval()(torch.rand(2, len(channels), 64, 128))
    assert logits.shape == (2, 1, 64, 128)


def test_a_reduced_network_still_answers_to_single_pixels(refine_card: Card) -> None:
    torch.manual_seed(0)
    network = build_network(refine_card.model_copy(update={"downsample": 2})).eval()
    inputs = torch.rand(1, 6, 64, 64)
    moved = inputs.clone()
    # Two neighbours within a square that the U-Net sees as one change places.
    moved[..., 32, 32], moved[..., 32, 33] = inputs[..., 32, 33], inputs[..., 32, 32]
    with torch.no_grad():
        difference = (network(moved) - network(inputs)).abs()[0, 0]
    assert difference[32, 32] > 1e-4
    # The head's two convolutions reach two pixels; nothing else may differ.
    difference[30:36, 30:36] = 0
    assert difference.max() < 1e-4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": REFINE_CHANNELS[:4]}, "a model of kind refine reads"),
        ({"kind": "ablation", "channels": REFINE_CHANNELS[:4]}, "influence_radius"),
        ({"downsample": 2, "patch_size": 96}, "patch_size must be a multiple of 64"),
        ({"field_power": 0}, "field_power"),
    ],
)
def test_cards_that_contradict_themselves_are_refused(refine_card: Card, wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        Card.model_validate(refine_card.model_dump() | wrong)
