"""Fitting a network with Lightning: budget, loss, averaged weights, checkpoints, resume."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset, Sampler

from deepscribble.errors import InvalidInput, ModelRefused, OutputRefused
from deepscribble.geometry import Label
from deepscribble.learning.patches import Lesson, Numbers
from deepscribble.learning.rounds import Rounds
from deepscribble.models import Card, admit_torchvision, choose_device

admit_torchvision()  # Lightning imports torchvision, as smp does.

import lightning  # noqa: E402
from lightning.pytorch.callbacks import (  # noqa: E402
    Callback,
    EarlyStopping,
    ModelCheckpoint,
)
from lightning.pytorch.loggers import CSVLogger  # noqa: E402

# What Lightning says of itself and of its products helps nobody here; it sets this when imported.
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)

logger = logging.getLogger(__name__)

_WARM_UP = 0.08
"""Share of the run over which the learning rate rises."""

_AVERAGE = 0.995
"""Each step keeps this share of the averaged weights, once there have been two thousand."""

_ENCODER_RATE = 0.3
"""The encoder, which starts from what it learned elsewhere, learns at this share of the rate."""

_FURTHER = (0.45, 0.3, 0.15, 0.1)
"""Chances that a batch is answered and corrected no further time, once, twice or three times."""

_FURTHER_FROM = 0.1
"""Share of the run before which the network's own answers are no use to correct."""

STEPS_PER_EPOCH = 20
"""Steps of an epoch for each process that prepares patches: a checkpoint is written after each
epoch, so it is short, but no shorter, since all of them begin it with nothing prepared."""

