"""An engine that computes nothing, for tests of the transport: limits, errors, forgetting.

Run as a program it serves on a port until it is killed: `standin.py HOST:PORT [--slow]`.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepscribble.errors import RegionForgotten, UnknownModel
from deepscribble.geometry import ModelRef, Outline, Polygon, Region, Stroke, Warning
from deepscribble.settings import Settings

if TYPE_CHECKING:
    from deepscribble.engine import Work


LIMITS = {
    "image_pixels": 4_000_000,
    "model_pixels": 4_000_000,
    "upload_bytes": 16_000_000,
    "message_bytes": 4 * 1024 * 1024,
    "strokes": 1000,
    "points": 100_000,
    "pending_requests": 4,
    "cache_bytes": 1_000_000,
    "host_threads": 1,
}


def settings(**changes: int) -> Settings:
    """Small limits."""
    return Settings(**{**LIMITS, **changes})


@dataclass(frozen=True)
class StandInCard:
    name: str
    kind: str
    digest: str = "sha256:00"
    mpp: float = 1.0
    patch_size: int = 256
    threshold: float = 0.5
    influence_radius: float = 0.0

    def model_dump_json(self) -> str:
        return json.dumps({"name": self.name, "training": {"licence": "CC0"}})


class StandInEngine:
    """Answers the region's rectangle, or the prior, whatever was drawn.

    `calls` are the model names that it was asked for; while `gate` is not set it works on.
    `failure` is raised in place of an answer.
    """

    device = "cpu"
    precision = "float32"

    network = None

    def __init__(self, **limits: int) -> None:
        self.settings = settings(**limits)
        self.pixels: dict[str, NDArray[np.uint8]] = {}
        self.strokes: Sequence[Stroke] = ()
        self.calls: list[str] = []
        self.uploads = 0
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None

    def close(self) -> None:
        pass

    def cards(self) -> tuple[StandInCard, ...]:
        return (
            StandInCard("guide-tumor", "guide"),
            StandInCard("guide-other", "guide"),
            StandInCard("refine", "refine", patch_size=384, influence_radius=128.0),
        )

    def default(self, kind: str) -> str:
        return {"guide": "guide-tumor", "refine": "refine"}[kind]

    def keep(self, rgb: NDArray[np.uint8]) -> str:
        self.uploads += 1
        region_id = hashlib.sha256(rgb.tobytes()).hexdigest()
        self.pixels[region_id] = rgb
        return region_id

    def segment(
        self,
        region: Region,
        pixels: str | NDArray[np.uint8],
        *,
        guide_model: str = "",
        return_probability: bool = False,
    ) -> Work[Outline]:
        return self.refine(
            region, pixels, (), guide_model=guide_model, return_probability=return_probability
        )

    def refine(
        self,
        region: Region,
        pixels: str | NDArray[np.uint8],
        strokes: Sequence[Stroke],
        *,
        prior: Sequence[Polygon] | None = None,
        guide_model: str = "",
        refine_model: str = "",
        return_probability: bool = False,
        known_outline: str = "",
        known_strokes: int = 0,
    ) -> Work[Outline]:
        yield from ()
        self.calls.append(guide_model)
        self.strokes = strokes
        self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if guide_model not in ("", *(card.name for card in self.cards())):
            raise UnknownModel(f"no guide model is called {guide_model!r}")
        region_id = pixels if isinstance(pixels, str) else self.keep(pixels)
        if region_id not in self.pixels:
            raise RegionForgotten(f"the pixels of {region_id!r} are not here; send them again")
        left, top = region.x, region.y
        right, bottom = left + region.width, top + region.height
        whole = Polygon(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]))
        rows, columns = self.pixels[region_id].shape[:2]
        return Outline(
            polygons=(whole,) if prior is None else tuple(prior),
            region_id=region_id,
            models=(ModelRef(refine_model or "refine", "sha256:00"),),
            milliseconds={"refine": 1.0, "total": 1.0},
            warnings=tuple(Warning("STROKE_CLIPPED", "cut", stroke.id) for stroke in strokes[:1]),
            stroke_ids=tuple(stroke.id for stroke in strokes),
            probability=np.full((rows, columns), 0.25, np.float32) if return_probability else None,
        )


def main() -> None:
    from deepscribble.server.app import background

    engine = StandInEngine()
    if "--slow" in sys.argv:
        engine.gate.clear()
    with background(lambda: engine, engine.settings.message_bytes, sys.argv[1]) as target:
        sys.stdout.write(f"{target}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
