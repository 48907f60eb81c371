"""A file that says how a job that runs for ever is, and whose age says whether it lives."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deepscribble.errors import OutputRefused
from deepscribble.stores import write_whole

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """Keeps the file.

    Args:
        path: The file; None for none.
    """

    path: Path | None

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace the file, whole; a disk that is full is no reason to stop working.

        Args:
            state: What it says besides the time and the process.
        """
        if self.path is None:
            return
        time = datetime.now(UTC).isoformat(timespec="seconds")
        document = {"time": time, "process": os.getpid(), **state}
        try:
            write_whole(self.path, json.dumps(document, ensure_ascii=False).encode() + b"\n")
        except OutputRefused as error:
            LOG.warning("%s", error)
