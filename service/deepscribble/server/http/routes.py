"""The routes, each on the servicer that answers gRPC too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from deepscribble.geometry import Outline, Warning, wire
from deepscribble.server.http import geojson
from deepscribble.server.http.body import read_body, read_message
from deepscribble.server.http.guard import HEALTH, Guard, Lingering
from deepscribble.server.http.media import GEOJSON, IMAGES, JSON, RAW, answer_type, body_type
from deepscribble.server.http.openapi import describe
from deepscribble.server.http.problem import STOPPING, Problem
from deepscribble.server.http.query import Query
from deepscribble.server.servicer import Servicer
from deepscribble.stores import RESULT_CLASS
from deepscribble.v1 import deepscribble_pb2 as pb

__all__ = ["application"]

Answer = TypeVar("Answer")
_Asked = tuple[pb.SegmentRequest | pb.RefineRequest, tuple[Warning, ...]]
"""A request, and what was left out of it on the way in."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

CLIENT_GONE = 499
"""The status, as nginx has it, of an answer that nobody is there to read."""


def application(servicer: Servicer, stopping: Callable[[], bool]) -> Starlette:
    """The whole face as one ASGI application.

    Args:
        servicer: What answers.
        stopping: Whether the server was asked to stop.
    """
    api = _Api(servicer, stopping)
    app = Starlette(
        routes=[
            Route("/v1/regions", _told(api.regions), methods=["PUT"]),
            Route("/v1/segment", _told(api.segment), methods=["POST"]),
            Route("/v1/refine", _told(api.refine), methods=["POST"]),
            Route("/v1/models", _told(api.models)),
            Route("/v1/server", _told(api.server)),
            Route(HEALTH, _told(api.health)),
            Route("/openapi.json", _told(api.openapi)),
        ],
        middleware=[Middleware(Lingering), Middleware(Guard, stopping=stopping)],
        exception_handlers={HTTPException: _no_route},
    )
    # A redirected POST comes back as a GET.
    app.router.redirect_slashes = False
    return app


class _Api:
    """What each route does."""

    def __init__(self, servicer: Servicer, stopping: Callable[[], bool]) -> None:
        self._servicer = servicer
        self._stopping = stopping
        self._document = json.dumps(describe()).encode()

    async def regions(self, request: Request) -> Response:
        """Pixels in, their id out."""
        kind = body_type(request, (*IMAGES, RAW))
        query = Query(request, ("width", "height") if kind == RAW else ())
        form = pb.RawForm(width=query.whole("width"), height=query.whole("height"))
        with self._servicer.places.taken():
            pieces = await read_body(request, self._servicer.settings.upload_bytes, "upload_bytes")

            async def messages() -> AsyncIterator[pb.UploadRegionRequest]:
                if kind == RAW:
                    yield pb.UploadRegionRequest(raw=form)
                else:
                    size = sum(map(len, pieces))
                    yield pb.UploadRegionRequest(encoded=pb.EncodedForm(size=size))
                while pieces:
                    yield pb.UploadRegionRequest(chunk=pieces.popleft())

            return _json(await _while_there(request, self._servicer.kept(messages())))

    async def segment(self, request: Request) -> Response:
        """The first outline."""
        body_type(request, (JSON,))
        query = Query(request, ("class",))
        return await self._outlined(
            request, query, lambda data: (read_message(data, pb.SegmentRequest()), ())
        )

    async def refine(self, request: Request) -> Response:
        """The outline after strokes, which come as JSON or as GeoJSON."""
        if body_type(request, (JSON, GEOJSON)) == JSON:
            query = Query(request, ("class",))
            return await self._outlined(
                request, query, lambda data: (read_message(data, pb.RefineRequest()), ())
            )
        query = Query(request, (*geojson.PARAMETERS, "class"), geojson.LISTS)
        return await self._outlined(request, query, partial(geojson.read_refine, query=query))

    async def models(self, request: Request) -> Response:
        """The models."""
        Query(request, ())
        return _json(self._servicer.models())

    async def server(self, request: Request) -> Response:
        """Version, device, limits."""
        Query(request, ())
        return _json(self._servicer.info())

    async def health(self, request: Request) -> Response:
        """Whether requests are answered."""
        stopping = self._stopping()
        return Response(
            json.dumps({"status": "stopping" if stopping else "serving"}),
            HTTPStatus.SERVICE_UNAVAILABLE if stopping else HTTPStatus.OK,
            media_type=JSON,
        )

    async def openapi(self, request: Request) -> Response:
        """What this face is, for machines."""
        return Response(self._document, media_type=JSON)

    async def _outlined(
        self, request: Request, query: Query, parse: Callable[[bytes], _Asked]
    ) -> Response:
        """The outline that a body asks for."""
        kind = answer_type(request, (JSON, GEOJSON))
        class_name = query.text("class") or RESULT_CLASS
        limit = self._servicer.settings.message_bytes
        with self._servicer.places.taken():
            data = b"".join(await read_body(request, limit, "message_bytes"))
            # In a thread, since it may be megabytes.
            message, notes = await asyncio.to_thread(parse, data)

            def write(outline: Outline) -> bytes:
                noted = replace(outline, warnings=(*notes, *outline.warnings))
                if kind == GEOJSON:
                    return geojson.write_outline(noted, class_name)
                if isinstance(message, pb.SegmentRequest):
                    return _written(wire.write_segment_response(noted))
                return _written(wire.write_refine_response(noted))

            content = await _while_there(
                request, self._servicer.outlined(message, write, _session(request))
            )
        return Response(content, media_type=kind)


def _session(request: Request) -> str:
    """Who asks: one connection."""
    client = request.client
    return "" if client is None else f"{client.host}:{client.port}"


def _written(message: Message) -> bytes:
    document = MessageToDict(message, always_print_fields_with_no_presence=True)
    return json.dumps(document, allow_nan=False).encode()


def _json(message: Message) -> Response:
    return Response(_written(message), media_type=JSON)


async def _while_there(request: Request, work: Awaitable[Answer]) -> Answer:
    """The answer of `work`, which is cancelled if the client hangs up. The body has been read.

    Raises:
        ClientDisconnect: it did.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


def _told(handler: Handler) -> Handler:
    """A handler whose errors are problems."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        except asyncio.CancelledError:
            # Only the face's end cancels a request; the client shall hear of it.
            return STOPPING.response()
        except Exception as error:  # noqa: BLE001 - every one is told
            return Problem.of_error(f"{request.method} {request.url.path}", error).response()

    return endpoint


async def _no_route(request: Request, error: Exception) -> Response:
    """The answer where no route takes the address or the method."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        return Problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            f"{request.url.path} takes {allowed}, not {request.method}",
            headers=(("Allow", allowed),),
        ).response()
    return Problem(
        HTTPStatus.NOT_FOUND,
        "ROUTE_NOT_FOUND",
        f"{request.url.path} is no address of this server, version {version('deepscribble')}; "
        "see /openapi.json",
    ).response()
