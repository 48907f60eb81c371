"""The networks on their devices: one queue of tiles, one thread for each device.

A tile that somebody waits for goes before tiles of batch work; within each of the two, sessions
take turns. A tile that was cancelled never reaches a device. Each device runs one fixed batch
size, padded, so that the last bits of an answer do not depend on what ran beside it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import torch
from numpy.typing import NDArray

from deepscribble.errors import Stopping
from deepscribble.models.card import Card
from deepscribble.models.device import describe, device_kind
from deepscribble.models.model import Model
from deepscribble.models.registry import Registry

Channels = NDArray[np.float32]
"""A network's input (C, rows, columns)."""

Probability = NDArray[np.float32]
"""A network's answer (rows, columns) in [0, 1]."""

_BATCH = {"cpu": 1, "mps": 1, "cuda": 4}
"""Tiles in one run, by type of device. A CPU gains nothing from more than one."""


class Priority(IntEnum):
    """What runs first."""

    INTERACTIVE = 0
    BATCH = 1


@dataclass(frozen=True, slots=True)
class Ticket:
    """For whom a tile is computed.

    Args:
        priority: Interactive tiles go before batch tiles.
        session: Whoever asks; sessions of one priority take turns.
    """

    priority: Priority = Priority.INTERACTIVE
    session: Hashable = None


@dataclass(slots=True, eq=False)
class _Job:
    """One tile to compute, for all who asked for it while it waits or runs."""

    card: Card
    channels: Channels
    key: Hashable
    waiting: list[Future[Probability]] = field(default_factory=list)

    @property
    def shape(self) -> tuple[str, tuple[int, ...]]:
        """What jobs of one batch share."""
        return self.card.name, self.channels.shape


class Network:
    """The models of a registry on one or more devices.

    Args:
        registry: Where models come from.
        devices: One thread runs on each. The same device may be named more than once.
        batch: Tiles in one run; None for what suits the device.
    """

    def __init__(
        self, registry: Registry, devices: Sequence[torch.device], batch: int | None = None
    ) -> None:
        self._registry = registry
        self._condition = threading.Condition()
        self._queues: dict[Priority, OrderedDict[Hashable, deque[_Job]]] = {
            priority: OrderedDict() for priority in Priority
        }
        self._by_key: dict[Hashable, _Job] = {}
        self._closed = False
        self._devices = tuple(
            _Device(device, registry, batch or _BATCH.get(device.type, 1), self)
            for device in devices
        )

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices in words."""
        return tuple(describe(device.device) for device in self._devices)

    @property
    def kind(self) -> str:
        """What has to be equal for two servers to give the same bits."""
        return " ".join(sorted({device_kind(device.device) for device in self._devices}))

    def load(self, card: Card) -> Model:
        """The model of `card` on the first device; loads it on all of them.

        Raises:
            ModelRefused: its files are damaged.
        """
        models = [device.model(card) for device in self._devices]
        return models[0]

    def submit(
        self, card: Card, channels: Channels, ticket: Ticket, key: Hashable = None
    ) -> Future[Probability]:
        """Queue one tile.

        Args:
            card: Of a model that was loaded.
            channels: What `input_channels` stacks, sides multiples of `card.multiple`.
            ticket: For whom.
            key: Names the answer; whoever asks for the same while it waits or runs shares it.

        Returns:
            The probability; cancel it to take the tile out of the queue.

        Raises:
            Stopping: the network was closed.
        """
        future: Future[Probability] = Future()
        with self._condition:
            if self._closed:
                raise Stopping("the server is stopping; ask again when it has been started anew")
            job = self._by_key.get(key) if key is not None else None
            if job is None:
                job = _Job(card, channels, key)
                if key is not None:
                    self._by_key[key] = job
                queue = self._queues[ticket.priority]
                queue.setdefault(ticket.session, deque()).append(job)
                self._condition.notify()
            job.waiting.append(future)
        return future

    def predict(self, card: Card, tiles: Iterable[Channels]) -> list[Probability]:
        """The answers to `tiles`, waited for."""
        futures = [self.submit(card, channels, Ticket()) for channels in tiles]
        return [future.result() for future in futures]

    def close(self) -> None:
        """Cancel what waits, let the tiles that run end, and end the threads."""
        with self._condition:
            self._closed = True
            waiting = [
                future
                for queue in self._queues.values()
                for jobs in queue.values()
                for job in jobs
                for future in job.waiting
            ]
            self._queues = {priority: OrderedDict() for priority in Priority}
            self._condition.notify_all()
        for future in waiting:
            future.cancel()
        for device in self._devices:
            device.thread.join()

    def take(self, most: int, priorities: Sequence[Priority], wait: bool) -> list[_Job]:
        """The next jobs that can run as one batch; empty if there are none, or at the end."""
        with self._condition:
            while True:
                for priority in priorities:
                    if jobs := self._pop(priority, most):
                        return jobs
                if self._closed or not wait:
                    return []
                self._condition.wait()

    def finish(self, job: _Job, answer: Probability | BaseException) -> None:
        """Give the answer, or the error, to all who wait for a job."""
        with self._condition:
            if job.key is not None:
                self._by_key.pop(job.key, None)
            waiting = tuple(job.waiting)
        for future in waiting:
            if not future.set_running_or_notify_cancel():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _pop(self, priority: Priority, most: int) -> list[_Job]:
        """Up to `most` jobs of one shape, one session after the other."""
        queue = self._queues[priority]
        found: list[_Job] = []
        passed = 0
        while queue and len(found) < most and passed < len(queue):
            session, jobs = queue.popitem(last=False)
            while jobs and all(future.cancelled() for future in jobs[0].waiting):
                self._by_key.pop(jobs.popleft().key, None)
            if jobs and (not found or jobs[0].shape == found[0].shape):
                found.append(jobs.popleft())
                passed = 0
            else:
                passed += 1
            if jobs:
                queue[session] = jobs
        return found


class _Device:
    """One device: its thread, and the models loaded on it."""

    def __init__(
        self, device: torch.device, registry: Registry, batch: int, network: Network
    ) -> None:
        self.device = device
        self._registry = registry
        self._batch = batch
        self._network = network
        self._models: dict[str, Model] = {}
        self._loading = threading.Lock()
        self.thread = threading.Thread(
            target=self._work, name=f"deepscribble-network-{device}", daemon=True
        )
        self.thread.start()

    def model(self, card: Card) -> Model:
        """The model of `card` on this device."""
        with self._loading:
            # By name: two cards may describe the same weights, each with its own reach or scale.
            if card.name not in self._models:
                model = self._registry.load(card, self.device)
                if self.device.type == "cpu":
                    model.between_layers(self._run_interactive)
                self._models[card.name] = model
            return self._models[card.name]

    def _work(self) -> None:
        while jobs := self._network.take(self._batch, tuple(Priority), wait=True):
            self._run(jobs)

    def _run_interactive(self) -> None:
        """Run the tiles that somebody waits for, in the middle of a batch tile.

        On a CPU a large tile takes several times as long as a stroke's; a person need not wait
        for its end.
        """
        while jobs := self._network.take(self._batch, (Priority.INTERACTIVE,), wait=False):
            self._run(jobs)

    def _run(self, jobs: Sequence[_Job]) -> None:
        try:
            batch = np.stack([job.channels for job in jobs])
            if missing := self._batch - len(jobs):
                batch = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
            answers = self.model(jobs[0].card).predict(batch)
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            for job in jobs:
                self._network.finish(job, error)
            return
        for job, answer in zip(jobs, answers, strict=False):
            self._network.finish(job, answer)
