"""Back-propagating refinement: what BRS and f-BRS share.

An interaction network answers to distance fields, without a first guess. Where its answer is
against a stroke, variables within it are changed by L-BFGS, with gradients through the network,
until the strokes come out right (Jang and Kim 2019; Sofiiuk et al. 2020). Loss and search are set
as in the f-BRS authors' evaluation code. What differs: strokes stand in for clicks; the network
sees all of them and not the first few; the patch is neither flipped nor zoomed into; and a search
does not end where two masks in a row are 99 % alike: the first step of L-BFGS over whole fields
is so short that BRS would as a rule end there, far from what it can do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import fmin_l_bfgs_b

from deepscribble.benchmark.method import Case, Session
from deepscribble.contour import polygons_of
from deepscribble.errors import ModelRefused
from deepscribble.geometry import Label, Polygon, Stroke
from deepscribble.learning.patches import draw_all, fields_of
from deepscribble.models import ABLATIONS, Card, Registry, choose_device, input_channels
from deepscribble.models.device import has_bfloat16

INTERACTION = "interaction"
"""The network's name in the registry folder of networks to compare with."""

CHANGE_COST = 1e-3
"""What the sum of the squared variables costs, beside the error on the strokes."""

Predict = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Variables (V,) → logits (1, 1, H, W), and what the variables cost."""


class Interaction:
    """The interaction network on a device.

    Args:
        card: It reads RGB and two distance fields.
        network: (N, 5, H, W) → logits (N, 1, H, W).
        device: Where it runs; in bfloat16 where the hardware has that, as all models do.

    Raises:
        ModelRefused: the card is of a network that reads something else.
    """

    def __init__(self, card: Card, network: torch.nn.Module, device: torch.device) -> None:
        if card.channels != ABLATIONS[-1]:
            raise ModelRefused(
                f"{card.name}: BRS and f-BRS need a network that reads "
                f"{', '.join(ABLATIONS[-1])}; this one reads {', '.join(card.channels)}"
            )
        self.card = card
        self.device = device
        self.bfloat16 = has_bfloat16(device)
        for parameter in network.eval().requires_grad_(False).to(device).parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        # Any, for f-BRS calls the parts of a U-Net, which not every module has.
        self.network: Any = network

    @classmethod
    def open(cls, rivals: Registry, device: str = "auto") -> Interaction:
        """The interaction network of a registry folder.

        Raises:
            UnknownModel: the folder has none.
            ModelRefused: its files are damaged.
            InvalidInput: the device is not there.
        """
        card = rivals.card(INTERACTION, "ablation")
        return cls(card, rivals.network(card), choose_device(device))

    def inputs(self, rgb: NDArray[np.uint8], labels: NDArray[np.uint8]) -> torch.Tensor:
        """What the network reads, (1, 5, H, W), mirrored to sides that it can take.

        Args:
            rgb: (rows, columns, 3) uint8.
            labels: (rows, columns) of `Label` values, the strokes as drawn.
        """
        channels = input_channels(self.card, rgb, None, *fields_of(self.card, labels))
        below, right = (-side % self.card.multiple for side in labels.shape)
        padded = np.pad(channels, ((0, 0), (0, below), (0, right)), mode="symmetric")
        return torch.from_numpy(padded[None]).to(
            device=self.device, memory_format=torch.channels_last
        )

    def autocast(self) -> torch.autocast:
        """The precision that the network runs in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)


class Refinement(ABC):
    """BRS or f-BRS, as what it changes says.

    Args:
        interaction: The network.
    """

    name: str
    free_strokes = 1

    def __init__(self, interaction: Interaction) -> None:
        self.interaction = interaction

    def start(self, case: Case) -> Session:
        """A session on `case`."""
        return _RefinementSession(self, case)

    @abstractmethod
    def opened(self, inputs: torch.Tensor) -> tuple[Predict, int]:
        """The network on `inputs` as a function of the variables, and how many these are.

        At variables of 0 it is the network itself.
        """


