from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from deepscribble.learning import load_samples, read_manifest
from deepscribble.learning.patches import (
    Deck,
    Drawn,
    GuidePatches,
    Lesson,
    Numbers,
    Priors,
    RefinePatches,
    next_round,
)
from deepscribble.learning.rounds import Rounds
from deepscribble.models import ABLATIONS, Card
from deepscribble.raster import distance_fields


@pytest.fixture
def small_guide(guide_card: Card) -> Card:
    return guide_card.model_copy(update={"patch_size": 96})


@pytest.fixture
def small_refine(refine_card: Card) -> Card:
    return refine_card.model_copy(update={"patch_size": 96, "influence_radius": 40.0})


@pytest.fixture
def samples(folder: Path):
    return load_samples(read_manifest(folder), 1.0)


@pytest.fixture
def refine_patches(samples, small_refine: Card) -> RefinePatches:
    priors = [Priors((np.full(s.truth.shape, 0.2, dtype=np.float32),)) for s in samples]
    return RefinePatches(samples, priors, small_refine, 96, seed=3)


def test_guide_patches_count_the_whole_answer(samples, small_guide: Card) -> None:
    lesson = GuidePatches(samples, small_guide, 96, seed=0)[5]
    assert lesson.inputs.shape == (3, 96, 96)
    assert set(lesson.truth.unique().tolist()) <= {0.0, 1.0}
    assert lesson.reach.min() == 1


def test_refine_patches_carry_prior_and_fields_in_order(refine_patches, small_refine: Card) -> None:
    spoken = 0
    for number in range(12):
        lesson = refine_patches[number]
        assert lesson.inputs.shape == (6, 96, 96)
        assert torch.equal(lesson.inputs[3], lesson.prior[0])
        fields = distance_fields(lesson.labels.numpy(), small_refine.influence_radius)
        for channel, field in zip(lesson.inputs[4:], fields, strict=True):
            assert np.array_equal(channel.numpy(), field)
        assert (lesson.reach[0][lesson.labels > 0] == 1).all()
        spoken += bool(lesson.labels.any())
    assert spoken > 8


def test_a_patch_is_the_same_each_time_and_unlike_others(refine_patches) -> None:
    first, again, other = (refine_patches[number] for number in (7, 7, 8))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.inputs, other.inputs)


def further(batch: Lesson, card: Card) -> Drawn:
    """A round that answers an empty outline."""
    nothing = torch.zeros(batch.labels.shape, dtype=torch.bool)
    truth = batch.truth[:, 0] > 0.5
    return next_round(batch.labels, truth, nothing, batch.number, card, seed=3)


def test_next_round_adds_strokes_and_their_fields(refine_patches, small_refine: Card) -> None:
    batch = next(iter(DataLoader([refine_patches[number] for number in range(3)], batch_size=3)))
    before = batch.labels.clone()
    after = further(batch, small_refine)
    assert (after.labels > 0).sum() > (before > 0).sum()
    for index in range(3):
        fields = distance_fields(after.labels[index].numpy(), small_refine.influence_radius)
        assert np.array_equal(after.channels[index].numpy(), np.stack(fields))
        assert (after.reach[index, 0][after.labels[index] > 0] == 1).all()
    # What was handed in is left alone.
    assert torch.equal(batch.labels, before)


def test_rounds_do_not_hang_on_how_many_processes_draw_them(
    refine_patches, small_refine: Card
) -> None:
    batch = next(iter(DataLoader([refine_patches[number] for number in range(5)], batch_size=5)))
    nothing = torch.zeros(batch.labels.shape, dtype=torch.bool)
    found = []
    for workers in (0, 2):
        with Rounds(small_refine, workers) as rounds:
            found.append(
                rounds.draw(batch.labels, batch.truth[:, 0] > 0.5, nothing, batch.number, 3)
            )
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("channels", ABLATIONS, ids=lambda channels: "+".join(channels[3:]) or "i")
def test_an_ablation_reads_its_channels_only(samples, small_refine: Card, channels) -> None:
    reads_strokes = len(channels) > 4
    card = small_refine.model_copy(
        update={
            "kind": "ablation",
            "channels": channels,
            "influence_radius": 40.0 if reads_strokes else 0.0,
        }
    )
    priors = [Priors((np.full(s.truth.shape, 0.2, dtype=np.float32),)) for s in samples]
    patches = RefinePatches(samples, priors, card, 96, seed=3)
    batch = next(iter(DataLoader([patches[number] for number in range(3)], batch_size=3)))
    assert batch.inputs.shape == (3, len(channels), 96, 96)
    if "prior" in channels:
        assert torch.equal(batch.inputs[:, 3], batch.prior[:, 0])
    else:
        assert not batch.prior.any()
    # Where there is nothing to fall back on, the whole answer counts.
    assert ("prior" in channels and reads_strokes) == bool((batch.reach < 1).any())
    if "foreground_strokes" in channels:
        after = further(batch, card)
        for value, channel in ((1, 0), (2, 1)):
            assert torch.equal(after.channels[:, channel] == 1, after.labels == value)


def test_some_patches_change_inside_for_outside(samples, small_refine: Card) -> None:
    sure = [Priors((sample.truth.astype(np.float32),)) for sample in samples]
    patches = RefinePatches(samples, sure, small_refine, 96, seed=0)
    inside, light = [], []
    for number in range(60):
        lesson = patches[number]
        truth = lesson.truth[0] > 0.5
        if 0.2 < truth.float().mean() < 0.8:
            rgb = lesson.inputs[:3].mean(dim=0)
            light.append(bool(rgb[truth].mean() > rgb[~truth].mean()))
            inside.append(truth)
    # What the masks hold is dark, so a light inside comes of the change, or of another truth.
    assert 0.03 < np.mean(light) < 0.4


def test_devices_share_an_epoch_out() -> None:
    shares = [Numbers(7, rank, 2) for rank in (0, 1)]
    for share in shares:
        share.set_epoch(1)
    assert [list(share) for share in shares] == [[7, 9, 11, 13], [8, 10, 12]]
    assert [len(share) for share in shares] == [4, 3]


def test_numbers_go_on_from_epoch_to_epoch() -> None:
    numbers = Numbers(4)
    numbers.set_epoch(3)
    assert list(numbers) == [12, 13, 14, 15]


def test_small_sets_are_seen_too(samples) -> None:
    deck = Deck(samples)
    rng = np.random.default_rng(0)
    drawn = [samples[deck.draw(rng)].pair.set for _ in range(600)]
    # 5 and 2 images: the share is √2 / (√5 + √2) = 0.39, not 2 / 7.
    assert drawn.count("colon") / 600 == pytest.approx(0.39, abs=0.06)
