"""Reading ahead: the next pixels are read while the server works on the present ones."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")

AHEAD = 3
"""An image ends, the next begins, its pixels are read: all of that while one is computed."""

WAIT_SECONDS = 0.1
"""How often a thread that waits looks whether anybody still wants its items."""


@dataclass(frozen=True, slots=True)
class _End:
    """The iterator is through, or raised."""

    error: BaseException | None = None


@contextmanager
def ahead(items: Generator[Item]) -> Iterator[Iterator[Item]]:
    """The same items, made in a thread of their own, of which `AHEAD` at most wait.

    What the generator raises is raised where the items are taken. Leaving the block ends the
    thread, and the generator is closed in it.
    """
    ready: queue.Queue[Item | _End] = queue.Queue(maxsize=AHEAD)
    unwanted = threading.Event()

    def put(item: Item | _End) -> None:
        while not unwanted.is_set():
            try:
                ready.put(item, timeout=WAIT_SECONDS)
            except queue.Full:
                continue
            return

    def work() -> None:
        error = None
        try:
            for item in items:
                put(item)
                if unwanted.is_set():
                    break
        except BaseException as caught:  # noqa: BLE001 - raised again where items are taken
            error = caught
        finally:
            items.close()
        put(_End(error))

    def take() -> Iterator[Item]:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=work, name="deepscribble-reader", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        unwanted.set()
        thread.join()
