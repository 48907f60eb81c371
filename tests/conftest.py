"""Fixtures that every room's tests may use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from deepscribble.server.app import background

pytest_plugins = ("omero_standin.fixtures",)

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


@pytest.fixture
def engine(standin: ModuleType) -> Any:
    """An engine that computes nothing; other rooms' tests have others of this name."""
    return standin.StandInEngine()


@pytest.fixture
def server(engine: Any) -> Iterator[str]:
    """The address of a gRPC server on loopback that asks `engine`."""
    with background(lambda: engine, engine.settings.message_bytes) as address:
        yield address
        engine.gate.set()


@pytest.fixture(scope="session")
def guide_card() -> Any:
    """The card of a GuideNet that nobody trained."""
    from deepscribble.models import GUIDE_CHANNELS, Card

    return Card(
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


@pytest.fixture(scope="session")
def refine_card(guide_card: Any) -> Any:
    """The card of a RefineNet that nobody trained."""
    from deepscribble.models import REFINE_CHANNELS

    differs = {
        "name": "refine",
        "kind": "refine",
        "patch_size": 384,
        "channels": REFINE_CHANNELS,
        "influence_radius": 128.0,
    }
    return guide_card.model_copy(update=differs)


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a registry of the models of cards, with random weights: restless, hence revealing."""
    import torch

    from deepscribble.models import build_network, save_model

    def made(*cards: Any) -> Path:
        folder = tmp_path_factory.mktemp("models")
        torch.manual_seed(0)
        for card in cards:
            save_model(folder, build_network(card), card)
        return folder

    return made


@pytest.fixture(scope="session")
def untrained_models(untrained: Callable[..., Path], guide_card: Any, refine_card: Any) -> Path:
    """A registry of a GuideNet and a RefineNet that nobody trained."""
    return untrained(guide_card, refine_card)
