"""Copies of a store's files as they were before their first change."""

from __future__ import annotations

from pathlib import Path

from deepscribble.errors import OutputRefused
from deepscribble.stores.output import write_whole

BACKUP = "deepscribble-backup"
"""The folder in a store that holds the copies, laid out as the store is."""


def back_up(folder: Path, file: Path, content: bytes) -> None:
    """Keep what a file of a store holds, unless a copy of it is there already.

    Args:
        folder: The folder of the store.
        file: The file, below that folder.
        content: What it holds now.

    Raises:
        OutputRefused: the copy cannot be written; then the file must not be changed.
    """
    copy = folder / BACKUP / file.relative_to(folder)
    if copy.exists():
        return
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputRefused(
            f"{copy.parent}: no folder for backups can be made ({error.strerror}); "
            "without a backup nothing is written"
        ) from error
    write_whole(copy, content)
