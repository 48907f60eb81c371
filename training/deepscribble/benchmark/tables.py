"""The run as Markdown: the paper's two tables beside its own figures, and all that was measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from deepscribble.benchmark.figures import Estimate, Figures
from deepscribble.benchmark.report import Report, Selection
from deepscribble.benchmark.trial import MOST, Trial

_NONE = "–"


@dataclass(frozen=True, slots=True)
class _Published:
    """A row of the paper's table 1.

    Args:
        share85: Of the patches that reach an IoU of 0.85 within 20 interactions.
        noi85: Interactions to 0.85.
        noi90: Interactions to 0.90.
        seconds: "Time, s".
        spi: Seconds per interaction.
    """

    share85: float
    noi85: float
    noi90: float
    seconds: float
    spi: float


PAPER_TABLE_1 = {
    "Watershed": _Published(0.5, 8.1, 11.1, 33, 0.7),
    "Random walker": _Published(0.7, 7.1, 6.5, 47, 1.4),
    "BRS": _Published(0.5, 4.5, 4.7, 104, 1.7),
    "f-BRS": _Published(0.4, 5.5, 6.6, 39, 0.5),
    "RefineNet": _Published(0.8, 6.4, 5.9, 36, 0.6),
}
"""The paper's figures by our names of its methods (WS, RW, BRS, f-BRS, Ours)."""

PAPER_TABLE_2 = {
    "GuideNet": 0.862,
    "I": 0.860,
    "I + P": 0.870,
    "I + P + S": 0.928,
    "I + P + D": 0.933,
}
"""The paper's average IoU."""

_HEADLINES = {
    "paper": "first guesses with an IoU of 0.50 to 0.75, as in the paper",
    "whole": "the whole set",
}

_NOTE_1 = """\
Columns marked *paper* are from table 1 of the paper: 20 patches of PAIP2019 liver slides, another
machine. NoI is over the patches that got there, as the paper's must be too: its watershed fails on
half of the patches, which alone would make 10 if failures counted as 20. That convention is in the
next table. Time is that of all interactions on a patch, mean over the patches.
"""

_NOTE_2 = """\
One round of generated strokes in all mistakes of the first guess. I image, P first guess, S
strokes as drawn, D distance fields; the four are trained alike, RefineNet is the network that
ships. *Removed* is the share of the first guess's error (1 - mean IoU) that is gone.
"""


def markdown(report: Report) -> str:
    """All tables of a run, as far as it got."""
    parts = ["# Benchmark\n", _origin(report)]
    for selection in report.selections:
        figures = report.figures_of(selection)
        if not figures:
            continue
        title = _HEADLINES[selection.protocol]
        parts.append(f"## {_patches(selection)}: {title}\n")
        if selection.protocol == "paper":
            parts += ["### Table 1\n", _table_1(figures), _NOTE_1]
        parts += ["### All figures, with 95 % intervals\n", _all(figures)]
        parts += ["### NoI@85 by set, failures counted as 20\n", _by_set(report, selection)]
    if report.ablation:
        parts += ["## Table 2: what RefineNet reads\n", _table_2(report), _NOTE_2]
    return "\n".join(parts)


def _patches(selection: Selection) -> str:
    count = len(selection.cases)
    return f"{count} patch" if count == 1 else f"{count} patches"


def _origin(report: Report) -> str:
    setting, origin = report.setting, report.origin
    models = ", ".join(f"{name} `{digest[7:19]}`" for name, digest in sorted(origin.models.items()))
    return (
        f"- Data: split {setting.split}, {len(report.patches)} patches of at most "
        f"{setting.side} x {setting.side} pixels at {origin.mpp:g} µm, `{origin.data[:19]}`\n"
        f"- Seed: {setting.seed}\n"
        f"- Machine: {origin.machine}\n"
        f"- Weights: {models}\n"
    )


def _table_1(figures: Sequence[Figures]) -> str:
    head = ["Method"]
    for name in ("≤ 20 @85", "NoI@85", "NoI@90", "Time, s", "s per interaction"):
        head += [name, "*paper*"]
    rows = []
    for one in figures:
        paper = PAPER_TABLE_1.get(one.method)
        ours = (
            _value(one.at85.share.value, 2),
            _value(one.at85.of_successes.value, 1),
            _value(one.at90.of_successes.value, 1),
            _value(one.seconds_total / one.cases, 1),
            _value(one.seconds.value, 2),
        )
        theirs = (
            [_NONE] * len(ours)
            if paper is None
            else [f"{v:g}" for v in (paper.share85, paper.noi85, paper.noi90)]
            + [f"{v:g}" for v in (paper.seconds, paper.spi)]
        )
        rows.append(
            [one.method, *(cell for pair in zip(ours, theirs, strict=True) for cell in pair)]
        )
    return _table(head, rows)


