"""From a folder of images to a model in a registry folder: GuideNets, RefineNet, ablations."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from deepscribble.errors import InvalidInput
from deepscribble.learning.encoder import load_encoder, read_weights, recalibrate
from deepscribble.learning.evaluate import first_guess, guide_metrics, refine_metrics
from deepscribble.learning.fitting import Plan, fit
from deepscribble.learning.manifest import Pair, halves, is_of, read_manifest
from deepscribble.learning.mosaic import Tile, read_tiles
from deepscribble.learning.patches import GuidePatches, Priors, RefinePatches
from deepscribble.learning.sample import Sample, check_masks, load_samples
from deepscribble.models import (
    ABLATIONS,
    GUIDE_CHANNELS,
    REFINE_CHANNELS,
    Card,
    Kind,
    Model,
    Registry,
    TrainingSet,
    build_network,
    choose_device,
    save_model,
)

logger = logging.getLogger(__name__)

MPP = 1.0
"""µm per pixel that all networks work at."""

ENCODER = "mobilenet_v2"
DECODER = (128, 64, 48, 32, 16)
GUIDE_PATCH = 256
REFINE_PATCH = 384
INFLUENCE_RADIUS = 128.0
FIELD_POWER = 3
DOWNSAMPLE = 2
MEAN = STD = (0.5, 0.5, 0.5)
"""Images are read as values from -1 to 1, as the encoders trained on ImageNet want them."""

USE = "research use only; not a medical device"

NETWORKS = dict(zip(("i", "i-p", "i-p-s", "i-p-d", "interaction"), ABLATIONS, strict=True))
"""What can be trained to be compared with: the ablations of the paper's table 2 (I image, P prior,
S strokes, D distance fields), and the network without a first guess that BRS and f-BRS need."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a network is trained on and from.

    Args:
        data: Folder of a manifest.
        out: Registry folder; checkpoints and logs go to its `runs` folder.
        plan: How long and how.
        leave_out: Sets whose training rows are ignored.
        encoder: One of segmentation_models_pytorch's.
        encoder_weights: A file of weights that the encoder starts from; None for chance.
        begin: Weights of a whole network to start from; None to start anew.
        patch: Side of the patches to learn from, model pixels; None for the size that the network
            runs at. Smaller ones cost less and teach nearly as much.
        resume: Go on from the last checkpoint.
    """

    data: Path
    out: Path
    plan: Plan
    leave_out: Collection[str] = ()
    encoder: str = ENCODER
    encoder_weights: Path | None = None
    begin: Path | None = None
    patch: int | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        if self.patch is not None and (self.patch < 64 or self.patch % 64):
            raise InvalidInput("patch", f"{self.patch} is not a multiple of 64")


def train_guide(setting: Setting, target: str = "tumor") -> Card:
    """Train the GuideNet `guide-TARGET`.

    Args:
        setting: What on and from.
        target: What shall be inside: a target of the manifest, its kinds included ("gland" also
            stands for "gland epithelium").

    Returns:
        The card, with the mean IoU on the manifest's `val` images of the target.

    Raises:
        InvalidInput: the data or an argument is wrong.
        ModelRefused: the answers became NaN.
    """
    pairs = read_manifest(setting.data, setting.leave_out)
    train = [pair for pair in pairs if pair.split == "train"]
    of_target = [pair for pair in train if is_of(pair.target, target)]
    if not of_target:
        known = ", ".join(sorted({pair.target for pair in train})) or "none"
        raise InvalidInput(
            "target", f"no training image has the target {target!r}; there are: {known}"
        )
    chosen, _ = halves(of_target, [target])
    if not chosen:
        raise _too_few_groups()
    card = _card(
        setting,
        name=f"guide-{target.replace(' ', '-')}",
        kind="guide",
        channels=GUIDE_CHANNELS,
        target=target,
    ).model_copy(update={"training": _sets(chosen)})
    judged = load_samples([p for p in pairs if p.split == "val" and is_of(p.target, target)], MPP)
    size, seed = setting.patch or card.patch_size, setting.plan.seed
    network = _fitted(
        setting,
        card,
        GuidePatches(_learned(chosen), card, size, seed),
        GuidePatches(judged, card, size, seed) if judged else None,
        None,
    )
    if judged:
        model = Model(card, network, choose_device(setting.plan.device))
        card = card.model_copy(update={"metrics": guide_metrics(model, judged)})
    return save_model(setting.out, network, card)


def train_refine(setting: Setting) -> Card:
    """Train the RefineNet `refine` into a registry folder that holds GuideNets already.

    It learns from all images, whatever the target, to correct spoiled truths, and the GuideNets'
    guesses where none of them has learned; from mosaics too where there are tiles. Unless told
    otherwise it starts from the weights of the first GuideNet, which knows the tissue.

    Returns:
        The card, with prior and refined IoU on all `val` images of the GuideNets' targets.

    Raises:
        InvalidInput: the data or an argument is wrong.
        ModelRefused: the answers became NaN, or a GuideNet is damaged.
        UnknownModel: the folder holds no GuideNet.
    """
    card = _card(setting, name="refine", kind="refine", channels=REFINE_CHANNELS, target="any")
    return _train_on_strokes(setting, card, setting.out)


def train_ablation(setting: Setting, name: str, guides: Path) -> Card:
    """Train a network to compare with, alike in all but what it reads.

    Args:
        setting: What on and from; as for the RefineNet that it shall be compared with.
        name: One of `NETWORKS`.
        guides: Registry folder of the GuideNets.

    Returns and raises: as `train_refine`.
    """
    if name not in NETWORKS:
        raise InvalidInput("name", f"{name!r} is none of {', '.join(NETWORKS)}")
    card = _card(
        setting,
        name=name if name == "interaction" else f"ablation-{name}",
        kind="ablation",
        channels=NETWORKS[name],
        target="any",
    )
    return _train_on_strokes(setting, card, guides)


def _card(
    setting: Setting, *, name: str, kind: Kind, channels: tuple[str, ...], target: str
) -> Card:
    """The card of a network to be trained: what it reads decides all in which two may differ."""
    return Card(
        name=name,
        kind=kind,
        encoder=setting.encoder,
        decoder_channels=DECODER,
        mpp=MPP,
        patch_size=GUIDE_PATCH if kind == "guide" else REFINE_PATCH,
        mean=MEAN,
        std=STD,
        channels=channels,
        threshold=0.5,
        influence_radius=INFLUENCE_RADIUS if len(channels) > 4 else 0,
        field_power=1 if kind == "guide" else FIELD_POWER,
        downsample=1 if kind == "guide" else DOWNSAMPLE,
        target=target,
        training=(),
        use=USE,
    )


def _train_on_strokes(setting: Setting, card: Card, guides: Path) -> Card:
    pairs = read_manifest(setting.data, setting.leave_out)
    device = choose_device(setting.plan.device)
    registry = Registry(guides)
    first = registry.card("", "guide")
    models = [registry.load(c, device) for c in registry.cards() if c.kind == "guide"]
    known, unknown = halves(
        [pair for pair in pairs if pair.split == "train"], [model.card.target for model in models]
    )
    if not unknown:
        raise _too_few_groups()
    tiles = read_tiles(setting.data, MPP)
    card = card.model_copy(update={"training": _sets((*known, *unknown), tiles)})
    learned = [(sample, _priors(models, sample)) for sample in _learned(unknown)]
    learned += [(sample, _priors(models, sample, is_known=True)) for sample in _learned(known)]
    judged = load_samples([pair for pair in pairs if pair.split == "val"], MPP)
    guessed = [(s, priors) for s in judged if (priors := _priors(models, s)).own]
    network = _fitted(
        setting,
        card,
        _patches(setting, card, learned, tiles),
        _patches(setting, card, guessed) if guessed else None,
        registry.weights(first) if setting.encoder_weights is None else None,
    )
    if guessed:
        metrics = refine_metrics(
            Model(card, network, device),
            [sample for sample, _ in guessed],
            [priors.own[0] for _, priors in guessed],
        )
        card = card.model_copy(update={"metrics": metrics})
    return save_model(setting.out, network, card)


def _learned(pairs: Sequence[Pair]) -> tuple[Sample, ...]:
    """The images to learn from, checked."""
    samples = load_samples(pairs, MPP)
    check_masks(samples)
    return samples


def _priors(guides: Sequence[Model], sample: Sample, *, is_known: bool = False) -> Priors:
    """What each GuideNet makes of a sample.

    What those for its target make of one that is known, since they have learned from it, is no
    honest first guess and is left out.
    """
    own = [guide for guide in guides if is_of(sample.pair.target, guide.card.target)]
    foreign = [guide for guide in guides if guide not in own]
    return Priors(
        () if is_known else tuple(first_guess(guide, sample.rgb) for guide in own),
        tuple(first_guess(guide, sample.rgb) for guide in foreign),
    )


def _patches(
    setting: Setting,
    card: Card,
    guessed: Sequence[tuple[Sample, Priors]],
    tiles: Sequence[Tile] = (),
) -> RefinePatches:
    """Patches of samples and their priors, and mosaics of tiles."""
    samples, priors = zip(*guessed, strict=True)
    size = setting.patch or card.patch_size
    return RefinePatches(samples, priors, card, size, setting.plan.seed, tiles)


def _fitted(
    setting: Setting,
    card: Card,
    patches: GuidePatches | RefinePatches,
    judged: GuidePatches | RefinePatches | None,
    otherwise: Path | None,
) -> torch.nn.Module:
    """A network for `card`, begun as the setting says, or else from `otherwise`, and fitted."""
    logger.info("%s: %d images to learn from", card.name, sum(t.images for t in card.training))
    torch.manual_seed(setting.plan.seed)
    try:
        network = build_network(card)
    except KeyError as error:
        raise InvalidInput("encoder", str(error.args[0])) from error
    begin = setting.begin or otherwise
    if begin is not None:
        begin_from(network, read_weights(begin))
    if setting.encoder_weights is not None:
        load_encoder(network, setting.encoder_weights)
        recalibrate(network, torch.stack([patches[number].inputs for number in range(8)]))
    folder = setting.out / "runs" / card.name
    return fit(network, card, patches, setting.plan, folder, setting.resume, judged)


def begin_from(network: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Start a network from another's weights, as RefineNet from GuideNet's: it knows the tissue.

    Tensors of the same name and shape are taken over; of the first convolution, that reads more
    channels, the part for red, green and blue. Another encoder leaves `network` mostly as it is.
    """
    own = network.state_dict()
    for name, value in weights.items():
        mine = own.get(name, own.get(f"unet.{name}"))
        if mine is None or mine.shape[:1] != value.shape[:1] or mine.dim() != value.dim():
            continue
        if mine.shape == value.shape:
            mine.copy_(value)
        elif mine.dim() == 4 and mine.shape[2:] == value.shape[2:] and value.shape[1] == 3:
            mine[:, :3] = value


def _too_few_groups() -> InvalidInput:
    return InvalidInput(
        "data",
        "the training images of the target are all of one group, so they cannot be shared out "
        "between GuideNet and RefineNet; at least two groups (patients or slides) are needed",
    )


def _sets(pairs: Sequence[Pair], tiles: Sequence[Tile] = ()) -> tuple[TrainingSet, ...]:
    counts = Counter((pair.set, pair.licence) for pair in pairs)
    counts += Counter((f"tiles of {tile.source}", tile.licence) for tile in tiles)
    return tuple(
        TrainingSet(name=name, images=count, licence=licence or "not stated")
        for (name, licence), count in sorted(counts.items())
    )
