"""Users and groups, the enumerations that images need, and how they come into the world."""

from __future__ import annotations

from typing import Any

import omero

from omero_standin.rights import ROOT, SYSTEM_GROUP, USER_GROUP, Caller
from omero_standin.schema import fields
from omero_standin.world import Commit, Ref, Row, World, changed

ENUMERATIONS = {
    "PixelsType": ("int8", "int16", "int32", "uint8", "uint16", "uint32", "float", "double"),
    "DimensionOrder": ("XYZCT", "XYCZT"),
    "Format": ("OMERO-stand-in",),
    "RenderingModel": ("rgb", "greyscale"),
    "Family": ("linear", "polynomial", "exponential", "logarithmic"),
}


def row(commit: Commit, kind: str, id: int, owner: int, group: int, /, **values: Any) -> Row:
    """A new row, in a commit."""
    empty: dict[str, Any] = dict.fromkeys(fields(kind))
    made = Row(kind, id, owner, group, commit.event, commit.event, {**empty, **values})
    commit.put(made)
    return made


class People:
    """Who there is.

    Args:
        world: Where they are kept; one that is empty gets its root, with a password, and the
            groups that every server has.
    """

    def __init__(self, world: World, root_password: str) -> None:
        self.world = world
        if world.get(Ref("Experimenter", ROOT)) is not None:
            return
        commit = Commit(world)
        for id, name in ((SYSTEM_GROUP, "system"), (USER_GROUP, "user")):
            permissions = "rw----" if id == SYSTEM_GROUP else "rwr-r-"
            self._group(commit, id, name, permissions)
        self._user(
            commit, ROOT, "root", root_password, [SYSTEM_GROUP, USER_GROUP], ("root", "root")
        )
        for kind, values in ENUMERATIONS.items():
            for value in values:
                row(commit, kind, commit.new_id(kind), ROOT, SYSTEM_GROUP, value=value)
        world.commit(commit)

    def add_group(self, caller: Caller, name: str, permissions: str) -> int:
        """A new group; its id."""
        self._check_new("ExperimenterGroup", "name", name)
        commit = Commit(caller.world)
        id = commit.new_id("ExperimenterGroup")
        self._group(commit, id, name, permissions)
        caller.world.commit(commit)
        return id

    def add_user(
        self,
        caller: Caller,
        name: str,
        password: str,
        groups: list[int],
        called: tuple[str, str],
    ) -> int:
        """A new user, the first of whose groups is her default; her id."""
        self._check_new("Experimenter", "omeName", name)
        commit = Commit(caller.world)
        id = commit.new_id("Experimenter")
        self._user(commit, id, name, password, groups, called)
        caller.world.commit(commit)
        return id

    def change_password(self, caller: Caller, name: str, password: str) -> None:
        """Another password for a user."""
        commit = Commit(caller.world)
        for user in self.world.of_kind("Experimenter"):
            if user.values["omeName"] == name:
                commit.put(changed(user, commit.event, password=password))
        caller.world.commit(commit)

    def _group(self, commit: Commit, id: int, name: str, permissions: str) -> None:
        row(
            commit,
            "ExperimenterGroup",
            id,
            ROOT,
            id,
            name=name,
            permissions=permissions,
        )

    def _user(
        self,
        commit: Commit,
        id: int,
        name: str,
        password: str,
        groups: list[int],
        called: tuple[str, str],
    ) -> None:
        first, last = called
        row(
            commit,
            "Experimenter",
            id,
            ROOT,
            SYSTEM_GROUP,
            omeName=name,
            firstName=first,
            lastName=last,
            password=password,
        )
        for group in groups:
            row(
                commit,
                "GroupExperimenterMap",
                commit.new_id("GroupExperimenterMap"),
                ROOT,
                SYSTEM_GROUP,
                parent=Ref("ExperimenterGroup", group),
                child=Ref("Experimenter", id),
                owner=False,
            )

    def _check_new(self, kind: str, field: str, name: str) -> None:
        if any(other.values[field] == name for other in self.world.of_kind(kind)):
            raise omero.ValidationException(None, None, f"{kind} {name} is there already")
