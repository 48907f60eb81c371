"""The whole benchmark: cases, methods, trials, table 2; what is done is kept at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deepscribble.benchmark.ablation import ABLATION_MODELS, ablate, open_networks
from deepscribble.benchmark.cases import (
    PROTOCOLS,
    build_case,
    data_digest,
    guide_for,
    prior_iou,
    prior_mask,
    read_pairs,
    read_samples,
)
from deepscribble.benchmark.machine import Machine
from deepscribble.benchmark.method import Case, Method
from deepscribble.benchmark.report import (
    FORMAT,
    Origin,
    Patch,
    Report,
    Selection,
    Setting,
    read_report,
    write_report,
)
from deepscribble.benchmark.roster import (
    NAMES,
    NETWORKED,
    RIVALS,
    check_keys,
    open_methods,
    open_rivals,
)
from deepscribble.benchmark.snapshot import Snapshot
from deepscribble.benchmark.trial import run_trial
from deepscribble.benchmark.user import next_stroke
from deepscribble.engine import Engine
from deepscribble.errors import InvalidInput, OutputRefused
from deepscribble.models import SHIPPED, Card

logger = logging.getLogger(__name__)

RESULTS = "results.json"
"""The report's name in the folder of a run."""

DEFAULT_METHODS = {"paper": tuple(NAMES), "whole": ("watershed", "fbrs", "refine")}
"""Who runs in a protocol if nobody is named: on the whole set only who is quick."""

KEPT_EVERY = 10.0
"""Seconds after which trials are written down: a run that is killed loses no more."""

Watch = Callable[[str, int, int], None]
"""Told what goes on, how much is done and how much there is, in trials; 0 of 0 before the first."""


@dataclass(frozen=True, slots=True)
class _Bench:
    """What a run works with.

    Args:
        setting: What was asked for.
        path: Of the report.
        engine: RefineNet's.
        refine: Its card.
        methods: Opened, by their names.
        cases: All of the data.
        watch: Told of the progress.
    """

    setting: Setting
    path: Path
    engine: Engine
    refine: Card
    methods: Mapping[str, Method]
    cases: tuple[Case, ...]
    watch: Watch


def methods_of(setting: Setting, protocol: str) -> tuple[str, ...]:
    """The methods' names that go through a protocol, in the order of the tables.

    Raises:
        InvalidInput: an unknown method.
    """
    keys = DEFAULT_METHODS[protocol] if setting.methods is None else setting.methods
    return tuple(NAMES[key] for key in check_keys(keys))


def check_setting(setting: Setting) -> None:
    """See that a run can be asked for like this, before anything is read.

    Raises:
        InvalidInput: an unknown protocol or method, or a number out of range.
    """
    unknown = [name for name in setting.protocols if name not in PROTOCOLS]
    if unknown or not setting.protocols:
        what = f"there is no {', '.join(unknown)}" if unknown else "none is named"
        raise InvalidInput("protocol", f"{what}; choose {', '.join(PROTOCOLS)} or both")
    for protocol in setting.protocols:
        methods_of(setting, protocol)
    for name, least in (("seed", 0), ("side", 32), ("patches", 1)):
        if getattr(setting, name) < least:
            raise InvalidInput(name, f"{getattr(setting, name)} is below {least}")


def run(setting: Setting, out: Path, watch: Watch, resume: bool = False) -> Report:
    """Run the benchmark, and write the report as it grows.

    Args:
        setting: What to run.
        out: Folder for the report.
        watch: Told of the progress.
        resume: Go on with the report that is in `out`, if there is one.

    Returns:
        The report, complete.

    Raises:
        InvalidInput: an argument or the data is wrong, the report is there already, or it was
            begun with something else.
        UnknownModel, ModelRefused: a network is missing or damaged.
        OutputRefused: the report cannot be written.
    """
    check_setting(setting)
    path = out / RESULTS
    begun = _begun(path, resume)
    bench = _opened(setting, path, watch)
    report = _planned(bench)
    if begun is not None:
        _check_same(begun, report)
        report = replace(report, trials=begun.trials, ablation=begun.ablation)
    write_report(report, path)
    if setting.ablation and not report.ablation:
        report = _with_ablation(bench, report)
        write_report(report, path)
    for selection in report.selections:
        for method in methods_of(setting, selection.protocol):
            report = _tried(bench, report, selection, bench.methods[method])
    return report


def _begun(path: Path, resume: bool) -> Report | None:
    """The report of an interrupted run."""
    if not path.exists():
        return None
    if not resume:
        raise OutputRefused(
            f"{path} is there already; go on with it by --resume, or choose another folder by --out"
        )
    return read_report(path)


def _opened(setting: Setting, path: Path, watch: Watch) -> _Bench:
    """Everything that can be missing or wrong is found out here, before hours are spent."""
    engine = Engine.open(_folder(setting.models, SHIPPED), setting.device)
    refine = engine.registry.card("", "refine")
    asked = {name for p in setting.protocols for name in methods_of(setting, p)}
    keys = [key for key, name in NAMES.items() if name in asked]
    methods = open_methods(keys, engine, _folder(setting.rivals, RIVALS), setting.device)
    if setting.ablation:
        _digests(setting, tuple(ABLATION_MODELS.values()))
    cases = _cases(setting, engine, refine, watch)
    by_name = {method.name: method for method in methods.values()}
    return _Bench(setting, path, engine, refine, by_name, cases, watch)


