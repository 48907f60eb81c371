"""What a model is, beside its weights: the card that every answer can be explained by."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deepscribble.errors import ModelRefused

GUIDE_CHANNELS = ("red", "green", "blue")
"""What GuideNet reads (paper, 2.2.1)."""

REFINE_CHANNELS = (*GUIDE_CHANNELS, "prior", "foreground", "background")
"""What RefineNet reads, in the paper's order (2.2.4): image, first guess, distance fields."""

STROKE_CHANNELS = ("foreground_strokes", "background_strokes")
"""Strokes as drawn, without distance fields (paper, 3.4: the S of I+P+S)."""

ABLATIONS = (
    GUIDE_CHANNELS,
    (*GUIDE_CHANNELS, "prior"),
    (*GUIDE_CHANNELS, "prior", *STROKE_CHANNELS),
    REFINE_CHANNELS,
    (*GUIDE_CHANNELS, "foreground", "background"),
)
"""What networks to compare with may read: I, I+P, I+P+S, I+P+D, and I+D without a first guess."""

Kind = Literal["guide", "refine", "ablation"]
"""A guide makes first outlines, a refine model follows strokes; an ablation is only measured."""


class TrainingSet(BaseModel):
    """One data set that weights were trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    images: int = Field(ge=1)
    licence: str


class Card(BaseModel):
    """A model's card, `card.json` beside `weights.safetensors`.

    Attributes:
        name: The registry's name, equal to the folder's.
        kind: "guide", "refine" or "ablation".
        encoder: Name of the encoder in segmentation_models_pytorch.
        decoder_channels: Width of the five decoder stages, coarse to fine.
        mpp: Micrometres per pixel that the model was trained at and runs at.
        patch_size: Side of the square tile it was trained on and runs on, model pixels.
        mean: Per RGB channel, subtracted from values in [0, 1].
        std: Per RGB channel, divides what is left.
        channels: What the input channels hold, in order.
        threshold: Inside means probability >= threshold.
        influence_radius: How far a stroke reaches, model pixels; 0 for what reads no strokes.
        field_power: The network reads the distance fields raised to this power: the higher, the
            more the pixels next to a stroke stand out.
        downsample: By how much the U-Net of a network that is no guide reduces what it reads.
        target: What counts as inside, e.g. "tumor".
        training: The data sets and their licences.
        use: What the weights may be used for.
        metrics: Figures on held-out images, by name.
        digest: "sha256:" and the hex digest of the weights file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    kind: Kind
    encoder: str
    decoder_channels: tuple[int, int, int, int, int]
    mpp: float = Field(ge=0.05, le=20)
    patch_size: int = Field(ge=64, le=2048, multiple_of=32)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: tuple[str, ...]
    threshold: float = Field(gt=0, lt=1)
    influence_radius: float = Field(ge=0, le=512)
    field_power: int = Field(default=1, ge=1, le=8)
    downsample: int = Field(default=1, ge=1, le=4)
    target: str
    training: tuple[TrainingSet, ...]
    use: str
    metrics: dict[str, float] = Field(default_factory=dict)
    digest: str = Field(default="", pattern=r"^(sha256:[0-9a-f]{64})?$")

    @property
    def multiple(self) -> int:
        """The network takes inputs whose sides are multiples of this: it halves five times."""
        return 32 * self.downsample

    @model_validator(mode="after")
    def _agrees_with_its_kind(self) -> Card:
        allowed = {
            "guide": (GUIDE_CHANNELS,),
            "refine": (REFINE_CHANNELS,),
            "ablation": ABLATIONS,
        }[self.kind]
        if self.channels not in allowed:
            lists = "; or ".join(", ".join(channels) for channels in allowed)
            raise ValueError(f"a model of kind {self.kind} reads the channels {lists}")
        if (self.influence_radius > 0) != (len(self.channels) > 4):
            raise ValueError("influence_radius is over 0 for a model that reads strokes, else 0")
        if self.kind == "guide" and self.downsample > 1:
            raise ValueError("downsample is 1 for a guide")
        if self.patch_size % self.multiple:
            raise ValueError(f"patch_size must be a multiple of {self.multiple}")
        if any(value <= 0 for value in self.std):
            raise ValueError("std must be over 0")
        return self


def read_card(path: Path) -> Card:
    """Read `card.json`.

    Raises:
        ModelRefused: it is missing, not JSON, or a field is wrong; the message names which.
    """
    try:
        return Card.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelRefused(f"{path}: the model's card cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelRefused(
            f"{path}: {where}: {first['msg']}; restore the model's folder"
        ) from error
