"""From a folder of images to a model in a registry folder: GuideNet, then RefineNet."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from deepscribble.errors import InvalidInput
from deepscribble.learning.evaluate import first_guess, guide_metrics, refine_metrics
from deepscribble.learning.fitting import Plan, fit
from deepscribble.learning.manifest import Pair, halves, read_manifest
from deepscribble.learning.patches import GuidePatches, RefinePatches
from deepscribble.learning.sample import load_samples
from deepscribble.models import (
    GUIDE_CHANNELS,
    REFINE_CHANNELS,
    Card,
    Model,
    Registry,
    TrainingSet,
    build_network,
    choose_device,
    save_model,
)

logger = logging.getLogger(__name__)

MPP = 1.0
"""µm per pixel that both networks work at."""

ENCODER = "efficientnet-b0"
DECODER = (128, 64, 48, 32, 16)
GUIDE_PATCH = 256
REFINE_PATCH = 384
INFLUENCE_RADIUS = 128.0
MEAN = (0.72, 0.52, 0.67)
STD = (0.17, 0.20, 0.16)
"""Of H&E at about 1 µm per pixel."""

USE = "research use only; not a medical device"


def train_guide(
    data: Path,
    out: Path,
    plan: Plan,
    *,
    target: str = "tumor",
    encoder: str = ENCODER,
    leave_out: Collection[str] = (),
    begin: Path | None = None,
    resume: bool = False,
) -> Card:
    """Train the GuideNet `guide-TARGET` into the registry folder `out`.

    Args:
        data: Folder of a manifest.
        out: Registry folder; checkpoints and the log go to its `runs` folder.
        plan: How long and how.
        target: What shall be inside; a target of the manifest.
        encoder: One of segmentation_models_pytorch's.
        leave_out: Sets whose training rows are ignored.
        begin: Weights of another model to start from, a safetensors file; None for chance.
        resume: Go on from the last checkpoint.

    Returns:
        The card, with the mean IoU on the manifest's `val` images of the target.

    Raises:
        InvalidInput: the data or an argument is wrong.
        ModelRefused: the answers became NaN.
    """
    pairs = read_manifest(data, leave_out)
    chosen, _ = _shared_out(pairs, target)
    samples = load_samples(chosen, MPP)
    card = Card(
        name=f"guide-{target.replace(' ', '-')}",
        kind="guide",
        encoder=encoder,
        decoder_channels=DECODER,
        mpp=MPP,
        patch_size=GUIDE_PATCH,
        mean=MEAN,
        std=STD,
        channels=GUIDE_CHANNELS,
        threshold=0.5,
        influence_radius=0,
        target=target,
        training=_sets(chosen),
        use=USE,
    )
    logger.info("%s: %d images to learn from", card.name, len(samples))
    patches = GuidePatches(samples, card, plan.seed)
    network = _network(card)
    if begin is not None:
        begin_from(network, _weights(begin))
    network = fit(network, card, patches, plan, out / "runs" / card.name, resume)
    judged = load_samples(
        [pair for pair in pairs if pair.split == "val" and pair.target == target], MPP
    )
    if judged:
        model = Model(card, network, choose_device(plan.device))
        card = card.model_copy(update={"metrics": guide_metrics(model, judged)})
    return save_model(out, network, card)


def train_refine(
    data: Path,
    out: Path,
    plan: Plan,
    *,
    target: str = "tumor",
    encoder: str = ENCODER,
    leave_out: Collection[str] = (),
    begin: Path | None = None,
    resume: bool = False,
) -> Card:
    """Train the RefineNet `refine` into the registry folder `out`, which holds `guide-TARGET`.

    It learns to correct that GuideNet's guesses on images that GuideNet has not learned from,
    whatever their target, and spoiled truths beside.

    Args:
        data: As for `train_guide`, the same folder.
        out: As for `train_guide`.
        plan: As for `train_guide`.
        target: Of the GuideNet.
        encoder: As for `train_guide`.
        leave_out: As for `train_guide`, the same sets.
        begin: As for `train_guide`; None for the GuideNet's.
        resume: As for `train_guide`.

    Returns:
        The card, with prior and refined IoU on all `val` images.

    Raises:
        InvalidInput: the data or an argument is wrong.
        ModelRefused: the answers became NaN, or the GuideNet is damaged.
        UnknownModel: `out` holds no such GuideNet.
    """
    pairs = read_manifest(data, leave_out)
    _, chosen = _shared_out(pairs, target)
    device = choose_device(plan.device)
    registry = Registry(out)
    guide = registry.load(registry.card(f"guide-{target.replace(' ', '-')}", "guide"), device)
    samples = load_samples(chosen, MPP)
    card = Card(
        name="refine",
        kind="refine",
        encoder=encoder,
        decoder_channels=DECODER,
        mpp=MPP,
        patch_size=REFINE_PATCH,
        mean=MEAN,
        std=STD,
        channels=REFINE_CHANNELS,
        threshold=0.5,
        influence_radius=INFLUENCE_RADIUS,
        target="any",
        training=_sets(chosen),
        use=USE,
    )
    logger.info("%s: %d images to learn from", card.name, len(samples))
    priors = [first_guess(guide, sample.rgb) for sample in samples]
    patches = RefinePatches(samples, priors, card, plan.seed)
    network = _network(card)
    begin_from(network, _weights(begin or out / guide.card.name / "weights.safetensors"))
    network = fit(network, card, patches, plan, out / "runs" / card.name, resume)
    judged = load_samples([pair for pair in pairs if pair.split == "val"], MPP)
    if judged:
        metrics = refine_metrics(guide, Model(card, network, device), judged)
        card = card.model_copy(update={"metrics": metrics})
    return save_model(out, network, card)


def begin_from(network: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Start a network from another's weights, as RefineNet from GuideNet's: it knows the tissue.

    Tensors of the same name and shape are taken over; of the first convolution, that reads more
    channels, the part for red, green and blue. Another encoder leaves `network` mostly as it is.
    """
    own = network.state_dict()
    for name, value in weights.items():
        mine = own.get(name)
        if mine is None or mine.shape[:1] != value.shape[:1] or mine.dim() != value.dim():
            continue
        if mine.shape == value.shape:
            mine.copy_(value)
        elif mine.dim() == 4 and mine.shape[2:] == value.shape[2:] and value.shape[1] == 3:
            mine[:, :3] = value


def _weights(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InvalidInput("begin", f"{path}: not weights to start from ({error})") from error


def _network(card: Card) -> torch.nn.Module:
    """A fresh network.

    Raises:
        InvalidInput: there is no such encoder.
    """
    try:
        return build_network(card)
    except KeyError as error:
        raise InvalidInput("encoder", str(error.args[0])) from error


def _shared_out(pairs: Sequence[Pair], target: str) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """GuideNet's and RefineNet's training pairs; neither is empty."""
    train = [pair for pair in pairs if pair.split == "train"]
    for_guide, for_refine = halves(train, target)
    if not for_guide:
        known = ", ".join(sorted({pair.target for pair in train})) or "none"
        raise InvalidInput(
            "target", f"no training image has the target {target!r}; there are: {known}"
        )
    if not for_refine:
        raise InvalidInput(
            "data",
            "all training images are of one group, so nothing is left for RefineNet; "
            "at least two groups (patients or slides) are needed",
        )
    return for_guide, for_refine


def _sets(pairs: Sequence[Pair]) -> tuple[TrainingSet, ...]:
    counts = Counter((pair.set, pair.licence) for pair in pairs)
    return tuple(
        TrainingSet(name=name, images=count, licence=licence or "not stated")
        for (name, licence), count in sorted(counts.items())
    )
