"""What client and server say to each other, without the wire.

A talk is a generator: it yields calls, is sent their answers, has their errors thrown in, and
returns the result. The blocking and the asynchronous client each bring it over their own channel,
so that what is said stands here once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deepscribble.client.info import ModelInfo, ServerInfo
from deepscribble.errors import InvalidInput, RegionForgotten
from deepscribble.geometry import Outline, Polygon, Region, Stroke, wire
from deepscribble.v1 import deepscribble_pb2 as pb

__all__ = ["Call", "KnownRegion", "RegionTalk", "Talk", "list_models", "server_info"]

CHUNK_BYTES = 1024 * 1024
"""How much of an image one message of an upload carries; the contract allows 2 MiB."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Call:
    """One rpc: its name in the contract, and its request or the stream of them."""

    method: str
    request: Any


Talk = Generator[Call, Any, Result]


def list_models() -> Talk[tuple[ModelInfo, ...]]:
    """Ask for the models."""
    answer = yield Call("ListModels", pb.ListModelsRequest())
    return tuple(ModelInfo.read(model) for model in answer.models)


def server_info() -> Talk[ServerInfo]:
    """Ask for version, device and limits."""
    answer = yield Call("GetServerInfo", pb.GetServerInfoRequest())
    return ServerInfo.read(answer)


class RegionTalk:
    """Talks about one region, whose pixels are kept here in case the server forgets them.

    Args:
        region: Where the pixels lie on the slide.
        pixels: uint8 (rows, columns, 3) RGB, or the bytes of a PNG, JPEG, TIFF or WebP file. They
            cover the region edge to edge at any resolution. A copy is kept.

    Raises:
        InvalidInput: the array is not RGB8, or there are no pixels.
    """

    def __init__(self, region: Region, pixels: NDArray[np.uint8] | bytes) -> None:
        self.region = region
        self.region_id = ""
        self._warnings: tuple[Any, ...] = ()
        self._last: Outline | None = None
        if isinstance(pixels, bytes):
            self._data = pixels
            self._form = pb.UploadRegionRequest(encoded=pb.EncodedForm(size=len(pixels)))
        else:
            if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
                raise InvalidInput(
                    "pixels",
                    f"{pixels.dtype} of shape {pixels.shape} is not RGB; "
                    "give uint8 of shape (rows, columns, 3)",
                )
            height, width = pixels.shape[:2]
            self._data = pixels.tobytes()
            self._form = pb.UploadRegionRequest(raw=pb.RawForm(width=width, height=height))
        if not self._data:
            raise InvalidInput("pixels", "there are none; give an image of at least one pixel")

    def _messages(self) -> Iterator[pb.UploadRegionRequest]:
        yield self._form
        for start in range(0, len(self._data), CHUNK_BYTES):
            yield pb.UploadRegionRequest(chunk=self._data[start : start + CHUNK_BYTES])

    def upload(self) -> Talk[None]:
        """Send the pixels."""
        answer = yield Call("UploadRegion", self._messages())
        self.region_id = answer.region_id
        self._warnings = wire.read_warnings(answer.warnings)

    def _outline(self, call: Callable[[], Call], known: Outline | None = None) -> Talk[Outline]:
        """Call, and once more with the pixels sent anew if the server forgot them."""
        try:
            answer = yield call()
        except RegionForgotten:
            yield from self.upload()
            answer = yield call()
        outline = wire.read_outline(answer, known)
        self._last = outline
        return replace(outline, warnings=self._warnings + outline.warnings)

    def segment(self, guide_model: str, return_probability: bool) -> Talk[Outline]:
        """Ask for the first outline."""
        return self._outline(
            lambda: Call(
                "Segment",
                pb.SegmentRequest(
                    region=wire.write_region(self.region),
                    pixels=pb.Pixels(region_id=self.region_id),
                    guide_model=guide_model,
                    return_probability=return_probability,
                ),
            )
        )

    def refine(
        self,
        strokes: Sequence[Stroke],
        prior: Sequence[Polygon] | None,
        guide_model: str,
        refine_model: str,
        return_probability: bool,
    ) -> Talk[Outline]:
        """Ask for the outline after all strokes."""
        known = self._last
        request = pb.RefineRequest(
            region=wire.write_region(self.region),
            strokes=[wire.write_stroke(stroke) for stroke in strokes],
            guide_model=guide_model,
            refine_model=refine_model,
            return_probability=return_probability,
            known_outline=known.outline_id if known else "",
        )
        if prior is not None:
            polygons = [wire.write_polygon(polygon) for polygon in prior]
            request.prior.CopyFrom(pb.Prior(polygons=polygons))

        def call() -> Call:
            request.pixels.region_id = self.region_id
            return Call("Refine", request)

        return self._outline(call, known)


class KnownRegion:
    """What both kinds of region handle tell without asking the server."""

    def __init__(self, about: RegionTalk) -> None:
        self._about = about

    @property
    def region(self) -> Region:
        """Where the pixels lie on the slide."""
        return self._about.region

    @property
    def region_id(self) -> str:
        """The digest by which the server knows the pixels."""
        return self._about.region_id
