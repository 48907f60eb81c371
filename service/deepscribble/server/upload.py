"""Pixels on their way in: checked against every limit before they cost memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deepscribble.errors import InvalidInput, LimitExceeded
from deepscribble.slides import Decoded, decode_image
from deepscribble.v1 import deepscribble_pb2 as pb

if TYPE_CHECKING:
    from deepscribble.settings import Settings

__all__ = ["Upload", "read_pixels"]

CHUNK_BYTES = 2 * 1024 * 1024
"""The largest chunk of an upload, as the contract states it."""


def _raw_size(width: int, height: int, settings: Settings, field: str) -> int:
    """Bytes of a raw image of this size, which is within the settings."""
    for name, side in (("width", width), ("height", height)):
        if side < 1:
            raise InvalidInput(f"{field}.{name}", f"{side} is not a size; an image has 1 or more")
    if width * height > settings.image_pixels:
        raise LimitExceeded(
            f"{field}: {width} x {height} pixels are over the server's limit image_pixels of "
            f"{settings.image_pixels}; send a smaller region or a lower resolution"
        )
    return width * height * 3


def _raw_image(data: bytes | bytearray, width: int, height: int) -> Decoded:
    return Decoded(np.frombuffer(data, dtype=np.uint8).reshape(height, width, 3), ())


def read_pixels(message: pb.Pixels, settings: Settings) -> Decoded | str:
    """The pixels of a request, or the region_id that stands for them.

    Raises:
        InvalidInput: no pixels, bytes that are no image, or not as many as width and height say.
        LimitExceeded: the image has too many pixels.
    """
    match message.WhichOneof("source"):
        case "encoded":
            return decode_image(
                message.encoded, max_pixels=settings.image_pixels, field="pixels.encoded"
            )
        case "raw":
            raw = message.raw
            size = _raw_size(raw.width, raw.height, settings, "pixels.raw")
            if len(raw.rgb) != size:
                raise InvalidInput(
                    "pixels.raw.rgb",
                    f"{len(raw.rgb)} bytes where {raw.width} x {raw.height} RGB pixels have {size}",
                )
            return _raw_image(raw.rgb, raw.width, raw.height)
        case "region_id":
            return message.region_id
    raise InvalidInput("pixels", "no pixels; set encoded, raw or region_id")


class Upload:
    """One upload: `add` each message as it comes, then read `image` once.

    Memory grows with the bytes that arrived, never with the size that was announced.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._form: pb.EncodedForm | pb.RawForm | None = None
        self._size = 0
        self._data = bytearray()

    def _begin(self, message: pb.UploadRegionRequest) -> None:
        match message.WhichOneof("form"):
            case "encoded":
                self._form = message.encoded
                self._size = message.encoded.size
                if self._size < 1:
                    raise InvalidInput("encoded.size", f"{self._size} is not a length in bytes")
            case "raw":
                self._form = message.raw
                self._size = _raw_size(message.raw.width, message.raw.height, self._settings, "raw")
            case _:
                raise InvalidInput("form", "the first message must say encoded or raw")
        if self._size > self._settings.upload_bytes:
            raise LimitExceeded(
                f"an upload of {self._size} bytes is over the server's limit upload_bytes of "
                f"{self._settings.upload_bytes}; send a smaller region or a lower resolution"
            )

    def add(self, message: pb.UploadRegionRequest) -> None:
        """Take the next message.

        Raises:
            InvalidInput: the form is absent or comes twice, a chunk is empty or one too many.
            LimitExceeded: the upload, the image or the chunk is too large.
        """
        if self._form is None:
            self._begin(message)
        elif message.WhichOneof("form") is not None:
            raise InvalidInput("form", "it came again; only the first message names it")
        elif not message.chunk:
            raise InvalidInput("chunk", "it is empty; each message after the first brings bytes")
        if len(message.chunk) > CHUNK_BYTES:
            raise LimitExceeded(
                f"chunk: {len(message.chunk)} bytes are over the limit of {CHUNK_BYTES} a message; "
                "send more and smaller chunks"
            )
        if len(self._data) + len(message.chunk) > self._size:
            raise InvalidInput("chunk", f"more bytes came than the {self._size} announced")
        self._data += message.chunk

    def image(self) -> Decoded:
        """The pixels, decoded; slow for large images.

        Raises:
            InvalidInput: bytes are missing, or they are no image.
            LimitExceeded: the image unpacks to too many pixels.
        """
        if self._form is None:
            raise InvalidInput("form", "the upload was empty; its first message names the form")
        if len(self._data) != self._size:
            raise InvalidInput(
                "chunk", f"the upload ended after {len(self._data)} of {self._size} bytes"
            )
        if isinstance(self._form, pb.RawForm):
            return _raw_image(self._data, self._form.width, self._form.height)
        return decode_image(
            bytes(self._data), max_pixels=self._settings.image_pixels, field="encoded"
        )
