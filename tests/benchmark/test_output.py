from dataclasses import replace
from pathlib import Path

import pytest

from deepscribble.benchmark.output import write_output
from deepscribble.benchmark.report import Report
from deepscribble.errors import InvalidInput, OutputRefused


def test_each_protocol_has_its_curves(report: Report, tmp_path: Path) -> None:
    written = write_output(report, tmp_path, None)
    assert [path.name for path in written] == ["tables.md", "curves-paper.png", "curves-whole.png"]
    assert all(path.stat().st_size > 0 for path in written)


def test_a_protocol_that_no_method_is_through_with_has_none(report: Report, tmp_path: Path) -> None:
    paper, whole = report.selections
    begun = replace(report, selections=(paper, replace(whole, methods=())))
    written = write_output(begun, tmp_path, None)
    assert [path.name for path in written] == ["tables.md", "curves-paper.png"]


def test_other_images(report: Report, images: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not hold the images that were judged"):
        write_output(report, tmp_path, images)


def test_a_folder_that_is_not_there(report: Report, tmp_path: Path) -> None:
    with pytest.raises(OutputRefused):
        write_output(report, tmp_path / "nowhere", None)
