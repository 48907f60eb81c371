"""A region that somebody draws on: its strokes, their fields, and the answer they lead to."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from deepscribble.engine.guess import Guess, Scaled
from deepscribble.engine.tiles import Blend, cover, predict
from deepscribble.geometry import Change, Kind, Label, Polygon, Stroke, Warning
from deepscribble.models import Model, input_channels
from deepscribble.raster import DistanceFields, Window, draw, reach

_ANSWERS = 4
"""Outlines that a drawing remembers, so that several clients may build on theirs."""


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """An outline that was answered, and the strokes that it came of."""

    strokes: tuple[Stroke, ...]
    polygons: tuple[Polygon, ...]


_NOTES = {
    "STROKE_OUTSIDE": "lies wholly outside of the region; the answer is without it",
    "STROKE_CLIPPED": "reaches over the region's border; only the part inside counts",
    "STROKE_CROSSES_ITSELF": "crosses itself; it was filled by the even-odd rule, as QuPath does",
    "STROKES_OVERLAP": "meets older strokes of the other label; there the newer one counts",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Applied:
    """A stroke that the fields already hold.

    `reached` is where it changed them, None where it missed the region; `notes` are the codes of
    what a person should know of it.
    """

    fingerprint: bytes
    stroke: Stroke
    reached: Window | None
    notes: tuple[str, ...]

    def warnings(self) -> tuple[Warning, ...]:
        """The notes as warnings."""
        quoted = repr(self.stroke.id)
        return tuple(
            Warning(code, f"stroke {quoted} {_NOTES[code]}", self.stroke.id) for code in self.notes
        )


@dataclass(frozen=True, slots=True)
class _Area:
    """A window that strokes reach, with what its answer depends on.

    `tiles` are RefineNet's windows over it, each with the fingerprints of the strokes that reach
    the tile. Two areas are equal only if their answers are.
    """

    window: Window
    tiles: tuple[tuple[Window, tuple[bytes, ...]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Refined:
    """RefineNet's answer on one tile, (rows, columns) float32, and its digest."""

    probability: NDArray[np.float32]
    digest: bytes

    @classmethod
    def of(cls, probability: NDArray[np.float32]) -> _Refined:
        """An answer that was just computed."""
        own = np.ascontiguousarray(probability)
        return cls(own, hashlib.blake2b(own.data, digest_size=16).digest())


