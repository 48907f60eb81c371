"""Who may read, annotate and change what: OMERO's four kinds of group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import omero

from omero_standin.schema import SYSTEM, is_a
from omero_standin.world import Ref, Row, World

SYSTEM_GROUP, USER_GROUP = 0, 1
ROOT = 0
ALL_GROUPS = -1
ANNOTATING = ("Roi", "Shape", "RenderingDef", "ChannelBinding", "Thumbnail")
"""What hangs on an image as an annotation does, and asks for no more rights."""


@dataclass(frozen=True)
class Caller:
    """Who calls, and which group's data the call is about; `ALL_GROUPS` for all of them."""

    world: World
    user: int
    group: int
    session_group: int

    @cached_property
    def groups(self) -> dict[int, bool]:
        """The groups of the user; whether she leads them."""
        maps = self.world.referring("GroupExperimenterMap", "child", Ref("Experimenter", self.user))
        return {row.values["parent"].id: bool(row.values.get("owner")) for row in maps}

    @cached_property
    def is_admin(self) -> bool:
        """Whether the user may do everything."""
        return SYSTEM_GROUP in self.groups

    def check_group(self) -> None:
        """Refuse a call about a group that the user has no business with.

        Raises:
            omero.SecurityViolation: the user is not a member, or there is no such group.
        """
        if self.group == ALL_GROUPS:
            return
        if self.world.get(Ref("ExperimenterGroup", self.group)) is None:
            raise omero.ApiUsageException(None, None, f"No group with id {self.group}")
        if self.group not in self.groups and not self.is_admin:
            raise omero.SecurityViolation(
                None, None, f"User {self.user} is not a member of group {self.group}"
            )

    @cached_property
    def _permissions(self) -> dict[int, str]:
        rows = self.world.of_kind("ExperimenterGroup")
        return {row.id: str(row.values["permissions"]) for row in rows}

    def permissions(self, group: int) -> str:
        """A group's permissions, such as "rwra--"."""
        return self._permissions.get(group, "rw----")

    def owns(self, row: Row) -> bool:
        """Whether the user is the owner, leads the group, or is an administrator."""
        return row.owner == self.user or self.groups.get(row.group, False) or self.is_admin

    def reads(self, row: Row) -> bool:
        """Whether the user sees a row in this call."""
        if row.ref.table in SYSTEM:
            return True
        if self.group not in (ALL_GROUPS, row.group):
            return False
        if self.is_admin:
            return True
        return row.group in self.groups and (
            self.owns(row) or self.permissions(row.group)[2] == "r"
        )

    def annotates(self, row: Row) -> bool:
        """Whether the user may hang annotations and ROIs on a row."""
        return self.owns(row) or (
            row.group in self.groups and self.permissions(row.group)[3] in "aw"
        )

    def changes(self, row: Row) -> bool:
        """Whether the user may change, link or delete a row."""
        if row.ref.table in SYSTEM:
            return self.is_admin
        return self.owns(row) or (
            row.group in self.groups and self.permissions(row.group)[3] == "w"
        )

    def links(self, row: Row, kind: str) -> bool:
        """Whether the user may make an object of a kind that names a row."""
        if row.ref.table in SYSTEM:
            return True
        if kind.endswith("AnnotationLink") or any(is_a(kind, base) for base in ANNOTATING):
            return self.annotates(row)
        return self.changes(row)
