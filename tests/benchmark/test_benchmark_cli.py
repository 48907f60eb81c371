import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from deepscribble.benchmark import run as running
from deepscribble.benchmark.cli import app
from deepscribble.benchmark.report import read_report, write_report
from deepscribble.errors import DeepScribbleError, InvalidInput, OutputRefused, UnknownModel

Call = Callable[..., Result]

_PROGRAM = str(Path(sys.executable).with_name("deepscribble"))

QUICK = ("--protocol", "whole", "--methods", "watershed,refine", "--no-ablation", "--side", "64")


@pytest.fixture
def call(images: Path, untrained_models: Path, untrained_rivals: Path, tmp_path: Path) -> Call:
    def with_folders(*arguments: str) -> Result:
        folders = {"data": images, "models": untrained_models, "rivals": untrained_rivals}
        given = [word for name, path in folders.items() for word in (f"--{name}", str(path))]
        command = [*given, "--out", str(tmp_path / "out"), "--device", "cpu", *arguments]
        return CliRunner().invoke(app, command, catch_exceptions=False)

    return with_folders


@pytest.fixture(scope="module")
def ran(
    lasting_images: Path, untrained_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Result, Path]:
    """What a run said, and its folder."""
    out = tmp_path_factory.mktemp("ran") / "out"
    command = ["--data", str(lasting_images), "--models", str(untrained_models)]
    command += ["--out", str(out), "--device", "cpu", *QUICK]
    return CliRunner().invoke(app, command, catch_exceptions=False), out


def methods(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["protocol"], one["method"]) for one in document["figures"]]


def test_a_run_and_its_files(ran: tuple[Result, Path]) -> None:
    result, out = ran
    assert result.exit_code == 0
    names = {"results.json", "tables.md", "curves-whole.png", "gallery-whole.png"}
    assert {path.name for path in out.iterdir()} == names
    assert "RefineNet" in result.stdout
    document = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert {one["case"] for one in document["trials"]} == {"lung/1", "lung/2", "lung/3"}
    ours = [trial for trial in document["trials"] if trial["method"] == "RefineNet"]
    assert all(one["flips"] == 0 == one["far"] for trial in ours for one in trial["rounds"])
    assert (out / "gallery-whole.png").read_bytes().startswith(b"\x89PNG")


def test_all_methods_and_both_tables(call: Call, images: Path) -> None:
    manifest = images / "manifest.csv"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:3]))
    everyone = "refine,brs,fbrs,random-walker,watershed,grabcut"
    result = call("--protocol", "whole", "--methods", everyone, "--side", "64", "--json")
    document = json.loads(result.stdout)
    assert len(document["figures"]) == 6
    assert "RefineNet" in document["ablation"]
    assert {Path(path).name for path in document["written"]} >= {"tables.md", "curves-whole.png"}


def test_tables_and_pictures_are_remade_without_a_run(
    ran: tuple[Result, Path], tmp_path: Path
) -> None:
    _, out = ran
    again = tmp_path / "again"
    arguments = ["--from", str(out / "results.json"), "--out", str(again)]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    names = {"tables.md", "curves-whole.png", "gallery-whole.png"}
    assert {path.name for path in again.iterdir()} == names
    for name in names:
        assert (again / name).read_bytes() == (out / name).read_bytes()


def test_without_its_images_there_is_no_gallery(
    ran: tuple[Result, Path], images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report = read_report(ran[1] / "results.json")
    elsewhere = replace(report.setting, data=str(tmp_path / "nowhere"))
    write_report(replace(report, setting=elsewhere), tmp_path / "results.json")
    again = tmp_path / "again"
    arguments = ["--from", str(tmp_path / "results.json"), "--out", str(again)]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert {path.name for path in again.iterdir()} == {"tables.md", "curves-whole.png"}
    assert "no gallery" in caplog.text
    (images / "1m.png").write_bytes((images / "2m.png").read_bytes())
    with pytest.raises(InvalidInput, match="does not hold the images that were judged"):
        CliRunner().invoke(app, [*arguments, "--data", str(images)], catch_exceptions=False)


def test_an_interrupted_run_goes_on(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = running.run_trial, [4]

    def until_interrupted(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(running, "run_trial", until_interrupted)
    stopped = call(*QUICK)
    assert stopped.exit_code != 0
    assert "go on with --resume" in stopped.stderr
    path = tmp_path / "out" / "results.json"
    before = json.loads(path.read_text(encoding="utf-8"))
    assert len(before["trials"]) == 4
    with pytest.raises(OutputRefused, match="--resume"):
        call(*QUICK)
    left[0] = 2
    assert call(*QUICK, "--resume").exit_code == 0
    after = json.loads(path.read_text(encoding="utf-8"))
    assert after["trials"][:4] == before["trials"]
    assert methods(after) == [("whole", "Watershed"), ("whole", "RefineNet")]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--methods", "magic"), InvalidInput, "magic; the methods are .*refine"),
        (("--methods", ","), InvalidInput, "none is named"),
        (("--protocol", "all"), InvalidInput, "choose paper, whole or both"),
        (("--split", "test"), InvalidInput, "split"),
        (("--device", "abacus"), InvalidInput, "abacus"),
        (("--data", "nowhere"), InvalidInput, "manifest.csv is not there"),
        (("--rivals", "nowhere"), UnknownModel, "deepscribble train ablation"),
        (("--leave-out", "moon"), InvalidInput, "has no set moon"),
        (("--from", "nowhere.json"), InvalidInput, "nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_run(
    call: Call, arguments: tuple[str, ...], error: type[DeepScribbleError], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(*arguments)


def test_without_data(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="with --data"):
        CliRunner().invoke(app, ["--out", str(tmp_path)], catch_exceptions=False)


def test_the_whole_command_says_what_is_wrong(tmp_path: Path) -> None:
    command = [_PROGRAM, "benchmark", "--out", str(tmp_path)]
    done = subprocess.run([*command, "--json"], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["field"] == "data"


def test_the_command_line_is_read_without_torch() -> None:
    code = "import sys, deepscribble.benchmark.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
