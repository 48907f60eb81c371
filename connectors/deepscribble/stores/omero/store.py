"""Images on an OMERO server as a store."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from deepscribble.errors import InvalidInput, NotFound
from deepscribble.slides import Slide
from deepscribble.stores.omero.address import Address
from deepscribble.stores.omero.answers import ANSWER, Answer
from deepscribble.stores.omero.copies import without_theirs
from deepscribble.stores.omero.features import annotated_warning, to_features
from deepscribble.stores.omero.images import Image, list_images
from deepscribble.stores.omero.items import View, items_of
from deepscribble.stores.omero.notes import ImageNotes, Notes
from deepscribble.stores.omero.pixels import open_pixels
from deepscribble.stores.omero.session import Session
from deepscribble.stores.omero.writing import Writer, load, version_of
from deepscribble.stores.sorting import sort_features
from deepscribble.stores.store import Content, Edit, Query, StoreImage

STATE = "XDG_STATE_HOME"


class OmeroStore:
    """The images that an address means, with Rois for annotations.

    Strokes and regions are Rois of anybody; results are Rois of the user who is logged in, each
    with a note (a MapAnnotation) of its origin. Nothing else is ever changed or deleted, nor a
    result that somebody annotated. The server keeps no copy of deleted results: the journal has
    them.

    Args:
        session: The session; the store closes it.
        address: What its images are.
        folder: Where its journal lies; None for a folder of the server's own in the user's state.
        plane: The section (z) and moment (t) to work on, from 0; None is right for images that
            have but one.
        colors: Classes by the colour of the line, "#rrggbb", of shapes without a text.
    """

    def __init__(
        self,
        session: Session,
        address: Address,
        *,
        folder: Path | None = None,
        plane: tuple[int, int] | None = None,
        colors: Mapping[str, str] | None = None,
    ) -> None:
        self.session = session
        self._address = address
        self._folder = folder or state_folder(address)
        self._plane = plane
        self._colors = {color.lower(): name for color, name in (colors or {}).items()}
        self._images: dict[str, Image] = {}
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where the journal lies; made when it is first asked for."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InvalidInput(
                str(self._folder), f"no folder for the journal can be made ({error.strerror})"
            ) from error
        return self._folder

    def images(self) -> tuple[StoreImage, ...]:
        """As `Store.images`, as they are now.

        Raises:
            NotFound: what the address names is not there, or not for this user.
            StoreUnavailable: the server went away.
        """
        found = list_images(self.session, self._address, self._plane)
        images = {f"Image:{image.id}": image for image in found}
        with self._lock:
            self._images = images
        return tuple(image.for_store() for image in found)

    def read(self, image: StoreImage, query: Query) -> Content:
        """As `Store.read`; one call to the server."""
        known = self._known(image)
        records = load(self.session, known)
        view = self._view(known)
        items = items_of(records, view)
        found = sort_features(to_features(items, view, query), query, view.image)
        theirs = {item.id: item.is_copy for item in items if item.is_theirs(view.user)}
        formers, shown = without_theirs(found.formers, theirs, view.image)
        left_out = {former.id for former in found.formers} - {former.id for former in formers}
        beside = {each.id for item in items if item.id in left_out for each in item.records}
        return replace(
            found.content(version_of(records, self.session.user)),
            formers=formers,
            warnings=(*found.warnings, *annotated_warning(records, view), *shown),
            # Outlines do not make room for what counts for nothing.
            others=len(records) - len(beside) - len(formers),
        )

    def check(self, image: StoreImage) -> None:
        """As `Store.check`; what only the server knows it says at the write."""
        self._sound(image)

    def write(self, image: StoreImage, edit: Edit, seen: str) -> str:
        """As `Store.write`; what others drew since `read` is no conflict."""
        known = self._sound(image)
        return Writer(self.session, known, self._view(known)).write(edit, seen)

    def open(self, image: StoreImage, mpp: float | None) -> Slide:
        """The pixels of an image; see `open_pixels`."""
        return open_pixels(self.session, self._known(image), mpp)

    def answered(self, image: StoreImage) -> Answer:
        """What `note_answer` kept last. One call to the server."""
        notes = Notes(self.session, ANSWER).on(self._known(image).id)
        mine = [note for note in notes if note.owner == self.session.user]
        return Answer.of_note(mine[-1].values) if mine else Answer()

    def note_answer(self, image: StoreImage, answer: Answer) -> None:
        """Keep with an image what its results came of, and which they are.

        Raises:
            OutputRefused: the server refuses.
            StoreUnavailable: the connection was lost.
        """
        known, notes = self._known(image), Notes(self.session, ANSWER)
        mine = [note for note in notes.on(known.id) if note.owner == self.session.user]
        if mine:
            notes.change(mine[-1], known.group, answer.values())
        else:
            notes.add(known.id, known.group, answer.values())
        for double in mine[:-1]:
            notes.remove(double, known.group)

    def notes(self, image: StoreImage, namespace: str) -> ImageNotes:
        """The notes of a namespace of ours on an image, for jobs to leave word for one another."""
        known = self._known(image)
        return ImageNotes(Notes(self.session, namespace), known.id, known.group)

    def close(self) -> None:
        """As `Store.close`: the session ends."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _known(self, image: StoreImage) -> Image:
        """The image as it was listed last.

        Raises:
            NotFound: it was not.
        """
        with self._lock:
            known = self._images.get(image.id)
        if known is None:
            raise NotFound(f"{image.id}: no longer among the images of {self._address}")
        return known

    def _sound(self, image: StoreImage) -> Image:
        """As `_known`, of an image that can be worked on.

        Raises:
            InvalidInput: there is a problem with it.
            NotFound: as `_known`.
        """
        known = self._known(image)
        if known.problem:
            raise InvalidInput(image.id, known.problem)
        return known

    def _view(self, image: Image) -> View:
        return View(f"Image:{image.id}", self.session.user, image.plane, self._colors)


def state_folder(address: Address) -> Path:
    """The folder for all that concerns a server, in the state of the user who runs this."""
    state = os.environ.get(STATE) or Path.home() / ".local" / "state"
    return Path(state) / "deepscribble" / f"omero-{address.server.replace(':', '-')}"
