"""A region that somebody draws on: its strokes, step by step, and the answer that they lead to.

One stroke is one step: answer_k = answer_(k-1) + reach_k * (refined_k - answer_(k-1)), where
`refined_k` is RefineNet on the image, the prior and the fields of strokes 1 to k, on tiles along
stroke k; then the pixels of all strokes are set. So a further stroke costs the tiles of its own
length, and changes nothing beyond its own reach.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepscribble.contour import Contour
from deepscribble.engine.prior import Cells, Prior
from deepscribble.engine.source import Source
from deepscribble.engine.step import Step, fingerprint
from deepscribble.engine.store import Store
from deepscribble.engine.tiling import blended, compose, padded, tiles_along
from deepscribble.engine.work import Tile, Work
from deepscribble.errors import LimitExceeded
from deepscribble.geometry import Change, Grid, Kind, Polygon, Stroke, Warning
from deepscribble.models import Card, input_channels
from deepscribble.raster import (
    Cell,
    DistanceFields,
    Plane,
    StrokeMask,
    Window,
    assemble,
    crosses_itself,
    draw,
)
from deepscribble.settings import Settings

Field = NDArray[np.float32]

_TOGETHER = 8
"""Strokes whose tiles are asked for at a time: when many come at once, memory stays bounded."""

_NOWHERE = np.float32(np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """What all drawings on one region with one prior share.

    Args:
        source: The pixels.
        grid: At RefineNet's scale.
        card: RefineNet's.
        prior: What is known before any stroke.
        outline_id: Names the prior's outline.
        kind: Of device, since it decides the last bits.
        contour: The prior's outline; None where only what strokes reach is outlined.
        store: Keeps RefineNet's answers.
        settings: Limits.
    """

    source: Source
    grid: Grid
    card: Card
    prior: Prior
    outline_id: str
    kind: str
    contour: Contour | None
    store: Store
    settings: Settings


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """An outline that was answered: its strokes and its polygons."""

    strokes: tuple[Stroke, ...]
    polygons: tuple[Polygon, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Pending:
    """A stroke in the fields whose answer is not there yet.

    `fields` are the two fields of each tile, and `labels` those of each area, right after it.
    """

    step: Step
    fields: tuple[tuple[Field, Field], ...]
    labels: Mapping[Window, NDArray[np.uint8]]


class Drawing:
    """The strokes of one region so far, and the answer after them.

    The answer is a function of pixels, models and the strokes in their order; a drawing made anew
    gives the same bits. Whoever works with a drawing has it alone (`engine.drawings`).

    Attributes:
        canvas: What it is drawn on.
        outline_id: Names its outline.
    """

    def __init__(self, canvas: Canvas) -> None:
        lattice = canvas.prior.lattice
        self.canvas = canvas
        self._fields = DistanceFields(lattice, canvas.card.influence_radius)
        self._answer = Plane(lattice, np.float32(0))
        self._steps: list[Step] = []
        self._changed: list[Window] = []
        self._contour = self._first_contour()
        self._polygons: tuple[Polygon, ...] = self._contour.polygons
        self._known: dict[str, Known] = {}
        self.outline_id = canvas.outline_id

    @property
    def nbytes(self) -> int:
        """Bytes held now, about."""
        steps = sum(step.nbytes for step in self._steps)
        return self._fields.nbytes + self._answer.nbytes + steps + self._contour.nbytes

    @property
    def polygons(self) -> tuple[Polygon, ...]:
        """The outline, as of `follow`."""
        return self._polygons

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """All strokes, oldest first."""
        return tuple(step.stroke for step in self._steps)

    @property
    def stroke_ids(self) -> tuple[str, ...]:
        """The strokes that take part, in the order they were applied."""
        return tuple(step.stroke.id for step in self._steps if step.mask is not None)

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """What was clipped, left out or decided."""
        return tuple(warning for step in self._steps for warning in step.warnings())

    def shared(self, fingerprints: Sequence[bytes]) -> int:
        """How many of its strokes, oldest first, are the same as these."""
        count = 0
        for step, other in zip(self._steps, fingerprints, strict=False):
            if step.fingerprint != other:
                break
            count += 1
        return count

    def __len__(self) -> int:
        return len(self._steps)

    def recall(self, outline_id: str) -> Known | None:
        """An earlier outline, if it is among the last few answered."""
        if outline_id == self.canvas.outline_id and self.canvas.contour is not None:
            return Known((), self.canvas.contour.polygons)
        return self._known.get(outline_id)

    def change_since(self, outline_id: str) -> Change | None:
        """What the outline changes in an earlier one, if that is still known."""
        known = self.recall(outline_id)
        self._known.pop(self.outline_id, None)
        self._known[self.outline_id] = Known(self.strokes, self._polygons)
        for oldest in list(self._known)[: -self.canvas.settings.known_outlines]:
            del self._known[oldest]
        if known is None:
            return None
        return Change.between(outline_id, known.polygons, self._polygons)

    def follow(self, strokes: Sequence[Stroke]) -> Work[None]:
        """Bring the answer up to `strokes`, oldest first.

        Steps that are the same as before are kept; RefineNet runs for the others, but for those
        whose input is one that it has answered already. Given up in the middle, the drawing
        stands after the last whole step.

        Raises:
            LimitExceeded: a stroke covers too many pixels, or needs too many tiles.
        """
        prints = [fingerprint(stroke) for stroke in strokes]
        kept = self._rewind(self.shared(prints))
        # An id may differ where the drawn line is the same: answers name the ids they were sent.
        self._steps[:kept] = [
            replace(step, stroke=stroke)
            for step, stroke in zip(self._steps, strokes[:kept], strict=True)
        ]
        for first in range(kept, len(strokes), _TOGETHER):
            group = range(first, min(first + _TOGETHER, len(strokes)))
            yield from self._advance([(prints[index], strokes[index]) for index in group])

    def outline(self) -> Work[None]:
        """Bring the outline up to the answer."""
        whole = self.canvas.contour is not None
        seen = [window.grown(1, self.canvas.grid.shape) for window in self._changed]
        lattice = self.canvas.prior.lattice
        wanted: set[Cell] = set()
        if whole:
            # A cell is traced whole, with the pixels beside it.
            traced = {cell for window in seen for cell in lattice.meeting(window)}
            around = [lattice.window(cell).grown(1, lattice.shape) for cell in traced]
            wanted = {cell for window in around for cell in lattice.meeting(window)}
        cells = yield from self.canvas.prior.cells(
            sorted(cell for cell in wanted if cell not in self._answer)
        )
        if self._changed:
            self._contour.update(self._changed, lambda window: self._read(window, cells))
            self._polygons = self._contour.polygons
            self._changed = []
        self.outline_id = self._named()

    def probability(self) -> Work[Field]:
        """The answer over the whole grid."""
        lattice = self.canvas.prior.lattice
        missing = [cell for cell in lattice.all() if cell not in self._answer]
        cells = yield from self.canvas.prior.cells(missing)
        return self._read(Window(0, 0, *lattice.shape), cells)

    def _first_contour(self) -> Contour:
        if self.canvas.contour is not None:
            return self.canvas.contour.copy()
        return Contour(self.canvas.grid, self.canvas.card.threshold)

    def _read(self, window: Window, cells: Cells) -> Field:
        """The answer in a window, NaN where it is not known."""

        def get(cell: Cell) -> Field | None:
            held = self._answer.get(cell)
            return cells.get(cell) if held is None else held

        return assemble(window, self.canvas.prior.lattice, get, _NOWHERE)

    def _named(self) -> str:
        """A name for the outline by all that it follows from: prior, strokes, RefineNet."""
        if not self._steps:
            return self.canvas.outline_id
        canvas = self.canvas
        digest = hashlib.sha256(f"{canvas.outline_id} {canvas.source.id} {canvas.kind}".encode())
        digest.update(f"{canvas.card.name} {canvas.card.digest}".encode())
        for step in self._steps:
            digest.update(step.fingerprint + repr(step.stroke.id).encode())
        return digest.hexdigest()

    def _rewind(self, count: int) -> int:
        """Go back to the first `count` steps; returns how many are left, which may be none."""
        leaving = self._steps[count:]
        if any(step.undo is None for step in leaving):
            # What they changed was let go: begin anew. RefineNet's answers may still be kept.
            self._changed += [area for step in self._steps for area in step.areas]
            self._steps = []
            self._fields.clear()
            count = 0
        else:
            for step in reversed(leaving):
                self._fields.restore(step.undo or ())
                self._changed += step.areas
            del self._steps[count:]
        if leaving:
            self._drop_unreached()
        return count

    def _drop_unreached(self) -> None:
        """Forget cells that no stroke reaches any longer: there the prior is the answer."""
        lattice = self.canvas.prior.lattice
        reached = {
            cell for step in self._steps for area in step.areas for cell in lattice.meeting(area)
        }
        for cell in [cell for cell in self._answer if cell not in reached]:
            self._answer.drop(cell)
            if self.canvas.contour is None:
                self._changed.append(lattice.window(cell))

    def _advance(self, group: Sequence[tuple[bytes, Stroke]]) -> Work[None]:
        """Take a few further steps."""
        pending: list[_Pending] = []
        taken = len(self._steps)
        try:
            for print_, stroke in group:
                pending.append(self._drawn(print_, stroke, [other.step for other in pending]))
            yield from self._answered(pending)
        except BaseException:
            done = len(self._steps) - taken
            for other in reversed(pending[done:]):
                self._fields.restore(other.step.undo or ())
            raise

    def _drawn(self, print_: bytes, stroke: Stroke, before: Sequence[Step]) -> _Pending:
        """Draw a stroke into the fields."""
        canvas = self.canvas
        mask = self._mask(stroke)
        if mask is None:
            nothing = Step(stroke, print_, None, {}, (), (), ("STROKE_OUTSIDE",), ())
            return _Pending(nothing, (), {})
        notes = []
        if mask.clipped:
            notes.append("STROKE_CLIPPED")
        if stroke.kind is Kind.BRUSH and crosses_itself(stroke):
            notes.append("STROKE_CROSSES_ITSELF")
        if self._fields.covers(mask, stroke.label):
            notes.append("STROKES_OVERLAP")
        tiles = tuple(tiles_along(mask, canvas.grid.shape, canvas.card))
        if len(tiles) > canvas.settings.stroke_tiles:
            raise LimitExceeded(
                f"stroke {stroke.id!r} needs {len(tiles)} tiles of {canvas.card.name}, over the "
                f"limit stroke_tiles of {canvas.settings.stroke_tiles}; draw several shorter ones"
            )
        near = {area: self._fields.near(mask, area) for area in self._fields.areas(mask)}
        undo = self._fields.add(mask, stroke.label, near)
        step = Step(stroke, print_, mask, near, tiles, (), tuple(notes), undo)
        keys = tuple(self._key(tile, (*self._steps, *before, step)) for tile in tiles)
        fields = tuple(
            (self._fields.foreground.read(tile), self._fields.background.read(tile))
            for tile in tiles
        )
        labels = {area: self._fields.labels.read(area) for area in near}
        return _Pending(replace(step, keys=keys), fields, labels)

    def _mask(self, stroke: Stroke) -> StrokeMask | None:
        grid = self.canvas.grid
        points = grid.from_level0(np.concatenate(stroke.parts))
        low, high = (
            np.clip(ends, 0, [grid.width, grid.height])
            for ends in (points.min(axis=0), points.max(axis=0))
        )
        pixels = float(np.prod(high - low))
        limit = self.canvas.settings.model_pixels
        if pixels > limit:
            raise LimitExceeded(
                f"stroke {stroke.id!r} spans {pixels:,.0f} pixels at {self.canvas.card.mpp:g} µm "
                f"per pixel, over the limit model_pixels of {limit:,}; draw several shorter ones"
            )
        return draw(stroke, grid)

    def _key(self, tile: Window, steps: Iterable[Step]) -> bytes:
        """A name for RefineNet's answer on a tile by all that it follows from."""
        canvas = self.canvas
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{canvas.prior.id} {canvas.source.id} {tile}".encode())
        digest.update(f"{canvas.card.name} {canvas.card.digest}".encode())
        for step in steps:
            if any(area.meets(tile) for area in step.areas):
                digest.update(step.fingerprint)
        return digest.digest()

    def _answered(self, pending: Sequence[_Pending]) -> Work[None]:
        """Get RefineNet's answers to strokes, and compose them one after the other."""
        lattice = self.canvas.prior.lattice
        windows = [window for one in pending for window in (*one.step.tiles, *one.step.areas)]
        wanted = {cell for window in windows for cell in lattice.meeting(window)}
        cells = yield from self.canvas.prior.cells(sorted(wanted))
        refined: dict[bytes, Field] = {}
        missing: dict[bytes, Tile] = {}
        for one in pending:
            for tile, key, fields in zip(one.step.tiles, one.step.keys, one.fields, strict=True):
                held = self.canvas.store.get(key)
                if held is None:
                    missing[key] = self._tile(tile, key, fields, cells)
                else:
                    refined[key] = held
        if missing:
            answers = yield list(missing.values())
            for (key, _), answer in zip(missing.items(), answers, strict=True):
                refined[key] = answer
                self.canvas.store.put(key, answer, answer.nbytes)
        for one in pending:
            self._compose(one, refined, cells)

    def _tile(self, tile: Window, key: bytes, fields: tuple[Field, Field], cells: Cells) -> Tile:
        canvas = self.canvas

        def build() -> Field:
            rgb = canvas.source.read(canvas.grid, tile)
            prior = assemble(tile, canvas.prior.lattice, cells.get, np.float32(0))
            return padded(input_channels(canvas.card, rgb, prior, *fields), canvas.card.multiple)

        return Tile(canvas.card, build, key)

    def _compose(self, pending: _Pending, refined: Mapping[bytes, Field], cells: Cells) -> None:
        """Lay RefineNet's answer over the one before, where the stroke reaches."""
        step, lattice = pending.step, self.canvas.prior.lattice
        tiles = [
            (tile, refined[key][: tile.height, : tile.width])
            for tile, key in zip(step.tiles, step.keys, strict=True)
        ]
        undo: list[tuple[Plane[Any], Window, NDArray[Any]]] = []
        for area, near in step.near.items():
            for cell in lattice.meeting(area):
                if cell not in self._answer:
                    self._answer.write(lattice.window(cell), cells[cell])
                    if self.canvas.contour is None:
                        self._changed.append(lattice.window(cell))
            before = self._answer.read(area)
            over = [(tile, answer) for tile, answer in tiles if tile.meets(area)]
            mixed = blended(area, [tile for tile, _ in over], [answer for _, answer in over])
            self._answer.write(area, compose(before, mixed, near, pending.labels[area]))
            undo.append((self._answer, area, before))
        self._steps.append(replace(step, undo=(*(step.undo or ()), *undo)))
        self._changed += step.areas
        if len(self._steps) > self.canvas.settings.undo_steps:
            oldest = -1 - self.canvas.settings.undo_steps
            self._steps[oldest] = replace(self._steps[oldest], undo=None)
