"""Work of the engine on the event loop: host stages in a pool, tiles on the network.

Prepare (parse, decode, draw, fields) and finish (compose, trace, write) run in a pool of threads;
tiles wait in the network's queue. The event loop only waits. A request that is cancelled takes its
tiles out of the queue and closes its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from deepscribble.errors import Stopping

if TYPE_CHECKING:
    from deepscribble.engine import Tile, Work
    from deepscribble.models import Network, Ticket
    from deepscribble.models.runner import Probability

__all__ = ["Stages"]

Result = TypeVar("Result")

_AHEAD = 3
"""Tiles of one request that are prepared or wait at a time: the device never waits for the host,
and memory stays bounded."""


class Stages:
    """Drives work from one event loop.

    Args:
        network: Computes tiles.
        threads: Of the pool for prepare and finish.
    """

    def __init__(self, network: Network, threads: int) -> None:
        self._network = network
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="deepscribble-host")

    async def run(self, work: Work[Result], ticket: Ticket) -> Result:
        """The result of `work`; its errors come out here."""
        answers: list[Probability] | None = None
        while True:
            running = self._submit(_advance, work, answers)
            try:
                tiles, result = await asyncio.wrap_future(running)
            except asyncio.CancelledError:
                # The thread may still be inside the generator, which only then can be closed.
                running.add_done_callback(lambda _: work.close())
                raise
            if tiles is None:
                done: Result = result[0]
                return done
            try:
                answers = await self._computed(tiles, ticket)
            except BaseException:
                self._submit(work.close)
                raise

    async def call(self, call: Callable[[], Result]) -> Result:
        """Do `call` in the pool."""
        return await asyncio.wrap_future(self._submit(call))

    def close(self) -> None:
        """Let the threads end what they do."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, call: Callable[..., Result], *arguments: object) -> Future[Result]:
        try:
            return self._pool.submit(call, *arguments)
        except RuntimeError as error:
            raise Stopping("the server is stopping; ask again when it has been started") from error

    async def _computed(self, tiles: Sequence[Tile], ticket: Ticket) -> list[Probability]:
        """The network's answers, with the next tiles prepared meanwhile."""
        if len(tiles) == 1:
            return [await self._one(tiles[0], ticket)]
        places = asyncio.Semaphore(_AHEAD)

        async def one(tile: Tile) -> Probability:
            async with places:
                return await self._one(tile, ticket)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(tile)) for tile in tiles]
        return [task.result() for task in tasks]

    async def _one(self, tile: Tile, ticket: Ticket) -> Probability:
        channels = await self.call(tile.build)
        return await asyncio.wrap_future(
            self._network.submit(tile.card, channels, ticket, tile.key)
        )


def _advance(
    work: Work[Result], answers: list[Probability] | None
) -> tuple[Sequence[Tile] | None, tuple[Result, ...]]:
    """The next tiles that work asks for, or its result."""
    try:
        return (next(work) if answers is None else work.send(answers)), ()
    except StopIteration as end:
        return None, (end.value,)
