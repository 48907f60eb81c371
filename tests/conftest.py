"""Fixtures that every room's tests may use."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images, masks and slides; skips where it is not there."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: real images, masks and slides cannot be tested")
    return SHARED
