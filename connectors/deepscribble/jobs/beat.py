"""Something that is done again and again beside other work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beating(beat: Callable[[], None], seconds: float, name: str) -> Iterator[None]:
    """Call `beat` every so many seconds while the block runs, in a thread of its own.

    Args:
        beat: What to do; it raises nothing.
        seconds: The pause before each call.
        name: Of the thread.
    """
    is_done = threading.Event()

    def keep() -> None:
        while not is_done.wait(seconds):
            beat()

    thread = threading.Thread(target=keep, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()
