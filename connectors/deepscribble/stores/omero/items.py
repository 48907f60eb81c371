"""What is one object to QuPath: the shapes of one UUID, wherever they lie, and any other shape."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deepscribble.stores.features import NAMESPACE
from deepscribble.stores.omero.copies import is_named
from deepscribble.stores.omero.records import RESULT_ID, Record
from deepscribble.stores.omero.shapes import Drawing
from deepscribble.stores.omero.text import ShapeText, parse_text


@dataclass(frozen=True, slots=True)
class View:
    """How an image's Rois are looked at.

    Args:
        image: What errors call the image.
        user: The number of the user whose results are ours.
        plane: The section and the moment, from 0.
        colors: Classes by the colour of the line, "#rrggbb", of shapes without a text.
    """

    image: str
    user: int
    plane: tuple[int, int] = (0, 0)
    colors: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One object.

    Args:
        said: What its shapes say.
        drawings: Its shapes.
        records: The Rois that they lie in, at least one.
        is_whole: Whether nothing else lies in these.
        id: Its UUID, or another where it has none, or none by right.
        is_namesake: Whether the UUID of its shapes is another object's by right.
    """

    said: ShapeText
    drawings: tuple[Drawing, ...]
    records: tuple[Record, ...]
    is_whole: bool
    id: str
    is_namesake: bool

    @property
    def note(self) -> Mapping[str, str] | None:
        """Our note, if it is a result that carries one; what a person drew beside it is none."""
        note = self.records[0].note
        if note is None or self.is_whole or self.said.id == note.get(RESULT_ID):
            return note
        return None

    @property
    def is_copy(self) -> bool:
        """Whether it goes by our name and has no note, as what QuPath sends back."""
        return self.records[0].note is None and is_named(self.said.name)

    def is_of(self, user: int) -> bool:
        """Whether it is a result that this user's jobs may replace, unless a person has it stay."""
        return self.is_whole and all(record.is_result_of(user) for record in self.records)

    def is_theirs(self, user: int) -> bool:
        """Whether it goes by our name and is not this user's: made by another's job, or a copy."""
        if self.note is not None:
            return not self.records[0].is_made_by(user)
        return self.is_copy and not self.is_of(user)

    @property
    def is_annotated(self) -> bool:
        """Whether something hangs on it that would be deleted with it."""
        return any(record.annotations for record in self.records)


def items_of(records: Sequence[Record], view: View) -> tuple[Item, ...]:
    """The objects of an image, oldest first.

    What others save at a time is one where it has one UUID: each ring of an area with holes comes
    in a Roi of its own (`persist_rois` of OMERO.iviewer). A UUID that several have is that of the
    one which is not ours, since QuPath takes all of them for one area; else of a copy that we sent
    back; of several such of the newest.
    """
    parts: dict[tuple[object, ...], list[tuple[Record, Drawing]]] = {}
    says: dict[int, ShapeText] = {}
    for record in records:
        for drawing in record.drawings:
            said = says[drawing.id] = _said(drawing, view)
            saved = (record.owner, record.event) if record.note is None else record.id
            key = (saved, said.id) if said.id else (drawing.id,)
            parts.setdefault(key, []).append((record, drawing))
    crowd = Counter(id for each in parts.values() for id in {record.id for record, _ in each})
    owners = _owners(parts.values(), says, view.user)
    return tuple(_item(each, says, owners, crowd) for each in parts.values())


def rois_by_id(records: Sequence[Record], view: View) -> dict[str, tuple[Record, ...]]:
    """The Rois that may be deleted, by the id of the only object that lies in them."""
    return {item.id: item.records for item in items_of(records, view) if item.is_of(view.user)}


def _said(drawing: Drawing, view: View) -> ShapeText:
    if not drawing.text and view.colors:
        return ShapeText(view.colors.get(drawing.color, ""))
    return parse_text(drawing.text)


def _owners(
    parts: Iterable[Sequence[tuple[Record, Drawing]]], says: Mapping[int, ShapeText], user: int
) -> dict[str, int]:
    """Which shape leads the object that has a UUID by right."""
    leads = [each[0] for each in parts]

    def rank(record: Record) -> tuple[bool, bool, int]:
        return not record.is_result_of(user), not record.is_made_by(user), record.id

    # The last has it.
    leads.sort(key=lambda lead: rank(lead[0]))
    return {says[drawing.id].id: drawing.id for _, drawing in leads}


def _item(
    parts: Sequence[tuple[Record, Drawing]],
    says: Mapping[int, ShapeText],
    owners: Mapping[str, int],
    crowd: Mapping[int, int],
) -> Item:
    (record, lead), *_ = parts
    said, records = says[lead.id], {each.id: each for each, _ in parts}
    is_namesake = bool(said.id) and owners[said.id] != lead.id
    id = said.id or f"Shape:{lead.id}"
    return Item(
        said,
        tuple(drawing for _, drawing in parts),
        tuple(records.values()),
        all(crowd[number] == 1 for number in records),
        str(uuid.uuid5(NAMESPACE, f"Roi:{record.id}")) if is_namesake else id,
        is_namesake,
    )
