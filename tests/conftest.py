"""Fixtures that every room's tests may use."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images, masks and slides; skips where it is not there."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: real images, masks and slides cannot be tested")
    return SHARED


@pytest.fixture(scope="session")
def standin() -> ModuleType:
    """The module standin.py: an engine that computes nothing, for tests of the transport."""
    spec = spec_from_file_location("standin", Path(__file__).with_name("standin.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["standin"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def untrained_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of a GuideNet and a RefineNet with random weights: restless, hence revealing."""
    import torch

    from deepscribble.models import GUIDE_CHANNELS, REFINE_CHANNELS, Card, build_network, save_model

    folder = tmp_path_factory.mktemp("models")
    guide = Card(
        name="guide-tumor",
        kind="guide",
        encoder="efficientnet-b0",
        decoder_channels=(64, 48, 32, 16, 16),
        mpp=1.0,
        patch_size=256,
        mean=(0.7, 0.6, 0.7),
        std=(0.2, 0.2, 0.2),
        channels=GUIDE_CHANNELS,
        threshold=0.5,
        influence_radius=0,
        target="tumor",
        training=(),
        use="tests",
    )
    refine = guide.model_copy(
        update={
            "name": "refine",
            "kind": "refine",
            "patch_size": 384,
            "channels": REFINE_CHANNELS,
            "influence_radius": 128.0,
        }
    )
    torch.manual_seed(0)
    for card in (guide, refine):
        save_model(folder, build_network(card), card)
    return folder