def _cases(setting: Setting, engine: Engine, refine: Card, watch: Watch) -> tuple[Case, ...]:
    """All patches of the data with their first guesses."""
    pairs = read_pairs(Path(setting.data), setting.split, setting.leave_out)
    for target in sorted({pair.target for pair in pairs}):
        guide_for(engine, target)
    if setting.split == "train":
        logger.warning("split train: the networks may have learned from these very images")
    samples = read_samples(pairs, refine.mpp, setting.side)
    if left := len(pairs) - len(samples):
        logger.warning("left out %d of %d patches: all inside, or all outside", left, len(pairs))
    cases = []
    for name, sample in samples.items():
        watch(f"first guess on {name}", 0, 0)
        cases.append(build_case(name, sample, engine))
    return tuple(cases)


def _planned(bench: _Bench) -> Report:
    """The report before the first trial."""
    setting, cases = bench.setting, bench.cases
    pairs = read_pairs(Path(setting.data), setting.split, setting.leave_out)
    targets = sorted({case.target for case in cases})
    cards = [bench.refine, *(guide_for(bench.engine, target) for target in targets)]
    models = {card.name: card.digest for card in cards}
    if bench.methods.keys() & {NAMES[key] for key in NETWORKED}:
        models |= _digests(setting, ("interaction",))
    if setting.ablation:
        models |= _digests(setting, tuple(ABLATION_MODELS.values()))
    machine = Machine.here(bench.engine.device, bench.engine.precision)
    return Report(
        format=FORMAT,
        setting=setting,
        origin=Origin(data_digest(Path(setting.data), pairs), models, bench.refine.mpp, machine),
        patches=tuple(_patch(case) for case in cases),
        selections=tuple(
            Selection(
                protocol,
                tuple(
                    case.name for case in PROTOCOLS[protocol](cases, setting.patches, setting.seed)
                ),
            )
            for protocol in setting.protocols
        ),
    )


def _patch(case: Case) -> Patch:
    return Patch(
        name=case.name,
        set=case.set,
        target=case.target,
        rows=case.grid.height,
        columns=case.grid.width,
        prior_iou=round(prior_iou(case), 5),
        prior=Snapshot.of(prior_mask(case), (), case.grid),
    )


def _check_same(begun: Report, now: Report) -> None:
    """See that a run may be gone on with: its figures would not compare otherwise."""
    pairs = {
        "what was asked for": (begun.setting, now.setting),
        "the data": (begun.origin.data, now.origin.data),
        "the models": (begun.origin.models, now.origin.models),
        "the machine or its packages": (begun.origin.machine, now.origin.machine),
    }
    differs = [word for word, (before, after) in pairs.items() if before != after]
    if differs:
        raise InvalidInput(
            "resume",
            f"since the run was begun, {' and '.join(differs)} changed, and figures would not "
            "compare; choose another folder by --out",
        )


def _with_ablation(bench: _Bench, report: Report) -> Report:
    """`report` with the paper's table 2."""
    bench.watch("table 2", 0, 0)
    rivals = open_rivals(_folder(bench.setting.rivals, RIVALS), tuple(ABLATION_MODELS.values()))
    networks = open_networks(bench.engine.registry, rivals, bench.setting.device)
    return replace(report, ablation=ablate(bench.cases, networks))


def _tried(bench: _Bench, report: Report, selection: Selection, method: Method) -> Report:
    """`report` with `method` through all cases of a protocol."""
    done = {trial.case for trial in report.trials if trial.method == method.name}
    waiting = [c for c in bench.cases if c.name in selection.cases and c.name not in done]
    if waiting:
        _warm_up(method, waiting[0])
    written = time.monotonic()
    try:
        for case in waiting:
            done_so_far, wanted = len(report.trials), len(_wanted(report))
            bench.watch(f"{method.name} on {case.name}", done_so_far, wanted)
            radius = bench.refine.influence_radius
            report = report.with_trials([run_trial(method, case, radius, bench.setting.seed)])
            if time.monotonic() - written > KEPT_EVERY:
                write_report(report, bench.path)
                written = time.monotonic()
    finally:
        # Also on Ctrl-C, and where a method fails.
        write_report(report, bench.path)
    report = report.with_method(selection.protocol, method.name)
    write_report(report, bench.path)
    return report


def _wanted(report: Report) -> set[tuple[str, str]]:
    """All trials of a complete run, as method and case: one that counts twice runs once."""
    return {
        (method, case)
        for selection in report.selections
        for method in methods_of(report.setting, selection.protocol)
        for case in selection.cases
    }


def _warm_up(method: Method, case: Case) -> None:
    """Let `method` correct once untimed: the first call of a library or network takes longer."""
    nothing = np.zeros(case.grid.shape, dtype=np.bool_)
    drawn = np.zeros(case.grid.shape, dtype=np.uint8)
    strokes = [
        stroke
        for answer in (nothing, ~nothing)
        if (stroke := next_stroke(case.truth, answer, drawn, case.grid)) is not None
    ]
    if strokes:
        method.start(case).correct(strokes)


def _digests(setting: Setting, names: Sequence[str]) -> dict[str, str]:
    registry = open_rivals(_folder(setting.rivals, RIVALS), names)
    return {name: registry.card(name, "ablation").digest for name in names}


def _folder(given: str | None, otherwise: Path) -> Path:
    return otherwise if given is None else Path(given)
