"""The folder of models: what is loaded, and what is refused."""

import json
import shutil

import numpy as np
import pytest

from deepscribble.errors import InvalidInput, ModelRefused, UnknownModel
from deepscribble.models import SHIPPED, Registry, choose_device

CPU = choose_device("cpu")


@pytest.fixture
def copied(untrained_models, tmp_path):
    return shutil.copytree(untrained_models, tmp_path / "models")


def edit_card(folder, model, **fields):
    path = folder / model / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_model_comes_back_as_it_was_saved(untrained_models):
    registry = Registry(untrained_models)
    card = registry.card("", "refine")
    one, other = registry.load(card, CPU), registry.load(card, CPU)
    batch = np.random.default_rng(0).random((2, 6, 64, 64), dtype=np.float32)
    np.testing.assert_array_equal(one.predict(batch), other.predict(batch))


def test_the_tumor_model_answers_where_none_is_named(copied):
    shutil.copytree(copied / "guide-tumor", copied / "a-guide-for-glands")
    edit_card(copied, "a-guide-for-glands", name="a-guide-for-glands", target="gland")
    registry = Registry(copied)
    assert registry.default("guide") == "guide-tumor"
    assert registry.card("a-guide-for-glands", "guide").target == "gland"


def test_an_unknown_model_is_named_with_those_there_are(untrained_models):
    with pytest.raises(UnknownModel, match=r"'glioma'.*there are: guide-tumor"):
        Registry(untrained_models).card("glioma", "guide")
    with pytest.raises(UnknownModel):
        Registry(untrained_models).card("refine", "guide")


def test_tampered_weights_are_refused(copied):
    path = copied / "refine" / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    registry = Registry(copied)
    with pytest.raises(ModelRefused, match="not the weights that the card describes"):
        registry.load(registry.card("refine", "refine"), CPU)


def test_missing_weights_are_named(copied):
    (copied / "refine" / "weights.safetensors").unlink()
    registry = Registry(copied)
    with pytest.raises(ModelRefused, match=r"refine.weights\.safetensors: the weights cannot"):
        registry.load(registry.card("refine", "refine"), CPU)


def test_weights_of_another_network_are_refused(copied):
    edit_card(copied, "refine", decoder_channels=[64, 32, 32, 16, 16])
    registry = Registry(copied)
    with pytest.raises(ModelRefused, match="do not fit the network of the card"):
        registry.load(registry.card("refine", "refine"), CPU)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"mpp": -1}, "mpp"),
        ({"channels": ["red", "green", "blue"]}, "card"),
        ({"influence_radius": 0}, "card"),
        ({"patch_size": 100}, "patch_size"),
        ({"surprise": 1}, "surprise"),
        ({"std": [1, 0, 1]}, "card"),
    ],
)
def test_a_wrong_card_is_refused_with_the_field(copied, fields, where):
    edit_card(copied, "refine", **fields)
    with pytest.raises(ModelRefused, match=rf"card\.json: {where}:"):
        Registry(copied)


def test_a_card_in_another_models_folder_is_refused(copied):
    (copied / "refine").rename(copied / "renamed")
    with pytest.raises(ModelRefused, match="bears its name"):
        Registry(copied)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelRefused, match="no such folder of models"):
        Registry(tmp_path / "nowhere")


def test_a_device_that_is_not_there_is_no_silent_fall_back():
    with pytest.raises(InvalidInput, match="none of auto, cpu, cuda, mps"):
        choose_device("tpu")
    if choose_device("auto").type != "mps":
        with pytest.raises(InvalidInput, match="mps is not available"):
            choose_device("mps")


@pytest.mark.parametrize("name", ["guide-tumor", "guide-gland", "refine"])
def test_the_shipped_models_load_and_say_where_they_come_from(name):
    registry = Registry(SHIPPED)
    (card,) = [card for card in registry.cards() if card.name == name]
    model = registry.load(card, CPU)
    batch = np.zeros((1, len(card.channels), 64, 64), dtype=np.float32)
    assert model.predict(batch).shape == (1, 64, 64)
    assert card.training
    assert all(part.licence for part in card.training)
    assert card.metrics
    assert (SHIPPED / name / "weights.safetensors").stat().st_size < 30_000_000


def test_bfloat16_stays_within_a_stated_bound_of_float32(untrained_models):
    registry = Registry(untrained_models)
    model = registry.load(registry.card("refine", "refine"), CPU)
    if model.bfloat16_difference is None:
        pytest.skip("this processor has no bfloat16")
    assert model.bfloat16_difference <= 0.05
    assert model.precision == "bfloat16"
