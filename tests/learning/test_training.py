from pathlib import Path

import numpy as np
import pytest
import torch

from deepscribble.errors import InvalidInput, UnknownModel
from deepscribble.learning import Plan, train_guide, train_refine
from deepscribble.learning.training import begin_from
from deepscribble.models import Registry

BLINK = Plan(minutes=1e-4, batch=2, device="cpu")


def test_guide_then_refine_give_a_registry_that_loads(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "models"
    guide = train_guide(folder, out, BLINK)
    assert guide.name == "guide-tumor"
    assert [(entry.name, entry.images) for entry in guide.training] == [("lung", 2)]
    assert 0 <= guide.metrics["val_iou_lung"] <= 1

    refine = train_refine(folder, out, BLINK)
    # The other half of the lung's groups, and all of what GuideNet cannot learn.
    assert [(entry.name, entry.images) for entry in refine.training] == [("colon", 1), ("lung", 2)]
    assert {"val_prior_iou", "val_refined_iou", "val_error_removed_colon"} <= set(refine.metrics)

    registry = Registry(out)
    assert [card.name for card in registry.cards()] == ["guide-tumor", "refine"]
    model = registry.load(registry.card("refine", "refine"), torch.device("cpu"))
    batch = np.zeros((1, 6, 64, 64), dtype=np.float32)
    assert np.isfinite(model.predict(batch)).all()

    resumed = train_refine(folder, out, BLINK, resume=True)
    assert resumed.digest != refine.digest


def test_refine_needs_its_guide(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(UnknownModel, match="guide-tumor"):
        train_refine(folder, tmp_path / "models", BLINK)


def test_unknown_target_and_encoder_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'liver'; there are: gland, tumor"):
        train_guide(folder, tmp_path, BLINK, target="liver")
    with pytest.raises(InvalidInput, match="no-such-net"):
        train_guide(folder, tmp_path, BLINK, encoder="no-such-net")


def test_training_goes_on_from_given_weights(folder: Path, tmp_path: Path) -> None:
    first = train_guide(folder, tmp_path / "first", BLINK)
    weights = tmp_path / "first" / first.name / "weights.safetensors"
    again = train_guide(folder, tmp_path / "again", BLINK, begin=weights)
    assert again.digest != train_guide(folder, tmp_path / "chance", BLINK).digest
    (tmp_path / "broken.safetensors").write_bytes(b"none")
    for path in (tmp_path / "missing.safetensors", tmp_path / "broken.safetensors"):
        with pytest.raises(InvalidInput, match="not weights to start from"):
            train_guide(folder, tmp_path / "never", BLINK, begin=path)


def test_refine_begins_with_what_guide_knows() -> None:
    guide = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 1, 1))
    refine = torch.nn.Sequential(torch.nn.Conv2d(6, 4, 3), torch.nn.Conv2d(4, 1, 1))
    own = refine[0].weight[:, 3:].clone()
    begin_from(refine, guide.state_dict())
    assert torch.equal(refine[0].weight[:, :3], guide[0].weight)
    assert torch.equal(refine[0].weight[:, 3:], own)
    assert torch.equal(refine[1].weight, guide[1].weight)
