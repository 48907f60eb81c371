"""The face described for machines: OpenAPI 3.1, its schemas made of the contract's descriptors."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version
from itertools import combinations
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from deepscribble.server.http.media import GEOJSON, IMAGES, JSON, RAW
from deepscribble.server.http.problem import PROBLEM
from deepscribble.v1 import deepscribble_pb2 as pb

__all__ = ["describe"]

Schema = dict[str, Any]

# Answers hold text, which JavaScript does not round; requests may hold either.
_BITS_64 = {"type": ["string", "integer"], "pattern": "^-?[0-9]{1,18}$", "format": "int64"}
_BITS_32 = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.TYPE_INT64: _BITS_64,
    FieldDescriptor.TYPE_INT32: _BITS_32,
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _value(field: FieldDescriptor) -> Schema:
    """The schema of one value of a field."""
    if field.message_type is not None:
        return _reference(field.message_type.name)
    if field.enum_type is not None:
        return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    return _SCALARS[field.type]


def _message(descriptor: Descriptor) -> Schema:
    """The schema of a message; of a oneof, at most one field may be there."""
    properties = {
        field.json_name: (
            {"type": "array", "items": _value(field)} if field.is_repeated else _value(field)
        )
        for field in descriptor.fields
    }
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    pairs = [
        {"required": [one.json_name, other.json_name]}
        for group in descriptor.oneofs
        for one, other in combinations(group.fields, 2)
    ]
    if pairs:
        schema["not"] = {"anyOf": pairs}
    return schema


def _collect(descriptor: Descriptor, found: dict[str, Schema]) -> None:
    """Add a message and all that it holds."""
    if descriptor.name not in found:
        found[descriptor.name] = _message(descriptor)
        for field in descriptor.fields:
            if field.message_type is not None:
                _collect(field.message_type, found)


_CLASS = {"name": "class", "description": "Class of the annotations, in GeoJSON answers."}
_SIZE = (
    {"name": "width", "description": "Columns of raw pixels.", "schema": {"type": "integer"}},
    {"name": "height", "description": "Rows of raw pixels.", "schema": {"type": "integer"}},
)
_STROKES = (
    {
        "name": "region",
        "description": "X,Y,WIDTH,HEIGHT in level-0 pixels, where the body is GeoJSON.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,9}(,[0-9]{1,9}){3}$"},
    },
    {"name": "mpp", "description": "µm per level-0 pixel.", "schema": {"type": "number"}},
    {"name": "region_id", "description": "The pixels."},
    {"name": "known_outline", "description": "The outline that the client has."},
    {
        "name": "known_strokes",
        "description": "How many strokes it came of.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    },
    {"name": "guide_model", "description": "Name of a GuideNet."},
    {"name": "refine_model", "description": "Name of a RefineNet."},
    {
        "name": "stroke_width",
        "description": "Width of strokes that have none, level-0 pixels.",
        "schema": {"type": "number"},
    },
    {
        "name": "foreground",
        "description": "A class whose strokes say tumor; * and ? allowed.",
        "schema": {"type": "array", "items": {"type": "string"}},
    },
    {
        "name": "background",
        "description": "A class whose strokes say not tumor.",
        "schema": {"type": "array", "items": {"type": "string"}},
    },
)
_ALWAYS = (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
_WITH_BODY = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.TOO_MANY_REQUESTS,
)
_OF_MODELS = (HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.CONFLICT)


def _parameter(about: Schema) -> Schema:
    return {"in": "query", "required": False, "schema": {"type": "string"}, **about}


def _operation(
    name: str,
    summary: str,
    answers: dict[str, Schema],
    body: dict[str, Schema] | None = None,
    parameters: tuple[Schema, ...] = (),
    problems: tuple[HTTPStatus, ...] = _ALWAYS,
) -> Schema:
    """One route: what goes in and what comes out, by media type."""
    problem = {PROBLEM: {"schema": _reference("Problem")}}
    operation: Schema = {
        "operationId": name,
        "summary": summary,
        "parameters": [_parameter(about) for about in parameters],
        "responses": {
            "200": {
                "description": "OK",
                "content": {kind: {"schema": schema} for kind, schema in answers.items()},
            },
            **{
                str(status.value): {"description": status.phrase, "content": problem}
                for status in problems
            },
        },
    }
    if body is not None:
        content = {kind: {"schema": schema} for kind, schema in body.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def describe() -> Schema:
    """The document, ready for JSON."""
    schemas: dict[str, Schema] = {}
    for message in (
        pb.SegmentRequest,
        pb.SegmentResponse,
        pb.RefineRequest,
        pb.RefineResponse,
        pb.UploadRegionResponse,
        pb.ListModelsResponse,
        pb.GetServerInfoResponse,
    ):
        _collect(message.DESCRIPTOR, schemas)
    schemas |= {"Annotations": _annotations(schemas), "Strokes": _STROKE_FEATURES}
    schemas |= {"Health": _HEALTH, "Problem": _PROBLEM}
    outlines = {GEOJSON: _reference("Annotations")}
    working = (*_ALWAYS, *_WITH_BODY, *_OF_MODELS)
    health = _operation("health", "Whether requests are answered", {JSON: _reference("Health")})
    stopping = {"description": "It stops.", "content": {JSON: {"schema": _reference("Health")}}}
    health["responses"]["503"] = stopping
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DeepScribble",
            "description": "Strokes in, tumor outlines out.",
            "version": version("deepscribble"),
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "paths": {
            "/v1/regions": {
                "put": _operation(
                    "uploadRegion",
                    "Pixels in, the id that stands for them out",
                    {JSON: _reference("UploadRegionResponse")},
                    {kind: {"type": "string", "format": "binary"} for kind in (*IMAGES, RAW)},
                    _SIZE,
                    (*_ALWAYS, *_WITH_BODY),
                )
            },
            "/v1/segment": {
                "post": _operation(
                    "segment",
                    "The first outline of a region",
                    {JSON: _reference("SegmentResponse"), **outlines},
                    {JSON: _reference("SegmentRequest")},
                    (_CLASS,),
                    working,
                )
            },
            "/v1/refine": {
                "post": _operation(
                    "refine",
                    "The outline of a region after its strokes",
                    {JSON: _reference("RefineResponse"), **outlines},
                    {JSON: _reference("RefineRequest"), GEOJSON: _reference("Strokes")},
                    (_CLASS, *_STROKES),
                    working,
                )
            },
            "/v1/models": {
                "get": _operation(
                    "listModels",
                    "The models that this server can run",
                    {JSON: _reference("ListModelsResponse")},
                )
            },
            "/v1/server": {
                "get": _operation(
                    "getServerInfo",
                    "Version, device and limits",
                    {JSON: _reference("GetServerInfoResponse")},
                )
            },
            "/healthz": {"get": health},
            "/openapi.json": {
                "get": _operation("getOpenApi", "This document", {JSON: {"type": "object"}})
            },
        },
        "components": {"schemas": schemas},
    }


_HEALTH = {
    "type": "object",
    "properties": {"status": {"enum": ["serving", "stopping"]}},
    "required": ["status"],
}
_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "reason": {"type": "string"},
        "field": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "reason"],
    "additionalProperties": False,
}
_POSITION = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 3}
_POSITIONS = {"anyOf": [_POSITION, {"type": "array", "items": _POSITION}]}
_STROKE_FEATURES = {
    "type": "object",
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"const": "Feature"},
                    "id": {"type": "string"},
                    "geometry": {
                        "type": "object",
                        "properties": {
                            "type": {"enum": ["LineString", "MultiPoint", "Polygon"]},
                            "coordinates": {"type": "array", "items": _POSITIONS},
                        },
                        "required": ["type", "coordinates"],
                    },
                    "properties": {"type": "object"},
                },
                "required": ["type", "geometry"],
            },
        },
    },
    "required": ["type", "features"],
}


def _annotations(schemas: dict[str, Schema]) -> Schema:
    """The schema of a GeoJSON answer: features, and beside them what RefineResponse holds."""
    beside = {
        name: schema
        for name, schema in schemas["RefineResponse"]["properties"].items()
        if name not in ("polygons", "change")
    }
    ring = {"type": "array", "minItems": 4, "items": _POSITION}
    feature = {
        "type": "object",
        "properties": {
            "type": {"const": "Feature"},
            "id": {"type": "string", "format": "uuid"},
            "geometry": {
                "type": "object",
                "properties": {
                    "type": {"const": "Polygon"},
                    "coordinates": {"type": "array", "minItems": 1, "items": ring},
                },
                "required": ["type", "coordinates"],
            },
            "properties": {"type": "object"},
        },
        "required": ["type", "id", "geometry", "properties"],
    }
    ids = {"type": "array", "items": {"type": "string", "format": "uuid"}}
    return {
        "type": "object",
        "properties": {
            "type": {"const": "FeatureCollection"},
            "features": {"type": "array", "items": feature},
            "removed": ids,
            **beside,
        },
        "required": ["type", "features", "outlineId", "regionId"],
        "additionalProperties": False,
    }
