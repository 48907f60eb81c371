from pathlib import Path

import numpy as np
import pytest
import torch

from deepscribble.errors import InvalidInput
from deepscribble.learning.encoder import load_encoder, read_weights, recalibrate, unet
from deepscribble.models import Card, build_network


@pytest.fixture
def card(refine_card: Card) -> Card:
    return refine_card.model_copy(update={"encoder": "mobilenet_v2"})


@pytest.fixture
def weights(tmp_path: Path, guide_card: Card) -> Path:
    other = build_network(guide_card.model_copy(update={"encoder": "mobilenet_v2"}))
    path = tmp_path / "encoder.pth"
    torch.save(other.encoder.state_dict() | {"classifier.1.bias": torch.zeros(3)}, path)
    return path


def test_an_encoder_reads_colours_as_before_and_further_channels_not_yet(
    card: Card, weights: Path
) -> None:
    network = build_network(card).eval()
    load_encoder(network, weights)
    first = unet(network).encoder.state_dict()["features.0.0.weight"]
    assert torch.equal(first[:, :3], read_weights(weights)["features.0.0.weight"])
    assert not first[:, 3:].any()


def test_weights_of_another_encoder_are_refused(card: Card, weights: Path) -> None:
    network = build_network(card.model_copy(update={"encoder": "efficientnet-b0"}))
    with pytest.raises(InvalidInput, match="not weights of this encoder"):
        load_encoder(network, weights)


@pytest.mark.parametrize("content", [b"", b"not weights"])
def test_files_without_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    for name in ("weights.pth", "weights.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInput, match="not weights to start from"):
            read_weights(tmp_path / name)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": Path("/")}, tmp_path / "weights.pth")
    with pytest.raises(InvalidInput, match="not weights to start from"):
        read_weights(tmp_path / "weights.pth")


def test_recalibrating_keeps_the_answer_and_matches_the_batch(guide_card: Card) -> None:
    torch.manual_seed(0)
    network = build_network(guide_card.model_copy(update={"encoder": "mobilenet_v2"})).eval()
    inputs = torch.from_numpy(
        np.random.default_rng(0).normal(3.0, 2.0, (4, 3, 64, 64)).astype(np.float32)
    )
    with torch.no_grad():
        before = network.encoder(inputs)[2]
        recalibrate(network, inputs)
        after = network.encoder(inputs)[2]
        as_in_training = network.train().encoder(inputs)[2]
    assert torch.allclose(before, after, atol=1e-4)
    # Normalising by the batch, as training does, now changes next to nothing.
    assert torch.allclose(after, as_in_training, atol=0.05 * float(after.abs().max()))
