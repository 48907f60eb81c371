"""A folder of images with GeoJSON files beside them: the store that needs nothing else."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from deepscribble.errors import InvalidInput, StoreConflict
from deepscribble.slides import Slide, slide_files
from deepscribble.stores.annotations import to_feature
from deepscribble.stores.backup import back_up
from deepscribble.stores.collection import EMPTY, edit_features
from deepscribble.stores.features import entries_of, parse_features, parse_json, read_bytes
from deepscribble.stores.files import open_file
from deepscribble.stores.output import check_permitted, sweep, write_whole
from deepscribble.stores.sorting import sort_features
from deepscribble.stores.store import Content, Edit, Query, StoreImage

ABSENT = "absent"
"""The version of an image that has no GeoJSON file."""


def geojson_beside(image: Path) -> Path | None:
    """The GeoJSON file of an image: NAME.geojson or NAME.svs.geojson for NAME.svs."""
    return next(iter(_all_beside(image)), None)


def _all_beside(image: Path) -> tuple[Path, ...]:
    """The files that may be an image's, the likeliest first."""
    plain = image.with_suffix(".geojson")
    # A person thinks of a.ome.tif as "a".
    names = (plain.name, f"{image.name}.geojson", plain.name.replace(".ome.geojson", ".geojson"))
    paths = (image.with_name(name) for name in dict.fromkeys(names))
    return tuple(path for path in paths if path.is_file())


def open_folder(path: str | os.PathLike[str]) -> FolderStore:
    """The store of a folder of images.

    Raises:
        InvalidInput: it is no folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InvalidInput(str(folder), "no such folder; give a folder of images")
    return FolderStore(folder)


class FolderStore:
    """Images of a folder, each with its annotations in one GeoJSON file beside it.

    Results go into the same file that the strokes and regions came from. The text of every feature
    that is not ours stays as it is, and so does the order.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """The folder of the images."""
        return self._folder

    def images(self) -> tuple[StoreImage, ...]:
        """As `Store.images`; two images with one file, or one with two, have a problem."""
        paths = slide_files(self._folder)
        shared = Counter(_file_of(path) for path in paths)
        return tuple(
            StoreImage(path.name, path.name, path, problem=_problem(path, shared)) for path in paths
        )

    def open(self, image: StoreImage, mpp: float | None) -> Slide:
        """As `Store.open`."""
        return open_file(image, mpp)

    def read(self, image: StoreImage, query: Query) -> Content:
        """As `Store.read`."""
        path = self._file(image)
        if not path.exists():
            found, version = sort_features((), query, path.name), ABSENT
        else:
            data = read_bytes(path)
            features = parse_features(parse_json(data, str(path)), str(path))
            found, version = sort_features(features, query, path.name), _digest(data)
        return found.content(version)

    def check(self, image: StoreImage) -> None:
        """As `Store.check`."""
        check_permitted(self._file(image))

    def write(self, image: StoreImage, edit: Edit, seen: str) -> str:
        """As `Store.write`."""
        path = self._file(image)
        before = path.read_bytes() if path.exists() else b""
        _check_seen(path, seen)
        if before:
            check_permitted(path)
            back_up(self._folder, path, before)
        sweep(self._folder)
        after = _edited(before, edit, str(path))
        write_whole(path, after, check=lambda: _check_seen(path, seen))
        return _digest(after)

    def close(self) -> None:
        """As `Store.close`; nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _file(self, image: StoreImage) -> Path:
        return _file_of(self._folder / image.id)


def _file_of(image: Path) -> Path:
    return geojson_beside(image) or image.with_suffix(".geojson")


def _problem(image: Path, shared: Mapping[Path, int]) -> str:
    """Why it is not clear which file is an image's; `shared` counts the images of each."""
    own = _file_of(image)
    if shared[own] > 1:
        return f"{own.name} would hold the annotations of two images; rename one of them"
    # What is the first choice of another image is that one's.
    names = [path.name for path in _all_beside(image) if path == own or path not in shared]
    if len(names) > 1:
        return f"{' and '.join(names)} both hold annotations of it; keep one of them here"
    return ""


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _check_seen(path: Path, seen: str) -> None:
    now = _digest(path.read_bytes()) if path.exists() else ABSENT
    if now != seen:
        raise StoreConflict(
            f"{path}: the file changed since it was read, so it was left alone; run again"
        )


def _edited(data: bytes, edit: Edit, name: str) -> bytes:
    """The content of the file after an edit; without a byte order mark if it had one."""
    text = data.decode("utf-8-sig") or EMPTY
    entries = entries_of(json.loads(text), name)
    places = {feature.id: at for at, feature in enumerate(parse_features(entries, name))}
    changed: dict[int, str | None] = {places[id]: None for id in edit.removed}
    for result in edit.updated:
        at = places[result.id]
        changed[at] = _text(_merged(entries[at], to_feature(result)))
    added = [_text(to_feature(result)) for result in edit.added]
    return edit_features(text, changed, added).encode()


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """A feature with a new geometry, and what a person noted on the old one."""
    properties = {**new["properties"], **old["properties"]}
    for name in ("measurements", "metadata"):
        noted = old["properties"].get(name)
        properties[name] = {**(noted if isinstance(noted, dict) else {}), **new["properties"][name]}
    return {**old, "geometry": new["geometry"], "properties": properties}


def _text(feature: Mapping[str, Any]) -> str:
    return json.dumps(feature, ensure_ascii=False, allow_nan=False)
