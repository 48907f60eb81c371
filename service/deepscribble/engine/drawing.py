"""A region that somebody draws on: its strokes, their fields, and the answer they lead to."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from deepscribble.contour import Crossings
from deepscribble.engine.guess import Guess, Scaled
from deepscribble.engine.tiles import Blend, cover, predict
from deepscribble.geometry import Kind, Label, Stroke, Warning
from deepscribble.models import Model, input_channels
from deepscribble.raster import DistanceFields, Window, draw, reach

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


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """The answer to a list of strokes.

    Args:
        crossings: The outline.
        probability: (rows, columns) float32; the drawing's own array, valid until it is refined
            again.
        stroke_ids: The strokes that took part.
        warnings: What was clipped, left out or decided.
    """

    crossings: Crossings
    probability: NDArray[np.float32]
    stroke_ids: tuple[str, ...]
    warnings: tuple[Warning, ...]


class Drawing:
    """One region, one prior and one RefineNet, with all strokes drawn so far.

    Only what the newest stroke reaches is computed; the rest is kept from the rounds before. The
    answer depends on the strokes alone, not on the way they came: a drawing made anew gives the
    same one. Hold `lock` around its methods and for as long as an answer is used.
    """

    def __init__(self, model: Model, scaled: Scaled, guess: Guess) -> None:
        self.lock = threading.Lock()
        self._model = model
        self._scaled = scaled
        self._guess = guess
        self._fields = DistanceFields(scaled.grid.shape, model.card.influence_radius)
        self._applied: list[_Applied] = []
        self._probability = guess.probability.copy()
        self._changed: list[Window] = []
        self._tiles: dict[tuple[Window, tuple[bytes, ...]], NDArray[np.float32]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes that the drawing may come to hold: fields, answer, and the refined tiles."""
        return self._fields.nbytes + 2 * self._probability.nbytes

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
        for window in self._changed:
            self._probability[window.slices] = self._guess.probability[window.slices]
        self._changed = self._areas()
        wanted = {
            tile: drawn_on
            for area in self._changed
            for tile in cover(area, self._scaled.grid.shape, self._model.card.patch_size)
            if (drawn_on := self._drawn_on(tile))
        }
        self._tiles = {key: self._tiles[key] for key in wanted.items() if key in self._tiles}
        missing = [tile for tile, drawn_on in wanted.items() if (tile, drawn_on) not in self._tiles]
        # One tile at a time: a tile's last bits must not depend on which others ran beside it.
        for tile, refined in predict(self._model, missing, self._stack, 1):
            self._tiles[tile, wanted[tile]] = refined
        for area in self._changed:
            self._compose(area)

    def answer(self) -> Refined:
        """The outline of the strokes refined last."""
        return Refined(
            self._guess.crossings.replaced(self._probability, self._changed),
            self._probability,
            tuple(a.stroke.id for a in self._applied if a.reached is not None),
            tuple(warning for a in self._applied for warning in a.warnings()),
        )

    def _areas(self) -> list[Window]:
        """Where strokes reach, as few windows that share no pixel."""
        areas: list[Window] = []
        for applied in self._applied:
            area = applied.reached
            if area is None:
                continue
            while True:
                met = [other for other in areas if other.meets(area)]
                if not met:
                    break
                for other in met:
                    areas.remove(other)
                    area = area.joined(other)
            areas.append(area)
        return areas

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

    def _compose(self, area: Window) -> None:
        """Lay the refined tiles over the prior where strokes reach, then the strokes themselves."""
        blend = Blend(area)
        for (tile, _), refined in self._tiles.items():
            blend.add(tile, refined)
        cut = area.slices
        weight = reach(self._fields.foreground[cut], self._fields.background[cut])
        prior, target = self._guess.probability[cut], self._probability[cut]
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
