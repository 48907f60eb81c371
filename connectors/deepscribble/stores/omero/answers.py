"""Which strokes the results on an image came of, kept with the image, so that nobody else must."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deepscribble.stores.omero.records import VERSIONED
from deepscribble.stores.store import Content

ANSWER = f"{VERSIONED}/answer"
"""The namespace of the note on an image that has been answered."""

FINGERPRINT = "deepscribble.fingerprint"
"""The name in that note whose value is the fingerprint."""

RESULTS = "deepscribble.results"
"""The name in that note whose value is the ids of our results."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered on an image.

    Args:
        asked: The fingerprint of what had been drawn; empty if nothing was answered.
        results: The ids of our results once it was.
    """

    asked: str = ""
    results: frozenset[str] = frozenset()

    @classmethod
    def of_note(cls, values: Mapping[str, str]) -> Answer:
        """What a note says; see `values`."""
        return cls(values.get(FINGERPRINT, ""), frozenset(values.get(RESULTS, "").split()))

    def values(self) -> dict[str, str]:
        """The names and values of its note."""
        return {FINGERPRINT: self.asked, RESULTS: " ".join(sorted(self.results))}

    def is_of(self, content: Content, asked: str) -> bool:
        """Whether an image is as it was left.

        It is not when it has a result of ours that is not known, or not under this id. A connection
        that is cut does not tell whether the server goes on with a save, which may be done after
        another run has answered. And where somebody sent copies back, QuPath would take those and
        the result for one area. What a person deleted or edited is no matter.

        Args:
            content: The image.
            asked: The fingerprint of what is drawn on it.
        """
        return self.asked == asked and all(
            former.stays or former.id in self.results for former in content.formers
        )


def fingerprint(content: Content, origin: Iterable[str] = ()) -> str:
    """A digest of the strokes and regions of an image, and of what else an answer follows from.

    Results are no part of it, so that writing them does not change it.

    Args:
        content: What was drawn on the image.
        origin: Such as the digests of the models.
    """
    digest = hashlib.sha256()
    for stroke in content.strokes:
        about = (stroke.id, stroke.label.name, stroke.kind.value, stroke.width, len(stroke.parts))
        digest.update(repr(about).encode())
        for part in stroke.parts:
            digest.update(len(part).to_bytes(8, "little") + part.astype("<f8").tobytes())
    for area in content.areas:
        digest.update(repr((area.id, area.name)).encode() + area.shape.normalize().wkb)
    digest.update(repr(tuple(origin)).encode())
    return f"sha256:{digest.hexdigest()}"
