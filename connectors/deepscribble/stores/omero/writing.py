"""An edit applied to an image in OMERO: save the new, read it back, then delete the old.

At every moment the image has the old results, or the new ones, or both. Where both are left the
next run takes the older ones away. Nothing is saved a second time in one run: a save whose answer
was lost may still be on its way.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from deepscribble.errors import OutputRefused, StoreConflict, StoreUnavailable
from deepscribble.stores.omero.images import Image
from deepscribble.stores.omero.items import View, rois_by_id
from deepscribble.stores.omero.records import ROIS, Record, digest_of, read_records
from deepscribble.stores.omero.rois import WRITE, holds, to_link
from deepscribble.stores.omero.session import Session
from deepscribble.stores.store import Edit, Result

BETWEEN = "-"
"""Between the two halves of a version: our Rois, and those of others."""


def load(session: Session, image: Image) -> tuple[Record, ...]:
    """All Rois of an image, in one call."""
    return read_records(session.query(ROIS, image.id))


def version_of(records: Sequence[Record], user: int) -> str:
    """A version for `Content`: our Rois first, since an edit touches nothing else."""
    ours = [record for record in records if record.is_result_of(user)]
    others = [record for record in records if not record.is_result_of(user)]
    return f"{digest_of(ours)}{BETWEEN}{digest_of(others)}"


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes to one image.

    Args:
        session: The session.
        image: The image.
        view: How its Rois are looked at.
    """

    session: Session
    image: Image
    view: View

    def write(self, edit: Edit, seen: str) -> str:
        """As `Store.write`.

        What others drew meanwhile is no conflict: it is not touched, and the version that is
        returned is that of what was seen of it.
        """
        before = load(self.session, self.image)
        ours, _, others = version_of(before, self.view.user).partition(BETWEEN)
        rois = rois_by_id(before, self.view)
        due = (*(result.id for result in edit.updated), *edit.removed)
        # A result whose UUID others have copied meanwhile goes by another id.
        if ours != seen.partition(BETWEEN)[0] or not rois.keys() >= set(due):
            raise StoreConflict(
                f"{self.view.image}: somebody changed or copied our results since they were read, "
                "so the image was left alone; run again"
            )
        old = [record for id in due for record in rois[id]]
        results = (*edit.added, *edit.updated)
        saved = self._save(results, old) if results else ()
        gone = {record.id for record in old}
        if gone:
            self.session.delete({"Roi": sorted(gone)}, self.image.group)
        # What else came up meanwhile, such as a save of an earlier run whose answer was lost, was
        # not seen by this run, so the version must not have it.
        stay = [record for record in before if record.id not in gone] + list(saved)
        ours = version_of(stay, self.view.user).partition(BETWEEN)[0]
        return BETWEEN.join((ours, seen.partition(BETWEEN)[2] or others))

    def _save(self, results: Sequence[Result], old: Sequence[Record]) -> Sequence[Record]:
        """Save results in one transaction, read them back, and take them away if they differ.

        Args:
            results: What to save.
            old: The Rois that are to make room for them.

        Raises:
            StoreConflict: somebody edited one of the old, or hung something on it.
        """
        write = str(uuid.uuid4())
        links = [to_link(result, self.image.id, self.image.own_plane, write) for result in results]
        try:
            self.session.save(links, self.image.group)
        except StoreUnavailable:
            # The answer was lost, maybe not what was asked. The server knows it once it is done
            # with it; until then a second save might become a second set.
            if not self._saved(load(self.session, self.image), write):
                raise
        after = load(self.session, self.image)
        saved = self._saved(after, write)
        stored = {next(iter(rois_by_id([record], self.view)), ""): record for record in saved}
        wrong = [
            result.id
            for result in results
            if result.id not in stored or not holds(stored[result.id], result, write)
        ]
        if wrong or len(saved) != len(results):
            self._take_back(saved)
            raise OutputRefused(
                f"{self.view.image}: {len(wrong) or len(saved)} of {len(results)} outlines did not "
                "read back from OMERO as they were written, so they were taken away again; the "
                "former ones are untouched"
            )
        stood = {record.id: record.digest for record in old}
        if any(record.digest != stood.get(record.id, record.digest) for record in after):
            self._take_back(saved)
            raise StoreConflict(
                f"{self.view.image}: somebody edited or annotated a result of ours that was to be "
                "replaced, so the image was left alone; run again"
            )
        return saved

    def _take_back(self, saved: Sequence[Record]) -> None:
        numbers = [record.id for record in saved if not record.annotations]
        if numbers:
            self.session.delete({"Roi": numbers}, self.image.group)

    def _saved(self, records: Sequence[Record], write: str) -> list[Record]:
        return [
            record
            for record in records
            if record.is_made_by(self.view.user) and (record.note or {}).get(WRITE) == write
        ]
