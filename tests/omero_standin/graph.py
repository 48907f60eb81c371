"""Saving and deleting: graphs of objects to rows, in one commit, with a server's checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import omero
from omero.rtypes import rlong

from omero_standin.marshal import Marshaller, plain
from omero_standin.rights import ALL_GROUPS, Caller
from omero_standin.schema import SYSTEM, collections, elements, fields, is_a, kind_of, table
from omero_standin.world import Commit, Ref, Row, changed

DELETABLE = ("Image", "Roi", "Shape", "Annotation", "Dataset", "Project")
CONTENTS = {"Dataset": {"Image"}, "Project": {"Image", "Dataset"}}
"""What would go with a container; the stand-in deletes containers only if told to leave that."""

PARTS = ("parent", "child", "image", "roi", "pixels", "renderingDef")
"""Fields whose row goes with the row that they name."""


class Save:
    """One call to IUpdate: objects come in, get ids, and are rows when it is committed."""

    def __init__(self, caller: Caller) -> None:
        if caller.group == ALL_GROUPS:
            raise omero.SecurityViolation(
                None, None, "Cannot save with omero.group -1: name the group to save into"
            )
        self.caller = caller
        self.commit = Commit(caller.world)
        self.seen: dict[int, Ref] = {}
        self.objects: list[tuple[Any, Ref]] = []

    def add(self, made: Any) -> Ref:
        """Take an object, and all that hangs on it, into the commit.

        Raises:
            omero.ServerError: a rule of the server is broken; nothing may be committed then.
        """
        if id(made) in self.seen:
            return self.seen[id(made)]
        if not made.isLoaded():
            ref = self._existing(made).ref
            self.seen[id(made)] = ref
            return ref
        if made.id is None:
            row = Row(
                kind=kind_of(made),
                id=self.commit.new_id(kind_of(made)),
                owner=self.caller.user,
                group=self.caller.group,
                created=self.commit.event,
                updated=self.commit.event,
            )
            row.values.update(dict.fromkeys(fields(row.kind)))
        else:
            row = self._existing(made)
        self.seen[id(made)] = row.ref
        self.objects.append((made, row.ref))
        self.commit.put(row)
        values = {name: self._value(made, name) for name in fields(row.kind)}
        is_new = made.id is None
        if is_new:
            self._check_complete(row.kind, values)
        row = changed(row, self.commit.event, **values)
        if not is_new:
            before = self._existing(made)
            if before.values == row.values:
                row = before
            elif not self.caller.changes(before):
                raise self._refused(before, "update")
        self.commit.put(row)
        self._check_links(row, before=None if is_new else self._existing(made))
        for name in collections(row.kind):
            if getattr(made, f"_{name}Loaded", False):
                self._collection(made, row, name)
        return row.ref

    def finish(self) -> None:
        """Commit, and give the objects their ids and details."""
        self.caller.world.commit(self.commit)
        marshaller = Marshaller(self.caller)
        for made, ref in self.objects:
            row = self.caller.world.get(ref)
            if row is not None:
                made._id = rlong(row.id)
                made._details = marshaller.details(row)

    def _value(self, made: Any, name: str) -> Any:
        value = getattr(made, f"_{name}")
        return self.add(value) if isinstance(value, omero.model.IObject) else plain(value)

    def _collection(self, made: Any, row: Row, name: str) -> None:
        present = getattr(made, f"_{name}Seq")
        if not present and made.id is None:
            return
        kind, back = elements(row.kind, name)
        refs = set()
        for child in present:
            if child is None:
                continue
            ref = self.add(child)
            refs.add(ref)
            element = self.commit.get(ref)
            if element is not None and element.values.get(back) != row.ref:
                self.commit.put(changed(element, self.commit.event, **{back: row.ref}))
        stored = {r.ref for r in self.caller.world.referring(kind, back, row.ref)}
        if stored - refs:
            raise omero.InternalException(
                None,
                None,
                f"the stand-in does not serve the removal of elements by saving {row.kind}.{name}",
            )

    def _existing(self, made: Any) -> Row:
        kind = kind_of(made)
        row = self.caller.world.get(Ref(table(kind), made.id.val))
        if row is None:
            raise omero.ValidationException(
                None, None, f"No row with the given identifier exists: [{kind}#{made.id.val}]"
            )
        return row

    def _check_complete(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "Roi" or is_a(kind, "Shape"):
            return
        for name in ("name", "parent", "child"):
            if name in values and values[name] is None and not is_a(kind, "Annotation"):
                raise omero.ValidationException(
                    None, None, f"not-null property references a null value: {kind}.{name}"
                )

    def _check_links(self, row: Row, before: Row | None) -> None:
        for name, ref in row.values.items():
            if not isinstance(ref, Ref) or (before and before.values.get(name) == ref):
                continue
            target = self.caller.world.get(ref)
            if target is None or target.ref.table in SYSTEM:
                continue
            everywhere = Caller(
                self.caller.world, self.caller.user, ALL_GROUPS, self.caller.session_group
            )
            if not everywhere.reads(target):
                raise omero.SecurityViolation(
                    None, None, f"You do not have read access to {target.kind}:{target.id}"
                )
            if not self.caller.links(target, row.kind):
                raise self._refused(target, f"link {row.kind} to")
            if target.group != row.group and everywhere.links(target, row.kind):
                raise omero.GroupSecurityViolation(
                    None,
                    None,
                    f"MIXED GROUP: {row.kind}:{row.id} (group={row.group}) and "
                    f"{target.kind}:{target.id} (group={target.group}) cannot be linked",
                )

    def _refused(self, row: Row, what: str) -> omero.SecurityViolation:
        text = (
            f"Cannot {what} {row.kind}:{row.id}: permissions {self.caller.permissions(row.group)}"
        )
        if self.caller.permissions(row.group).startswith("rwr-"):
            return omero.ReadOnlyGroupSecurityViolation(None, None, text)
        return omero.SecurityViolation(None, None, text)


class Deletion:
    """What a Delete2 takes away: the targets, what is part of them, and annotations left alone.

    Args:
        caller: Who deletes.
        spared: Kinds that stay though nothing refers to them any more.
    """

    def __init__(self, caller: Caller, spared: Iterable[str] = ()) -> None:
        self.caller = caller
        self.spared = frozenset(spared)
        self.gone: dict[Ref, Row] = {}

    def add(self, kind: str, id: int) -> None:
        """Take an object in.

        Raises:
            LookupError: there is none, or the caller does not see it.
            PermissionError: it may not be deleted by the caller.
            NotImplementedError: the stand-in does not serve the deletion of this kind.
        """
        if table(kind) not in DELETABLE and not kind.endswith("Link"):
            raise NotImplementedError(f"the stand-in does not delete objects of kind {kind}")
        if not CONTENTS.get(kind, set()) <= self.spared:
            raise NotImplementedError(f"the stand-in does not delete the contents of a {kind}")
        row = self.caller.world.get(Ref(table(kind), id))
        if row is None or not is_a(row.kind, kind) or not self.caller.reads(row):
            raise LookupError(f"no such {kind}: {id}")
        if not self.caller.changes(row):
            raise PermissionError(f"not permitted to delete {row.kind}[{row.id}]")
        self._take(row)

    def commit(self) -> dict[str, list[int]]:
        """Delete; what is gone, by kind."""
        commit = Commit(self.caller.world)
        report: dict[str, list[int]] = {}
        for ref, row in self.gone.items():
            commit.delete(ref)
            report.setdefault(row.kind, []).append(row.id)
        self.caller.world.commit(commit)
        return report

    def _take(self, row: Row) -> None:
        if row.ref in self.gone:
            return
        self.gone[row.ref] = row
        for name, user in self.caller.world.using(row.ref):
            if name in PARTS:
                self._take(user)
        transform = row.values.get("transform")
        if isinstance(transform, Ref):
            self.gone[transform] = self.caller.world.tables["AffineTransform"][transform.id]
        if row.kind.endswith("AnnotationLink"):
            self._take_orphan(row.values["child"])

    def _take_orphan(self, ref: Ref) -> None:
        annotation = self.caller.world.get(ref)
        if annotation is None or annotation.kind in self.spared:
            return
        linked = any(
            name == "child" and link.ref not in self.gone
            for name, link in self.caller.world.using(ref)
        )
        if not linked and self.caller.changes(annotation):
            self._take(annotation)