class Drawing:
    """One region, one prior and one RefineNet, with all strokes drawn so far.

    Only what the newest stroke reaches is computed; the rest is kept from the rounds before. The
    answer depends on the strokes alone, not on the way they came: a drawing made anew gives the
    same one. Hold `lock` around its methods, and while its attributes are read.

    Attributes:
        probability: (rows, columns) float32, the answer as of `refine`.
        pieces: Its outline as of `outline`.
        outline_id: Names that outline, as of `refine`.
    """

    def __init__(self, model: Model, scaled: Scaled, guess: Guess) -> None:
        self.lock = threading.Lock()
        self._model = model
        self._scaled = scaled
        self._guess = guess
        self._fields = DistanceFields(scaled.grid.shape, model.card.influence_radius)
        self._applied: list[_Applied] = []
        self._areas: set[_Area] = set()
        self._changed: list[Window] = []
        self._tiles: dict[tuple[Window, tuple[bytes, ...]], _Refined] = {}
        self._answers: dict[str, _Answer] = {}
        self.probability = guess.probability.copy()
        self.pieces = guess.pieces
        self.outline_id = guess.outline_id

    @property
    def nbytes(self) -> int:
        """Bytes held now, about: fields, answer, refined tiles, outline and earlier outlines."""
        tiles = sum(refined.probability.nbytes for refined in self._tiles.values())
        return self._fields.nbytes + self.probability.nbytes + tiles + 2 * self.pieces.nbytes

    @property
    def stroke_ids(self) -> tuple[str, ...]:
        """The strokes that take part, in the order they were applied."""
        return tuple(a.stroke.id for a in self._applied if a.reached is not None)

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """What was clipped, left out or decided."""
        return tuple(warning for a in self._applied for warning in a.warnings())

    def _named(self) -> str:
        """A name for the outline by all that it came of: prior, strokes, RefineNet.

        RefineNet takes part by its answers, so that other pixels, or a server that computes on
        another device, never give the same name to another outline.
        """
        digest = hashlib.sha256(self._guess.outline_id.encode())
        digest.update(f"{self._model.card.name} {self._model.card.digest}".encode())
        for applied in self._applied:
            digest.update(applied.fingerprint + repr(applied.stroke.id).encode())
        for tile in sorted(self._tiles, key=lambda tile: (tile[0].top, tile[0].left, tile[1])):
            digest.update(self._tiles[tile].digest)
        return digest.hexdigest()

    def strokes_of(self, known: str) -> tuple[Stroke, ...] | None:
        """The strokes of an earlier outline, if that is among the last few answered."""
        earlier = self._answers.get(known)
        return None if earlier is None else earlier.strokes

    def change_since(self, known: str) -> Change | None:
        """What the outline changes in an earlier one, if that is among the last few answered."""
        first = {self._guess.outline_id: _Answer((), self._guess.pieces.polygons)}
        earlier = (self._answers | first).get(known)
        self._answers.pop(self.outline_id, None)
        self._answers[self.outline_id] = _Answer(
            tuple(applied.stroke for applied in self._applied), self.pieces.polygons
        )
        for oldest in list(self._answers)[:-_ANSWERS]:
            del self._answers[oldest]
        if earlier is None:
            return None
        return Change.between(known, earlier.polygons, self.pieces.polygons)

    def apply(self, strokes: Sequence[Stroke]) -> None:
        """Bring the distance fields up to `strokes`, oldest first.

        Strokes that were applied already, in the same order, cost nothing; where the list departs
        from that (undo, an edit) the fields are drawn anew.
        """
        fingerprints = [_fingerprint(stroke) for stroke in strokes]
        known = [applied.fingerprint for applied in self._applied]
        if fingerprints[: len(known)] != known:
            self._fields.clear([a.reached for a in self._applied if a.reached is not None])
            self._applied = []
        # An id may differ where the drawn line is the same: answers name the ids they were sent.
        self._applied = [
            replace(a, stroke=stroke) for a, stroke in zip(self._applied, strokes, strict=False)
        ]
        for index in range(len(self._applied), len(strokes)):
            self._applied.append(self._add(fingerprints[index], strokes[index]))

    def _add(self, fingerprint: bytes, stroke: Stroke) -> _Applied:
        mask = draw(stroke, self._scaled.grid)
        if mask is None:
            return _Applied(fingerprint, stroke, None, ("STROKE_OUTSIDE",))
        notes = []
        if mask.clipped:
            notes.append("STROKE_CLIPPED")
        if stroke.kind is Kind.BRUSH and not all(
            shapely.LinearRing(part).is_simple for part in stroke.parts
        ):
            notes.append("STROKE_CROSSES_ITSELF")
        if self._fields.covers(mask, stroke.label):
            notes.append("STROKES_OVERLAP")
        reached = self._fields.add(mask, stroke.label)
        return _Applied(fingerprint, stroke, reached, tuple(notes))

    def refine(self) -> None:
        """Bring the probability up to the strokes applied: RefineNet, then the guarantees."""
        areas = {self._area(window) for window in self._reached()}
        stale, fresh = self._areas - areas, areas - self._areas
        wanted = {tile for area in areas for tile in area.tiles}
        self._tiles = {tile: self._tiles[tile] for tile in wanted & self._tiles.keys()}
        missing = sorted(wanted - self._tiles.keys(), key=lambda tile: (tile[0].top, tile[0].left))
        # One tile at a time: a tile's last bits must not depend on which others ran beside it.
        answers = predict(self._model, [window for window, _ in missing], self._stack, 1)
        for tile, (_, refined) in zip(missing, answers, strict=True):
            self._tiles[tile] = _Refined.of(refined)
        for area in stale:
            cut = area.window.slices
            self.probability[cut] = self._guess.probability[cut]
        for area in fresh:
            self._compose(area)
        self._areas = areas
        self.outline_id = self._named()
        self._changed += [area.window for area in (*stale, *fresh)]

    def outline(self) -> None:
        """Bring the pieces up to the probability."""
        self.pieces = self.pieces.replaced(self.probability, self._changed)
        self._changed = []

    def _reached(self) -> list[Window]:
        """Where strokes reach, as few windows that share no pixel."""
        windows: list[Window] = []
        for applied in self._applied:
            window = applied.reached
            while window is not None:
                met = [other for other in windows if other.meets(window)]
                windows = [other for other in windows if other not in met]
                if not met:
                    windows.append(window)
                    break
                for other in met:
                    window = window.joined(other)
        return windows

    def _area(self, window: Window) -> _Area:
        tiles = cover(window, self._scaled.grid.shape, self._model.card.patch_size)
        drawn_on = ((tile, self._drawn_on(tile)) for tile in tiles)
        return _Area(window, tuple((tile, strokes) for tile, strokes in drawn_on if strokes))

    def _drawn_on(self, tile: Window) -> tuple[bytes, ...]:
        """Fingerprints of the strokes that reach a tile: what its refined answer depends on."""
        return tuple(
            a.fingerprint for a in self._applied if a.reached is not None and a.reached.meets(tile)
        )

    def _stack(self, tile: Window) -> NDArray[np.float32]:
        cut = tile.slices
        return input_channels(
            self._model.card,
            self._scaled.rgb[cut],
            self._guess.probability[cut],
            self._fields.foreground[cut],
            self._fields.background[cut],
        )

    def _compose(self, area: _Area) -> None:
        """Lay the refined tiles over the prior where strokes reach, then the strokes themselves."""
        blend = Blend(area.window)
        for tile in area.tiles:
            blend.add(tile[0], self._tiles[tile].probability)
        cut = area.window.slices
        weight = reach(self._fields.foreground[cut], self._fields.background[cut])
        prior, target = self._guess.probability[cut], self.probability[cut]
        # The weight is 0 where no stroke reaches, which leaves the prior bit for bit.
        np.add(prior, weight * (blend.result() - prior), out=target)
        labels = self._fields.labels[cut]
        target[labels == Label.FOREGROUND.value] = 1.0
        target[labels == Label.BACKGROUND.value] = 0.0


def _fingerprint(stroke: Stroke) -> bytes:
    """What was drawn, whatever its id."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{stroke.label.name} {stroke.kind.name} {stroke.width!r}".encode())
    for part in stroke.parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part.tobytes())
    return digest.digest()
