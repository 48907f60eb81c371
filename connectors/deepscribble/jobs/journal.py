"""The journal of a store: a JSON object a line for all that was done, never rewritten.

Before an image is written a line says what will change and why (`"event": "change"`), after it a
line says that it was (`"event": "done"`). So a run that was killed can be told from one that was
not, each annotation can be explained, and what came before can be brought back.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepscribble.errors import OutputRefused

NAME = "deepscribble-journal.jsonl"
"""The file, in the folder of the store."""

DONE = '{"event": "done"'


class Journal:
    """The journal of a folder; nothing is created before the first line is added.

    Lines may be added from several threads.

    Args:
        folder: Where it lies.

    Raises:
        OutputRefused: there is one that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._done: dict[str, Mapping[str, Any]] = {}
        self._is_whole = True
        self._lock = threading.Lock()
        try:
            if not self.path.exists():
                return
            with self.path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
                for line in lines:
                    self._is_whole = line.endswith("\n")
                    # Only these are needed, and the others hold all polygons.
                    if self._is_whole and line.startswith(DONE):
                        self._remember(line)
        except OSError as error:
            raise self._refused(error) from error

    def done(self, image: str, key: str) -> Mapping[str, Any] | None:
        """What was said when an image was last done, if it was done from the same `key`."""
        entry = self._done.get(image)
        return entry if entry is not None and entry.get("key") == key else None

    def add(self, event: str, entry: Mapping[str, Any]) -> None:
        """Add a line, and return when it is on the disk.

        Raises:
            OutputRefused: it cannot be written.
        """
        line = json.dumps({"event": event, **entry}, ensure_ascii=False, allow_nan=False) + "\n"
        with self._lock:
            # A run that was killed may have left half a line, which must not spoil this one.
            data = line.encode() if self._is_whole else b"\n" + line.encode()
            try:
                with self.path.open("ab") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise self._refused(error) from error
            self._is_whole = True
            if line.startswith(DONE):
                self._remember(line)

    def _remember(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            # What a broken line says of an image is not known, so the image is done again.
            return
        self._done[str(entry.get("image"))] = entry

    def _refused(self, error: OSError) -> OutputRefused:
        return OutputRefused(
            f"{self.path}: the journal cannot be kept ({error.strerror or error}); without it "
            "nothing is written"
        )
