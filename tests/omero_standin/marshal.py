"""Rows to objects of `omero.model`, as a server sends them: what was not asked for is unloaded."""

from __future__ import annotations

from typing import Any

import omero
from omero.rtypes import rlong, rtime

from omero_standin.rights import Caller
from omero_standin.schema import (
    SYSTEM,
    collections,
    elements,
    fields,
    implementation,
    kind_of,
    wrapper,
)
from omero_standin.world import Quantity, Ref, Row


def plain(value: Any) -> Any:
    """What a row keeps of a property's value that is neither an object nor a collection."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [(pair.name, pair.value) for pair in value]
    if isinstance(value, omero.model.Permissions):
        return str(value)
    if hasattr(value, "getUnit"):
        return Quantity(kind_of(value), value.getValue(), value.getUnit().name)
    return omero.rtypes.unwrap(value)


def wrapped(kind: str, name: str, value: Any) -> Any:
    """The value of a property as the model's classes hold it."""
    if value is None:
        return None
    if isinstance(value, Quantity):
        return getattr(omero.model, f"{value.kind}I")(value.value, value.unit)
    if name == "mapValue" or name == "config":
        return [omero.model.NamedValue(*pair) for pair in value]
    wrap = wrapper(kind, name)
    return value if wrap is None else wrap(value)


class Marshaller:
    """Makes objects for one caller; the same row is the same object throughout one answer."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.made: dict[Ref, Any] = {}
        self.shared: dict[tuple[Any, ...], Any] = {}
        self.joined: set[tuple[Ref, str, Ref]] = set()

    def reference(self, ref: Ref) -> Any:
        """The object of a row if this answer has it, else one of which only the id is known."""
        if ref in self.made:
            return self.made[ref]
        row = self.caller.world.get(ref)
        return self.unloaded(row.kind if row else ref.table, ref.id)

    def unloaded(self, kind: str, id: int) -> Any:
        """An object of which only the id is known; sent once, however often it is named."""
        if (kind, id) not in self.shared:
            self.shared[kind, id] = implementation(kind)(id, False)
        return self.shared[kind, id]

    def loaded(self, row: Row) -> Any:
        """A row with its scalars; to-one properties and collections are unloaded."""
        if row.ref in self.made:
            return self.made[row.ref]
        made = implementation(row.kind)()
        self.made[row.ref] = made
        made.unloadCollections()
        made._id = rlong(row.id)
        for name in fields(row.kind):
            value = row.values.get(name)
            if isinstance(value, Ref):
                setattr(made, f"_{name}", self.reference(value))
            else:
                setattr(made, f"_{name}", wrapped(row.kind, name, value))
        made._details = self.details(row)
        return made

    def details(self, row: Row) -> Any:
        """Owner, group, permissions and events of a row."""
        details = omero.model.DetailsI()
        details._owner = self.reference(Ref("Experimenter", row.owner))
        details._group = self.reference(Ref("ExperimenterGroup", row.group))
        details._creationEvent = self.unloaded("Event", row.created)
        details._updateEvent = self.unloaded("Event", row.updated)
        details._permissions = self.permissions(row)
        return details

    def permissions(self, row: Row) -> Any:
        """What the group allows, and what the caller may not do with a row."""
        key = ("permissions", row.owner, row.group, row.ref.table in SYSTEM)
        if key not in self.shared:
            caller = self.caller
            changes = caller.changes(row)
            may = (changes, changes, changes, caller.annotates(row), caller.owns(row))
            permissions = omero.model.PermissionsI(caller.permissions(row.group))
            permissions._restrictions = [not allowed for allowed in (*may, caller.is_admin)]
            self.shared[key] = permissions
        return self.shared[key]

    def event(self, id: int) -> Any:
        """An event with its time."""
        made = omero.model.EventI(id)
        made._time = rtime(int(1000 * self.caller.world.times.get(id, 0)))
        made.unloadCollections()
        return made

    def connect(self, row: Row, name: str, other: Row | int | None) -> None:
        """Put a row into a property of another: what "join fetch" does.

        `name` may be a path through details, and `other` an event's id.
        """
        made = self.loaded(row)
        if name.startswith("details."):
            inner = name.removeprefix("details.")
            if isinstance(other, int):
                setattr(made._details, f"_{inner}", self.event(other))
            elif other is not None:
                setattr(made._details, f"_{inner}", self.loaded(other))
            return
        if name not in collections(row.kind):
            if isinstance(other, Row):
                setattr(made, f"_{name}", self.loaded(other))
            return
        if not getattr(made, f"_{name}Loaded"):
            setattr(made, f"_{name}Seq", [])
            setattr(made, f"_{name}Loaded", True)
        if isinstance(other, Row) and (row.ref, name, other.ref) not in self.joined:
            self.joined.add((row.ref, name, other.ref))
            getattr(made, f"_{name}Seq").append(self.loaded(other))

    def fill(self, row: Row, *paths: str) -> Any:
        """A row with what stands at some paths, such as "shapes.transform"."""
        for path in paths:
            head, _, rest = path.partition(".")
            for other in follow(self.caller, row, head) or [None]:
                self.connect(row, head, other)
                if rest and other is not None:
                    self.fill(other, rest)
        return self.loaded(row)


def follow(caller: Caller, row: Row, name: str) -> list[Row]:
    """The rows that a property of a row leads to, as far as the caller sees them."""
    if name in collections(row.kind):
        kind, back = elements(row.kind, name)
        found = list(caller.world.referring(kind, back, row.ref))
    else:
        ref = row.values.get(name)
        target = caller.world.get(ref) if isinstance(ref, Ref) else None
        found = [] if target is None else [target]
    return [other for other in found if caller.reads(other)]
