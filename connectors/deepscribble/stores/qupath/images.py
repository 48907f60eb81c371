"""The images of a QuPath project: files, sizes, µm per pixel, or why they cannot be used."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepscribble.errors import InvalidInput
from deepscribble.stores.qupath.runtime import java_errors, quiet
from deepscribble.stores.store import StoreImage

PLAIN = "DefaultImageServerBuilder"
"""QuPath's builder of an image that is shown as it lies in its file."""


def describe_image(entry: Any) -> StoreImage:
    """An entry of a project as an image of the store.

    Args:
        entry: QuPath's `ProjectImageEntry`.
    """
    id, name = str(entry.getID()), str(entry.getOriginalImageName())
    try:
        path = _path_of(entry)
        with opened(entry, name) as server:
            size = (int(server.getWidth()), int(server.getHeight()))
            mpp = float(server.getPixelCalibration().getAveragedPixelSizeMicrons())
    except InvalidInput as error:
        return StoreImage(id, name, _path_or_none(entry), problem=error.reason)
    return StoreImage(id, name, path, mpp if math.isfinite(mpp) and mpp > 0 else None, size)


@contextmanager
def opened(entry: Any, where: str) -> Iterator[Any]:
    """QuPath's `ImageServer` of an entry, closed at the end.

    Raises:
        InvalidInput: QuPath cannot open the image.
    """
    try:
        with quiet():
            server = entry.getServerBuilder().build()
    except java_errors() as error:
        raise InvalidInput(where, f"QuPath cannot open the image ({error})") from error
    if server is None:
        raise InvalidInput(where, "QuPath cannot open the image; open it there to see why")
    try:
        yield server
    finally:
        with quiet():
            server.close()


def _path_of(entry: Any) -> Path:
    """The image's file.

    Raises:
        InvalidInput: there is none, it is missing, or QuPath shows it otherwise than it lies there,
            so that coordinates would not be those of the file.
    """
    name = str(entry.getOriginalImageName())
    builder = entry.getServerBuilder()
    uris = [] if builder is None else [str(uri.toString()) for uri in builder.getURIs()]
    path = _path_or_none(entry)
    if path is None:
        what = ", ".join(uris) or "nothing"
        raise InvalidInput(name, f"the image is not one file on this machine but {what}")
    kind = str(builder.getClass().getSimpleName())
    if kind != PLAIN:
        raise InvalidInput(
            name,
            f"QuPath shows the image transformed ({kind}), so its pixels are not those of "
            f"{path}; export it as an image of its own",
        )
    arguments = [str(argument) for argument in builder.getArgs() or ()]
    series = dict(itertools.pairwise(arguments)).get("--series", "0")
    if series != "0":
        raise InvalidInput(
            name,
            f"the image is number {series} of several in {path}, of which only the first is read; "
            "export it as a file of its own",
        )
    if not path.is_file():
        raise InvalidInput(
            name,
            f"the image file {path} is missing; put it back, or open the project in QuPath, "
            "which asks where the file is now",
        )
    return path


def _path_or_none(entry: Any) -> Path | None:
    from paquo.images import ImageProvider

    builder = entry.getServerBuilder()
    uris = () if builder is None else tuple(builder.getURIs())
    if len(uris) != 1 or str(uris[0].getScheme()) != "file":
        return None
    return Path(str(ImageProvider.path_from_uri(str(uris[0].toString()))))
