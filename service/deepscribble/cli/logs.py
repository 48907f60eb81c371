"""What commands that run on and on say as they go: lines for people, objects for machines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class JsonLines(logging.Formatter):
    """Records as JSON, an object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        return json.dumps({"level": record.levelname, "message": record.getMessage()})


@contextmanager
def logged(as_json: bool) -> Iterator[None]:
    """Let DeepScribble speak while the block runs: people on stderr, machines on stdout."""
    handler = logging.StreamHandler(sys.stdout if as_json else sys.stderr)
    handler.setFormatter(JsonLines() if as_json else logging.Formatter("%(message)s"))
    log = logging.getLogger("deepscribble")
    propagates = log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    # Some libraries give the root a handler of their own, which would say all once more.
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = propagates
        log.removeHandler(handler)
