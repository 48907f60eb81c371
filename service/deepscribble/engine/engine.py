"""Pixels and strokes in, outlines out: what every transport of the server calls.

A region at the model's scale is a lattice of cells. GuideNet or polygons give the prior of a cell
when it is first needed; each stroke is one step of RefineNet on tiles along it (`drawing`); the
outline is traced in the cells that changed, and goes back to level 0. Answers are work in stages
(`work`): the engine has no threads, and whoever drives the work says where it runs.

Thread-safe: requests share the store, which locks itself, and each has its drawing alone.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepscribble.contour import Contour, read_array
from deepscribble.engine.checks import check_aspect, check_ids, check_limit
from deepscribble.engine.drawing import Canvas, Drawing
from deepscribble.engine.drawings import Drawings
from deepscribble.engine.notes import clipped_prior, coarse_pixels, precision_fallback
from deepscribble.engine.prior import GuidePrior, PolygonPrior, Prior
from deepscribble.engine.source import Source, UploadedPixels
from deepscribble.engine.store import Store
from deepscribble.engine.work import Work
from deepscribble.errors import InvalidInput, OutlineForgotten, RegionForgotten
from deepscribble.geometry import Grid, ModelRef, Outline, Polygon, Region, Stroke
from deepscribble.models import (
    SHIPPED,
    Card,
    Kind,
    Model,
    Network,
    Registry,
    choose_device,
)
from deepscribble.raster import Lattice, Window, assemble
from deepscribble.settings import Settings

Pixels = str | NDArray[np.uint8] | Source
"""A region id that `keep` gave, uint8 (rows, columns, 3) edge to edge, or where to read them."""


class Engine:
    """The service without its wire.

    Args:
        registry: The models.
        network: Runs them.
        settings: Limits and budgets.
    """

    def __init__(self, registry: Registry, network: Network, settings: Settings) -> None:
        self.registry = registry
        self.network = network
        self.settings = settings
        self._store = Store(settings.cache_bytes)
        self._drawings = Drawings(self._store, settings.drawings)
        self._precision = "float32"

    @classmethod
    def open(
        cls,
        models: Path | None = None,
        device: str = "auto",
        settings: Settings | None = None,
    ) -> Engine:
        """An engine on a folder of models (the shipped ones by default), its defaults loaded.

        Raises:
            ModelRefused: missing or damaged models.
            InvalidInput: the device is not there.
        """
        registry = Registry(models or SHIPPED)
        network = Network(registry, [choose_device(device)])
        engine = cls(registry, network, settings or Settings())
        kinds: set[Kind] = {card.kind for card in engine.cards()}
        for kind in sorted(kinds):
            engine._model(registry.card("", kind))
        return engine

    def close(self) -> None:
        """Cancel tiles that wait, and end the network's threads."""
        self.network.close()

    @property
    def device(self) -> str:
        """Where the networks run, in words."""
        return ", ".join(self.network.devices)

    @property
    def precision(self) -> str:
        """ "bfloat16" if a loaded model runs in it, else "float32"."""
        return self._precision

    def cards(self) -> tuple[Card, ...]:
        """The cards of all models that answer; what is only measured is not among them."""
        return tuple(card for card in self.registry.cards() if card.kind != "ablation")

    def default(self, kind: Kind) -> str:
        """The name of the model that answers where a request names none."""
        return self.registry.default(kind)

    def keep(self, rgb: NDArray[np.uint8]) -> str:
        """Remember the pixels of a region; returns the id that stands for them.

        Args:
            rgb: (rows, columns, 3) uint8.

        Raises:
            InvalidInput: not RGB bytes, or empty.
            LimitExceeded: more pixels than allowed, or more bytes than the cache holds.
        """
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
            raise InvalidInput(
                "pixels", f"not (rows, columns, 3) uint8 but {rgb.shape} {rgb.dtype}"
            )
        rows, columns = rgb.shape[:2]
        check_limit(
            rows * columns, self.settings, "image_pixels", "pixels", "send a smaller region"
        )
        check_limit(
            rgb.nbytes, self.settings, "cache_bytes", "pixels, as bytes", "give the cache more"
        )
        pixels = np.ascontiguousarray(rgb)
        digest = hashlib.sha256(f"{rows} {columns} ".encode())
        digest.update(pixels.data)
        region_id = digest.hexdigest()
        if self._store.get(region_id) is None:
            self._store.put(region_id, pixels, pixels.nbytes)
        return region_id

    def segment(
        self,
        region: Region,
        pixels: Pixels,
        *,
        guide_model: str = "",
        return_probability: bool = False,
    ) -> Work[Outline]:
        """The first outline of a region, by GuideNet.

        Args:
            region: Where the pixels lie.
            pixels: They cover the region edge to edge.
            guide_model: Name of a GuideNet; empty for the default.
            return_probability: Whether the answer holds the probability map.

        Raises:
            RegionForgotten: the pixels of this id are no longer here.
            UnknownModel, InvalidInput, LimitExceeded: as they say.
        """
        watch = _Watch()
        source = self._source(pixels, region)
        card = self.registry.card(guide_model, "guide")
        model = self._model(card)
        grid = self._whole_grid(region, card)
        prior = self._guide_prior(source, region, card, grid)
        with watch("guide"):
            contour = yield from self._contour(prior, grid, card.threshold)
            probability = None
            if return_probability:
                probability = yield from _whole(prior)
        return Outline(
            polygons=contour.polygons,
            region_id=source.id,
            models=(_ref(card),),
            milliseconds=watch.read(),
            warnings=coarse_pixels(source, region, card) + precision_fallback(model),
            probability=probability,
            outline_id=_outline_id(prior, card.threshold),
        )

    def refine(
        self,
        region: Region,
        pixels: Pixels,
        strokes: Sequence[Stroke],
        *,
        prior: Sequence[Polygon] | None = None,
        guide_model: str = "",
        refine_model: str = "",
        return_probability: bool = False,
        known_outline: str = "",
        known_strokes: int = 0,
        whole: bool = True,
    ) -> Work[Outline]:
        """The outline of a region after all strokes drawn on it, oldest first.

        Args:
            region: Where the pixels lie.
            pixels: As for `segment`.
            strokes: Level-0 pixels; where they overlap the newer wins.
            prior: Polygons to start from in place of GuideNet's answer, level-0 pixels.
            guide_model: Name of a GuideNet; empty for the default. Not run with a prior.
            refine_model: Name of a RefineNet; empty for the default.
            return_probability: Whether the answer holds the probability map.
            known_outline: Id of an earlier outline of the region; if it is still known here, the
                answer says what changed since.
            known_strokes: How many strokes of the known outline come before `strokes`.
            whole: Whether to outline the whole region. If not, only the cells that strokes reach
                are computed and outlined, so that a region may be of any size; polygons end where
                those cells end.

        Raises:
            OutlineForgotten: `known_strokes` are asked for of an outline that is not known here.
            And as `segment`.
        """
        if not strokes and not known_strokes and prior is None and whole:
            outline = yield from self.segment(
                region, pixels, guide_model=guide_model, return_probability=return_probability
            )
            return outline
        self._check_counts(strokes, prior or ())
        watch = _Watch()
        source = self._source(pixels, region)
        card = self.registry.card(refine_model, "refine")
        model = self._model(card)
        if 2 * card.influence_radius + _ROOM > card.patch_size:
            raise InvalidInput(
                "refine_model",
                f"{card.name}: strokes reach {card.influence_radius:g} pixels, too far for tiles "
                f"of {card.patch_size}; use another model",
            )
        grid = self._whole_grid(region, card) if whole else Grid.at(region, card.mpp)
        used = [card]
        base: Prior
        if prior is None:
            guide = self.registry.card(guide_model, "guide")
            used.insert(0, guide)
            self._model(guide)
            base = self._guide_prior(source, region, guide, grid)
        else:
            base = PolygonPrior(prior, grid)
        contour = None
        if whole:
            with watch("guide" if prior is None else "prior"):
                contour = yield from self._contour(base, grid, card.threshold)
        canvas = Canvas(
            source,
            grid,
            card,
            base,
            _outline_id(base, card.threshold, "" if whole else "reached"),
            self.network.kind,
            contour,
            self._store,
            self.settings,
        )
        key = (canvas.outline_id, source.id, card.name, card.digest)
        with self._drawings.acquire(
            key, known_outline, strokes, lambda: Drawing(canvas)
        ) as drawing:
            with watch("refine"):
                if known_strokes:
                    strokes = (*_recalled(drawing, known_outline, known_strokes), *strokes)
                    self._check_counts(strokes)
                check_ids(strokes, known_strokes)
                yield from drawing.follow(strokes)
            probability = None
            with watch("outline"):
                yield from drawing.outline()
                if return_probability:
                    probability = yield from drawing.probability()
                change = drawing.change_since(known_outline)
            return Outline(
                polygons=drawing.polygons,
                region_id=source.id,
                models=tuple(_ref(card) for card in used),
                milliseconds=watch.read(),
                warnings=(
                    *coarse_pixels(source, region, card),
                    *precision_fallback(model),
                    *clipped_prior(prior or (), region),
                    *drawing.warnings,
                ),
                stroke_ids=drawing.stroke_ids,
                probability=probability,
                outline_id=drawing.outline_id,
                change=change,
            )

    def _model(self, card: Card) -> Model:
        model = self.network.load(card)
        self._precision = max(self._precision, model.precision, key=len)
        return model

    def _source(self, pixels: Pixels, region: Region) -> Source:
        if isinstance(pixels, np.ndarray):
            pixels = self.keep(pixels)
        if not isinstance(pixels, str):
            return pixels
        rgb = self._store.get(pixels)
        if not isinstance(rgb, np.ndarray):
            raise RegionForgotten(
                f"region_id {pixels[:16]!r}: these pixels are not here (any more); send them again"
            )
        check_aspect(rgb, region)
        return UploadedPixels(pixels, rgb, self._store)

    def _whole_grid(self, region: Region, card: Card) -> Grid:
        grid = Grid.at(region, card.mpp)
        check_limit(
            grid.width * grid.height,
            self.settings,
            "model_pixels",
            f"region at {card.mpp:g} µm per pixel",
            "split it into smaller regions",
        )
        return grid

    def _guide_prior(self, source: Source, region: Region, card: Card, grid: Grid) -> Prior:
        own = Grid.at(region, card.mpp)
        return GuidePrior(source, card, own, grid, self.network.kind, self._store)

    def _contour(self, prior: Prior, grid: Grid, threshold: float) -> Work[Contour]:
        """The outline of a whole prior."""
        key = (prior.id, threshold, "contour")
        contour: Contour | None = self._store.get(key)
        if contour is None:
            probability = yield from _whole(prior)
            contour = Contour(grid, threshold)
            contour.update(
                [Window(0, 0, *grid.shape)], lambda window: read_array(probability, window)
            )
            self._store.put(key, contour, contour.nbytes)
        return contour

    def _check_counts(self, strokes: Sequence[Stroke], prior: Sequence[Polygon] = ()) -> None:
        split = "send fewer, or split the region"
        settings = self.settings
        check_limit(len(strokes), settings, "strokes", "strokes", split)
        points = sum(len(part) for stroke in strokes for part in stroke.parts)
        check_limit(points, settings, "points", "points of all strokes", split)
        points = sum(len(ring) for polygon in prior for ring in polygon.rings)
        check_limit(points, settings, "points", "points of the prior", split)


