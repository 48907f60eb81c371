"""The methods that can be compared, by the names that a person types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepscribble.errors import InvalidInput, UnknownModel

if TYPE_CHECKING:
    from deepscribble.benchmark.method import Method
    from deepscribble.engine import Engine
    from deepscribble.models import Registry

NAMES = {
    "watershed": "Watershed",
    "random-walker": "Random walker",
    "grabcut": "GrabCut",
    "brs": "BRS",
    "fbrs": "f-BRS",
    "refine": "RefineNet",
}
"""What is typed, and the name in tables; in the order of the paper's table 1, ours last."""

NETWORKED = ("brs", "fbrs")
"""Methods that search within the interaction network."""

RIVALS = Path(__file__).parent / "rivals"
"""The networks to compare with that come with the package."""


def check_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """`keys` in the order of the tables, each once.

    Raises:
        InvalidInput: one that there is not, or none at all.
    """
    unknown = [key for key in keys if key not in NAMES]
    if unknown or not keys:
        what = f"there is no {', '.join(unknown)}" if unknown else "none is named"
        raise InvalidInput("methods", f"{what}; the methods are {', '.join(NAMES)}")
    return tuple(key for key in NAMES if key in keys)


def open_methods(
    keys: Sequence[str], engine: Engine, rivals: Path, device: str
) -> dict[str, Method]:
    """The methods of `keys`, ready to run. What a method needs is imported and loaded only for it.

    Args:
        keys: Of `NAMES`.
        engine: RefineNet's.
        rivals: Registry folder of the networks to compare with.
        device: `auto`, `cpu`, `cuda` or `mps`.

    Raises:
        InvalidInput: an unknown key.
        UnknownModel: the interaction network is asked for and not there.
        ModelRefused: a model's files are damaged.
    """
    chosen = check_keys(keys)
    methods: dict[str, Method] = {}
    if any(key in NETWORKED for key in chosen):
        methods |= _networked(rivals, device)
    if "refine" in chosen:
        from deepscribble.benchmark.refinenet import RefineNet

        methods["refine"] = RefineNet(engine)
    if not set(chosen) <= {*NETWORKED, "refine"}:
        from deepscribble.benchmark import classical

        methods |= {
            "watershed": classical.WATERSHED,
            "random-walker": classical.RANDOM_WALKER,
            "grabcut": classical.GRABCUT,
        }
    return {key: methods[key] for key in chosen}


def open_rivals(folder: Path, needed: Sequence[str]) -> Registry:
    """The registry of the networks to compare with.

    Args:
        folder: Where it lies.
        needed: Names of networks that must be in it.

    Raises:
        UnknownModel: one is missing; the message says how to train it.
        ModelRefused: a card is damaged.
    """
    from deepscribble.models import Registry

    registry = Registry(folder) if folder.is_dir() else None
    there = {card.name for card in registry.cards()} if registry else set()
    for name in needed:
        if registry is None or name not in there:
            raise UnknownModel(
                f"{folder} has no network {name!r} to compare with; train it with `deepscribble "
                f"train ablation {name.removeprefix('ablation-')} --data ... --out {folder}`, or "
                "do without it (--methods refine,watershed --no-ablation)"
            )
    assert registry is not None
    return registry


def _networked(rivals: Path, device: str) -> dict[str, Method]:
    from deepscribble.benchmark.brs import BRS
    from deepscribble.benchmark.fbrs import FBRS
    from deepscribble.benchmark.refinement import INTERACTION, Interaction

    network = Interaction.open(open_rivals(rivals, (INTERACTION,)), device)
    return {"brs": BRS(network), "fbrs": FBRS(network)}
