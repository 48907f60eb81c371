from pathlib import Path

import pytest

from deepscribble.benchmark.roster import NAMES, check_keys, open_methods, open_rivals
from deepscribble.engine import Engine
from deepscribble.errors import InvalidInput, UnknownModel


@pytest.fixture(scope="module")
def engine(untrained_models: Path) -> Engine:
    return Engine.open(untrained_models, "cpu")


def test_all_methods_bear_the_names_of_the_tables(engine: Engine, untrained_rivals: Path) -> None:
    methods = open_methods(tuple(NAMES), engine, untrained_rivals, "cpu")
    assert {key: method.name for key, method in methods.items()} == NAMES
    free = [method.free_strokes for method in methods.values()]
    assert free == [2, 2, 2, 1, 1, 0]


def test_methods_without_networks_need_no_rivals(engine: Engine) -> None:
    assert list(open_methods(("refine", "watershed"), engine, Path("nowhere"), "cpu")) == [
        "watershed",
        "refine",
    ]


@pytest.mark.parametrize("key", ["brs", "fbrs"])
def test_a_missing_network_is_said_and_how_to_train_it(
    engine: Engine, untrained_models: Path, key: str
) -> None:
    for folder in (Path("nowhere"), untrained_models):
        with pytest.raises(UnknownModel, match="deepscribble train ablation interaction"):
            open_methods((key,), engine, folder, "cpu")


def test_ablations_are_trained_by_their_short_names(untrained_models: Path) -> None:
    with pytest.raises(UnknownModel, match="train ablation i-p-s "):
        open_rivals(untrained_models, ("ablation-i-p-s",))


def test_keys_come_in_the_order_of_the_tables_and_once() -> None:
    assert check_keys(("refine", "brs", "refine")) == ("brs", "refine")


@pytest.mark.parametrize(("keys", "message"), [(("brs", "magic"), "no magic"), ((), "none is")])
def test_unknown_methods_are_refused(keys: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=rf"{message}.*the methods are watershed, .*refine"):
        check_keys(keys)
