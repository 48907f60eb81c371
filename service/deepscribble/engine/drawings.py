"""The drawings that are kept between requests; each is with one request at a time."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

from deepscribble.engine.drawing import Drawing
from deepscribble.engine.step import fingerprint
from deepscribble.engine.store import Store
from deepscribble.geometry import Stroke

_SMALL = 2
"""Undoing so many strokes of somebody else's drawing is cheaper than beginning another."""


class Drawings:
    """Drawings by what they are drawn on; several where several people draw. Thread-safe.

    A request takes a drawing out and puts it back, so that nobody waits for anybody: who finds
    none that suits draws on a new one, for which the store still has RefineNet's answers.

    Args:
        store: Keeps drawings that nobody has.
        most: Drawings kept on one canvas.
    """

    def __init__(self, store: Store, most: int) -> None:
        self._store = store
        self._most = most
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._idle: dict[Hashable, list[int]] = defaultdict(list)

    @contextmanager
    def acquire(
        self, key: Hashable, known: str, strokes: Sequence[Stroke], make: Callable[[], Drawing]
    ) -> Iterator[Drawing]:
        """Have a drawing alone, the one that is nearest to what is wanted.

        Args:
            key: Of the canvas.
            known: The id of an outline that the asker has; its drawing is taken if it is there.
            strokes: What the drawing will be brought to.
            make: Makes one without strokes.
        """
        drawing = self._take(key, known, strokes) or make()
        try:
            yield drawing
        finally:
            self._put(key, drawing)

    def _take(self, key: Hashable, known: str, strokes: Sequence[Stroke]) -> Drawing | None:
        prints = [fingerprint(stroke) for stroke in strokes]
        with self._lock:
            found: list[tuple[bool, int, int, int]] = []
            for number in self._idle[key]:
                drawing = self._store.get((key, number))
                if drawing is not None:
                    mine = bool(known) and drawing.recall(known) is not None
                    shared = drawing.shared(prints)
                    found.append((mine and len(drawing) > 0, shared, shared - len(drawing), number))
            self._idle[key] = [number for *_, number in found]
            if not found:
                del self._idle[key]
                return None
            mine, shared, ahead, number = max(found)
            if not mine and ahead < -_SMALL and len(found) < self._most:
                return None
            self._idle[key].remove(number)
            taken: Drawing | None = self._store.pop((key, number))
            return taken

    def _put(self, key: Hashable, drawing: Drawing) -> None:
        with self._lock:
            number = next(self._numbers)
            self._store.put((key, number), drawing, drawing.nbytes)
            numbers = self._idle[key]
            numbers.append(number)
            while len(numbers) > self._most:
                self._store.pop((key, numbers.pop(0)))