JUDGED_PATCHES = 48
"""Patches of other images that an epoch is judged by, where a run may stop early."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how to fit.

    Args:
        epochs: Epochs of `per_epoch` patches; or
        minutes: wall time of fitting, interruptions not counted. One of the two is given.
        batch: Patches a step.
        rate: Peak learning rate for a batch of 8; in proportion for others.
        seed: All chance hangs on it.
        device: `auto`, `cpu`, `cuda` or `mps`.
        workers: Processes that prepare patches beside the one that fits; 0 for none.
        devices: How many GPUs fit together; each takes its share of a batch.
        patience: Stop once the loss on other images got no better for so many epochs, and keep
            the best weights; None to go on to the end.

    Raises:
        InvalidInput: neither or both of epochs and minutes, or not over 0; several devices that
            cannot share a batch, or that would each keep their own time.
    """

    epochs: int | None = None
    minutes: float | None = None
    batch: int = 8
    rate: float = 2e-3
    seed: int = 0
    device: str = "cpu"
    workers: int = 0
    devices: int = 1
    patience: int | None = None

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.minutes is None):
            raise InvalidInput("epochs", "give either epochs or minutes, and not both")
        for name in ("epochs", "minutes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InvalidInput(name, f"{value} is not a duration; it must be over 0")
        if self.batch % self.devices:
            raise InvalidInput(
                "batch", f"{self.batch} patches cannot be shared out to {self.devices} devices"
            )
        if self.devices > 1 and self.minutes is not None:
            raise InvalidInput("minutes", "several devices fit for a number of epochs; give epochs")

    @property
    def per_epoch(self) -> int:
        """Patches of an epoch."""
        return STEPS_PER_EPOCH * max(1, self.workers) * self.batch

    @property
    def peak_rate(self) -> float:
        """Peak learning rate of this batch size."""
        return self.rate * self.batch / 8


class Fitting(lightning.LightningModule):
    """A network being fitted to composed answers: prior + reach * (refined - prior).

    Attributes:
        network: What learns.
        average: Its exponentially averaged weights, which are what is exported.
    """

    def __init__(self, network: torch.nn.Module, card: Card, plan: Plan, rounds: Rounds) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(self.network, multi_avg_fn=_follow, use_buffers=True)
        self.average.requires_grad_(False)
        self._card = card
        self._plan = plan
        self._rounds = rounds
        self._spent = 0.0
        self._last = 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; the rate is set before each step."""
        groups: list[dict[str, Any]] = [
            {"params": [], "share": _ENCODER_RATE},
            {"params": [], "share": 1.0},
        ]
        channels = len(self._card.channels)
        for name, value in self.network.named_parameters():
            # Its first convolution reads prior and strokes, which it has never seen.
            first = value.dim() == 4 and value.shape[1] == channels > 3
            groups[first or "encoder." not in name]["params"].append(value)
        return torch.optim.AdamW(groups, lr=self._plan.peak_rate, weight_decay=0.02)

    def on_train_start(self) -> None:
        """Start the clock."""
        self._last = time.monotonic()

    def on_train_batch_start(self, batch: Lesson, batch_idx: int) -> None:
        """Set the learning rate: a linear rise, then half a cosine down to nothing.

        Each step has its own chance, so that a resumed run takes the same course.
        """
        torch.manual_seed(self._plan.seed * 1_000_003 + self.global_step)
        done = self.progress()
        rise = min(done / _WARM_UP, 1.0)
        fall = 0.5 * (1 + math.cos(math.pi * max(done - _WARM_UP, 0.0) / (1 - _WARM_UP)))
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["share"] * self._plan.peak_rate * max(rise * fall, 1e-3)

    def training_step(self, batch: Lesson, batch_idx: int) -> torch.Tensor:
        """One step; what reads strokes at times answers first and is corrected further.

        Raises:
            ModelRefused: the answer is not finite, nor would the loss be.
        """
        if self._card.influence_radius > 0 and self.progress() >= _FURTHER_FROM:
            for number in range(int(torch.multinomial(torch.tensor(_FURTHER), 1))):
                batch = self._corrected(batch, number)
        answer = composed(self.network, batch)
        if not torch.isfinite(answer).all():
            raise ModelRefused(
                f"fitting stopped at step {self.global_step}: the network's answer is NaN; the "
                "last checkpoint is kept; resume from it with another seed, or see whether an "
                "image is damaged"
            )
        loss = loss_of(answer, batch.truth)
        self.log("loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Lesson, batch_idx: int) -> None:
        """Average the weights, look at the clock."""
        self.average.update_parameters(self.network)
        now = time.monotonic()
        self._spent += now - self._last
        self._last = now
        self.log("minutes", self._spent / 60)
        if self.progress() >= 1:
            self.trainer.should_stop = True

    def validation_step(self, batch: Lesson, batch_idx: int) -> None:
        """The loss of the averaged weights on patches of other images."""
        self.average.eval()
        loss = loss_of(composed(self.average, batch), batch.truth)
        self.log("val_loss", loss, on_epoch=True, batch_size=len(batch.truth), sync_dist=True)

    def on_train_epoch_end(self) -> None:
        """Say how it goes and how long it will take."""
        done = min(self.progress(), 1.0)
        logger.info(
            "epoch %d: loss %.4f, %.0f %% done, %.0f minutes to go",
            self.current_epoch,
            float(self.trainer.callback_metrics["loss"]),
            100 * done,
            self._spent / 60 * (1 - done) / done,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the time spent."""
        checkpoint["spent"] = self._spent

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the time spent."""
        self._spent = float(checkpoint["spent"])

    def progress(self) -> float:
        """Share of the plan that is done, 0 to 1."""
        if self._plan.minutes is not None:
            return self._spent / 60 / self._plan.minutes
        steps = (self._plan.epochs or 1) * self._plan.per_epoch / self._plan.batch
        return self.global_step / steps

    def _corrected(self, batch: Lesson, number: int) -> Lesson:
        """`batch` with the strokes of a further round, the `number`-th."""
        self.average.eval()
        with torch.no_grad():
            answer = composed(self.average, batch)[:, 0] >= self._card.threshold
        labels = batch.labels.cpu()
        # Strokes are law: what they lie on is no mistake any more.
        answer = answer.cpu() & (labels != Label.BACKGROUND.value)
        answer |= labels == Label.FOREGROUND.value
        drawn = self._rounds.draw(
            labels,
            batch.truth[:, 0].cpu() > 0.5,
            answer,
            torch.as_tensor(batch.number).cpu(),
            len(_FURTHER) * self._plan.seed + number + 1,
        )
        inputs = batch.inputs.clone()
        inputs[:, -2:] = drawn.channels.to(inputs.device)
        reach = drawn.reach.to(inputs.device)
        return batch._replace(inputs=inputs, reach=reach, labels=drawn.labels)


def _follow(averages: PARAM_LIST, values: PARAM_LIST, count: torch.Tensor | int) -> None:
    """Move `averages` towards `values`, faster in the first steps."""
    decay = min(_AVERAGE, (1 + float(count)) / (10 + float(count)))
    get_ema_multi_avg_fn(decay)(averages, values, count)  # type: ignore[no-untyped-call]


def composed(network: torch.nn.Module, batch: Lesson) -> torch.Tensor:
    """The answer that a user sees, (N, 1, H, W) float32: the prior beyond the strokes' reach."""
    logits = network(batch.inputs.contiguous(memory_format=torch.channels_last))
    return batch.prior + batch.reach * (torch.sigmoid(logits.float()) - batch.prior)


def loss_of(probability: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy (paper, 2.3) and half of 1 - soft IoU, mean over the patches.

    The second is what users see and what is measured; it gives a small region the weight of a
    large one.
    """
    with torch.autocast(probability.device.type, enabled=False):
        # Nearer to 0 and 1 than this, one wrong pixel would outweigh a patch.
        sure = probability.clamp(1e-4, 1 - 1e-4)
        entropy = torch.nn.functional.binary_cross_entropy(sure, truth)
        common = (probability * truth).sum(dim=(1, 2, 3)) + 1
        union = (probability + truth - probability * truth).sum(dim=(1, 2, 3)) + 1
    return entropy + 0.5 * (1 - common / union).mean()


def fit(
    network: torch.nn.Module,
    card: Card,
    patches: Dataset[Lesson],
    plan: Plan,
    folder: Path,
    resume: bool = False,
    judged: Dataset[Lesson] | None = None,
) -> torch.nn.Module:
    """Fit `network` as planned.

    Args:
        network: (N, C, H, W) → logits (N, 1, H, W).
        card: Its card.
        patches: Any number of patches, counted from 0.
        plan: How long and how.
        folder: Gets `last.ckpt` after each epoch and `log/version_N/metrics.csv`.
        resume: Go on from `folder`/last.ckpt.
        judged: Patches of other images, of which the first `JUDGED_PATCHES` say when to stop.

    Returns:
        The network with averaged weights, on the CPU.

    Raises:
        InvalidInput: nothing to resume from, no such device, or nothing to judge by.
        ModelRefused: the answers became NaN.
        OutputRefused: a checkpoint or the log cannot be written.
    """
    checkpoint = folder / "last.ckpt"
    if resume and not checkpoint.is_file():
        raise InvalidInput("resume", f"{checkpoint} is not there; start without resuming")
    device = choose_device(plan.device).type
    if device == "cpu":
        logger.warning("no GPU is used: this machine's CPU does the fitting")
    lightning.seed_everything(plan.seed, verbose=False)
    rounds = Rounds(card, plan.workers)
    fitting = Fitting(network, card, plan, rounds)
    callbacks: list[Callback] = [
        ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    ]
    best = ModelCheckpoint(
        folder, filename="best", monitor="val_loss", enable_version_counter=False
    )
    other = None
    if plan.patience is not None:
        if judged is None:
            raise InvalidInput("patience", "there are no val images to judge by; leave it out")
        callbacks += [EarlyStopping("val_loss", patience=plan.patience), best]
        other = _loader(judged, range(JUDGED_PATCHES), plan)
    trainer = lightning.Trainer(
        accelerator=device,
        devices=plan.devices,
        strategy="ddp" if plan.devices > 1 else "auto",
        sync_batchnorm=plan.devices > 1 and device == "cuda",
        precision="32-true" if device == "mps" else "bf16-mixed",
        max_epochs=plan.epochs if plan.epochs is not None else -1,
        logger=CSVLogger(folder, name="log"),
        log_every_n_steps=10,
        callbacks=callbacks,
        gradient_clip_val=1.0,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    rank = trainer.global_rank, trainer.world_size
    learned = _loader(patches, Numbers(plan.per_epoch, *rank), plan)
    try:
        with rounds:
            trainer.fit(
                fitting, learned, other, ckpt_path=checkpoint if resume else None, weights_only=True
            )
    except OSError as error:
        raise OutputRefused(
            f"{folder}: the run stopped because a checkpoint or log could not be written "
            f"({error.strerror}); make room and go on with --resume from the last whole one"
        ) from error
    if not trainer.is_global_zero:
        sys.exit()  # The first device's process judges and saves what all of them fitted.
    if best.best_model_path:
        state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
        fitting.load_state_dict(state)
    return averaged(fitting)


def _loader(
    patches: Dataset[Lesson], numbers: Sampler[int] | Sequence[int], plan: Plan
) -> DataLoader[Lesson]:
    return DataLoader(
        patches,
        batch_size=plan.batch // plan.devices,
        sampler=numbers,
        num_workers=plan.workers,
        persistent_workers=plan.workers > 0,
    )


def averaged(fitting: Fitting) -> torch.nn.Module:
    """The network to export: averaged weights, in evaluation mode, on the CPU."""
    network: torch.nn.Module = fitting.average.module
    return network.eval().cpu()
