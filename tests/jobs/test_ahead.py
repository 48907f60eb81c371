"""Reading ahead: in another thread, bounded, errors and ends where they belong."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from deepscribble.jobs.ahead import AHEAD, ahead


class Source:
    """Counts what was made, and knows when it was closed, and where."""

    def __init__(self, fails_at: int = 99) -> None:
        self.made = 0
        self.closed_in: threading.Thread | None = None
        self._fails_at = fails_at

    def items(self) -> Generator[int]:
        try:
            for number in range(20):
                if number == self._fails_at:
                    raise ValueError("no more")
                self.made += 1
                yield number
        finally:
            self.closed_in = threading.current_thread()


def test_all_items_in_order_from_another_thread() -> None:
    source = Source()
    with ahead(source.items()) as items:
        assert list(items) == list(range(20))
    assert source.closed_in not in (None, threading.current_thread())


def test_an_error_comes_after_the_items_before_it() -> None:
    got = []
    with pytest.raises(ValueError, match="no more"), ahead(Source(3).items()) as items:
        got += items
    with ahead(Source(3).items()) as items:
        assert [next(items) for _ in range(3)] == [0, 1, 2]


def test_who_leaves_early_ends_the_thread() -> None:
    source, threads = Source(), threading.active_count()
    with ahead(source.items()) as items:
        assert next(items) == 0
    assert threading.active_count() == threads
    assert source.closed_in is not None
    # The one taken, those that wait, the one made while they waited.
    assert source.made <= AHEAD + 2
