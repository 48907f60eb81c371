"""`data.qpdata`, the file in which QuPath keeps an image's annotations: bytes to objects and back.

QuPath itself reads what it can of a damaged file: no annotations, or none of the settings that
stand behind them, and says so in its log alone; some damage makes it read forever. Written back,
that would be all that is left. So the file is taken apart here, and refused unless it is whole.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
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

KINDS = {
    "hierarchy": "qupath.lib.objects.hierarchy.PathObjectHierarchy",
    "image_type": "qupath.lib.images.ImageData$ImageType",
    "stains": "qupath.lib.color.ColorDeconvolutionStains",
    "workflow": "qupath.lib.plugins.workflow.Workflow",
    "properties": "java.util.Map",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """QuPath's objects in a `data.qpdata`; None for those that are not there."""

    hierarchy: Any = None
    image_type: Any = None
    stains: Any = None
    workflow: Any = None
    properties: Any = None


def read_data(folder: Path, where: str) -> bytes:
    """The content of an image's `data.qpdata`; empty if there is none.

    Args:
        folder: The image's folder in the project.
        where: What errors call the image.

    Raises:
        InvalidInput: it cannot be read, is empty, or QuPath is just saving it.
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
    if not data:
        raise _damaged(path, where, "it is empty")
    return data


def version_of(data: bytes) -> str:
    """The digest of a `data.qpdata`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}" if data else ABSENT


def parse_data(data: bytes, path: Path, where: str) -> Stored:
    """Take the content of a `data.qpdata` apart; of empty content, an empty hierarchy.

    Args:
        data: As `read_data` gave it.
        path: Where it lies.
        where: What errors call the image.

    Raises:
        InvalidInput: it is not whole, or holds what this version of QuPath does not know.
    """
    hierarchy = java_class(KINDS["hierarchy"])()
    if not data:
        return Stored(hierarchy)
    try:
        with quiet():
            found = _objects(data)
            if found.get("hierarchy") is None:
                raise _damaged(path, where, "there are no annotations in it")
            # What was read is not fit for use until it is copied; so QuPath does.
            hierarchy.setHierarchy(found["hierarchy"])
    except java_errors() as error:
        raise _damaged(path, where, f"QuPath says: {error}") from error
    return Stored(**{**found, "hierarchy": hierarchy})


def to_image_data(stored: Stored, server: Any, path: Path) -> Any:
    """QuPath's `ImageData` with everything in it as it is stored.

    Args:
        stored: As `parse_data` gave it.
        server: QuPath's `ImageServer` of the image.
        path: Where the file lies or will lie.
    """
    with quiet():
        image_data = java_class("qupath.lib.images.ImageData")(
            server, stored.hierarchy, stored.image_type
        )
        if stored.stains is not None:
            image_data.setColorDeconvolutionStains(stored.stains)
        for item in stored.properties.entrySet() if stored.properties is not None else ():
            image_data.setProperty(item.getKey(), item.getValue())
        # Last, because QuPath takes down as a step of work each of the things above.
        image_data.getHistoryWorkflow().clear()
        if stored.workflow is not None:
            image_data.getHistoryWorkflow().addSteps(stored.workflow.getSteps())
        image_data.setLastSavedPath(str(path), False)
    return image_data


def to_data(image_data: Any) -> bytes:
    """The content of `data.qpdata` for an `ImageData`."""
    with quiet():
        stream = java_class("java.io.ByteArrayOutputStream")()
        java_class("qupath.lib.io.PathIO").writeImageData(stream, image_data)
        return bytes(stream.toByteArray())


def to_summary(image_data: Any) -> dict[str, Any]:
    """The content of `summary.json`, which QuPath keeps beside `data.qpdata`, without its time."""
    # QuPath has no public door to it, and a summary of our own making might differ from its own.
    summary = java_class("java.lang.Class").forName(
        "qupath.lib.projects.DefaultProject$ImageDataSummary",
        True,
        java_class("qupath.lib.io.PathIO").class_.getClassLoader(),
    )
    make = summary.getDeclaredConstructors()[0]
    make.setAccessible(True)
    value = make.newInstance(image_data, java_class("java.lang.Long").valueOf(0))
    text = java_class("qupath.lib.io.GsonTools").getInstance().toJson(value)
    found: dict[str, Any] = json.loads(str(text))
    return found


def _objects(data: bytes) -> dict[str, Any]:
    """The objects of a `data.qpdata` by the names of `KINDS`."""
    kinds = {name: java_class(kind) for name, kind in KINDS.items()}
    # QuPath's own stream, since it admits the classes of QuPath alone.
    bytes_in = java_class("java.io.ByteArrayInputStream")(data)
    stream = java_class("qupath.lib.io.PathIO").createObjectInputStream(bytes_in)
    head = str(stream.readUTF())
    if not head.startswith("Data file version"):
        raise ValueError(f"it begins with {head[:20]!r}")
    _next(stream)  # How the image is opened, which the project knows better.
    found: dict[str, Any] = {}
    while True:
        thing = _next(stream)
        if isinstance(thing, java_class("java.lang.String")) and str(thing) == "EOF":
            return found
        name = next((name for name, kind in kinds.items() if isinstance(thing, kind)), None)
        if name is not None:
            found[name] = thing
        elif thing is not None and not isinstance(thing, java_class("java.util.Locale")):
            raise ValueError(f"it holds a {thing.getClass().getName()}, which is not known")


def _next(stream: Any) -> Any:
    """The next object of a stream."""
    # Java looks for its class where the caller's class is from, so the caller has to be one of
    # Java's; Python's call alone would find none of QuPath's.
    task = java_class("java.util.concurrent.FutureTask")(
        java_class("java.util.concurrent.Callable") @ (lambda: stream.readObject())
    )
    task.run()
    return task.get()


def _damaged(path: Path, where: str, reason: str) -> InvalidInput:
    return InvalidInput(
        where,
        f"{path} is damaged ({reason}), so it is neither read nor written; open the image in "
        "QuPath, and if its annotations are gone there too, put back a copy of the file",
    )
