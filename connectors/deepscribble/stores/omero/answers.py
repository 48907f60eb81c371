"""Which strokes the results on an image came of, kept with the image, so that nobody else must."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from deepscribble.stores.omero.features import RESULT_ID
from deepscribble.stores.omero.records import VERSIONED
from deepscribble.stores.store import Content

ANSWER = f"{VERSIONED}/answer"
"""The namespace of the note on an image that has been answered."""

FINGERPRINT = "deepscribble.fingerprint"
"""The name in that note whose value is the fingerprint."""


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


def has_doubles(content: Content) -> bool:
    """Whether results that may be changed share an id, as where a save was done after all.

    A connection that is cut does not tell whether the server goes on with what it was asked, so
    that the next run may save once more before it does. The run after that takes the older away.
    """
    ids = Counter(
        former.metadata[RESULT_ID]
        for former in content.formers
        if RESULT_ID in former.metadata and not former.stays
    )
    return any(count > 1 for count in ids.values())
