from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepscribble.engine import Engine
from deepscribble.errors import InvalidInput, UnknownModel
from deepscribble.learning import Plan, Setting, train_ablation, train_guide, train_refine
from deepscribble.learning.training import NETWORKS, begin_from
from deepscribble.models import REFINE_CHANNELS, Registry, TwoScales

BLINK = Plan(minutes=1e-4, batch=2, device="cpu")


@pytest.fixture
def setting(folder: Path, tmp_path: Path) -> Setting:
    return Setting(folder, tmp_path / "models", BLINK, patch=64)


def test_guide_then_refine_give_a_registry_that_loads(setting: Setting) -> None:
    guide = train_guide(setting)
    assert guide.name == "guide-tumor"
    assert [(entry.name, entry.images) for entry in guide.training] == [("lung", 2)]
    assert 0 <= guide.metrics["val_iou_lung"] <= 1

    refine = train_refine(setting)
    # All there is; a GuideNet guesses only at what it has not learned from.
    assert [(entry.name, entry.images) for entry in refine.training] == [("colon", 1), ("lung", 4)]
    # Judged where there is a GuideNet to correct.
    assert {"val_prior_iou", "val_refined_iou", "val_error_removed_lung"} <= set(refine.metrics)
    assert "val_prior_iou_colon" not in refine.metrics

    registry = Registry(setting.out)
    assert [card.name for card in registry.cards()] == ["guide-tumor", "refine"]
    model = registry.load(registry.card("refine", "refine"), torch.device("cpu"))
    batch = np.zeros((1, 6, 64, 64), dtype=np.float32)
    assert np.isfinite(model.predict(batch)).all()

    resumed = train_refine(replace(setting, resume=True))
    assert resumed.digest != refine.digest


def test_ablations_are_trained_alike_but_for_what_they_read(
    setting: Setting, tmp_path: Path
) -> None:
    train_guide(setting)
    rivals = replace(setting, out=tmp_path / "rivals")
    for name, channels in NETWORKS.items():
        train_ablation(rivals, name, setting.out)
        cards = Registry(rivals.out).cards()
        (card,) = (card for card in cards if card.name.removeprefix("ablation-") == name)
        assert card.channels == channels
        assert card.downsample == 2
        assert sum(entry.images for entry in card.training) == 5
    with pytest.raises(InvalidInput, match="i, i-p, i-p-s, i-p-d, interaction"):
        train_ablation(rivals, "p-d", setting.out)
    # They are measured, never served.
    assert not Engine.open(setting.out, "cpu").cards()[1:]
    with pytest.raises(UnknownModel):
        Registry(rivals.out).default("refine")


def test_refine_needs_its_guide(setting: Setting) -> None:
    setting.out.mkdir()
    with pytest.raises(UnknownModel, match="guide"):
        train_refine(setting)


def test_unknown_target_encoder_and_patch_are_named(setting: Setting) -> None:
    with pytest.raises(InvalidInput, match="'liver'; there are: gland, tumor"):
        train_guide(setting, "liver")
    with pytest.raises(InvalidInput, match="no-such-net"):
        train_guide(replace(setting, encoder="no-such-net"))
    with pytest.raises(InvalidInput, match="multiple of 64"):
        replace(setting, patch=100)


def test_a_target_of_one_group_cannot_be_shared_out(setting: Setting) -> None:
    with pytest.raises(InvalidInput, match="at least two groups"):
        train_guide(setting, "gland")


def test_training_goes_on_from_given_weights(setting: Setting, tmp_path: Path) -> None:
    first = train_guide(setting)
    weights = Registry(setting.out).weights(first)
    again = train_guide(replace(setting, out=tmp_path / "again", begin=weights))
    assert again.digest != train_guide(replace(setting, out=tmp_path / "chance")).digest
    (tmp_path / "broken.safetensors").write_bytes(b"none")
    for path in (tmp_path / "missing.safetensors", tmp_path / "broken.safetensors"):
        with pytest.raises(InvalidInput, match="not weights to start from"):
            train_guide(replace(setting, begin=path))


def test_refine_begins_with_what_guide_knows() -> None:
    guide = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 1, 1))
    refine = torch.nn.Sequential(torch.nn.Conv2d(6, 4, 3), torch.nn.Conv2d(4, 1, 1))
    own = refine[0].weight[:, 3:].clone()
    network = TwoScales(refine, REFINE_CHANNELS, 2)
    begin_from(network, guide.state_dict())
    assert torch.equal(refine[0].weight[:, :3], guide[0].weight)
    assert torch.equal(refine[0].weight[:, 3:], own)
    assert torch.equal(refine[1].weight, guide[1].weight)
