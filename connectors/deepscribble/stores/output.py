"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from deepscribble.errors import OutputRefused

TEMPORARY = ".deepscribble-{}.tmp"
"""The name of a file that is not yet whole."""

STALE_SECONDS = 3600.0
"""No writer needs longer for one file."""


def check_writable(path: str | os.PathLike[str]) -> None:
    """Make sure that `write_whole` can write here, before any work is done.

    Raises:
        OutputRefused: the folder is missing or refuses a new file, or `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputRefused(f"{path}: the output is a folder; name a file")
    if path.exists() and not os.access(path, os.W_OK):
        raise OutputRefused(f"{path}: the output exists and may not be written")
    beside = _beside(path)
    try:
        _create(beside, b"")
        beside.unlink()
    except OSError as error:
        raise _refused(path, error) from error


def write_whole(
    path: str | os.PathLike[str], data: bytes, check: Callable[[], None] | None = None
) -> None:
    """Write a file so that it is never seen half-written: beside its place, then moved there.

    Args:
        path: The file; one that is there keeps its permissions.
        data: Its content.
        check: Called last before the move; what it raises leaves the file as it is.

    Raises:
        OutputRefused: it cannot be written; what was there before is untouched.
    """
    path = Path(path)
    beside = _beside(path)
    try:
        _create(beside, data)
        if path.exists():
            shutil.copymode(path, beside)
        if check is not None:
            check()
        beside.replace(path.resolve())
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def check_permitted(path: Path) -> None:
    """Respect a file that is marked read-only, whatever the folder would allow.

    Raises:
        OutputRefused: nobody may write to it.
    """
    # Whoever has the right to the folder could replace it, but nobody shall.
    if path.exists() and not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise OutputRefused(f"{path}: the file is read-only; make it writable")


def sweep(folder: Path) -> None:
    """Remove what writers left that were killed; it never took the place of anything."""
    oldest = time.time() - STALE_SECONDS
    for left in folder.glob(TEMPORARY.format("*")):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < oldest:
                left.unlink()


def _beside(path: Path) -> Path:
    # A link is written through, so the new file must lie where the link leads.
    return path.resolve().parent / TEMPORARY.format(uuid.uuid4().hex)


def _create(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _refused(path: Path, error: OSError) -> OutputRefused:
    reason = error.strerror or str(error)
    return OutputRefused(
        f"{path}: the output cannot be written ({reason}); name a file in a folder that exists "
        "and that you may write to"
    )
