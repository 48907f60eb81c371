"""The `deepscribble` command."""

from deepscribble.cli.main import app

__all__ = ["app"]
