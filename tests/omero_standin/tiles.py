"""RawPixelsStore: tiles and planes, big-endian, with a pyramid or as a ROMIO buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
import omero

from omero_standin.rights import ALL_GROUPS, Caller
from omero_standin.servant import Call, Servant
from omero_standin.world import Ref

ROMIO = (
    "java.lang.UnsupportedOperationException: Cannot set resolution levels on a ROMIO pixel buffer"
)


class RawPixels(Servant, omero.api.RawPixelsStore):
    """One store, on one image at one resolution."""

    pixels = -1
    chosen = 0

    def setPixelsId(self, call: Call, id: int, bypass: bool) -> None:
        caller = call.caller()
        row = caller.world.get(Ref("Pixels", id))
        if row is None or not caller.reads(row):
            raise omero.ValidationException(
                None, None, f"Cannot read pixels id={id}: no such pixels in this group"
            )
        if self.server.buffers.levels(id) == 0:
            raise omero.ResourceError(None, None, f"Cannot find pixels file for Pixels:{id}")
        self.pixels = id
        self.chosen = 0

    def getPixelsId(self, call: Call) -> int:
        return self.pixels

    def getResolutionLevels(self, call: Call) -> int:
        return self._levels()

    def getResolutionLevel(self, call: Call) -> int:
        return self._levels() - 1 - self.chosen

    def getResolutionDescriptions(self, call: Call) -> Any:
        shapes = [self.server.buffers.level(self.pixels, n).shape for n in range(self._levels())]
        return [omero.api.ResolutionDescription(shape[4], shape[3]) for shape in shapes]

    def setResolutionLevel(self, call: Call, level: int) -> None:
        if self._levels() == 1:
            raise omero.InternalException(None, None, ROMIO)
        if not 0 <= level < self._levels():
            raise omero.ApiUsageException(None, None, f"no resolution level {level}")
        self.chosen = self._levels() - 1 - level

    def requiresPixelsPyramid(self, call: Call) -> bool:
        return self._levels() > 1

    def getTileSize(self, call: Call) -> Any:
        height, width = self._buffer().shape[3:]
        tile = self.server.tile_sizes.get(self.pixels, 256)
        return [min(tile, width), min(tile, height)] if self._levels() > 1 else [width, 1]

    def getByteWidth(self, call: Call) -> int:
        return int(self._buffer().dtype.itemsize)

    def isSigned(self, call: Call) -> bool:
        return self._buffer().dtype.kind != "u"

    def isFloat(self, call: Call) -> bool:
        return self._buffer().dtype.kind == "f"

    def getPlaneSize(self, call: Call) -> int:
        buffer = self._buffer()
        return int(buffer.dtype.itemsize * buffer.shape[3] * buffer.shape[4])

    def getPlane(self, call: Call, z: int, c: int, t: int) -> bytes:
        height, width = self._buffer().shape[3:]
        return self._tile(z, c, t, (0, 0, width, height))

    def getTile(
        self, call: Call, z: int, c: int, t: int, x: int, y: int, width: int, height: int
    ) -> bytes:
        return self._tile(z, c, t, (x, y, width, height))

    def setPlane(self, call: Call, data: bytes, z: int, c: int, t: int) -> None:
        caller = call.caller()
        row = Caller(caller.world, caller.user, ALL_GROUPS, caller.group).world.get(
            Ref("Pixels", self.pixels)
        )
        if row is None or not caller.changes(row):
            raise omero.SecurityViolation(None, None, f"Cannot write Pixels:{self.pixels}")
        buffer = self.server.buffers.level(self.pixels, 0, write=True)
        plane = np.frombuffer(data, buffer.dtype.newbyteorder(">"))
        buffer[z, t, c] = plane.reshape(buffer.shape[3:])
        buffer.flush()

    def save(self, call: Call) -> Any:
        return None

    def close(self, call: Call) -> None:
        self.server.remove(call.current.id)

    def _levels(self) -> int:
        if self.pixels < 0:
            raise omero.ApiUsageException(None, None, "setPixelsId was not called")
        return int(self.server.buffers.levels(self.pixels))

    def _buffer(self) -> Any:
        self._levels()
        return self.server.buffers.level(self.pixels, self.chosen)

    def _tile(self, z: int, c: int, t: int, box: tuple[int, int, int, int]) -> bytes:
        buffer = self._buffer()
        x, y, width, height = box
        inside = (
            0 <= z < buffer.shape[0]
            and 0 <= t < buffer.shape[1]
            and 0 <= c < buffer.shape[2]
            and 0 <= x < x + width <= buffer.shape[4]
            and 0 <= y < y + height <= buffer.shape[3]
        )
        if not inside:
            raise omero.ApiUsageException(
                None, None, f"DimensionsOutOfBounds: z={z} c={c} t={t} x,y,w,h={box}"
            )
        if buffer.dtype.itemsize * width * height > self.server.message_limit:
            raise omero.InternalException(
                None, None, f"a tile of {width} x {height} is over the limit of a message"
            )
        tile = buffer[z, t, c, y : y + height, x : x + width]
        return bytes(tile.astype(tile.dtype.newbyteorder(">")).tobytes())
