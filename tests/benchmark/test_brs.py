from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deepscribble.benchmark.brs import BRS
from deepscribble.benchmark.fbrs import FBRS
from deepscribble.benchmark.method import Case
from deepscribble.benchmark.refinement import Interaction, Refinement, Search
from deepscribble.errors import InvalidInput, ModelRefused, UnknownModel
from deepscribble.geometry import Grid, Label, Polygon, Stroke
from deepscribble.learning import iou
from deepscribble.learning.patches import draw_all
from deepscribble.models import Card, Registry

Answer = Callable[[tuple[Polygon, ...], Grid], NDArray[np.bool_]]


@pytest.fixture(scope="module")
def interaction(untrained_rivals: Path) -> Interaction:
    """The untrained network in full precision, so that small differences are seen."""
    opened = Interaction.open(Registry(untrained_rivals), "cpu")
    opened.bfloat16 = False
    return opened


@pytest.fixture(
    params=[BRS, FBRS, lambda network: FBRS(network, 0), lambda network: FBRS(network, 5)],
    ids=["brs", "fbrs", "fbrs-first", "fbrs-last"],
)
def method(request: pytest.FixtureRequest, interaction: Interaction) -> Refinement:
    made: Refinement = request.param(interaction)
    return made


class Slow(torch.nn.Module):
    """Knows dark from bright, but is wrong where a dark place belongs to the background."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        brightness = inputs[:, :3].mean(dim=1, keepdim=True)
        return -3 * brightness + 2 * (inputs[:, 3:4] - inputs[:, 4:5])


def labels_of(case: Case, strokes: Sequence[Stroke]) -> NDArray[np.uint8]:
    labels = np.zeros(case.grid.shape, dtype=np.uint8)
    draw_all(labels, strokes, case.grid)
    return labels


def wrong(answer: NDArray[np.bool_], labels: NDArray[np.uint8]) -> float:
    """Share of the stroke pixels that the answer is against."""
    drawn = labels > 0
    return float((answer[drawn] != (labels[drawn] == Label.FOREGROUND.value)).mean())


def test_variables_of_zero_change_nothing(
    method: Refinement, interaction: Interaction, easy: Case, strokes: tuple[Stroke, ...]
) -> None:
    inputs = interaction.inputs(easy.rgb, labels_of(easy, strokes))
    assert inputs.shape == (1, 5, 96, 96)
    predict, count = method.opened(inputs)
    with torch.no_grad():
        logits, cost = predict(torch.zeros(count))
        torch.testing.assert_close(logits, interaction.network(inputs))
        assert cost == 0
        assert predict(torch.ones(count))[1] > 0


def test_the_search_lessens_the_error_on_the_strokes(
    method: Refinement, interaction: Interaction, easy: Case, strokes: tuple[Stroke, ...]
) -> None:
    labels = labels_of(easy, strokes)
    predict, count = method.opened(interaction.inputs(easy.rgb, labels))

    def error(probability: NDArray[np.float32]) -> float:
        inside = 1 - probability[labels == Label.FOREGROUND.value]
        outside = probability[labels == Label.BACKGROUND.value]
        return float((inside**2).mean() + (outside**2).mean())

    still = Search(predict, labels, 0.5, interaction.device)
    still.stay(np.zeros(count))
    search = Search(predict, labels, 0.5, interaction.device)
    found = search.run(np.zeros(count))
    assert found.shape == (count,)
    assert found.any()
    assert still.answer().shape == search.answer().shape == easy.grid.shape
    assert error(search.answer()) < error(still.answer())


def test_gradients_are_those_of_the_loss(
    interaction: Interaction, easy: Case, strokes: tuple[Stroke, ...]
) -> None:
    labels = labels_of(easy, strokes)
    predict, count = FBRS(interaction).opened(interaction.inputs(easy.rgb, labels))
    values = np.random.default_rng(0).normal(0, 0.1, count)
    gradient = Search(predict, labels, 0.5, interaction.device)._step(values)[1]
    steepness = float(np.linalg.norm(gradient))
    step = 1e-3 * gradient / steepness
    more, less = (
        Search(predict, labels, 0.5, interaction.device)._step(values + way)[0]
        for way in (step, -step)
    )
    assert steepness > 0
    assert (more - less) / 2e-3 == pytest.approx(steepness, rel=0.03)


def test_the_search_ends_as_soon_as_strokes_are_right(
    interaction: Interaction, easy: Case, strokes: tuple[Stroke, ...]
) -> None:
    asked = []

    def predict(variables: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(variables)
        truth = torch.from_numpy(np.pad(easy.truth, ((0, 16), (0, 0)))).float()
        return (20 * truth - 10)[None, None] + variables.sum(), variables.square().sum()

    labels = labels_of(easy, strokes)
    search = Search(predict, labels, 0.5, interaction.device)
    assert not search.run(np.zeros(3)).any()
    assert len(asked) == 1
    assert np.array_equal(search.answer() >= 0.5, easy.truth)


def test_brs_corrects_what_the_network_gets_wrong(
    interaction_card: Card, easy: Case, strokes: tuple[Stroke, ...], mask: Answer
) -> None:
    network = Interaction(interaction_card, Slow(), torch.device("cpu"))
    # The left of the picture is darkened: the network takes it for inside.
    easy.rgb[:, :24] = 90
    session = BRS(network).start(easy)
    before = mask(session.correct(strokes[:1]), easy.grid)
    assert before[:, :20].mean() > 0.9
    after = mask(session.correct(strokes), easy.grid)
    labels = labels_of(easy, strokes)
    assert wrong(after, labels) < wrong(before, labels)
    assert iou(easy.truth, after) > iou(easy.truth, before)


def test_a_session_starts_from_nothing_and_keeps_its_variables(
    method: Refinement, easy: Case, strokes: tuple[Stroke, ...], mask: Answer
) -> None:
    session = method.start(easy)
    assert session.first == ()
    assert method.free_strokes == 1
    rounds = [mask(session.correct(strokes[:count]), easy.grid) for count in (1, 2, 3)]
    again = method.start(easy)
    for count, answer in zip((1, 2, 3), rounds, strict=True):
        assert np.array_equal(mask(again.correct(strokes[:count]), easy.grid), answer)


def test_the_first_stroke_is_answered_by_the_network_alone(
    method: Refinement,
    interaction: Interaction,
    easy: Case,
    strokes: tuple[Stroke, ...],
    mask: Answer,
) -> None:
    answer = mask(method.start(easy).correct(strokes[:1]), easy.grid)
    inputs = interaction.inputs(easy.rgb, labels_of(easy, strokes[:1]))
    with torch.no_grad():
        alone = torch.sigmoid(interaction.network(inputs))[0, 0, :80, :96].numpy()
    sure = np.abs(alone - 0.5) > 1e-4
    assert np.array_equal(answer[sure], (alone >= 0.5)[sure])


@pytest.mark.parametrize("kind", [BRS, FBRS])
def test_bfloat16_comes_close(
    kind: type[Refinement], untrained_rivals: Path, easy: Case, strokes: tuple[Stroke, ...]
) -> None:
    opened = Interaction.open(Registry(untrained_rivals), "cpu")
    answers = []
    for opened.bfloat16 in (False, True):
        labels = labels_of(easy, strokes)
        with opened.autocast():
            predict, count = kind(opened).opened(opened.inputs(easy.rgb, labels))
            search = Search(predict, labels, 0.5, opened.device)
            search.run(np.zeros(count))
        answers.append(search.answer())
    full, half = answers
    assert half.dtype == np.float32
    assert 0 < np.abs(full - half).mean() < 0.1


def test_without_an_interaction_network(untrained_models: Path, interaction_card: Card) -> None:
    with pytest.raises(UnknownModel, match="no ablation model 'interaction'"):
        Interaction.open(Registry(untrained_models), "cpu")


def test_a_network_that_reads_something_else_is_refused(refine_card: Card) -> None:
    with pytest.raises(ModelRefused, match="refine: BRS and f-BRS need a network that reads red"):
        Interaction(refine_card, Slow(), torch.device("cpu"))


def test_an_unknown_device(untrained_rivals: Path) -> None:
    with pytest.raises(InvalidInput, match="'tpu' is none of auto, cpu"):
        Interaction.open(Registry(untrained_rivals), "tpu")
