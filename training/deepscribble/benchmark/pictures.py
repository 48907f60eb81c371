"""The run as pictures, drawn from the report: IoU by stroke, and a gallery of patches."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from deepscribble.benchmark.figures import mean_curve
from deepscribble.benchmark.report import Patch, Report, Selection
from deepscribble.benchmark.roster import NAMES
from deepscribble.benchmark.snapshot import Snapshot
from deepscribble.benchmark.trial import MOST, PICTURED, Trial
from deepscribble.errors import InvalidInput
from deepscribble.geometry import Label
from deepscribble.learning import Sample, iou

Mask = NDArray[np.bool_]

_OURS = NAMES["refine"]

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": "#666666",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
}

_DPI = 200

# Okabe and Ito's colours, which all eyes tell apart; markers do so in print without colour.
_LOOKS = {
    "RefineNet": ("#D55E00", "o"),
    "f-BRS": ("#0072B2", "s"),
    "BRS": ("#56B4E9", "^"),
    "Random walker": ("#009E73", "D"),
    "Watershed": ("#C98F00", "v"),
    "GrabCut": ("#CC79A7", "X"),
}

# As in the overlays of the command line: told apart from H&E's pink and violet.
_OUTLINE = "#FFE600"
_TRUTH = "#00E5FF"
_INK = {Label.FOREGROUND: "#006EFF", Label.BACKGROUND: "#FF4600"}

_VEIL = 0.5
"""How much white lies over what an outline leaves out."""

_PANEL = 1.75
"""Side of a picture in the gallery, inches."""

_NAME = 28
"""Letters that fit beside it."""


def curves(report: Report, selection: Selection) -> bytes:
    """Mean IoU after each stroke that counts, a line a method with its 95 % interval, as PNG.

    The paper's figure 3.

    Args:
        report: The run.
        selection: One of its protocols.

    Raises:
        InvalidInput: no method is through with the protocol.
    """
    tried = _tried(report, selection)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 4.4), dpi=_DPI, layout="constrained")
        axes = figure.add_subplot()
        strokes = np.arange(MOST + 1)
        ends, lowest = [], 1.0
        for method, trials in tried.items():
            colour, marker = _LOOKS[method]
            middle, low, high = mean_curve(trials, report.setting.seed)
            ours = method == _OURS
            shade = 0.22 if ours else 0.07
            axes.fill_between(strokes, low, high, color=colour, alpha=shade, linewidth=0)
            axes.plot(
                strokes,
                middle,
                color=colour,
                marker=marker,
                markersize=4.2 if ours else 3.4,
                linewidth=2.4 if ours else 1.4,
                zorder=4 if ours else 3,
            )
            lowest = min(lowest, float(middle.min()))
            ends.append((float(middle[-1]), method, f"{method}  {middle.mean():.3f}"))
        _frame(axes, lowest)
        _label_ends(axes, ends)
        axes.set_title(_headline(selection), loc="left", fontsize=10.5, fontweight="bold")
        return _png(figure)


def gallery(report: Report, selection: Selection, samples: Mapping[str, Sample]) -> bytes:
    """A few patches as every method outlines them after `PICTURED` strokes that count, as PNG.

    The paper's figure 4. The patches are those at the quartiles and the end of RefineNet's final
    IoU (of the last method's, in a run without RefineNet), so that nobody picks the nice ones.

    Args:
        report: The run.
        selection: One of its protocols.
        samples: The patches' pixels and truths by name, as `cases.read_samples` gives them.

    Raises:
        InvalidInput: no method is through with the protocol, or a patch has no pixels.
    """
    tried = _tried(report, selection)
    rows = _rows(report, tried)
    missing = [row.patch.name for row in rows if row.patch.name not in samples]
    if missing:
        raise InvalidInput("data", f"it has no image for the gallery's {', '.join(missing)}")
    with matplotlib.rc_context(_STYLE):
        columns = 2 + len(tried)
        tops = [row.patch.rows / row.patch.columns for row in rows]
        figure = Figure(
            figsize=(columns * _PANEL + 0.35, sum(tops) * _PANEL + 0.75),
            dpi=_DPI,
            layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01),
        )
        panels = figure.subplots(len(rows), columns, squeeze=False, height_ratios=tops)
        for row, line in zip(rows, panels, strict=True):
            sample = samples[row.patch.name]
            rgb, truth = sample.rgb, sample.truth
            _panel(line[0], rgb, truth, colour=_TRUTH, veil=0.0)
            _panel(line[1], rgb, row.patch.prior.mask, note=_score(truth, row.patch.prior))
            for axes, method in zip(line[2:], tried, strict=True):
                shown = row.trials[method].snapshot
                _panel(axes, rgb, shown.mask, shown, _score(truth, shown))
            _ruler(line[0], row.patch.columns, report.origin.mpp)
            line[0].set_ylabel(f"{row.rank}\n{_short(row.patch.name)}", fontsize=8, labelpad=4)
        titles = ("Image and truth", "First guess", *tried)
        for axes, title in zip(panels[0], titles, strict=True):
            weight = "bold" if title == _OURS else "normal"
            axes.set_title(title, fontsize=10, fontweight=weight, pad=5)
        _key(figure)
        return _png(figure)


@dataclass(frozen=True, slots=True)
class _Row:
    """A patch of the gallery.

    Args:
        rank: Why it was taken.
        patch: Which it is.
        trials: What each method did on it.
    """

    rank: str
    patch: Patch
    trials: Mapping[str, Trial]


def _tried(report: Report, selection: Selection) -> dict[str, tuple[Trial, ...]]:
    """The trials of the methods that are through, RefineNet last so that it is drawn on top."""
    if not selection.methods:
        raise InvalidInput(
            "results",
            f"no method is through with the protocol {selection.protocol}; nothing to draw",
        )
    names = sorted(selection.methods, key=list(NAMES.values()).index)
    return {name: report.trials_of(selection, name) for name in names}


def _rows(report: Report, tried: Mapping[str, Sequence[Trial]]) -> list[_Row]:
    """Patches from the best quarter's end to the worst, each once."""
    ranked = sorted(tried[list(tried)[-1]], key=lambda trial: (-trial.curve[-1], trial.case))
    last = len(ranked) - 1
    ranks = {"upper quartile": 0.25, "median": 0.5, "lower quartile": 0.75, "worst": 1.0}
    chosen: dict[str, str] = {}
    for rank, share in ranks.items():
        chosen.setdefault(ranked[round(share * last)].case, rank)
    patches = {patch.name: patch for patch in report.patches}
    return [
        _Row(
            rank,
            patches[case],
            {name: next(t for t in trials if t.case == case) for name, trials in tried.items()},
        )
        for case, rank in chosen.items()
    ]


def _headline(selection: Selection) -> str:
    count = f"{len(selection.cases)} patch{'es' if len(selection.cases) != 1 else ''}"
    if selection.protocol == "paper":
        return f"Correcting doubtful first guesses (IoU 0.50 to 0.75): {count}"
    return f"Correcting the whole set: {count}"


def _frame(axes: Axes, lowest: float) -> None:
    """Scales, and the two IoUs that interactions are counted to."""
    axes.set_xlim(-0.3, MOST + 0.3)
    axes.set_ylim(max(0.0, np.floor((lowest - 0.03) * 10) / 10), 1.0)
    axes.set_xticks(range(0, MOST + 1, 2))
    axes.set_xlabel("strokes (those that count)")
    axes.set_ylabel("mean IoU, with 95 % interval")
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    axes.set_axisbelow(True)
    for target in (0.85, 0.90):
        axes.axhline(target, color="#888888", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            f"{target:.2f}", (0, target), (2, 2), textcoords="offset points",
            fontsize=7.5, color="#666666",
        )  # fmt: skip


def _label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Each line's name and mean IoU beside its end, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    apart = 0.055 * (high - low)
    heights: list[float] = []
    ordered = sorted(ends)
    for height, *_ in ordered:
        heights.append(max(height, heights[-1] + apart) if heights else height)
    # What was pushed beyond the top is let down again, and pushes the others down.
    ceiling = high
    for index in range(len(heights) - 1, -1, -1):
        heights[index] = min(heights[index], ceiling)
        ceiling = heights[index] - apart
    for (_, method, text), height in zip(ordered, heights, strict=True):
        colour, marker = _LOOKS[method]
        axes.plot(
            MOST + 0.9, height, color=colour, marker=marker, markersize=5.5,
            clip_on=False, linestyle="none",
        )  # fmt: skip
        axes.annotate(
            text, (MOST + 0.9, height), (8, 0), textcoords="offset points", va="center",
            color="#222222", fontweight="bold" if method == _OURS else "normal",
            annotation_clip=False,
        )  # fmt: skip
    axes.annotate(
        "beside the names: mean\nIoU over 0 to 20 strokes", (MOST + 0.9, low), (-4, 2), va="bottom",
        textcoords="offset points", fontsize=7.5, color="#666666", annotation_clip=False,
    )  # fmt: skip


def _panel(
    axes: Axes,
    rgb: NDArray[np.uint8],
    inside: Mask,
    strokes: Snapshot | None = None,
    note: str = "",
    colour: str = _OUTLINE,
    veil: float = _VEIL,
) -> None:
    """Pixels, white over what is outside, the outline, strokes, and a note in the corner."""
    rows, columns = inside.shape
    veiled = np.where(inside[..., None], rgb, rgb + veil * (255.0 - rgb)).astype(np.uint8)
    axes.imshow(veiled, extent=(0, columns, rows, 0), interpolation="lanczos")
    if inside.any() and not inside.all():
        across, down = np.arange(columns) + 0.5, np.arange(rows) + 0.5
        drawn = axes.contour(across, down, inside, levels=[0.5], colors=colour, linewidths=1.1)
        drawn.set_path_effects([Stroke(linewidth=2.2, foreground="black", alpha=0.75), Normal()])
    for label in Label:
        for line in strokes.lines_of(label) if strokes is not None else ():
            xy = np.array(line.xy)
            if len(xy) == 1:
                # A line of no length would not be seen.
                xy = np.concatenate([xy - 0.5, xy + 0.5])
            axes.plot(
                *xy.T, color=_INK[label], linewidth=2.0, solid_capstyle="round",
                path_effects=[Stroke(linewidth=3.4, foreground="white"), Normal()],
            )  # fmt: skip
    if note:
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "alpha": 0.9, "linewidth": 0}
        axes.text(
            0.97, 0.04, note, transform=axes.transAxes, ha="right", va="bottom",
            fontsize=7.5, bbox=box,
        )  # fmt: skip
    axes.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _score(truth: Mask, answer: Snapshot) -> str:
    return f"IoU {iou(truth, answer.mask):.2f}"