_ROWS: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("IoU before counting starts", lambda one: _interval(one.first_iou, 3)),
    (f"IoU after {MOST} strokes", lambda one: _interval(one.final_iou, 3)),
    (f"mean IoU over 0 to {MOST} strokes", lambda one: _interval(one.area, 3)),
    ("NoI@85, failures counted as 20", lambda one: _interval(one.at85.interactions, 1)),
    ("NoI@90, failures counted as 20", lambda one: _interval(one.at90.interactions, 1)),
    ("NoI@85, successes only", lambda one: _interval(one.at85.of_successes, 1)),
    ("NoI@90, successes only", lambda one: _interval(one.at90.of_successes, 1)),
    ("failures @85 / @90", lambda one: f"{one.at85.failures} / {one.at90.failures}"),
    ("share that reaches 85 %", lambda one: _interval(one.at85.share, 2)),
    ("share that reaches 90 %", lambda one: _interval(one.at90.share, 2)),
    ("seconds per interaction, mean", lambda one: _interval(one.seconds, 3)),
    ("seconds per interaction, median", lambda one: _value(one.seconds_median, 3)),
    ("seconds in total", lambda one: _value(one.seconds_total, 1)),
    ("stroke pixels answered against, %", lambda one: _interval(_percent(one.flips), 2)),
    ("change beyond all strokes' reach, %", lambda one: _interval(_percent(one.far), 2)),
    ("IoU lost to strokes 3 pixels off", lambda one: _interval(one.shift_loss, 3)),
)


def _all(figures: Sequence[Figures]) -> str:
    """Figures down, methods across."""
    head = ["", *(one.method for one in figures)]
    return _table(head, [[name, *(cell(one) for one in figures)] for name, cell in _ROWS])


def _by_set(report: Report, selection: Selection) -> str:
    """Whether a mean hides a set that a method is bad at."""
    patches = {patch.name: patch for patch in report.patches}
    members: dict[str, list[str]] = defaultdict(list)
    for case in selection.cases:
        members[patches[case].set].append(case)
    rows = []
    for name, cases in sorted(members.items()):
        prior = float(np.mean([patches[case].prior_iou for case in cases]))
        row = [name, str(len(cases)), _value(prior, 3)]
        for method in selection.methods:
            trials = [t for t in report.trials_of(selection, method) if t.case in cases]
            row.append(_value(float(np.mean([_counted(trial) for trial in trials])), 1))
        rows.append(row)
    return _table(["Set", "patches", "IoU of the first guess", *selection.methods], rows)


def _counted(trial: Trial) -> int:
    found = trial.interactions(0.85)
    return MOST if found is None else found


def _table_2(report: Report) -> str:
    def removed(value: float, prior: float) -> str:
        return f"{100 * (1 - (1 - value) / (1 - prior)):.0f} %" if prior < 1 else _NONE

    ours, theirs = report.ablation[0].iou, PAPER_TABLE_2["GuideNet"]
    rows = []
    for one in report.ablation:
        paper = PAPER_TABLE_2.get(one.name)
        rows.append(
            [
                one.name,
                f"{one.iou:.3f}",
                _NONE if paper is None else f"{paper:.3f}",
                removed(one.iou, ours),
                _NONE if paper is None else removed(paper, theirs),
            ]
        )
    return _table(["Network", "Mean IoU", "*paper*", "Removed", "*paper*"], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _percent(share: Estimate) -> Estimate:
    return Estimate(*(None if v is None else 100 * v for v in (share.value, share.low, share.high)))


def _value(value: float | None, digits: int) -> str:
    return _NONE if value is None else f"{value:z.{digits}f}"


def _interval(found: Estimate, digits: int) -> str:
    if found.low is None:
        return _value(found.value, digits)
    if found.low == found.high == 0:
        # Nothing at all, which 0.00 would not tell from a little.
        return "0"
    low, high = _value(found.low, digits), _value(found.high, digits)
    return f"{_value(found.value, digits)} ({low} to {high})"
