"""Annotations of QuPath projects, read and written by QuPath's own classes through paquo.

Nothing of QuPath is needed until a project is opened.
"""

from deepscribble.stores.qupath.project import ProjectStore, open_project

__all__ = ["ProjectStore", "open_project"]
