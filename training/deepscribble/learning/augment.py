"""Patches cut from images in varied places, sizes, directions, stains and qualities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import hed_from_rgb, rgb_from_hed

RGB = NDArray[np.uint8]
Channel = TypeVar("Channel", np.uint8, np.float32)

_OTHER_STAIN = 0.25
"""Share of the patches whose eosin turns to the brown of DAB, in part or whole."""

_NO_COLOUR = 0.08
"""Share of the patches that lose their colour."""

_BENT = 0.3
"""Share of the patches that are bent elastically."""

DENSITY = -np.log((np.arange(256, dtype=np.float32) + 1.0) / 256.0)
"""Optical density of each byte value."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a square patch lies in an image, and how it is turned, mirrored, sized and bent.

    Args:
        matrix: (2, 3), from patch to image pixels.
        size: Side of the patch, pixels.
        bend: (size, size, 2) float32, x and y that each patch pixel is moved by first, patch
            pixels; None for a patch that is not bent.
    """

    matrix: NDArray[np.float64]
    size: int
    bend: NDArray[np.float32] | None = None


def place(shape: tuple[int, int], size: int, rng: np.random.Generator) -> Place:
    """A way to cut a `size` x `size` patch from an image of `shape` (rows, columns).

    Any direction, mirrored or not, enlarged or reduced by up to 40 %, at times elastically bent;
    inside the image where it is large enough.
    """
    angle = rng.integers(4) * math.pi / 2 + rng.normal(0.0, 0.15)
    scale = math.exp(rng.uniform(-0.34, 0.34))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = scale * np.array(
        [
            [mirror * math.cos(angle), -math.sin(angle)],
            [mirror * math.sin(angle), math.cos(angle)],
        ]
    )
    half = size * scale / 2
    centre = [
        rng.uniform(half, side - half) if side > 2 * half else side / 2 + rng.normal(0, side / 16)
        for side in (shape[1], shape[0])
    ]
    # Pixel centres lie at whole numbers here, as OpenCV counts.
    middle = np.full(2, (size - 1) / 2)
    matrix = np.hstack([turn, (np.array(centre) - 0.5 - turn @ middle)[:, None]])
    bend = _bend(size, rng) if rng.random() < _BENT else None
    return Place(matrix, size, bend)


def _bend(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth field of shifts: tissue stretched a little here and squeezed there."""
    knots = size // int(rng.integers(32, 97)) + 3
    coarse = rng.normal(0.0, rng.uniform(1.0, 5.0), size=(knots, knots, 2)).astype(np.float32)
    fine = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, dtype=np.float32)


def cut(image: NDArray[Channel], at: Place) -> NDArray[Channel]:
    """The patch of `image` at a place; reflected beyond the border."""
    if at.bend is None:
        patch = cv2.warpAffine(
            image,
            at.matrix,
            (at.size, at.size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    else:
        rows, columns = np.indices((at.size, at.size), dtype=np.float32)
        moved = np.stack([columns, rows], axis=2) + at.bend
        x, y = cv2.split(cv2.transform(moved, at.matrix.astype(np.float32)))
        patch = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(patch, dtype=image.dtype)


def recolour(rgb: RGB, rng: np.random.Generator) -> RGB:
    """Another laboratory's stain: haematoxylin, eosin and residual scaled and shifted, and light.

    Stains are separated as Ruifrok and Johnston (2001) do, in optical density. Some patches get
    another counterstain altogether, as if by immunohistochemistry, or lose their colour: what a
    stroke means must not hang on pink and violet.
    """
    scale = np.diag(rng.uniform((0.75, 0.75, 0.85), (1.25, 1.25, 1.15)))
    shift = rng.normal(0.0, 0.02, size=3)
    kind = rng.random()
    if kind < _OTHER_STAIN:
        brown = rng.uniform(0.3, 1.0)
        scale[1] = scale[1, 1] * np.array([0.0, 1 - brown, brown])
    mix = hed_from_rgb @ scale @ rgb_from_hed
    if kind > 1 - _NO_COLOUR:
        mix = np.repeat(mix.mean(axis=1, keepdims=True), 3, axis=1)
    contrast = rng.uniform(0.85, 1.15)
    bright = rng.normal(0.0, 0.04)
    density = cv2.transform(DENSITY[rgb], mix.T.astype(np.float32))
    light = np.exp(-(density + (shift @ rgb_from_hed).astype(np.float32)))
    light = (light - 0.7) * np.float32(contrast) + np.float32(0.7 + bright)
    return np.asarray(np.clip(light * 256.0 - 1.0, 0, 255), dtype=np.uint8)


def worsen(rgb: RGB, rng: np.random.Generator) -> RGB:
    """Sometimes out of focus, sometimes stored as a poor JPEG."""
    if rng.random() < 0.2:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.4, 1.4)), dtype=np.uint8)
    if rng.random() < 0.2:
        quality = int(rng.integers(40, 90))
        coded = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        rgb = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return rgb
