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
from deepscribble.errors import InvalidInput, OutlineForgotten, RegionForgotten
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


@dataclass(frozen=True, slots=True)
class _Last:
    """What the server answered last about a region, and to which strokes."""

    outline: Outline | None = None
    strokes: tuple[pb.Stroke, ...] = ()

    def shared(self, strokes: Sequence[pb.Stroke]) -> int:
        """How many of `strokes`, oldest first, the server was sent already."""
        if self.outline is None or not self.outline.outline_id:
            return 0
        for count, (old, new) in enumerate(zip(self.strokes, strokes, strict=False)):
            if old != new:
                return count
        return min(len(self.strokes), len(strokes))


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
        self._last = _Last()
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

    def _outline(
        self, call: Callable[[_Last], Call], strokes: Sequence[pb.Stroke] = ()
    ) -> Talk[Outline]:
        """Call, and once more with what the server forgot."""
        known = self._last
        try:
            answer = yield call(known)
        except (RegionForgotten, OutlineForgotten) as forgotten:
            if isinstance(forgotten, RegionForgotten):
                yield from self.upload()
            known = _Last()
            answer = yield call(known)
        outline = wire.read_outline(answer, known.outline)
        self._last = _Last(outline, tuple(strokes))
        return replace(outline, warnings=self._warnings + outline.warnings)

    def segment(self, guide_model: str, return_probability: bool) -> Talk[Outline]:
        """Ask for the first outline."""
        return self._outline(
            lambda _: Call(
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
        messages = [wire.write_stroke(stroke) for stroke in strokes]
        request = pb.RefineRequest(
            region=wire.write_region(self.region),
            guide_model=guide_model,
            refine_model=refine_model,
            return_probability=return_probability,
        )
        if prior is not None:
            polygons = [wire.write_polygon(polygon) for polygon in prior]
            request.prior.CopyFrom(pb.Prior(polygons=polygons))

        def call(known: _Last) -> Call:
            shared = known.shared(messages)
            request.pixels.region_id = self.region_id
            request.known_outline = known.outline.outline_id if known.outline else ""
            request.known_strokes = shared
            del request.strokes[:]
            request.strokes.extend(messages[shared:])
            return Call("Refine", request)

        return self._outline(call, messages)


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
