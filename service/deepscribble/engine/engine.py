"""Pixels and strokes in, outlines out: what every face of the server calls.

The road of a request: pixels (by id, or sent along) are resampled to the model's scale; GuideNet
or polygons give the prior; strokes become distance fields; RefineNet redraws the tiles that they
reach; the guarantees are laid over its answer; the outline goes back to level 0. Each step is
kept in the region cache, so that a further stroke costs its own surroundings only.

Thread-safe. Lock order: a drawing's own lock, then a model's; the cache's lock is never held while
another is taken.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepscribble.engine.cache import RegionCache
from deepscribble.engine.drawing import Drawing
from deepscribble.engine.guess import (
    Guess,
    Scaled,
    guess_by_guide,
    guess_from_polygons,
    scale_pixels,
)
from deepscribble.engine.limits import Limits, check_limit
from deepscribble.errors import InvalidInput, OutlineForgotten, RegionForgotten
from deepscribble.geometry import Grid, ModelRef, Outline, Polygon, Region, Stroke, Warning
from deepscribble.models import SHIPPED, Card, Kind, Model, Registry, choose_device, describe

_COARSE = 1.5
"""Pixels this many times coarser than the model's scale are worth a warning."""


class Engine:
    """The service without its wire.

    Args:
        registry: The models.
        device: `auto`, `cpu`, `cuda` or `mps`.
        limits: What to refuse.
    """

    def __init__(self, registry: Registry, device: str, limits: Limits) -> None:
        self.registry = registry
        self.limits = limits
        self._device = choose_device(device)
        self._cache = RegionCache(limits.cache_bytes)
        self._models: dict[str, Model] = {}
        self._loading = threading.Lock()

    @classmethod
    def open(
        cls, models: Path | None = None, device: str = "auto", limits: Limits | None = None
    ) -> Engine:
        """An engine on a folder of models (the shipped ones by default), its defaults loaded.

        Raises:
            ModelRefused: missing or damaged models.
            InvalidInput: the device is not there.
        """
        engine = cls(Registry(models or SHIPPED), device, limits or Limits())
        kinds: set[Kind] = {card.kind for card in engine.cards()}
        for kind in sorted(kinds):
            engine._model(engine.registry.card("", kind))
        return engine

    @property
    def device(self) -> str:
        """Where the networks run, in words."""
        return describe(self._device)

    @property
    def precision(self) -> str:
        """ "bfloat16" if a loaded model runs in it, else "float32"."""
        # A copy, since another thread may just load one.
        loaded = tuple(self._models.values())
        return max((model.precision for model in loaded), default="float32", key=len)

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
        check_limit(rows * columns, self.limits.image_pixels, "pixels", "send a smaller region")
        check_limit(
            rgb.nbytes, self.limits.cache_bytes, "pixels, as bytes", "start with a larger cache"
        )
        image = _Image(np.ascontiguousarray(rgb))
        digest = hashlib.sha256(f"{rows} {columns} ".encode())
        digest.update(image.rgb.data)
        region_id = digest.hexdigest()
        if self._cache.get(region_id, _Image) is None:
            self._cache.put(region_id, image)
        return region_id

    def segment(
        self,
        region: Region,
        pixels: str | NDArray[np.uint8],
        *,
        guide_model: str = "",
        return_probability: bool = False,
    ) -> Outline:
        """The first outline of a region, by GuideNet.

        Args:
            region: Where the pixels lie.
            pixels: A region id that `keep` gave, or (rows, columns, 3) uint8 that cover the region
                edge to edge.
            guide_model: Name of a GuideNet; empty for the default.
            return_probability: Whether the answer holds the probability map.

        Raises:
            RegionForgotten: the pixels of this id are no longer here.
            UnknownModel, InvalidInput, LimitExceeded: as they say.
        """
        watch = _Watch()
        source = self._source(pixels)
        card = self.registry.card(guide_model, "guide")
        model = self._model(card)
        grid = self._grid(region, card)
        with watch("resample"):
            self._scaled(source, region, card)
        with watch("guide"):
            guess = self._guess(source, region, card, grid, card.threshold)
        return Outline(
            polygons=guess.pieces.polygons,
            region_id=source.region_id,
            models=(_ref(card),),
            milliseconds=watch.read(),
            warnings=_coarse(source.image, region, card) + _precision(model),
            probability=guess.probability.copy() if return_probability else None,
            outline_id=guess.outline_id,
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
    ) -> Outline:
        """The outline of a region after all strokes drawn on it, oldest first.

        Args:
            region: Where the pixels lie.
            pixels: As for `segment`.
            strokes: Level-0 pixels; where they overlap the newer wins.
            prior: Polygons to start from in place of GuideNet's guess, level-0 pixels.
            guide_model: Name of a GuideNet; empty for the default. Not run with a prior.
            refine_model: Name of a RefineNet; empty for the default.
            return_probability: Whether the answer holds the probability map.
            known_outline: Id of an earlier outline of the region; if it is still known here, the
                answer says what changed since.
            known_strokes: How many strokes of the known outline come before `strokes`.

        Raises:
            OutlineForgotten: `known_strokes` are asked for of an outline that is not known here.
            And as `segment`.
        """
        if not strokes and not known_strokes and prior is None:
            return self.segment(
                region, pixels, guide_model=guide_model, return_probability=return_probability
            )
        self._check_counts(strokes, prior or ())
        watch = _Watch()
        source = self._source(pixels)
        card = self.registry.card(refine_model, "refine")
        model = self._model(card)
        grid = self._grid(region, card)
        with watch("resample"):
            scaled = self._scaled(source, region, card)
        used = [card]
        if prior is None:
            guide = self.registry.card(guide_model, "guide")
            used.insert(0, guide)
            with watch("guide"):
                guess = self._guess(source, region, guide, grid, card.threshold)
        else:
            with watch("prior"):
                guess = guess_from_polygons(prior, grid, card.threshold)
        key = ("drawing", source.region_id, region, card.name, guess.outline_id)
        drawing = self._cache.get_or_make(key, Drawing, lambda: Drawing(model, scaled, guess))
        with drawing.lock:
            with watch("fields"):
                if known_strokes:
                    strokes = (*_recalled(drawing, known_outline, known_strokes), *strokes)
                    self._check_counts(strokes)
                drawing.apply(strokes)
            with watch("refine"):
                drawing.refine()
            with watch("outline"):
                drawing.outline()
                change = drawing.change_since(known_outline)
            # It has grown, so that others may have to go.
            self._cache.put(key, drawing)
            return Outline(
                polygons=drawing.pieces.polygons,
                region_id=source.region_id,
                models=tuple(_ref(card) for card in used),
                milliseconds=watch.read(),
                warnings=(
                    *_coarse(source.image, region, card),
                    *_precision(model),
                    *_clipped(prior or (), region),
                    *drawing.warnings,
                ),
                stroke_ids=drawing.stroke_ids,
                probability=drawing.probability.copy() if return_probability else None,
                outline_id=drawing.outline_id,
                change=change,
            )

    def _model(self, card: Card) -> Model:
        with self._loading:
            # By name: two cards may describe the same weights, each with its own reach or scale.
            if card.name not in self._models:
                self._models[card.name] = self.registry.load(card, self._device)
            return self._models[card.name]

    def _source(self, pixels: str | NDArray[np.uint8]) -> _Source:
        region_id = pixels if isinstance(pixels, str) else self.keep(pixels)
        image = self._cache.get(region_id, _Image)
        if image is None:
            raise RegionForgotten(
                f"region_id {region_id[:16]!r}: these pixels are not here (any more); "
                "send them again"
            )
        return _Source(region_id, image)

    def _grid(self, region: Region, card: Card) -> Grid:
        grid = Grid.at(region, card.mpp)
        check_limit(
            grid.width * grid.height,
            self.limits.model_pixels,
            f"region at {card.mpp:g} µm per pixel",
            "split it into smaller regions",
        )
        return grid

    def _scaled(self, source: _Source, region: Region, card: Card) -> Scaled:
        _check_aspect(source.image, region)
        return self._cache.get_or_make(
            ("scaled", source.region_id, region, card.mpp),
            Scaled,
            lambda: scale_pixels(source.image.rgb, self._grid(region, card)),
        )

    def _guess(
        self, source: _Source, region: Region, card: Card, grid: Grid, threshold: float
    ) -> Guess:
        """GuideNet's guess on `grid`, from the cache where it is known."""
        return self._cache.get_or_make(
            ("guess", source.region_id, grid, card.name, threshold),
            Guess,
            lambda: guess_by_guide(
                self._model(card), self._scaled(source, region, card), grid, threshold
            ),
        )

    def _check_counts(self, strokes: Sequence[Stroke], prior: Sequence[Polygon] = ()) -> None:
        split = "send fewer, or split the region"
        check_limit(len(strokes), self.limits.strokes, "strokes", split)
        points = sum(len(part) for stroke in strokes for part in stroke.parts)
        check_limit(points, self.limits.points, "points of all strokes", split)
        points = sum(len(ring) for polygon in prior for ring in polygon.rings)
        check_limit(points, self.limits.points, "points of the prior", split)


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    """Pixels as they were sent."""

    rgb: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        return self.rgb.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """Pixels and the id that stands for them."""

    region_id: str
    image: _Image


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
    strokes = drawing.strokes_of(known)
    if strokes is None:
        raise OutlineForgotten(
            f"known_outline {known[:16]!r}: this outline is not here (any more); send all strokes"
        )
    if not 0 < count <= len(strokes):
        raise InvalidInput(
            "known_strokes", f"{count} of an outline that came of {len(strokes)} strokes"
        )
    return strokes[:count]


