"""RefineNet by the product's own road: the engine that answers every request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deepscribble.benchmark.cases import guide_for
from deepscribble.benchmark.method import Case, Session
from deepscribble.engine import Engine, complete
from deepscribble.geometry import Polygon, Region, Stroke


class RefineNet:
    """GuideNet's first guess, corrected by RefineNet.

    Args:
        engine: What answers; it runs where the other methods do.
        refine_model: Name of a RefineNet; empty for the default.
    """

    name = "RefineNet"
    free_strokes = 0

    def __init__(self, engine: Engine, refine_model: str = "") -> None:
        self._engine = engine
        self._refine_model = refine_model

    def start(self, case: Case) -> Session:
        """A session on `case`: the pixels are sent, and its target's GuideNet makes a guess.

        Raises:
            UnknownModel: no GuideNet has the target.
        """
        region, guide = case.grid.region, guide_for(self._engine, case.target).name
        region_id = self._engine.keep(case.rgb)
        work = self._engine.segment(region, region_id, guide_model=guide)
        outline = complete(work, self._engine.network)
        return _EngineSession(
            outline.polygons, self._engine, region, region_id, guide, self._refine_model
        )


@dataclass(frozen=True, slots=True, eq=False)
class _EngineSession:
    first: tuple[Polygon, ...]
    engine: Engine
    region: Region
    region_id: str
    guide_model: str
    refine_model: str

    def correct(self, strokes: Sequence[Stroke]) -> tuple[Polygon, ...]:
        """The outline after `strokes`."""
        # Generated strokes of several rounds share their ids.
        drawn = [replace(stroke, id=str(number)) for number, stroke in enumerate(strokes)]
        work = self.engine.refine(
            self.region,
            self.region_id,
            drawn,
            guide_model=self.guide_model,
            refine_model=self.refine_model,
        )
        return complete(work, self.engine.network).polygons
