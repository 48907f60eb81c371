"""The client for scripts and for the command line: each call waits for its answer."""

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

__all__ = ["Client", "RegionHandle"]

Result = TypeVar("Result")


class Client:
    """A connection to one server; safe to share between threads.

    Args:
        server: HOST:PORT.
        timeout: Seconds that each call may take, an upload counting as one call.

    Raises:
        InvalidInput: `server` is not HOST:PORT.

    Every call raises `ServerUnavailable` where no server answers, it goes away or it takes
    longer than `timeout`, and whatever error of `deepscribble.errors` the server answers.
    """

    def __init__(self, server: str, timeout: float = 60.0) -> None:
        self._address = Address.parse(server, "server")
        self._timeout = timeout
        self._channel = grpc.insecure_channel(str(self._address), options(self._address))
        self._stub = DeepScribbleStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what was uploaded stays on the server until it needs the room."""
        self._channel.close()

    def list_models(self) -> tuple[ModelInfo, ...]:
        """The models that the server can run."""
        return self._hold(talk.list_models())

    def server_info(self) -> ServerInfo:
        """The server's version, device, precision and limits."""
        return self._hold(talk.server_info())

    def open(self, region: Region, pixels: NDArray[np.uint8] | bytes) -> RegionHandle:
        """Upload the pixels of a region once; strokes are then sent alone.

        Args:
            region: Where the pixels lie on the slide.
            pixels: uint8 (rows, columns, 3) RGB, or the bytes of a PNG, JPEG, TIFF or WebP file.
                They cover the region edge to edge at any resolution. A copy is kept.

        Raises:
            InvalidInput: the pixels are no image.
            LimitExceeded: the image is over the server's limits.
        """
        about = talk.RegionTalk(region, pixels)
        self._hold(about.upload())
        return RegionHandle(self, about)

    def _hold(self, conversation: talk.Talk[Result]) -> Result:
        """Bring a talk over the channel to its end."""
        try:
            call = next(conversation)
            while True:
                try:
                    answer = self._send(call)
                except DeepScribbleError as error:
                    call = conversation.throw(error)
                else:
                    call = conversation.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def _send(self, call: talk.Call) -> object:
        try:
            return getattr(self._stub, call.method)(call.request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise explain(error, self._address, call.method, self._timeout) from error


class RegionHandle(talk.KnownRegion):
    """A region whose pixels the server has; sends them again by itself if it forgot them."""

    def __init__(self, client: Client, about: talk.RegionTalk) -> None:
        super().__init__(about)
        self._client = client

    def segment(self, guide_model: str = "", return_probability: bool = False) -> Outline:
        """The first outline, by GuideNet alone.

        Args:
            guide_model: Its name; empty for the server's default.
            return_probability: Whether the outline holds the probability map.
        """
        return self._client._hold(self._about.segment(guide_model, return_probability))

    def refine(
        self,
        strokes: Sequence[Stroke],
        prior: Sequence[Polygon] | None = None,
        guide_model: str = "",
        refine_model: str = "",
        return_probability: bool = False,
    ) -> Outline:
        """The outline after all strokes of the region, oldest first.

        Args:
            strokes: All of them, each time; the newer wins where they overlap.
            prior: Polygons to start from in place of GuideNet's guess.
            guide_model: GuideNet's name; empty for the server's default.
            refine_model: RefineNet's name; empty for the server's default.
            return_probability: Whether the outline holds the probability map.
        """
        return self._client._hold(
            self._about.refine(strokes, prior, guide_model, refine_model, return_probability)
        )