def _check_aspect(image: _Image, region: Region) -> None:
    """Refuse pixels whose shape does not fit the region, give or take a pixel of rounding."""
    rows, columns = image.rgb.shape[:2]
    across, down = region.width / columns, region.height / rows
    if abs(across / down - 1) > 0.01 + 1.5 / min(rows, columns):
        raise InvalidInput(
            "pixels",
            f"{columns} x {rows} pixels do not fit a region of {region.width} x {region.height} "
            "level-0 pixels; send pixels that cover it edge to edge",
        )


def _coarse(image: _Image, region: Region, card: Card) -> tuple[Warning, ...]:
    mpp = region.mpp * region.width / image.rgb.shape[1]
    if mpp <= card.mpp * _COARSE:
        return ()
    return (
        Warning(
            "PIXELS_COARSER_THAN_MODEL",
            f"the pixels have {mpp:.3g} µm each, {card.name} runs at {card.mpp:g}; they were "
            "enlarged, which shows it less than it was trained to see",
        ),
    )


def _clipped(prior: Sequence[Polygon], region: Region) -> tuple[Warning, ...]:
    """What of a prior lies over the region's border."""
    low = np.array([region.x, region.y])
    high = np.array([region.x + region.width, region.y + region.height])
    over = sum(
        bool((polygon.exterior < low).any() or (polygon.exterior > high).any()) for polygon in prior
    )
    if not over:
        return ()
    return (
        Warning(
            "PRIOR_CLIPPED",
            f"{over} of {len(prior)} polygons to start from reach over the region's border or lie "
            "outside of it; only what is inside counts",
        ),
    )


def _precision(model: Model) -> tuple[Warning, ...]:
    if model.bfloat16_difference is None or model.precision == "bfloat16":
        return ()
    return (
        Warning(
            "PRECISION_FALLBACK",
            f"{model.card.name} runs in float32: in bfloat16 its answers differ by "
            f"{model.bfloat16_difference:.3f} on average",
        ),
    )
