"""All that the stand-in stores: rows in tables, committed whole or not at all.

A row is plain data, so that it can be kept in a file: what was committed is there again after the
process was killed, and a commit that was being written is not.
"""

from __future__ import annotations

import pickle
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from omero_standin.schema import SYSTEM, is_a, table


class Ref(NamedTuple):
    """A row of a table."""

    table: str
    id: int


class Quantity(NamedTuple):
    """A number with a unit, such as a Length."""

    kind: str
    value: float
    unit: str


@dataclass(frozen=True)
class Row:
    """One stored object; `values` holds plain values, refs and quantities by field."""

    kind: str
    id: int
    owner: int
    group: int
    created: int
    updated: int
    values: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def ref(self) -> Ref:
        """What other rows name it by."""
        return Ref(table(self.kind), self.id)


class Commit:
    """Changes not yet seen by anybody."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.event = world.next_id("Event")
        self.rows: dict[Ref, Row | None] = {}
        self.taken: dict[str, int] = {"Event": self.event}

    def new_id(self, kind: str) -> int:
        """An id that nobody has."""
        name = table(kind)
        taken = self.taken.get(name, self.world.next_id(name) - 1) + 1
        self.taken[name] = taken
        return taken

    def put(self, row: Row) -> None:
        """Add a row, or replace it."""
        self.rows[row.ref] = row

    def delete(self, ref: Ref) -> None:
        """Take a row away."""
        self.rows[ref] = None

    def get(self, ref: Ref) -> Row | None:
        """A row as it will be."""
        if ref in self.rows:
            return self.rows[ref]
        return self.world.get(ref)


class World:
    """The tables.

    Args:
        journal: The file that every commit is appended to; None keeps nothing.
    """

    def __init__(self, journal: Path | None = None) -> None:
        self.lock = threading.RLock()
        self.tables: dict[str, dict[int, Row]] = {}
        self.users: dict[Ref, dict[tuple[str, str], set[int]]] = {}
        self.last: dict[str, int] = {}
        self.times: dict[int, float] = {}
        self.journal: BinaryIO | None = None
        if journal is not None:
            for changes in _replay(journal):
                self._apply(*changes)
            self.journal = journal.open("ab")

    def next_id(self, name: str) -> int:
        """The id that the next row of a table gets."""
        return self.last.get(name, 0) + 1

    def get(self, ref: Ref) -> Row | None:
        """A row, if it is there."""
        return self.tables.get(ref.table, {}).get(ref.id)

    def of_kind(self, kind: str) -> Iterator[Row]:
        """All rows of a kind and of those that derive from it, by id."""
        rows = self.tables.get(table(kind), {})
        for id in sorted(rows):
            if is_a(rows[id].kind, kind):
                yield rows[id]

    def referring(self, kind: str, name: str, target: Ref) -> Iterator[Row]:
        """The rows of a kind whose field names a row, by id."""
        rows = self.tables.get(table(kind), {})
        for id in sorted(self.users.get(target, {}).get((table(kind), name), ())):
            yield rows[id]

    def using(self, target: Ref) -> Iterator[tuple[str, Row]]:
        """All rows that name a row, each with the field that does."""
        for (name, back), ids in list(self.users.get(target, {}).items()):
            for id in sorted(ids):
                yield back, self.tables[name][id]

    def commit(self, changes: Commit) -> None:
        """Make changes real: in the file first, then for all."""
        now = time.time()
        if self.journal is not None:
            data = pickle.dumps((changes.rows, changes.taken, changes.event, now))
            head = len(data).to_bytes(8, "big") + zlib.crc32(data).to_bytes(4, "big")
            self.journal.write(head + data)
            self.journal.flush()
        self._apply(changes.rows, changes.taken, changes.event, now)

    def empty(self) -> None:
        """Delete all but what belongs to the system; ids are not used again."""
        commit = Commit(self)
        for name in set(self.tables) - SYSTEM:
            for row in self.tables[name].values():
                commit.delete(row.ref)
        self.commit(commit)

    def _apply(
        self, rows: dict[Ref, Row | None], taken: dict[str, int], event: int, now: float
    ) -> None:
        self.times[event] = now
        for name, id in taken.items():
            self.last[name] = max(self.last.get(name, 0), id)
        for ref, row in rows.items():
            old = self.tables.setdefault(ref.table, {}).pop(ref.id, None)
            if old is not None:
                self._index(old, present=False)
            if row is not None:
                self.tables[ref.table][ref.id] = row
                self.last[ref.table] = max(self.last.get(ref.table, 0), ref.id)
                self._index(row, present=True)

    def _index(self, row: Row, *, present: bool) -> None:
        for name, value in row.values.items():
            if isinstance(value, Ref):
                ids = self.users.setdefault(value, {}).setdefault((row.ref.table, name), set())
                (ids.add if present else ids.discard)(row.id)


def changed(row: Row, event: int, /, **values: Any) -> Row:
    """A row with other values."""
    return replace(row, updated=event, values={**row.values, **values})


def _replay(journal: Path) -> Iterator[tuple[Any, ...]]:
    """The commits in a file; what was being written when the process died is cut off."""
    if not journal.exists():
        return
    data = journal.read_bytes()
    place = 0
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 8], "big")
        body = data[place + 12 : place + 12 + length]
        if len(body) < length or zlib.crc32(body) != int.from_bytes(
            data[place + 8 : place + 12], "big"
        ):
            break
        yield pickle.loads(body)
        place += 12 + length
    if place < len(data):
        with journal.open("r+b") as file:
            file.truncate(place)
