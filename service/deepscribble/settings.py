"""Every limit and choice of a server and its engine, in one object that is passed in.

Values come from flags, then the environment (`DEEPSCRIBBLE_*`), then a TOML file, then the
defaults below.
"""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBI = 1 << 20


class Settings(BaseSettings):
    """Settings of a server and its engine.

    Attributes:
        image_pixels: Pixels of one image, as sent.
        model_pixels: Pixels of one region at the model's scale whose whole outline is asked for.
        upload_bytes: Bytes of one upload.
        message_bytes: Bytes of one gRPC message, or one JSON body, that the server receives.
        strokes: Strokes in one request.
        points: Points over all strokes, or over all polygons of a prior, in one request.
        pending_requests: Requests waiting or running at a time.
        cache_bytes: Bytes that the engine keeps of regions: pixels, priors, drawings, tiles.
        host_threads: Threads that prepare and finish requests beside the networks.
        stroke_tiles: RefineNet's tiles along one stroke.
        undo_steps: Newest strokes of a drawing that are undone without computing anything anew.
        known_outlines: Outlines of a drawing that a client may build on by their id.
        drawings: Drawings on one region with one prior that are kept, such as those of several
            people.
    """

    model_config = SettingsConfigDict(env_prefix="DEEPSCRIBBLE_", frozen=True, extra="forbid")

    image_pixels: int = Field(default=128 * MEBI, ge=1)
    model_pixels: int = Field(default=32 * MEBI, ge=1)
    upload_bytes: int = Field(default=512 * MEBI, ge=1)
    message_bytes: int = Field(default=4 * MEBI, ge=1024)
    strokes: int = Field(default=2_000, ge=1)
    points: int = Field(default=1_000_000, ge=1)
    pending_requests: int = Field(default=32, ge=1)
    cache_bytes: int = Field(default=2048 * MEBI, ge=1)
    stroke_tiles: int = Field(default=256, ge=1)
    undo_steps: int = Field(default=24, ge=1)
    known_outlines: int = Field(default=4, ge=1)
    drawings: int = Field(default=8, ge=1)
    host_threads: int = Field(default=4, ge=1)
