"""Further rounds of strokes, which answer a network's own mistakes, drawn by several processes."""

from __future__ import annotations

import signal
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Self

import cv2
import torch
import torch.multiprocessing

from deepscribble.learning.patches import Drawn, next_round
from deepscribble.models import Card


class Rounds:
    """Draws next rounds; a context that ends its processes.

    The strokes hang on the patches' numbers alone, not on how many processes draw them.

    Args:
        card: What the network reads.
        workers: Processes beside this one; 0 for none.
    """

    def __init__(self, card: Card, workers: int) -> None:
        self._card = card
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self._workers:
            # Not forked: by now this process holds threads, and perhaps a GPU.
            context = torch.multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._workers, context, _begin)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def draw(
        self,
        labels: torch.Tensor,
        truth: torch.Tensor,
        answer: torch.Tensor,
        numbers: torch.Tensor,
        seed: int,
    ) -> Drawn:
        """As `next_round`; all tensors lie on the CPU, `numbers` is (N,)."""
        if self._pool is None:
            return next_round(labels, truth, answer, numbers, self._card, seed)
        # Cloned, since a part is sent with all of the memory that it is a part of.
        parts = (
            [part.clone() for part in torch.chunk(values, self._workers)]
            for values in (labels, truth, answer, numbers)
        )
        drawn = self._pool.map(next_round, *parts, repeat(self._card), repeat(seed))
        return Drawn(*(torch.cat(found) for found in zip(*drawn, strict=True)))


def _begin() -> None:
    """What a process that draws starts with: one thread, and Ctrl-C left to the first process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
