"""Everything that a run found and what it takes to run it again, as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from deepscribble.benchmark.ablation import Ablation
from deepscribble.benchmark.figures import Figures, figures_of
from deepscribble.benchmark.machine import Machine
from deepscribble.benchmark.snapshot import Snapshot
from deepscribble.benchmark.trial import Trial
from deepscribble.errors import InvalidInput, OutputRefused
from deepscribble.stores import write_whole

FORMAT = 1
"""Counts up when older files can no longer be read."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What was asked for.

    Args:
        data: Folder of the manifest, as given.
        split: `train` or `val`.
        protocols: `paper`, `whole` or both.
        methods: Words of the roster; None for each protocol's own.
        ablation: Whether networks that read less are measured too (the paper's table 2).
        patches: How many patches the protocol `paper` takes.
        seed: All chance hangs on it.
        leave_out: Sets whose training rows are ignored; their val rows stay.
        device: `auto`, `cpu`, `cuda` or `mps`.
        models: Registry folder of GuideNets and RefineNet, as given; None for the shipped ones.
        rivals: Registry folder of networks to compare with, as given; None for the shipped ones.
        side: Patches are at most this many model pixels wide and high.
    """

    data: str
    split: str = "val"
    protocols: tuple[str, ...] = ("paper", "whole")
    methods: tuple[str, ...] | None = None
    ablation: bool = True
    patches: int = 20
    seed: int = 0
    leave_out: tuple[str, ...] = ()
    device: str = "auto"
    models: str | None = None
    rivals: str | None = None
    side: int = 384


@dataclass(frozen=True, slots=True)
class Origin:
    """What the answers and times came of; two runs compare only where it is the same.

    Args:
        data: Digest over the manifest and the files used.
        models: Digests of the weights, by name.
        mpp: µm per pixel of the models, hence of the patches.
        machine: Where it ran, and the versions of what ran.
    """

    data: str
    models: dict[str, str]
    mpp: float
    machine: Machine


@dataclass(frozen=True, slots=True)
class Patch:
    """A case, without its pixels.

    Args:
        name: Set and image.
        set: The data set.
        target: What is inside.
        rows: Model pixels.
        columns: Model pixels.
        prior_iou: How good the first guess is.
        prior: Its mask.
    """

    name: str
    set: str
    target: str
    rows: int
    columns: int
    prior_iou: float
    prior: Snapshot


@dataclass(frozen=True, slots=True)
class Selection:
    """The cases of one protocol, and the methods that have been through all of them.

    Args:
        protocol: Its name.
        cases: Names of cases.
        methods: Names of methods, in the tables' order.
    """

    protocol: str
    cases: tuple[str, ...]
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A run, whole or as far as it got.

    Args:
        format: Of this file.
        setting: What was asked for.
        origin: What the answers and times came of.
        patches: All cases.
        selections: Which of them each protocol takes.
        trials: What each method did on each case; a case of two protocols is tried once.
        ablation: The paper's table 2 on all cases; empty where it was not asked for or is not
            yet there.
    """

    format: int
    setting: Setting
    origin: Origin
    patches: tuple[Patch, ...]
    selections: tuple[Selection, ...]
    trials: tuple[Trial, ...] = ()
    ablation: tuple[Ablation, ...] = ()

    def trials_of(self, selection: Selection, method: str) -> tuple[Trial, ...]:
        """The trials of a method on the cases of a protocol, in the order of the cases."""
        found = {trial.case: trial for trial in self.trials if trial.method == method}
        return tuple(found[case] for case in selection.cases if case in found)

    def figures_of(self, selection: Selection) -> tuple[Figures, ...]:
        """What each method that is through with a protocol came to."""
        return tuple(
            figures_of(self.trials_of(selection, method), self.setting.seed)
            for method in selection.methods
        )

    def rows(self) -> list[dict[str, Any]]:
        """All figures, each with its protocol, as JSON has them."""
        return [
            {"protocol": selection.protocol} | asdict(one)
            for selection in self.selections
            for one in self.figures_of(selection)
        ]

    def with_trials(self, trials: Iterable[Trial]) -> Report:
        """This report with further trials."""
        return replace(self, trials=(*self.trials, *trials))

    def with_method(self, protocol: str, method: str) -> Report:
        """This report, `method` being through with `protocol`."""
        return replace(
            self,
            selections=tuple(
                replace(one, methods=(*one.methods, method)) if one.protocol == protocol else one
                for one in self.selections
            ),
        )


def make_folder(folder: Path) -> None:
    """See that the folder of a run is there.

    Raises:
        OutputRefused: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputRefused(
            f"{folder}: this folder cannot be made ({error.strerror}); give another with --out"
        ) from error


def write_report(report: Report, path: Path) -> None:
    """Write `report`, and its figures for whoever reads the file, in one step.

    Raises:
        OutputRefused: it cannot be written.
    """
    document = _adapter().dump_python(report, mode="json") | {"figures": report.rows()}
    make_folder(path.parent)
    write_whole(path, _laid_out(document).encode())


def read_report(path: Path) -> Report:
    """What `write_report` wrote.

    Raises:
        InvalidInput: it is not there, damaged, or of another format.
    """
    try:
        report = _adapter().validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidInput("results", f"{path} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise InvalidInput(
            "results", f"{path} is not a results file of the benchmark: {where}: {first['msg']}"
        ) from error
    if report.format != FORMAT:
        raise InvalidInput(
            "results", f"{path} has format {report.format}; this version reads {FORMAT}; run anew"
        )
    return report


@cache
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def _laid_out(document: Mapping[str, Any]) -> str:
    """JSON with a line for each trial and patch, so that two files can be compared."""
    blocks = []
    for key, value in document.items():
        if isinstance(value, list) and value:
            lines = ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value)
            blocks.append(f"{json.dumps(key)}: [\n  {lines}\n ]")
        elif isinstance(value, dict):
            blocks.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, indent=2)}")
        else:
            blocks.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n " + ",\n ".join(blocks) + "\n}\n"
