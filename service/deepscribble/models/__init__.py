"""GuideNet and RefineNet, their weights, cards and registry, and how they run on a device."""

from deepscribble.models.card import (
    GUIDE_CHANNELS,
    REFINE_CHANNELS,
    Card,
    Kind,
    TrainingSet,
    read_card,
)
from deepscribble.models.device import choose_device, describe
from deepscribble.models.model import Model
from deepscribble.models.network import admit_torchvision, build_network, input_channels
from deepscribble.models.registry import SHIPPED, Registry, save_model

__all__ = [
    "GUIDE_CHANNELS",
    "REFINE_CHANNELS",
    "SHIPPED",
    "Card",
    "Kind",
    "Model",
    "Registry",
    "TrainingSet",
    "admit_torchvision",
    "build_network",
    "choose_device",
    "describe",
    "input_channels",
    "read_card",
    "save_model",
]
