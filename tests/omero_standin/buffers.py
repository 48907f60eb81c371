"""Pixels on disk: one array file for each resolution of an image, mapped into memory."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

AXES = "ZTCYX"


class Buffers:
    """The pixels of all images, by the id of their Pixels; level 0 is the full resolution here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        self.mapped: dict[tuple[int, int], Any] = {}

    def create(self, id: int, shape: tuple[int, ...], dtype: Any) -> None:
        """An empty image without a pyramid, to be filled by planes."""
        np.lib.format.open_memmap(
            self._path(id, 0), mode="w+", dtype=np.dtype(dtype), shape=shape
        ).flush()

    def store(self, id: int, levels: list[Any]) -> None:
        """The resolutions of an image, the greatest first, each (z, t, c, h, w)."""
        for level, pixels in enumerate(levels):
            np.save(self._path(id, level), np.ascontiguousarray(pixels))

    def levels(self, id: int) -> int:
        """How many resolutions there are; 0 if the pixels are not there."""
        count = 0
        while self._path(id, count).exists():
            count += 1
        return count

    def level(self, id: int, level: int, *, write: bool = False) -> Any:
        """One resolution, (z, t, c, h, w)."""
        if write:
            return np.load(self._path(id, level), mmap_mode="r+")
        with self.lock:
            if (id, level) not in self.mapped:
                self.mapped[id, level] = np.load(self._path(id, level), mmap_mode="r")
            return self.mapped[id, level]

    def _path(self, id: int, level: int) -> Path:
        return self.folder / f"{id}-{level}.npy"


def as_planes(pixels: Any) -> Any:
    """(h, w), (h, w, c) or (z, t, c, h, w) as the last of these."""
    if pixels.ndim == 2:
        return pixels[None, None, None]
    if pixels.ndim == 3:
        return np.moveaxis(pixels, -1, 0)[None, None]
    if pixels.ndim == 5:
        return pixels
    raise ValueError(f"pixels have 2, 3 or 5 dimensions, not {pixels.ndim}")


def pyramid(pixels: Any, levels: int) -> list[Any]:
    """Resolutions, each half of the one before."""
    found = [pixels]
    for _ in range(levels - 1):
        last = found[-1]
        size = (max(1, last.shape[4] // 2), max(1, last.shape[3] // 2))
        planes = [
            cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
            for plane in last.reshape(-1, *last.shape[3:])
        ]
        found.append(np.stack(planes).reshape(*last.shape[:3], *planes[0].shape))
    return found


def read_levels(path: Path) -> list[Any]:
    """The resolutions of a TIFF's first image, or the array of a .npy file.

    Raises:
        ValueError: it has more than one plane and axes that are not colours.
    """
    if path.suffix == ".npy":
        return [as_planes(np.load(path))]
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        if series.axes not in ("YXS", "YX"):
            raise ValueError(f"{path}: axes {series.axes} are not served, only YX and YXS")
        return [as_planes(level.asarray()) for level in series.levels]
