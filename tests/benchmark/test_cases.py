from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepscribble.benchmark.cases import (
    build_case,
    data_digest,
    doubtful,
    guide_for,
    prior_iou,
    read_pairs,
    read_samples,
)
from deepscribble.benchmark.method import Case
from deepscribble.engine import Engine, complete
from deepscribble.errors import InvalidInput, UnknownModel

Doubted = Callable[[str, str, float], Case]


@pytest.fixture(scope="module")
def engine(untrained_models: Path) -> Engine:
    return Engine.open(untrained_models, "cpu")


@pytest.fixture
def doubted(easy: Case) -> Doubted:
    """Makes a case whose first guess has a wanted IoU."""

    def made(name: str, group: str, wanted: float) -> Case:
        inside = np.argwhere(easy.truth)
        prior = np.zeros_like(easy.prior)
        prior[tuple(inside[: round(wanted * len(inside))].T)] = 1
        return replace(easy, name=name, set=group, prior=prior)

    return made


def test_only_the_split_is_judged(images: Path) -> None:
    pairs = read_pairs(images)
    assert [pair.image.stem for pair in pairs] == ["1", "2", "3"]
    assert [pair.image.stem for pair in read_pairs(images, "train")] == ["0"]


def test_an_unknown_split_is_refused(images: Path) -> None:
    with pytest.raises(InvalidInput, match="split: 'test' is neither train nor val"):
        read_pairs(images, "test")


def test_a_split_without_images_is_refused(images: Path) -> None:
    with pytest.raises(InvalidInput, match="no image of train"):
        read_pairs(images, "train", leave_out=("lung",))


def test_patches_are_the_middle_of_each_image(images: Path) -> None:
    pairs = read_pairs(images)
    whole, cut = read_samples(pairs, 1.0), read_samples(pairs, 1.0, side=64)
    assert list(cut) == ["lung/1", "lung/2", "lung/3"]
    for name, sample in cut.items():
        assert np.array_equal(sample.rgb, whole[name].rgb[16:80, 24:88])
        assert np.array_equal(sample.truth, whole[name].truth[16:80, 24:88])


def test_small_images_are_taken_whole(images: Path) -> None:
    sample = read_samples(read_pairs(images), 2.0)["lung/1"]
    assert sample.rgb.shape == (48, 56, 3)


def test_names_are_unique(images: Path) -> None:
    pair = read_pairs(images)[0]
    assert list(read_samples((pair, pair), 1.0)) == ["lung/1", "lung/1-2"]


def test_masks_of_one_answer_are_left_out(images: Path) -> None:
    for name, value in (("1m", 0), ("2m", 255)):
        cv2.imwrite(str(images / f"{name}.png"), np.full((96, 112), value, dtype=np.uint8))
    assert list(read_samples(read_pairs(images), 1.0)) == ["lung/3"]
    with pytest.raises(InvalidInput, match="nothing to correct"):
        read_samples(read_pairs(images)[:2], 1.0)


def test_the_first_guess_is_the_products_own(engine: Engine, images: Path) -> None:
    (name, sample), *_ = read_samples(read_pairs(images), 1.0).items()
    case = build_case(name, sample, engine)
    work = engine.segment(case.grid.region, case.rgb, return_probability=True)
    outline = complete(work, engine.network)
    assert outline.probability is not None
    assert np.array_equal(case.prior, outline.probability)
    assert case.grid.shape == case.truth.shape == case.prior.shape
    assert (case.grid.scale_x, case.grid.scale_y) == (1, 1)


def test_a_kind_of_a_target_has_its_guide(engine: Engine) -> None:
    assert guide_for(engine, "tumor epithelium").name == "guide-tumor"


def test_a_target_that_no_guide_finds_is_refused(engine: Engine) -> None:
    with pytest.raises(UnknownModel, match=r"'gland' \(there are those for: tumor\)"):
        guide_for(engine, "gland")


def test_the_paper_takes_doubtful_guesses_only(doubted: Doubted) -> None:
    cases = [
        doubted(f"a/{wanted}", "a", wanted) for wanted in (0.1, 0.45, 0.52, 0.6, 0.74, 0.8, 1.0)
    ]
    assert {case.name for case in doubtful(cases, 20, seed=0)} == {"a/0.52", "a/0.6", "a/0.74"}
    assert prior_iou(cases[3]) == pytest.approx(0.6, abs=0.01)


def test_sets_take_turns_as_long_as_they_have_cases(doubted: Doubted) -> None:
    cases = [doubted(f"large/{n}", "large", 0.6) for n in range(9)]
    cases += [doubted(f"small/{n}", "small", 0.6) for n in range(2)]
    chosen = doubtful(cases, 6, seed=0)
    assert [case.set for case in chosen].count("small") == 2
    assert len({case.name for case in chosen}) == 6
    assert [case.name for case in doubtful(cases, 6, seed=0)] == [case.name for case in chosen]
    others = {tuple(case.name for case in doubtful(cases, 6, seed=seed)) for seed in range(5)}
    assert len(others) > 1


def test_fewer_cases_than_asked_for_are_said(
    doubted: Doubted, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(doubtful([doubted("a/1", "a", 0.6)], 20, seed=0)) == 1
    assert "only 1 of the 20 patches" in caplog.text


def test_no_doubtful_guess_at_all_is_refused(doubted: Doubted) -> None:
    with pytest.raises(InvalidInput, match="--protocol whole"):
        doubtful([doubted("a/1", "a", 0.9)], 20, seed=0)


def test_the_digest_is_of_every_file_that_is_used(images: Path) -> None:
    pairs = read_pairs(images)
    before = data_digest(images, pairs)
    assert before == data_digest(images, pairs[::-1])
    (images / "0.png").write_bytes(b"not judged")
    assert data_digest(images, pairs) == before
    (images / "2m.png").write_bytes((images / "1m.png").read_bytes())
    assert data_digest(images, pairs) != before