class _RefinementSession:
    """Variables are kept from stroke to stroke, as the authors' code does."""

    first: tuple[Polygon, ...] = ()

    def __init__(self, method: Refinement, case: Case) -> None:
        self._method = method
        self._case = case
        self._variables: NDArray[np.float64] | None = None

    def correct(self, strokes: Sequence[Stroke]) -> tuple[Polygon, ...]:
        """The outline after `strokes`; the first is answered by the network alone."""
        case, interaction = self._case, self._method.interaction
        labels = np.zeros(case.grid.shape, dtype=np.uint8)
        draw_all(labels, strokes, case.grid)
        with interaction.autocast():
            predict, count = self._method.opened(interaction.inputs(case.rgb, labels))
            if self._variables is None:
                self._variables = np.zeros(count)
            threshold = interaction.card.threshold
            search = Search(predict, labels, threshold, interaction.device)
            if len(strokes) > 1:
                self._variables = search.run(self._variables)
            else:
                search.stay(self._variables)
        return polygons_of(search.answer(), threshold, case.grid)


@dataclass(frozen=True, slots=True, eq=False)
class _Best:
    """The best answer so far: its loss, and the probability (H, W)."""

    loss: float
    probability: torch.Tensor


class Search:
    """Looks for variables with which the strokes come out right.

    Args:
        predict: The network as a function of the variables.
        labels: (rows, columns) of `Label` values, the strokes as drawn.
        threshold: Inside means probability >= threshold.
        device: Where the network runs.
    """

    def __init__(
        self,
        predict: Predict,
        labels: NDArray[np.uint8],
        threshold: float,
        device: torch.device,
    ) -> None:
        self._predict = predict
        self._shape = labels.shape
        self._threshold = threshold
        self._device = device
        drawn = torch.from_numpy(labels).to(device)
        self._inside = drawn == Label.FOREGROUND.value
        self._outside = drawn == Label.BACKGROUND.value
        self._best: _Best | None = None

    def run(self, variables: NDArray[np.float64]) -> NDArray[np.float64]:
        """Search from `variables` on; returns those where the search ended."""
        found, _, _ = fmin_l_bfgs_b(
            self._step, variables, m=20, factr=0, pgtol=1e-8, maxfun=20, maxiter=40
        )
        return np.asarray(found, dtype=np.float64)

    def stay(self, variables: NDArray[np.float64]) -> None:
        """Take the answer at `variables`, without a search."""
        with torch.no_grad():
            self._look(self._tensor(variables))

    def answer(self) -> NDArray[np.float32]:
        """The probability of least loss that was met, (rows, columns) float32."""
        assert self._best is not None
        best: NDArray[np.float32] = self._best.probability.cpu().numpy()
        return best

    def _step(self, values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The loss at `values` and its gradient: 0 where the search shall end."""
        variables = self._tensor(values).requires_grad_()
        loss, done = self._look(variables)
        if done:
            return loss.item(), np.zeros_like(values)
        loss.backward()  # type: ignore[no-untyped-call]
        assert variables.grad is not None
        return loss.item(), variables.grad.cpu().numpy().astype(np.float64)

    def _look(self, variables: torch.Tensor) -> tuple[torch.Tensor, bool]:
        """The loss at `variables`, and whether it is good enough there."""
        logits, cost = self._predict(variables)
        rows, columns = self._shape
        probability = torch.sigmoid(logits.float())[0, 0, :rows, :columns]
        missed = _mean_square(1 - probability[self._inside])
        loss = missed + _mean_square(probability[self._outside]) + cost
        if self._best is None or loss.item() < self._best.loss:
            self._best = _Best(loss.item(), probability.detach())
        return loss, self._done(probability >= self._threshold)

    def _tensor(self, values: NDArray[np.float64]) -> torch.Tensor:
        return torch.from_numpy(values).float().to(self._device)

    def _done(self, mask: torch.Tensor) -> bool:
        """Whether all strokes are right."""
        return bool(mask[self._inside].all()) and not bool(mask[self._outside].any())


def _mean_square(error: torch.Tensor) -> torch.Tensor:
    """The mean of the squares; 0 of nothing."""
    return error.square().sum() / max(1, error.numel())
