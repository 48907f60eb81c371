"""An engine whose work is done in the caller's thread, for tests that need no server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepscribble.engine import Engine, complete
from deepscribble.geometry import Outline
from deepscribble.settings import Settings


class Direct:
    """`Engine` with answers in place of work."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def segment(self, *arguments: Any, **options: Any) -> Outline:
        return complete(self.engine.segment(*arguments, **options), self.engine.network)

    def refine(self, *arguments: Any, **options: Any) -> Outline:
        return complete(self.engine.refine(*arguments, **options), self.engine.network)


def opened(models: Path | None, device: str = "cpu", settings: Settings | None = None) -> Direct:
    return Direct(Engine.open(models, device, settings))
