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
