"""Batch annotation: plan, outline, compare, journal, write, for whole stores of images."""

from deepscribble.jobs.answering import NotedStore, annotate_noted
from deepscribble.jobs.job import Job
from deepscribble.jobs.journal import Journal
from deepscribble.jobs.pixels import read_pixels
from deepscribble.jobs.report import GOOD, ImageReport, State, exit_code
from deepscribble.jobs.runner import annotate

__all__ = [
    "GOOD",
    "ImageReport",
    "Job",
    "Journal",
    "NotedStore",
    "State",
    "annotate",
    "annotate_noted",
    "exit_code",
    "read_pixels",
]
