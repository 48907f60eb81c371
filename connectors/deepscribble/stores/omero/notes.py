"""Notes on images: MapAnnotations of a namespace of ours, read, kept and taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omero.model import ImageAnnotationLinkI, ImageI, MapAnnotationI, NamedValue
from omero.rtypes import rstring

from deepscribble.stores.omero.records import owner_of, pairs_of
from deepscribble.stores.omero.session import Session

NOTES = (
    "select l from ImageAnnotationLink l join fetch l.child a "
    "where l.parent.id = :id and a.ns = :ns order by a.id"
)


@dataclass(frozen=True, slots=True, eq=False)
class Note:
    """A MapAnnotation on an image.

    Args:
        id: Its number; of two the one that was made first has the lower.
        owner: The number of the user who owns it.
        values: Its names and values.
        entity: OMERO's own object.
    """

    id: int
    owner: int
    values: Mapping[str, str]
    entity: Any


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes of one namespace.

    Args:
        session: The session.
        namespace: Such as "deepscribble.v1/answer".
    """

    session: Session
    namespace: str

    def on(self, image: int) -> list[Note]:
        """All of them on an image, whoever made them, in the order in which they were made."""
        links = self.session.query(NOTES, image, ns=self.namespace)
        notes = {int(link.getChild().getId().getValue()): link.getChild() for link in links}
        return [Note(id, owner_of(note), pairs_of(note), note) for id, note in notes.items()]

    def add(self, image: int, group: int, values: Mapping[str, str]) -> int:
        """A new one on an image; returns its number.

        Raises:
            OutputRefused: the server refuses.
            StoreUnavailable: the connection was lost.
        """
        note = MapAnnotationI()
        note.setNs(rstring(self.namespace))
        note.setMapValue(_pairs(values))
        link = ImageAnnotationLinkI()
        link.setParent(ImageI(image, False))
        link.setChild(note)
        saved = self.session.save([link], group)
        return int(saved[0].getChild().getId().getValue())

    def change(self, note: Note, group: int, values: Mapping[str, str]) -> None:
        """Other values for a note of this user's; raises as `add`."""
        note.entity.setMapValue(_pairs(values))
        self.session.save([note.entity], group)

    def remove(self, note: Note, group: int) -> None:
        """Take a note of this user's away; raises as `add`."""
        self.session.delete({"Annotation": [note.id]}, group)


@dataclass(frozen=True, slots=True)
class ImageNotes:
    """The notes of one namespace on one image.

    Args:
        notes: Those of all images.
        image: The number of the image.
        group: The number of its group.
    """

    notes: Notes
    image: int
    group: int

    def read(self) -> list[Note]:
        """As `Notes.on`."""
        return self.notes.on(self.image)

    def add(self, values: Mapping[str, str]) -> int:
        """As `Notes.add`."""
        return self.notes.add(self.image, self.group, values)

    def change(self, note: Note, values: Mapping[str, str]) -> None:
        """As `Notes.change`."""
        self.notes.change(note, self.group, values)

    def remove(self, note: Note) -> None:
        """As `Notes.remove`."""
        self.notes.remove(note, self.group)


def _pairs(values: Mapping[str, str]) -> list[Any]:
    return [NamedValue(name, value) for name, value in values.items()]
