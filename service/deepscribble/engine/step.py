"""A stroke as a drawing holds it: where it reaches, and what it changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepscribble.geometry import Stroke, Warning
from deepscribble.raster import StrokeMask, Undo, Window

Field = NDArray[np.float32]

_NOTES = {
    "STROKE_OUTSIDE": "lies wholly outside of the region; the answer is without it",
    "STROKE_CLIPPED": "reaches over the region's border; only the part inside counts",
    "STROKE_CROSSES_ITSELF": "crosses itself; it was filled by the even-odd rule, as QuPath does",
    "STROKES_OVERLAP": "meets older strokes of the other label; there the newer one counts",
}


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One stroke of a drawing, and what it did.

    Args:
        stroke: As it was drawn.
        fingerprint: Of what was drawn, whatever its id.
        mask: The pixels that it decides; None where it misses the region.
        near: Its own nearness in each of its areas, which share no pixel.
        tiles: RefineNet's windows along it.
        keys: For each tile, a name by all that RefineNet's answer follows from.
        notes: Codes of what a person should know.
        undo: What labels, fields and answer were before; None if it was let go.
    """

    stroke: Stroke
    fingerprint: bytes
    mask: StrokeMask | None
    near: Mapping[Window, Field]
    tiles: tuple[Window, ...]
    keys: tuple[bytes, ...]
    notes: tuple[str, ...]
    undo: Undo | None

    @property
    def areas(self) -> tuple[Window, ...]:
        """Where it reaches."""
        return tuple(self.near)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        undo = sum(values.nbytes for _, _, values in self.undo or ())
        mask = self.mask.mask.nbytes if self.mask is not None else 0
        return undo + mask + sum(near.nbytes for near in self.near.values())

    def warnings(self) -> tuple[Warning, ...]:
        """The notes as warnings."""
        quoted = repr(self.stroke.id)
        return tuple(
            Warning(code, f"stroke {quoted} {_NOTES[code]}", self.stroke.id) for code in self.notes
        )


def fingerprint(stroke: Stroke) -> bytes:
    """What was drawn, whatever its id."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{stroke.label.name} {stroke.kind.name} {stroke.width!r}".encode())
    for part in stroke.parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part.tobytes())
    return digest.digest()
