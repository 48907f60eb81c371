"""The client for programs that run an event loop of their own."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeVar

import grpc
import numpy as np
from numpy.typing import NDArray

from deepscribble.client import talk
from deepscribble.client.address import Address
from deepscribble.client.channel import explain, options
from deepscribble.client.info import ModelInfo, ServerInfo
from deepscribble.errors import DeepScribbleError
from deepscribble.geometry import Outline, Polygon, Region, Stroke
from deepscribble.v1.deepscribble_pb2_grpc import DeepScribbleStub

__all__ = ["AsyncClient", "AsyncRegionHandle"]

Result = TypeVar("Result")


_UPLOADS = 5
"""How often pixels are sent until the server's reason for refusing them comes through."""


class AsyncClient:
    """`Client` for one event loop: the same arguments, answers and errors, awaited."""

    def __init__(self, server: str, timeout: float = 60.0) -> None:
        self._address = Address.parse(server, "server")
        self._timeout = timeout
        self._channel = grpc.aio.insecure_channel(str(self._address), options(self._address))
        self._stub = DeepScribbleStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """As `Client.close`."""
        await self._channel.close(None)

    async def list_models(self) -> tuple[ModelInfo, ...]:
        """As `Client.list_models`."""
        return await self._hold(talk.list_models())

    async def server_info(self) -> ServerInfo:
        """As `Client.server_info`."""
        return await self._hold(talk.server_info())

    async def open(self, region: Region, pixels: NDArray[np.uint8] | bytes) -> AsyncRegionHandle:
        """As `Client.open`."""
        about = talk.RegionTalk(region, pixels)
        for _ in range(_UPLOADS):
            try:
                await self._hold(about.upload())
                break
            except DeepScribbleError as error:
                if not _is_unexplained(error):
                    raise
                unexplained = error
        else:
            raise unexplained
        return AsyncRegionHandle(self, about)

    async def _hold(self, conversation: talk.Talk[Result]) -> Result:
        """Bring a talk over the channel to its end."""
        try:
            call = next(conversation)
            while True:
                try:
                    answer = await self._send(call)
                except DeepScribbleError as error:
                    call = conversation.throw(error)
                else:
                    call = conversation.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def _send(self, call: talk.Call) -> object:
        try:
            return await getattr(self._stub, call.method)(call.request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise explain(error, self._address, call.method, self._timeout) from error


def _is_unexplained(error: DeepScribbleError) -> bool:
    """Whether gRPC lost why the server ended an upload, as where it fails to send just then."""
    cause = error.__cause__
    return (
        isinstance(cause, grpc.aio.AioRpcError)
        and cause.code() is grpc.StatusCode.INTERNAL
        and "execute_batch" in (cause.debug_error_string() or "")
    )


class AsyncRegionHandle(talk.KnownRegion):
    """`RegionHandle`, awaited."""

    def __init__(self, client: AsyncClient, about: talk.RegionTalk) -> None:
        super().__init__(about)
        self._client = client

    async def segment(self, guide_model: str = "", return_probability: bool = False) -> Outline:
        """As `RegionHandle.segment`."""
        return await self._client._hold(self._about.segment(guide_model, return_probability))

    async def refine(
        self,
        strokes: Sequence[Stroke],
        prior: Sequence[Polygon] | None = None,
        guide_model: str = "",
        refine_model: str = "",
        return_probability: bool = False,
    ) -> Outline:
        """As `RegionHandle.refine`."""
        return await self._client._hold(
            self._about.refine(strokes, prior, guide_model, refine_model, return_probability)
        )