_ROOM = 64
"""Pixels that a tile has for the stroke itself between its reach on both sides."""


def _whole(prior: Prior) -> Work[NDArray[np.float32]]:
    """A prior over its whole grid."""
    lattice: Lattice = prior.lattice
    cells = yield from prior.cells(lattice.all())
    return assemble(Window(0, 0, *lattice.shape), lattice, cells.get, np.float32(0))


def _outline_id(prior: Prior, threshold: float, scope: str = "") -> str:
    """Names a first outline by all that it follows from, never by the answer itself."""
    return hashlib.sha256(f"{prior.id} {threshold!r} {scope}".encode()).hexdigest()


class _Watch:
    """Milliseconds of each stage of one request."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        spent = (time.perf_counter() - start) * 1e3
        self._stages[stage] = self._stages.get(stage, 0.0) + spent

    def read(self) -> dict[str, float]:
        """All stages so far, and the whole as `total`."""
        return {**self._stages, "total": (time.perf_counter() - self._start) * 1e3}


def _ref(card: Card) -> ModelRef:
    return ModelRef(card.name, card.digest)


def _recalled(drawing: Drawing, known: str, count: int) -> tuple[Stroke, ...]:
    """The first `count` strokes of a known outline."""
    outline = drawing.recall(known)
    if outline is None:
        raise OutlineForgotten(
            f"known_outline {known[:16]!r}: this outline is not here (any more); send all strokes"
        )
    strokes = outline.strokes
    if not 0 < count <= len(strokes):
        raise InvalidInput(
            "known_strokes", f"{count} of an outline that came of {len(strokes)} strokes"
        )
    return strokes[:count]
