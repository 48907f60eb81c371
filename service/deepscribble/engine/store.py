"""What the engine keeps between requests, within a budget of bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from cachetools import LRUCache

Value = TypeVar("Value")


class Store:
    """Values by key; the least recently used go first when the budget is spent. Thread-safe.

    Whatever is gone can be computed again, bit for bit, or is asked for from the client.

    Args:
        budget: Bytes to hold. A single value over it is not kept at all.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._lock = threading.Lock()
        self._values: LRUCache[Hashable, tuple[Any, int]] = LRUCache(
            budget, getsizeof=lambda held: held[1]
        )
        self._making: dict[Hashable, threading.Lock] = {}

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return int(self._values.currsize)

    def get(self, key: Hashable) -> Any | None:
        """The value of `key`, or None where it was never there or had to go."""
        with self._lock:
            held = self._values.get(key)
            return None if held is None else held[0]

    def put(self, key: Hashable, value: Any, nbytes: int) -> None:
        """Keep `value`, letting older ones go as needed."""
        with self._lock:
            self._values.pop(key, None)
            if nbytes <= self.budget:
                self._values[key] = (value, max(nbytes, 1))

    def pop(self, key: Hashable) -> Any | None:
        """Take the value of `key` out, or None."""
        with self._lock:
            held = self._values.pop(key, None)
            return None if held is None else held[0]

    def get_or_make(
        self, key: Hashable, make: Callable[[], Value], size: Callable[[Value], int]
    ) -> Value:
        """The value of `key`; made, once for all who ask at the same time, if it is not there."""
        value = self.get(key)
        if value is None:
            with self._lock:
                lock = self._making.setdefault(key, threading.Lock())
            with lock:
                value = self.get(key)
                if value is None:
                    value = make()
                    self.put(key, value, size(value))
            with self._lock:
                self._making.pop(key, None)
        made: Value = value
        return made
