"""What a server tells of itself and its models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from deepscribble.errors import UnknownModel
from deepscribble.v1 import deepscribble_pb2 as pb

__all__ = ["ModelInfo", "ServerInfo", "finest_mpp"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that the server can run.

    Args:
        name: What requests call it.
        kind: "guide" or "refine".
        digest: "sha256:" and the hex digest of its weights.
        mpp: Micrometres per pixel that it runs at.
        patch_size: Side of its square tile, model pixels.
        threshold: Inside means a probability of at least this.
        influence_radius: How far a stroke reaches, model pixels; 0 for a guide.
        is_default: Whether it answers where a request names none.
        card: The whole model card.
    """

    name: str
    kind: str
    digest: str
    mpp: float
    patch_size: int
    threshold: float
    influence_radius: float
    is_default: bool
    card: dict[str, Any]

    @classmethod
    def read(cls, message: pb.Model) -> ModelInfo:
        """The model of a message."""
        return cls(
            message.name,
            message.kind,
            message.digest,
            message.mpp,
            message.patch_size,
            message.threshold,
            message.influence_radius,
            message.is_default,
            json.loads(message.card_json),
        )


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server: its version, the device and precision it computes with, its limits by name."""

    version: str
    device: str
    precision: str
    limits: dict[str, int]

    @classmethod
    def read(cls, message: pb.GetServerInfoResponse) -> ServerInfo:
        """The server of a message."""
        names = (field.name for field in pb.Limits.DESCRIPTOR.fields)
        limits = {name: int(getattr(message.limits, name)) for name in names}
        return cls(message.version, message.device, message.precision, limits)


def finest_mpp(models: tuple[ModelInfo, ...], kinds: tuple[str, ...]) -> float:
    """The smallest µm per pixel among the default models of these kinds.

    Raises:
        UnknownModel: the server has no default model of a kind.
    """
    scales = []
    for kind in kinds:
        found = [model.mpp for model in models if model.kind == kind and model.is_default]
        if not found:
            raise UnknownModel(
                f"the server has no default {kind} model; start it with another --models folder"
            )
        scales.extend(found)
    return min(scales)
