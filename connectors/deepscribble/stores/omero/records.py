"""What is stored on an image in OMERO: Rois with their shapes, and the notes that mark ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deepscribble.stores.features import METADATA_PREFIX
from deepscribble.stores.omero.copies import is_named
from deepscribble.stores.omero.shapes import Drawing, read_shape
from deepscribble.stores.omero.text import parse_text

VERSIONED = "deepscribble.v1"
"""What our namespaces start with: the version of these conventions, which is the contract's."""

RESULT = f"{VERSIONED}/result"
"""The namespace of the MapAnnotation on a Roi that is a result of ours."""

RESULT_ID = f"{METADATA_PREFIX}id"
"""The name in that note whose value is the UUID of the result."""

ROIS = (
    "select r from Roi r left outer join fetch r.shapes s left outer join fetch s.transform "
    "left outer join fetch s.annotationLinks "
    "left outer join fetch r.annotationLinks l left outer join fetch l.child "
    "where r.image.id = :id order by r.id"
)
"""All that is read of an image's annotations, in one query."""


@dataclass(frozen=True, slots=True)
class Record:
    """A Roi.

    Args:
        id: Its number in OMERO.
        owner: The number of the user who owns it.
        event: The number of the event that saved it; what was saved with it has the same.
        drawings: Its shapes, in their order.
        note: The names and values of our MapAnnotation on it; None if it carries none.
        note_owner: The number of the user who owns that, 0 without one.
        annotations: The numbers of the links to all else that hangs on it or on a shape of it,
            such as comments. They would be deleted with it.
    """

    id: int
    owner: int
    event: int
    drawings: tuple[Drawing, ...]
    note: Mapping[str, str] | None
    note_owner: int = 0
    annotations: tuple[int, ...] = ()

    def is_made_by(self, user: int) -> bool:
        """Whether it is a result that this user's DeepScribble wrote."""
        return self.note is not None and self.owner == self.note_owner == user

    def is_result_of(self, user: int) -> bool:
        """As `is_made_by`, or a copy of a result that this user sent back."""
        return self.is_made_by(user) or (
            self.note is None
            and self.owner == user
            and any(is_named(parse_text(drawing.text).name) for drawing in self.drawings)
        )

    @property
    def digest(self) -> str:
        """All of it as text; equal exactly if nothing changed."""
        drawn = ((drawing.id, drawing.digest) for drawing in self.drawings)
        note = sorted((self.note or {}).items())
        return repr((self.id, self.owner, tuple(drawn), note, self.annotations))


def read_records(rois: Iterable[Any]) -> tuple[Record, ...]:
    """Rois of OMERO's, as `ROIS` gives them, oldest first and each once."""
    # A join fetch may give a Roi once for each of its shapes.
    each = {roi.getId().getValue(): roi for roi in rois}
    return tuple(_record(id, each[id]) for id in sorted(each))


def digest_of(records: Iterable[Record]) -> str:
    """A digest of Rois; equal exactly if nothing changed."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(record.digest.encode())
    return digest.hexdigest()


def pairs_of(annotation: Any) -> dict[str, str]:
    """Names and values of a MapAnnotation; of a name that stands twice the last."""
    return {pair.name: pair.value for pair in annotation.getMapValue() or () if pair is not None}


def owner_of(entity: Any) -> int:
    """The number of the user who owns an object."""
    return int(entity.getDetails().getOwner().getId().getValue())


def namespace_of(annotation: Any) -> str:
    """The namespace of an annotation, or empty."""
    is_seen = annotation is not None and annotation.isLoaded()
    wrapped = annotation.getNs() if is_seen else None
    return "" if wrapped is None else str(wrapped.getValue())


def _record(id: int, roi: Any) -> Record:
    # The list of shapes has a gap where one was deleted.
    shapes = [shape for shape in roi.copyShapes() if shape is not None and shape.isLoaded()]
    owner = owner_of(roi)
    event = int(roi.getDetails().getCreationEvent().getId().getValue())
    links = [link for link in roi.copyAnnotationLinks() if link is not None]
    notes = [link.getChild() for link in links if _is_note(link)]
    others = [link for link in links if not (_is_note(link) and _is_of(owner, link))]
    others += [link for shape in shapes for link in shape.copyAnnotationLinks() if link is not None]
    annotations = tuple(sorted(int(link.getId().getValue()) for link in others))
    drawings = tuple(read_shape(shape) for shape in shapes)
    if not notes:
        return Record(id, owner, event, drawings, None, annotations=annotations)
    note = max(notes, key=lambda each: each.getId().getValue())
    return Record(id, owner, event, drawings, pairs_of(note), owner_of(note), annotations)


def _is_note(link: Any) -> bool:
    return namespace_of(link.getChild()) == RESULT


def _is_of(user: int, link: Any) -> bool:
    return owner_of(link) == owner_of(link.getChild()) == user
