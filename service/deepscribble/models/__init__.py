"""GuideNet and RefineNet, their weights, cards and registry, and how they run on a device."""

from deepscribble.models.card import (
    ABLATIONS,
    GUIDE_CHANNELS,
    REFINE_CHANNELS,
    STROKE_CHANNELS,
    Card,
    Kind,
    TrainingSet,
    read_card,
)
from deepscribble.models.device import choose_device, describe
from deepscribble.models.model import Model
from deepscribble.models.network import (
    TwoScales,
    admit_torchvision,
    build_network,
    input_channels,
    stroke_channels,
)
from deepscribble.models.registry import SHIPPED, Registry, save_model
from deepscribble.models.runner import Network, Priority, Ticket

__all__ = [
    "ABLATIONS",
    "GUIDE_CHANNELS",
    "REFINE_CHANNELS",
    "SHIPPED",
    "STROKE_CHANNELS",
    "Card",
    "Kind",
    "Model",
    "Network",
    "Priority",
    "Registry",
    "Ticket",
    "TrainingSet",
    "TwoScales",
    "admit_torchvision",
    "build_network",
    "choose_device",
    "describe",
    "input_channels",
    "read_card",
    "save_model",
    "stroke_channels",
]
