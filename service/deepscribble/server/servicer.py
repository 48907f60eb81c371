"""The rpcs of the contract, on an engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from deepscribble.errors import InvalidInput, LimitExceeded
from deepscribble.geometry import Outline, Polygon, Region, wire
from deepscribble.server.stages import Stages
from deepscribble.server.status import answered
from deepscribble.server.upload import Upload, read_pixels
from deepscribble.server.worker import Places, Worker
from deepscribble.v1 import deepscribble_pb2 as pb
from deepscribble.v1.deepscribble_pb2_grpc import DeepScribbleServicer

if TYPE_CHECKING:
    from deepscribble.engine import Engine, Work
    from deepscribble.slides.decode import RGB, Decoded

__all__ = ["IDLE_SECONDS", "Servicer"]

Answer = TypeVar("Answer")

IDLE_SECONDS = 60.0
"""How long an upload may pause between two chunks before its place goes to somebody else."""


class Servicer(DeepScribbleServicer):
    """Answers requests of both transports on one event loop, with the heavy work in stages.

    The host's part of Segment and Refine runs in a pool, tiles on the network's own threads; a
    thread unpacks uploads beside them. Requests that wait, run or upload hold one of the
    `pending_requests` slots.
    """

    def __init__(self, engine: Engine) -> None:
        self.settings = engine.settings
        self.places = Places(engine.settings.pending_requests)
        self._engine = engine
        self._stages = Stages(engine.network, engine.settings.host_threads)
        self._decoding = Worker("deepscribble-decoding")

    def close(self) -> None:
        """Wait for the work that runs, and end the threads."""
        self._engine.close()
        self._stages.close()
        self._decoding.close()

    async def outlined(
        self,
        request: pb.SegmentRequest | pb.RefineRequest,
        write: Callable[[Outline], Answer],
        session: str,
    ) -> Answer:
        """The outline of a request in the form that `write` gives it.

        The caller holds a slot. Strokes go before first outlines; among the requests of one kind
        sessions take turns.

        Raises:
            DeepScribbleError: whatever the request or the engine refuses.
        """
        from deepscribble.models import Priority, Ticket

        refines = isinstance(request, pb.RefineRequest)
        priority = Priority.INTERACTIVE if refines else Priority.BATCH
        return await self._stages.run(self._outline(request, write), Ticket(priority, session))

    async def kept(
        self, messages: AsyncIterator[pb.UploadRegionRequest]
    ) -> pb.UploadRegionResponse:
        """The id of the pixels of an upload, which are kept. The caller holds a place.

        Raises:
            DeepScribbleError: whatever the upload or the engine refuses.
        """
        upload = Upload(self.settings)
        while (message := await _next(messages)) is not None:
            upload.add(message)
        return await self._decoding.run(partial(self._keep, upload))

    def models(self) -> pb.ListModelsResponse:
        """The models that this server can run."""
        return pb.ListModelsResponse(
            models=[
                pb.Model(
                    name=card.name,
                    kind=card.kind,
                    digest=card.digest,
                    mpp=card.mpp,
                    patch_size=card.patch_size,
                    threshold=card.threshold,
                    influence_radius=card.influence_radius,
                    is_default=card.name == self._engine.default(card.kind),
                    card_json=card.model_dump_json(),
                )
                for card in self._engine.cards()
            ]
        )

    def info(self) -> pb.GetServerInfoResponse:
        """Version, device and limits."""
        limits = {
            name: getattr(self.settings, name) for name in pb.Limits.DESCRIPTOR.fields_by_name
        }
        return pb.GetServerInfoResponse(
            version=version("deepscribble"),
            device=self._engine.device,
            precision=self._engine.precision,
            limits=pb.Limits(**limits),
        )

    @answered
    async def Segment(  # noqa: N802 - the contract's name
        self, request: pb.SegmentRequest, context: Any
    ) -> pb.SegmentResponse:
        """The first outline of a region."""
        with self.places.taken():
            return await self.outlined(request, wire.write_segment_response, context.peer())

    @answered
    async def Refine(  # noqa: N802 - the contract's name
        self, request: pb.RefineRequest, context: Any
    ) -> pb.RefineResponse:
        """The outline of a region after its strokes."""
        with self.places.taken():
            return await self.outlined(request, wire.write_refine_response, context.peer())

    @answered
    async def UploadRegion(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[pb.UploadRegionRequest], context: Any
    ) -> pb.UploadRegionResponse:
        """Pixels in chunks."""
        with self.places.taken():
            return await self.kept(request_iterator)

    @answered
    async def ListModels(  # noqa: N802 - the contract's name
        self, request: pb.ListModelsRequest, context: Any
    ) -> pb.ListModelsResponse:
        """The models that this server can run."""
        return self.models()

    @answered
    async def GetServerInfo(  # noqa: N802 - the contract's name
        self, request: pb.GetServerInfoRequest, context: Any
    ) -> pb.GetServerInfoResponse:
        """Version, device and limits."""
        return self.info()

    def _outline(
        self, request: pb.SegmentRequest | pb.RefineRequest, write: Callable[[Outline], Answer]
    ) -> Work[Answer]:
        if isinstance(request, pb.SegmentRequest):
            outline = yield from self._segment(request)
        else:
            outline = yield from self._refine(request)
        return write(outline)

    def _segment(self, request: pb.SegmentRequest) -> Work[Outline]:
        started = time.perf_counter()
        region, pixels = self._read(request)
        decoding = time.perf_counter() - started
        outline = yield from self._engine.segment(
            region,
            _known(pixels),
            guide_model=request.guide_model,
            return_probability=request.return_probability,
        )
        return _with_decoding(outline, pixels, decoding)

    def _refine(self, request: pb.RefineRequest) -> Work[Outline]:
        started = time.perf_counter()
        region, pixels = self._read(request)
        if request.known_strokes < 0:
            raise InvalidInput(
                "known_strokes", f"{request.known_strokes} is no number of strokes; send 0 or more"
            )
        strokes = wire.read_strokes(request.strokes)
        prior: tuple[Polygon, ...] | None = None
        if request.HasField("prior"):
            prior = wire.read_polygons(request.prior.polygons, "prior.polygons")
        decoding = time.perf_counter() - started
        outline = yield from self._engine.refine(
            region,
            _known(pixels),
            strokes,
            prior=prior,
            guide_model=request.guide_model,
            refine_model=request.refine_model,
            return_probability=request.return_probability,
            known_outline=request.known_outline,
            known_strokes=request.known_strokes,
        )
        return _with_decoding(outline, pixels, decoding)

    def _read(self, request: pb.SegmentRequest | pb.RefineRequest) -> tuple[Region, Decoded | str]:
        if not request.HasField("region"):
            raise InvalidInput("region", "no region; say where the pixels lie on the slide")
        region = wire.read_region(request.region)
        return region, read_pixels(request.pixels, self.settings)

    def _keep(self, upload: Upload) -> pb.UploadRegionResponse:
        decoded = upload.image()
        height, width = decoded.rgb.shape[:2]
        return pb.UploadRegionResponse(
            region_id=self._engine.keep(decoded.rgb),
            width=width,
            height=height,
            warnings=wire.write_warnings(decoded.warnings),
        )


async def _next(messages: AsyncIterator[pb.UploadRegionRequest]) -> pb.UploadRegionRequest | None:
    """The next message of an upload, or None at its end."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            return await anext(messages, None)
    except TimeoutError as error:
        raise LimitExceeded(
            f"no chunk of the upload came for {IDLE_SECONDS:g} seconds; upload again"
        ) from error


def _known(pixels: Decoded | str) -> RGB | str:
    return pixels if isinstance(pixels, str) else pixels.rgb


def _with_decoding(outline: Outline, pixels: Decoded | str, seconds: float) -> Outline:
    """The outline with what reading the request cost and converted."""
    milliseconds = {"decode": 1000 * seconds, **outline.milliseconds}
    milliseconds["total"] = 1000 * seconds + outline.milliseconds["total"]
    warnings = () if isinstance(pixels, str) else pixels.warnings
    return replace(outline, milliseconds=milliseconds, warnings=warnings + outline.warnings)