def _short(name: str) -> str:
    """A name that fits beside a picture."""
    return name if len(name) <= _NAME else f"{name[: _NAME // 2 - 2]}…{name[1 - _NAME // 2 :]}"


def _ruler(axes: Axes, columns: int, mpp: float) -> None:
    """A scale bar of a round length, at most a third of the patch."""
    rounds = (1, 2, 5, 10, 20, 50, 100, 200, 500)
    micrometres = max(length for length in rounds if length <= max(1, columns * mpp / 3))
    begin, height = 0.05 * columns, axes.get_ylim()[0] * 0.94
    axes.plot(
        [begin, begin + micrometres / mpp], [height, height], color="black", linewidth=2.2,
        solid_capstyle="butt", path_effects=[Stroke(linewidth=4.2, foreground="white"), Normal()],
    )  # fmt: skip
    axes.annotate(
        f"{micrometres} µm", (begin, height), (0, 3), textcoords="offset points", fontsize=7,
        path_effects=[Stroke(linewidth=2.0, foreground="white"), Normal()],
    )  # fmt: skip


def _key(figure: Figure) -> None:
    """What the colours mean, below the pictures."""
    halo = [Stroke(linewidth=3.0, foreground="black", alpha=0.75), Normal()]
    entries = [
        Line2D([], [], color=_TRUTH, linewidth=1.8, path_effects=halo, label="truth"),
        Line2D([], [], color=_OUTLINE, linewidth=1.8, path_effects=halo, label="outline"),
        Line2D([], [], color=_INK[Label.FOREGROUND], linewidth=2.4, label="stroke: inside"),
        Line2D([], [], color=_INK[Label.BACKGROUND], linewidth=2.4, label="stroke: outside"),
    ]
    figure.legend(
        handles=entries, loc="outside lower center", ncols=len(entries), frameon=False,
        title=f"After {PICTURED} strokes that count, or the last before.\n"
        "Methods without a first guess had one stroke more, those that need both labels two.",
        title_fontsize=8, fontsize=8.5,
    )  # fmt: skip


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "DeepScribble"})
    return buffer.getvalue()
