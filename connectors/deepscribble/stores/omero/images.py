"""Images on an OMERO server: which there are, how large, in what group, or why they are no use."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from omero.model import LengthI
from omero.model.enums import UnitsLength

from deepscribble.errors import NotFound
from deepscribble.stores.omero.address import Address
from deepscribble.stores.omero.session import Session
from deepscribble.stores.store import StoreImage

IMAGES = (
    "select i from Image i left outer join fetch i.pixels p "
    "left outer join fetch p.pixelsType {} order by i.id"
)

WHERE = {
    "Image": "where i.id = :id",
    "Dataset": "join i.datasetLinks dl where dl.parent.id = :id",
    "Project": (
        "join i.datasetLinks dl join dl.parent d join d.projectLinks pl where pl.parent.id = :id"
    ),
    "Well": "join i.wellSamples ws where ws.well.id = :id",
    "Plate": "join i.wellSamples ws join ws.well w where w.plate.id = :id",
    "Screen": (
        "join i.wellSamples ws join ws.well w join w.plate pt join pt.screenLinks sl "
        "where sl.parent.id = :id"
    ),
}
"""Which images each kind of address means."""

MOST_RESULTS = 500
"""How many Rois of an image OMERO.iviewer and OMERO.figure show at a time."""

KINDS_OF_PIXEL = {"uint8": "u1", "uint16": ">u2"}
"""Types of pixel that a brightfield scanner writes, as NumPy reads what the server sends."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image.

    Args:
        id: Its number.
        name: What people call it.
        group: The number of the group that it is in.
        pixels: The number of its pixels.
        dtype: How NumPy reads them.
        bits: How many bits of each are used.
        size: Width and height, level-0 pixels.
        channels: How many.
        planes: How many sections and moments.
        plane: The section and moment that is worked on, from 0.
        mpp: µm per level-0 pixel along x and y; None if the server does not know.
        problem: Why it cannot be worked on, and what to do; empty if it can.
    """

    id: int
    name: str
    group: int
    pixels: int
    dtype: str
    bits: int
    size: tuple[int, int]
    channels: int
    planes: tuple[int, int]
    plane: tuple[int, int]
    mpp: tuple[float, float] | None
    problem: str

    @property
    def own_plane(self) -> tuple[int | None, int | None]:
        """The plane for a shape: None where the image has but one, so that all viewers show it."""
        (sections, moments), (z, t) = self.planes, self.plane
        return (z if sections > 1 else None, t if moments > 1 else None)

    def for_store(self) -> StoreImage:
        """The image as every store has it."""
        mean = math.sqrt(self.mpp[0] * self.mpp[1]) if self.mpp else None
        size = None if self.problem else self.size
        return StoreImage(
            f"Image:{self.id}", self.name, None, mean, size, self.problem, MOST_RESULTS
        )


def list_images(session: Session, address: Address, plane: tuple[int, int] | None) -> list[Image]:
    """The images that an address means, by their numbers.

    Args:
        session: The session.
        address: What to list.
        plane: The section and moment to work on; None is right for images that have but one.

    Raises:
        NotFound: there is no such thing, or not for this user.
    """
    found = session.query(IMAGES.format(WHERE[address.kind]), address.id)
    if not found and (address.kind == "Image" or session.find(address.kind, address.id) is None):
        raise NotFound(
            f"{address}: the OMERO server has no such {address.kind}, or this user may not see it; "
            "check the number, the user and the user's groups"
        )
    return read_images(found, plane)


def read_images(images: Iterable[Any], plane: tuple[int, int] | None) -> list[Image]:
    """Images of OMERO's, as `IMAGES` gives them, each once."""
    each = {image.getId().getValue(): image for image in images}
    return [_image(image, plane) for image in each.values()]


def _image(image: Any, plane: tuple[int, int] | None) -> Image:
    id, name = int(image.getId().getValue()), str(image.getName().getValue())
    group = int(image.getDetails().getGroup().getId().getValue())
    pixels = image.getPrimaryPixels() if image.sizeOfPixels() > 0 else None
    if pixels is None:
        problem = "the image has no pixels yet; wait for the end of its import"
        return Image(id, name, group, 0, "", 0, (0, 0), 0, (1, 1), (0, 0), None, problem)
    width, height, channels, sections, moments = (
        int(getattr(pixels, f"getSize{axis}")().getValue()) for axis in "XYCZT"
    )
    kind = str(pixels.getPixelsType().getValue().getValue())
    chosen = plane or (0, 0)
    problems = (
        _pixel_problem(kind),
        _plane_problem(plane, sections, moments),
        _permission_problem(image),
    )
    return Image(
        id=id,
        name=name,
        group=group,
        pixels=int(pixels.getId().getValue()),
        dtype=KINDS_OF_PIXEL.get(kind, ""),
        bits=_bits(kind, pixels.getSignificantBits()),
        size=(width, height),
        channels=channels,
        planes=(sections, moments),
        plane=chosen,
        mpp=_mpp(pixels),
        problem=next((problem for problem in problems if problem), ""),
    )


def _pixel_problem(kind: str) -> str:
    if kind in KINDS_OF_PIXEL:
        return ""
    return f"its pixels are of type {kind}; only {' and '.join(KINDS_OF_PIXEL)} are brightfield"


def _bits(kind: str, significant: Any) -> int:
    """How many bits of a pixel are used: a scanner may put 12 bits into 16."""
    width = int(kind.removeprefix("uint")) if kind in KINDS_OF_PIXEL else 0
    return min(int(significant.getValue()), width) if significant is not None else width


def _plane_problem(plane: tuple[int, int] | None, sections: int, moments: int) -> str:
    if plane is None:
        if sections == moments == 1:
            return ""
        return (
            f"the image has {sections} sections (z) and {moments} moments (t); "
            "say which one to work on, as --plane 0,0"
        )
    z, t = plane
    if 0 <= z < sections and 0 <= t < moments:
        return ""
    return (
        f"section {z} (z) at moment {t} (t) is not in the image, which has sections 0 to "
        f"{sections - 1} and moments 0 to {moments - 1}; choose another --plane"
    )


def _permission_problem(image: Any) -> str:
    permissions = image.getDetails().getPermissions()
    if permissions is None or permissions.canAnnotate():
        return ""
    return (
        "this user may look at the image but not annotate it; ask for a group that is "
        "read-annotate, or log in as somebody who may"
    )


def _mpp(pixels: Any) -> tuple[float, float] | None:
    sizes = [_micrometers(pixels.getPhysicalSizeX()), _micrometers(pixels.getPhysicalSizeY())]
    if sizes[0] is None or sizes[1] is None:
        return None
    return sizes[0], sizes[1]


def _micrometers(length: Any) -> float | None:
    """A length in µm; None if it is none that a microscope gives, such as one in pixels."""
    if length is None:
        return None
    value, unit = float(length.getValue()), length.getUnit()
    if unit != UnitsLength.MICROMETER:
        convert = LengthI.CONVERSIONS.get(unit, {}).get(UnitsLength.MICROMETER)
        if convert is None:
            return None
        value = float(convert(value))
    return value if math.isfinite(value) and value > 0 else None
