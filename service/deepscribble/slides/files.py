"""Files that are slides or images by their names."""

from __future__ import annotations

from pathlib import Path

from deepscribble.errors import InvalidInput

SUFFIXES = (
    *(".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide"),
    *(".czi", ".dcm", ".png", ".jpg", ".jpeg", ".webp"),
)
"""How the names of slides and images end, in small letters."""


def slide_files(folder: Path) -> tuple[Path, ...]:
    """Files of `folder` that are slides or images by name, sorted; none if it is no folder.

    Raises:
        InvalidInput: the folder cannot be listed.
    """
    if not folder.is_dir():
        return ()
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput("slides", f"{folder} cannot be listed ({reason})") from error
    return tuple(
        file
        for file in files
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
