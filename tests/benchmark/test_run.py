import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepscribble.benchmark import run as running
from deepscribble.benchmark.cases import PROTOCOLS
from deepscribble.benchmark.method import Case
from deepscribble.benchmark.report import Report, Setting, read_report
from deepscribble.benchmark.run import RESULTS, check_setting, methods_of, run
from deepscribble.errors import InvalidInput, OutputRefused, UnknownModel

Run = Callable[..., Report]


@pytest.fixture
def setting(images: Path, untrained_models: Path) -> Setting:
    """A run of watershed on small patches."""
    return Setting(
        data=str(images),
        protocols=("whole",),
        methods=("watershed",),
        ablation=False,
        device="cpu",
        models=str(untrained_models),
        side=48,
    )


def silent(words: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def test_all_cases_are_tried_and_written(setting: Setting, tmp_path: Path) -> None:
    seen = []
    report = run(setting, tmp_path / "out", lambda *told: seen.append(told))
    assert [(trial.method, trial.case) for trial in report.trials] == [
        ("Watershed", f"lung/{n}") for n in (1, 2, 3)
    ]
    assert read_report(tmp_path / "out" / RESULTS) == report
    assert [told[1:] for told in seen if told[2]] == [(0, 3), (1, 3), (2, 3)]
    assert report.selections[0].methods == ("Watershed",)
    assert report.origin.models.keys() == {"refine", "guide-tumor"}
    assert all(trial.rounds for trial in report.trials)


def test_patches_of_one_answer_are_left_out_and_said(
    setting: Setting, images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cv2.imwrite(str(images / "1m.png"), np.zeros((96, 112), dtype=np.uint8))
    report = run(setting, tmp_path / "out", silent)
    assert [trial.case for trial in report.trials] == ["lung/2", "lung/3"]
    assert caplog.text.count("left out 1 of 3 patches") == 1


def test_the_same_seed_gives_the_same_run(setting: Setting, tmp_path: Path) -> None:
    one, two = (run(setting, tmp_path / name, silent) for name in ("one", "two"))
    for a, b in zip(one.trials, two.trials, strict=True):
        assert a.curve == b.curve
        assert a.snapshot == b.snapshot
        assert a.shifted_iou == b.shifted_iou


def test_a_case_of_two_protocols_is_tried_once(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_two(cases: Sequence[Case], patches: int, seed: int) -> tuple[Case, ...]:
        return tuple(cases[:2])

    monkeypatch.setitem(PROTOCOLS, "paper", first_two)
    report = run(replace(setting, protocols=("paper", "whole")), tmp_path, silent)
    assert [trial.case for trial in report.trials] == ["lung/1", "lung/2", "lung/3"]
    paper, whole = report.selections
    assert len(report.trials_of(paper, "Watershed")) == 2
    assert len(report.trials_of(whole, "Watershed")) == 3


def test_table_2_is_measured_on_all_cases(
    setting: Setting, untrained_rivals: Path, tmp_path: Path
) -> None:
    asked = replace(setting, ablation=True, rivals=str(untrained_rivals))
    report = run(asked, tmp_path, silent)
    assert [len(one.ious) for one in report.ablation] == [3] * 6
    assert "ablation-i-p-d" in report.origin.models


def test_what_is_missing_is_found_before_the_first_case(setting: Setting, tmp_path: Path) -> None:
    told: list[str] = []
    asked = replace(setting, ablation=True, rivals="nowhere")
    with pytest.raises(UnknownModel, match="train ablation i "):
        run(asked, tmp_path, lambda words, *_: told.append(words))
    assert not told


def test_a_finished_run_is_never_written_over(setting: Setting, tmp_path: Path) -> None:
    run(setting, tmp_path, silent)
    before = (tmp_path / RESULTS).read_bytes()
    with pytest.raises(OutputRefused, match="--resume"):
        run(setting, tmp_path, silent)
    assert (tmp_path / RESULTS).read_bytes() == before


def test_a_failing_method_leaves_what_was_done(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = running.run_trial

    def broken(method: object, case: Case, *rest: object) -> object:
        if case.name == "lung/3":
            raise MemoryError
        return real(method, case, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(running, "run_trial", broken)
    with pytest.raises(MemoryError):
        run(setting, tmp_path, silent)
    assert len(read_report(tmp_path / RESULTS).trials) == 2
    monkeypatch.setattr(running, "run_trial", real)
    after = run(setting, tmp_path, silent, resume=True)
    assert [trial.case for trial in after.trials] == ["lung/1", "lung/2", "lung/3"]


def test_resume_begins_where_nothing_was_begun(setting: Setting, tmp_path: Path) -> None:
    assert len(run(setting, tmp_path, silent, resume=True).trials) == 3


@pytest.mark.parametrize(
    ("change", "word"),
    [("seed", "what was asked for"), ("data", "the data"), ("machine", "the machine")],
)
def test_a_run_is_not_gone_on_with_under_other_conditions(
    setting: Setting, images: Path, tmp_path: Path, change: str, word: str
) -> None:
    run(setting, tmp_path, silent)
    path = tmp_path / RESULTS
    if change == "seed":
        setting = replace(setting, seed=1)
    elif change == "data":
        (images / "1m.png").write_bytes((images / "2m.png").read_bytes())
    else:
        document = json.loads(path.read_text(encoding="utf-8"))
        document["origin"]["machine"]["cpu"] = "abacus"
        path.write_text(json.dumps(document), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match=f"{word}.*choose another folder"):
        run(setting, tmp_path, silent, resume=True)
    assert path.read_bytes() == before


def test_each_protocol_has_its_own_methods_unless_some_are_named(setting: Setting) -> None:
    own = replace(setting, methods=None)
    assert len(methods_of(own, "paper")) == 6
    assert methods_of(own, "whole") == ("Watershed", "f-BRS", "RefineNet")
    assert methods_of(setting, "paper") == ("Watershed",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocols": ("paper", "half")}, "there is no half; choose paper, whole or both"),
        ({"protocols": ()}, "none is named"),
        ({"methods": ("magic",)}, "no magic"),
        ({"seed": -1}, "seed: -1 is below 0"),
        ({"side": 8}, "side: 8 is below 32"),
        ({"patches": 0}, "patches: 0 is below 1"),
    ],
)
def test_what_cannot_be_asked_for(
    setting: Setting, change: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        check_setting(replace(setting, **change))  # type: ignore[arg-type]
