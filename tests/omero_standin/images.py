"""Images as rows: what an import makes, and IPixels, with which clients make images of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import omero
from omero.rtypes import rlong

from omero_standin.marshal import Marshaller
from omero_standin.people import row
from omero_standin.rights import Caller
from omero_standin.servant import Call, Servant
from omero_standin.world import Commit, Quantity, Ref, Row, World

TYPES = {"float32": "float", "float64": "double"}
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def enumeration(world: World, kind: str, value: str) -> Ref:
    """An enumeration's value.

    Raises:
        ValueError: it has none such.
    """
    for found in world.of_kind(kind):
        if found.values["value"] == value:
            return found.ref
    raise ValueError(f"there is no {kind} {value!r}")


def add_image(
    caller: Caller,
    name: str,
    shape: tuple[int, ...],
    dtype: Any,
    mpp: tuple[float, float] | None,
    description: str | None = None,
) -> tuple[int, int]:
    """The rows of an image of a shape (z, t, c, h, w); the ids of the image and its pixels."""
    world = caller.world
    commit = Commit(world)
    owner, group = caller.user, caller.group
    depth, times, count, height, width = shape
    image = row(
        commit,
        "Image",
        commit.new_id("Image"),
        owner,
        group,
        name=name,
        description=description,
        partial=False,
        series=0,
        format=enumeration(world, "Format", "OMERO-stand-in"),
    )
    kind = np.dtype(dtype)
    lengths: list[Quantity | None] = [None, None]
    if mpp is not None:
        lengths = [Quantity("Length", value, "MICROMETER") for value in mpp]
    pixels = row(
        commit,
        "Pixels",
        commit.new_id("Pixels"),
        owner,
        group,
        image=image.ref,
        pixelsType=enumeration(world, "PixelsType", TYPES.get(kind.name, kind.name)),
        dimensionOrder=enumeration(world, "DimensionOrder", "XYZCT"),
        sizeX=width,
        sizeY=height,
        sizeZ=depth,
        sizeC=count,
        sizeT=times,
        significantBits=8 * kind.itemsize,
        sha1="Pending...",
        physicalSizeX=lengths[0],
        physicalSizeY=lengths[1],
    )
    settings = row(
        commit,
        "RenderingDef",
        commit.new_id("RenderingDef"),
        owner,
        group,
        pixels=pixels.ref,
        defaultZ=depth // 2,
        defaultT=0,
        model=enumeration(world, "RenderingModel", "rgb" if count > 1 else "greyscale"),
    )
    low, high = _range(kind)
    for index in range(count):
        logical = row(
            commit,
            "LogicalChannel",
            commit.new_id("LogicalChannel"),
            owner,
            group,
            name=None,
            samplesPerPixel=1,
        )
        red, green, blue = COLOURS[index % 3] if count > 1 else (255, 255, 255)
        row(
            commit,
            "Channel",
            commit.new_id("Channel"),
            owner,
            group,
            pixels=pixels.ref,
            logicalChannel=logical.ref,
            red=red,
            green=green,
            blue=blue,
            alpha=255,
        )
        row(
            commit,
            "ChannelBinding",
            commit.new_id("ChannelBinding"),
            owner,
            group,
            renderingDef=settings.ref,
            family=enumeration(world, "Family", "linear"),
            coefficient=1.0,
            inputStart=low,
            inputEnd=high,
            active=index < 3,
            noiseReduction=False,
            red=red,
            green=green,
            blue=blue,
            alpha=255,
        )
    world.commit(commit)
    return image.id, pixels.id


def remove_pixels(world: World, image: int) -> None:
    """Make an image one whose import has not come to its pixels yet."""
    commit = Commit(world)
    for pixels in list(world.referring("Pixels", "image", Ref("Image", image))):
        for _, part in world.using(pixels.ref):
            commit.delete(part.ref)
        commit.delete(pixels.ref)
    world.commit(commit)


def _range(kind: Any) -> tuple[float, float]:
    if kind.kind == "f":
        return 0.0, 1.0
    return 0.0, float(np.iinfo(kind).max)


class Pixels(Servant, omero.api.IPixels):
    """Pixels as objects."""

    def createImage(
        self,
        call: Call,
        width: int,
        height: int,
        depth: int,
        times: int,
        channels: Any,
        kind: Any,
        name: str,
        description: str,
    ) -> Any:
        caller = call.caller()
        with self.server.world.lock:
            stored = caller.world.get(Ref("PixelsType", kind.id.val))
            value = str(stored.values["value"]) if stored is not None else ""
            plain = {TYPES[key]: key for key in TYPES}.get(value, value)
            shape = (depth, times, len(channels), height, width)
            image, pixels = add_image(caller, name, shape, plain, None, description)
            self.server.buffers.create(pixels, shape, plain)
        return rlong(image)

    def setChannelGlobalMinMax(
        self, call: Call, pixels: int, channel: int, low: float, high: float
    ) -> None:
        caller = call.caller()
        with self.server.world.lock:
            found = caller.world.get(Ref("Pixels", pixels))
            if found is None or not caller.changes(found):
                raise omero.SecurityViolation(None, None, f"Cannot write Pixels:{pixels}")

    def retrievePixDescription(self, call: Call, pixels: int) -> Any:
        caller = call.caller()
        found = self._readable(caller, pixels)
        return Marshaller(caller).fill(
            found, "image", "pixelsType", "dimensionOrder", "channels.logicalChannel"
        )

    def retrieveRndSettings(self, call: Call, pixels: int) -> Any:
        caller = call.caller()
        self._readable(caller, pixels)
        settings = [
            row
            for row in caller.world.referring("RenderingDef", "pixels", Ref("Pixels", pixels))
            if caller.reads(row)
        ]
        mine = [row for row in settings if row.owner == caller.user] or settings
        if not mine:
            return None
        return Marshaller(caller).fill(
            mine[0], "model", "waveRendering.family", "waveRendering.spatialDomainEnhancement"
        )

    def _readable(self, caller: Caller, pixels: int) -> Row:
        found = caller.world.get(Ref("Pixels", pixels))
        if found is None or not caller.reads(found):
            raise omero.ValidationException(None, None, f"No such Pixels: {pixels}")
        return found


def forget_settings(world: World, image: int) -> None:
    """Make an image one that nobody has looked at yet."""
    commit = Commit(world)
    for pixels in world.referring("Pixels", "image", Ref("Image", image)):
        for settings in world.referring("RenderingDef", "pixels", pixels.ref):
            for binding in world.referring("ChannelBinding", "renderingDef", settings.ref):
                commit.delete(binding.ref)
            commit.delete(settings.ref)
    world.commit(commit)
