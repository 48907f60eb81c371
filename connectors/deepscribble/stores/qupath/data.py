"""`data.qpdata`, the file in which QuPath keeps an image's annotations: bytes to objects and back.

QuPath reads what it can of a damaged file: an empty hierarchy, or none of the settings that stand
behind it, and says so in its log alone; some damage makes it read forever. Written back, that would
be all that is left. So a file is looked at before QuPath gets it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from deepscribble.errors import InvalidInput, LimitExceeded
from deepscribble.stores.qupath.runtime import java_class, java_errors, quiet

FILE = "data.qpdata"

SAVING = "data.qpdata.bkp"
"""What QuPath calls the former file while it writes the new one."""

ABSENT = "absent"
"""The version of an image that has no annotations yet."""

MAX_BYTES = 2**30
"""The most bytes of `data.qpdata` that are read: some millions of cells."""

START = b"\xac\xed\x00\x05"
END = b"t\x00\x03EOF"
"""A serialised Java stream begins so; QuPath's ends with this string."""

DRAWN = b"qupath.lib.objects.PathROIObject"
"""The class of which every annotation, cell and tile is one; the root of them all is none."""


def read_data(folder: Path, where: str) -> bytes:
    """The content of an image's `data.qpdata`; empty if there is none.

    Args:
        folder: The image's folder in the project.
        where: What errors call the image.

    Raises:
        InvalidInput: it cannot be read, is cut off, or QuPath is just saving it.
        LimitExceeded: over `MAX_BYTES`.
    """
    path = folder / FILE
    try:
        if not path.exists():
            if (folder / SAVING).exists():
                raise InvalidInput(
                    where,
                    f"QuPath is saving this image, or was stopped while saving it ({folder}); "
                    "open the image in QuPath and save it, then run again",
                )
            return b""
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise LimitExceeded(
                f"{where}: {path} has {size} bytes, more than the limit of {MAX_BYTES}; "
                "delete detections that are no longer needed"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(where, f"{path} cannot be read ({error.strerror})") from error
    if not (data.startswith(START) and data.endswith(END)):
        raise _damaged(path, where, "it is cut off or no QuPath data")
    return data


def version_of(data: bytes) -> str:
    """The digest of a `data.qpdata`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}" if data else ABSENT


def to_image_data(data: bytes, server: Any, path: Path, where: str) -> Any:
    """QuPath's `ImageData` of a file's content, or a new one if that is empty.

    Args:
        data: As `read_data` gave it.
        server: QuPath's `ImageServer` of the image.
        path: Where the file lies or will lie.
        where: What errors call the image.

    Raises:
        InvalidInput: QuPath cannot read it.
    """
    if not data:
        return java_class("qupath.lib.images.ImageData")(server)
    image = java_class("java.awt.image.BufferedImage")
    try:
        with quiet():
            stream = java_class("java.io.ByteArrayInputStream")(data)
            loaded = java_class("qupath.lib.io.PathIO").readImageData(stream, None, server, image)
    except java_errors() as error:
        raise _damaged(path, where, f"QuPath says: {error}") from error
    if loaded is None or loaded.getHierarchy() is None:
        raise _damaged(path, where, "QuPath finds no annotations in it")
    if loaded.getHierarchy().isEmpty() and DRAWN in data:
        raise _damaged(path, where, "QuPath cannot read the objects in it")
    loaded.setLastSavedPath(str(path), False)
    return loaded


def to_data(image_data: Any) -> bytes:
    """The content of `data.qpdata` for an `ImageData`."""
    with quiet():
        stream = java_class("java.io.ByteArrayOutputStream")()
        java_class("qupath.lib.io.PathIO").writeImageData(stream, image_data)
        return bytes(stream.toByteArray())


def to_summary(image_data: Any, milliseconds: int) -> bytes:
    """The content of `summary.json`, which QuPath keeps beside `data.qpdata`.

    Args:
        image_data: What was written.
        milliseconds: When `data.qpdata` was written, since 1970.
    """
    # QuPath has no public door to it, and a summary of our own making might differ from its own.
    summary = java_class("java.lang.Class").forName(
        "qupath.lib.projects.DefaultProject$ImageDataSummary",
        True,
        java_class("qupath.lib.io.PathIO").class_.getClassLoader(),
    )
    made = summary.getDeclaredConstructors()[0]
    made.setAccessible(True)
    value = made.newInstance(image_data, java_class("java.lang.Long").valueOf(milliseconds))
    text = java_class("qupath.lib.io.GsonTools").getInstance().toJson(value)
    return str(text).encode()


def _damaged(path: Path, where: str, reason: str) -> InvalidInput:
    return InvalidInput(
        where,
        f"{path} is damaged ({reason}), so it is neither read nor written; open the image in "
        "QuPath, and if its annotations are gone there too, put back a copy of the file",
    )
