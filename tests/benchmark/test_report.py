import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deepscribble.benchmark.report import Report, read_report, write_report
from deepscribble.benchmark.trial import Trial
from deepscribble.errors import InvalidInput, OutputRefused

Tried = Callable[..., Trial]


def test_a_report_comes_back_as_it_was(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    write_report(report, path)
    assert read_report(path) == report
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]


def test_the_file_holds_the_figures_too(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "results.json")
    document = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    figures = {(one["protocol"], one["method"]): one for one in document["figures"]}
    assert figures.keys() == {("paper", "RefineNet"), ("paper", "BRS"), ("whole", "RefineNet")}
    assert figures["paper", "RefineNet"]["at85"]["interactions"]["value"] == 1.5
    assert figures["whole", "RefineNet"]["cases"] == 3
    for name in ("python", "versions", "cpu", "cores", "device", "precision"):
        assert name in document["origin"]["machine"]
    assert document["setting"]["seed"] == 0
    assert document["trials"][0]["rounds"][0].keys() == {
        "iou", "seconds", "flips", "far", "stroke_pixels"
    }  # fmt: skip


def test_only_methods_that_are_through_have_figures(report: Report, tried: Tried) -> None:
    more = report.with_trials([tried("s/a", 0.5, (0.9,), method="Watershed")])
    whole = more.selections[1]
    assert [one.method for one in more.figures_of(whole)] == ["RefineNet"]
    assert more.trials_of(whole, "Watershed") == more.trials[-1:]
    through = more.with_method("whole", "Watershed")
    assert through.selections[1].methods == ("RefineNet", "Watershed")
    assert through.selections[0] == more.selections[0]


def test_a_later_write_replaces_the_file(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_report(replace(report, trials=(), selections=()), path)
    write_report(report, path)
    assert read_report(path) == report


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_report(tmp_path / "results.json")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1, "trials": 3}'])
def test_what_is_no_report(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InvalidInput, match="is not a results file of the benchmark"):
        read_report(path)


def test_another_format(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_report(replace(report, format=99), path)
    with pytest.raises(InvalidInput, match="has format 99; this version reads 1"):
        read_report(path)


def test_a_folder_that_cannot_be_made(report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputRefused, match="cannot be made"):
        write_report(report, tmp_path / "file" / "results.json")
