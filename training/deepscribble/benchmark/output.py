"""What is made of a report for people: tables and pictures beside it."""

from __future__ import annotations

import logging
from pathlib import Path

from deepscribble.benchmark.cases import data_digest, read_pairs, read_samples
from deepscribble.benchmark.pictures import curves, gallery
from deepscribble.benchmark.report import Report
from deepscribble.benchmark.tables import markdown
from deepscribble.errors import InvalidInput
from deepscribble.learning import Sample
from deepscribble.stores import write_whole

logger = logging.getLogger(__name__)

TABLES = "tables.md"
"""The tables' name in the folder of a run."""


def write_output(report: Report, out: Path, data: Path | None) -> tuple[Path, ...]:
    """Write the tables, and for each protocol its curves and its gallery.

    Args:
        report: Whole or in part.
        out: A folder that is there.
        data: Where the images are, which the report does not hold; None for where they were. If
            they are not there the galleries are left out with a warning.

    Returns:
        What was written.

    Raises:
        InvalidInput: `data` was given and does not hold the images of the report.
        OutputRefused: a file cannot be written.
    """
    samples = _samples(report, data)
    files = {TABLES: markdown(report).encode()}
    for selection in report.selections:
        if selection.methods:
            name = selection.protocol
            files[f"curves-{name}.png"] = curves(report, selection)
            if samples is not None:
                files[f"gallery-{name}.png"] = gallery(report, selection, samples)
    for name, content in files.items():
        write_whole(out / name, content)
    return tuple(out / name for name in files)


def _samples(report: Report, data: Path | None) -> dict[str, Sample] | None:
    """The patches of the report by the names of their cases, cut as they were."""
    setting = report.setting
    folder = Path(setting.data) if data is None else data
    try:
        pairs = read_pairs(folder, setting.split, setting.leave_out)
        if data_digest(folder, pairs) != report.origin.data:
            raise InvalidInput("data", f"{folder} does not hold the images that were judged")
    except InvalidInput as error:
        if data is not None:
            raise
        logger.warning("no gallery: %s; give the folder of the images with --data", error)
        return None
    return read_samples(pairs, report.origin.mpp, setting.side)
