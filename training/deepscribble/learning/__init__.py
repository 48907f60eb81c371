"""Learning: data, generated strokes, fitting and judging GuideNet and RefineNet.

Names are imported when they are asked for: the command line reads this room without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepscribble.learning.dataset import Dataset, Terms, make_dataset
    from deepscribble.learning.evaluate import (
        Score,
        first_guess,
        iou,
        refined_guess,
        score,
    )
    from deepscribble.learning.fitting import Plan
    from deepscribble.learning.manifest import Pair, halves, read_manifest
    from deepscribble.learning.sample import Sample, load_sample, load_samples
    from deepscribble.learning.scribble import STEADY, VARIED, Hand, scribbles
    from deepscribble.learning.tiles import Cutting
    from deepscribble.learning.training import (
        Setting,
        train_ablation,
        train_guide,
        train_refine,
    )

__all__ = [
    "STEADY",
    "VARIED",
    "Cutting",
    "Dataset",
    "Hand",
    "Pair",
    "Plan",
    "Sample",
    "Score",
    "Setting",
    "Terms",
    "first_guess",
    "halves",
    "iou",
    "load_sample",
    "load_samples",
    "make_dataset",
    "read_manifest",
    "refined_guess",
    "score",
    "scribbles",
    "train_ablation",
    "train_guide",
    "train_refine",
]

_MODULES = {
    "dataset": ("Dataset", "Terms", "make_dataset"),
    "evaluate": ("Score", "first_guess", "iou", "refined_guess", "score"),
    "fitting": ("Plan",),
    "manifest": ("Pair", "halves", "read_manifest"),
    "sample": ("Sample", "load_sample", "load_samples"),
    "scribble": ("STEADY", "VARIED", "Hand", "scribbles"),
    "tiles": ("Cutting",),
    "training": ("Setting", "train_ablation", "train_guide", "train_refine"),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
