"""Who may work, and where: bounded places for requests, one thread for each kind of work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from deepscribble.errors import Overloaded

__all__ = ["Places", "Worker"]

Answer = TypeVar("Answer")


class Places:
    """How many requests may wait or run at a time. Lives on one event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold one place.

        Raises:
            Overloaded: none is free.
        """
        if self._taken >= self._limit:
            raise Overloaded(
                f"{self._limit} requests are waiting or running, which is this server's limit "
                "pending_requests; try again in a moment"
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


class Worker:
    """One thread that does one call after another, in the order they came.

    Calls wait on the event loop, not in the thread's own queue: one that is cancelled while it
    waits never runs and lets go of its pixels at once. One that is cancelled while it runs keeps
    the thread until it is done, since nothing can stop it.
    """

    def __init__(self, name: str) -> None:
        self._turn = asyncio.Semaphore(1)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, call: Callable[[], Answer]) -> Answer:
        """Do `call` in the thread when its turn comes; its errors come out here."""
        await self._turn.acquire()
        loop = asyncio.get_running_loop()
        future = self._thread.submit(call)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._turn.release))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Wait for the call that runs, and end the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)
