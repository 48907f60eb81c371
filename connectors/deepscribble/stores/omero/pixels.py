"""Pixels of an image in OMERO, tile by tile, at the level of its pyramid that is asked for."""

from __future__ import annotations

import threading
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import Ice
import numpy as np
import omero
from numpy.typing import NDArray

from deepscribble.errors import InvalidInput, LimitExceeded, MissingScale
from deepscribble.geometry import Warning
from deepscribble.slides.decode import RGB
from deepscribble.slides.pyramid import Level, lay_levels
from deepscribble.slides.slide import MAX_PIXELS, Slide
from deepscribble.stores.omero.images import Image
from deepscribble.stores.omero.login import FAILED, LOST, said, unavailable
from deepscribble.stores.omero.rendering import rendering_of
from deepscribble.stores.omero.session import Session

TILE = 1024
"""The most pixels along a side of one request; a server sends whole tiles of its own at best."""

FLAT_PIXELS = 2**29
"""The most pixels of an image without a pyramid: all of it is read for an overview."""


def open_pixels(session: Session, image: Image, mpp: float | None) -> Slide:
    """An image as a slide that can be read from several threads.

    Args:
        session: The session.
        image: The image.
        mpp: µm per level-0 pixel if the server does not know them.

    Raises:
        InvalidInput: it has a problem, or the server cannot open its pixels.
        MissingScale: nobody tells its µm per pixel.
        LimitExceeded: it is too large to have no pyramid.
        StoreUnavailable: the server went away.
    """
    name = f"Image:{image.id}"
    if image.problem:
        raise InvalidInput(name, image.problem)
    pyramid = OmeroPyramid(session, image)
    try:
        try:
            return Slide(Path(name), pyramid, None, MAX_PIXELS)
        except MissingScale:
            if mpp is None:
                raise
            return Slide(Path(name), pyramid, mpp, MAX_PIXELS)
    except BaseException:
        pyramid.close()
        raise


class OmeroPyramid:
    """The levels of an image on a server, each thread through a raw store of its own.

    Raises:
        InvalidInput: the server cannot open its pixels.
        LimitExceeded: it has more than `FLAT_PIXELS` and no pyramid.
        StoreUnavailable: the server went away.
    """

    def __init__(self, session: Session, image: Image) -> None:
        self._session = session
        self._image = image
        self._own = threading.local()
        self._open: list[_RawStore] = []
        self._lock = threading.Lock()
        store = self._store()
        if image.size[0] * image.size[1] > FLAT_PIXELS and len(store.sizes) == 1:
            self.close()
            raise LimitExceeded(
                f"Image:{image.id}: {image.size[0]} x {image.size[1]} pixels without a pyramid are "
                f"more than the limit of {FLAT_PIXELS}; import it again with a pyramid"
            )
        self.levels: tuple[Level, ...] = lay_levels(store.sizes)
        self.mpp = image.mpp
        is_rgb = image.channels == 3 and image.dtype == "u1"
        definition = None if is_rgb else session.rendering(image.pixels)
        self._rendering = rendering_of(
            f"Image:{image.id}", image.dtype, image.bits, image.channels, definition
        )
        self.warnings: tuple[Warning, ...] = self._rendering.warnings

    def read(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        """Pixels of a rectangle inside a level, asked for in tiles of the server's."""
        step_x, step_y = self._store().tile
        cuts = list(product(_cuts(y, height, step_y), _cuts(x, width, step_x)))
        if len(cuts) == 1:
            return self._rendered(level, (x, y, width, height))
        out = np.empty((height, width, 3), dtype=np.uint8)
        for (top, bottom), (left, right) in cuts:
            tile = self._rendered(level, (left, top, right - left, bottom - top))
            out[top - y : bottom - y, left - x : right - x] = tile
        return out

    def _rendered(self, level: int, place: tuple[int, int, int, int]) -> RGB:
        return self._rendering.render(self._planes(level, place))

    def _planes(self, level: int, place: tuple[int, int, int, int]) -> list[NDArray[Any]]:
        """A rectangle of each channel that is shown; once more with a new login if need be."""
        channels = [channel.index for channel in self._rendering.channels]
        try:
            return self._store().read(level, channels, self._image.plane, place)
        except LOST:
            self._forget()
        try:
            return self._store().read(level, channels, self._image.plane, place)
        except LOST as error:
            raise unavailable(self._session.address, error) from error

    def _store(self) -> _RawStore:
        """The store of this thread."""
        store: _RawStore | None = getattr(self._own, "store", None)
        if store is None:
            store = self._own.store = _RawStore(self._session, self._image)
            with self._lock:
                self._open.append(store)
        return store

    def _forget(self) -> None:
        store: _RawStore = self._own.store
        self._own.store = None
        with self._lock:
            self._open.remove(store)
        store.close()

    def close(self) -> None:
        """Close the stores of all threads."""
        with self._lock:
            stores, self._open = self._open, []
        self._own = threading.local()
        for store in stores:
            store.close()


class _RawStore:
    """A `RawPixelsStore` of one thread.

    Attributes:
        sizes: Width and height of each level, level 0 the largest.
        tile: Width and height of what to ask for at once.
    """

    def __init__(self, session: Session, image: Image) -> None:
        self._image = image
        self._store = session.raw_store(image.pixels)
        try:
            self.sizes = [image.size]
            self._levels = int(self._store.getResolutionLevels())
            if self._levels > 1:
                described = self._store.getResolutionDescriptions()
                self.sizes = [(int(each.sizeX), int(each.sizeY)) for each in described]
            self.tile = _tile(*self._store.getTileSize())
        except FAILED as error:
            self.close()
            raise self._damaged(error) from error
        except BaseException:
            self.close()
            raise
        self._level = -1
        self._last: list[bytes] = []

    def read(
        self,
        level: int,
        channels: list[int],
        plane: tuple[int, int],
        place: tuple[int, int, int, int],
    ) -> list[NDArray[Any]]:
        """A rectangle (x, y, width, height) of each channel; raises what Ice raises when lost."""
        z, t = plane
        _, _, width, height = place
        try:
            if level != self._level and len(self.sizes) > 1:
                # The server counts from the smallest.
                self._store.setResolutionLevel(self._levels - 1 - level)
            self._level = level
            raws = [self._store.getTile(z, channel, t, *place) for channel in channels]
            # Memory that is given back to the system with each tile costs more than decoding it.
            self._last = raws
        except omero.SessionException:
            raise
        except FAILED as error:
            raise self._damaged(error) from error
        return [np.frombuffer(raw, dtype=self._image.dtype).reshape(height, width) for raw in raws]

    def close(self) -> None:
        """Close it on the server, which has only so many."""
        try:
            self._store.close()
        except Ice.Exception:
            # A server that ended the session has closed it.
            return

    def _damaged(self, error: Exception) -> InvalidInput:
        return InvalidInput(
            f"Image:{self._image.id}",
            f"the OMERO server cannot read its pixels ({said(error)}); "
            "if its import or its pyramid is still being made, wait for the end of it",
        )


def _tile(width: int, height: int) -> tuple[int, int]:
    """A whole number of the server's tiles, about `TILE` on a side.

    Servers of images without tiles call a whole row a tile.
    """
    return tuple(max(1, TILE // size) * size if size <= TILE else TILE for size in (width, height))  # type: ignore[return-value]


def _cuts(start: int, length: int, step: int) -> list[tuple[int, int]]:
    """Where a span is cut at multiples of `step`."""
    edges = [start, *range((start // step + 1) * step, start + length, step), start + length]
    return list(pairwise(edges))
