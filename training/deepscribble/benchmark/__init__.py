"""Benchmark: a simulated user, every method behind one interface, figures, tables and pictures.

Names are imported when they are asked for: the command line reads this room without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepscribble.benchmark.figures import Figures, figures_of, mean_curve
    from deepscribble.benchmark.method import Case, Method, Session
    from deepscribble.benchmark.output import write_output
    from deepscribble.benchmark.report import Report, Setting, read_report, write_report
    from deepscribble.benchmark.trial import Round, Trial, run_trial

__all__ = [
    "Case",
    "Figures",
    "Method",
    "Report",
    "Round",
    "Session",
    "Setting",
    "Trial",
    "figures_of",
    "mean_curve",
    "read_report",
    "run_trial",
    "write_output",
    "write_report",
]

_MODULES = {
    "figures": ("Figures", "figures_of", "mean_curve"),
    "method": ("Case", "Method", "Session"),
    "output": ("write_output",),
    "report": ("Report", "Setting", "read_report", "write_report"),
    "trial": ("Round", "Trial", "run_trial"),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
