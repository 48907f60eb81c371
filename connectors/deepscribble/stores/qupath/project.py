"""A QuPath project as a store."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from deepscribble.errors import InvalidInput, OutputRefused, StoreConflict
from deepscribble.slides import Slide
from deepscribble.stores.backup import back_up
from deepscribble.stores.files import open_file
from deepscribble.stores.output import check_permitted, sweep, write_whole
from deepscribble.stores.qupath import palette
from deepscribble.stores.qupath.data import (
    FILE,
    parse_data,
    read_data,
    to_data,
    to_image_data,
    to_summary,
    version_of,
)
from deepscribble.stores.qupath.images import describe_image, opened
from deepscribble.stores.qupath.objects import apply_edit, check_results, features_of
from deepscribble.stores.qupath.runtime import failing_as, java_errors, qupath_version
from deepscribble.stores.sorting import sort_features
from deepscribble.stores.store import Content, Edit, Query, StoreImage

LOCK = ".deepscribble-write.lock"
"""Held by whoever writes to a project; the system lets go of it when its process ends."""

PATIENCE = 20.0
"""Seconds that a writer waits for another one."""

SUMMARY = "summary.json"


def open_project(path: str | os.PathLike[str]) -> ProjectStore:
    """The store of a QuPath project; starts QuPath's classes.

    Args:
        path: The `.qpproj` file.

    Raises:
        InvalidInput: it is missing or damaged, or QuPath is of an unsupported version.
        NotFound: paquo or QuPath is not installed.
    """
    file = Path(path).absolute()
    if not file.is_file():
        raise InvalidInput(str(file), "no such project; name the .qpproj file of a QuPath project")
    qupath_version()
    return ProjectStore(file)


class ProjectStore:
    """The images of a QuPath project, each with its `data.qpdata`.

    Every call opens the project anew, so that what QuPath changed meanwhile is seen. One lock keeps
    Java to one thread at a time.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._java = threading.RLock()
        self._entries()

    @property
    def folder(self) -> Path:
        """The folder of the project file."""
        return self._file.parent

    def images(self) -> tuple[StoreImage, ...]:
        """As `Store.images`."""
        with self._java, failing_as(partial(InvalidInput, str(self._file))):
            return tuple(describe_image(entry) for entry in self._entries().values())

    def open(self, image: StoreImage, mpp: float | None) -> Slide:
        """As `Store.open`."""
        return open_file(image, mpp)

    def read(self, image: StoreImage, query: Query) -> Content:
        """As `Store.read`."""
        with self._java:
            folder = _folder_of(self._entry(image))
            data = read_data(folder, image.name)
            stored = parse_data(data, folder / FILE, image.name)
            with failing_as(partial(InvalidInput, image.name)):
                features = features_of(stored.hierarchy, query, image.name)
        return sort_features(features, query, image.name).content(version_of(data))

    def check(self, image: StoreImage) -> None:
        """As `Store.check`."""
        with self._java:
            check_permitted(_folder_of(self._entry(image)) / FILE)

    def write(self, image: StoreImage, edit: Edit, seen: str) -> str:
        """As `Store.write`."""

        def refused(reason: str) -> OutputRefused:
            return OutputRefused(f"{image.name}: {reason}; nothing was written")

        with self._java, _only_writer(self.folder):
            entry = self._entry(image)
            path = _folder_of(entry) / FILE
            before = read_data(path.parent, image.name)
            _check_seen(path, image.name, seen)
            check_permitted(path)
            with failing_as(refused), opened(entry, image.name) as server:
                size = (int(server.getWidth()), int(server.getHeight()))
                check_results((*edit.added, *edit.updated), size, image.name)
                stored = parse_data(before, path, image.name)
                wanted = _census(stored.hierarchy)
                apply_edit(stored.hierarchy, edit, image.name)
                image_data = to_image_data(stored, server, path)
                after, summary = to_data(image_data), to_summary(image_data)
                found = _census(parse_data(after, path, image.name).hierarchy)
            wanted.subtract(edit.removed)
            wanted.update(result.id for result in edit.added)
            if +wanted != +found:
                raise refused("QuPath did not store what it was given")
            self._list_classes(edit)
            self._replace(path, before, after, image.name, seen)
            summary["timestamp"] = path.stat().st_mtime_ns // 1_000_000
            # The annotations are in their place, and nobody reads the summary of them.
            with suppress(OutputRefused):
                write_whole(path.with_name(SUMMARY), json.dumps(summary).encode())
        return version_of(after)

    def close(self) -> None:
        """As `Store.close`; nothing is held between calls."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _entries(self) -> dict[str, Any]:
        """QuPath's `ProjectImageEntry` by id, of the project as it is now."""
        from paquo.projects import QuPathProject

        try:
            project = QuPathProject(self._file, mode="r")
        except java_errors() as error:
            reason = str(error).splitlines()[0]
            raise InvalidInput(
                str(self._file),
                f"QuPath cannot open the project ({reason}); QuPath keeps a copy of the file "
                f"before this one in {self._file.name}.backup",
            ) from error
        return {entry.entry_id: entry.java_object for entry in project.images}

    def _entry(self, image: StoreImage) -> Any:
        entry = self._entries().get(image.id)
        if entry is None:
            raise InvalidInput(image.name, f"{self._file} no longer has this image")
        return entry

    def _replace(self, path: Path, before: bytes, after: bytes, where: str, seen: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path.parent, error) from error
        sweep(path.parent)
        if before:
            back_up(self.folder, path, before)
        write_whole(path, after, check=lambda: _check_seen(path, where, seen))

    def _list_classes(self, edit: Edit) -> None:
        file = self.folder / palette.FILE
        before = file.read_bytes() if file.exists() else b""
        names = sorted({result.class_name for result in edit.added})
        longer = palette.with_classes(before, names, str(file))
        if longer is not None:
            if before:
                back_up(self.folder, file, before)
            write_whole(file, longer)


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / LOCK, timeout=PATIENCE)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputRefused(
            f"{folder}: another DeepScribble is writing to this project; run again when it is done"
        ) from error
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _unwritable(folder: Path, error: OSError) -> OutputRefused:
    return OutputRefused(
        f"{folder}: the project cannot be written ({error.strerror}); make the folder and all in "
        "it writable"
    )


def _folder_of(entry: Any) -> Path:
    return Path(str(entry.getEntryPath().toString()))


def _census(hierarchy: Any) -> Counter[str]:
    """How often each annotation's id is there, and under "" how many other objects."""
    annotations = hierarchy.getAnnotationObjects()
    found = Counter(str(annotation.getID().toString()) for annotation in annotations)
    found[""] = int(hierarchy.nObjects()) - int(annotations.size())
    return found


def _check_seen(path: Path, where: str, seen: str) -> None:
    if version_of(read_data(path.parent, where)) != seen:
        raise StoreConflict(
            f"{where}: {path} changed since it was read, so it was left alone; save and close the "
            "image in QuPath, then run again"
        )
