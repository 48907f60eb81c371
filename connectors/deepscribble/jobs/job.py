"""What a run is asked to do, and what the server needs for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from deepscribble.client import Client, finest_mpp
from deepscribble.errors import InvalidInput
from deepscribble.stores import RESULT_CLASS, Query, StoreImage, software_version


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with the images of a store.

    Args:
        class_name: The class of the annotations made.
        query: Which classes are strokes and regions.
        mpp: µm per level-0 pixel of images that nobody tells it of.
        is_dry: Whether to only say what would change.
    """

    class_name: str = RESULT_CLASS
    query: Query = Query()  # noqa: RUF009 - frozen
    mpp: float | None = None
    is_dry: bool = False


def file_state(image: StoreImage) -> tuple[int, int] | None:
    """The size and time of an image's file, by which another file in its place is known.

    Raises:
        InvalidInput: it is gone, or cannot be looked at.
    """
    if image.path is None:
        return None
    try:
        found = image.path.stat()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput(str(image.path), f"the image cannot be read ({reason})") from error
    return found.st_size, found.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Needs:
    """What the models of a server ask of their input.

    Args:
        mpp: µm per pixel of the finest of them.
        reach_um: How far a stroke changes the outline, µm.
        digests: The digest of each default model, by its name.
        limits: The server's limits, by name.
    """

    mpp: float
    reach_um: float
    digests: Mapping[str, str]
    limits: Mapping[str, int]

    @classmethod
    def of(cls, client: Client) -> Needs:
        """Ask a server.

        Raises:
            ServerUnavailable: it does not answer.
            UnknownModel: it has no default model of a kind.
        """
        models = client.list_models()
        mpp = finest_mpp(models, ("guide", "refine"))
        used = [model for model in models if model.is_default]
        return cls(
            mpp,
            max(model.influence_radius * model.mpp for model in used),
            {model.name: model.digest for model in used},
            client.server_info().limits,
        )

    def key(
        self, job: Job, image: StoreImage, file: tuple[int, int] | None, content_version: str
    ) -> str:
        """A digest of all that the result of an image follows from; equal in, equal out.

        Args:
            job: What is asked.
            image: Of which image.
            file: What `file_state` said before any pixel was read.
            content_version: What is stored for the image.
        """
        origin = (*self.origin(job, image), file, content_version)
        return hashlib.sha256(repr(origin).encode()).hexdigest()

    def origin(self, job: Job, image: StoreImage) -> tuple[str, ...]:
        """What the result of an image follows from besides its pixels and what was drawn on it."""
        return (
            job.class_name,
            repr(job.query),
            repr((job.mpp, image.mpp)),
            repr(sorted(self.digests.items())),
            software_version(),
        )
