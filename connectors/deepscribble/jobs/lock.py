"""One run at a time in one store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from deepscribble.errors import OutputRefused

NAME = ".deepscribble.lock"
"""The file that is locked; the system lets go of it when a run ends, however it ends."""


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder while the block runs.

    Raises:
        OutputRefused: another run works there, or nothing can be written there.
    """
    lock = FileLock(folder / NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputRefused(
            f"{folder}: another run of deepscribble works there; wait for its end"
        ) from error
    except OSError as error:
        raise OutputRefused(
            f"{folder}: nothing can be written there ({error.strerror or error}); make the folder "
            "writable, or see with --dry-run what would change"
        ) from error
    try:
        yield
    finally:
        lock.release()
