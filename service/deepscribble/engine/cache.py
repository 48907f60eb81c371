"""What the engine remembers of regions between strokes, within a budget of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar


class Sized(Protocol):
    """A value that knows how many bytes it holds."""

    @property
    def nbytes(self) -> int:
        """Bytes held now; who lets a value grow puts it into the cache again."""
        ...


ValueT = TypeVar("ValueT", bound=Sized)


class RegionCache:
    """Values by digest; the least recently used go first when the budget is spent. Thread-safe.

    Args:
        budget: Bytes to hold. A single value over it is not kept at all.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Sized, int]] = OrderedDict()
        self._held = 0

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self._held

    def get(self, key: Hashable, kind: type[ValueT]) -> ValueT | None:
        """The value of `key`, or None where it was never there or had to go."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            value = found[0]
            if not isinstance(value, kind):
                raise TypeError(f"cache key {key!r} holds a {type(value).__name__}")
            return value

    def put(self, key: Hashable, value: Sized) -> None:
        """Keep `value`, letting older ones go as needed."""
        size = value.nbytes
        with self._lock:
            if key in self._values:
                self._held -= self._values.pop(key)[1]
            if size > self.budget:
                return
            self._values[key] = (value, size)
            self._held += size
            while self._held > self.budget:
                _, (_, freed) = self._values.popitem(last=False)
                self._held -= freed

    def get_or_make(self, key: Hashable, kind: type[ValueT], make: Callable[[], ValueT]) -> ValueT:
        """The value of `key`, made and kept if it is not there."""
        value = self.get(key, kind)
        if value is None:
            value = make()
            self.put(key, value)
        return value
