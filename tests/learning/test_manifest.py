import random
from pathlib import Path

import pytest

from deepscribble.errors import InvalidInput
from deepscribble.learning import halves, read_manifest
from deepscribble.learning.manifest import is_of


def test_rows_are_read_with_their_terms(folder: Path) -> None:
    pairs = read_manifest(folder)
    assert len(pairs) == 7
    assert pairs[0].image == folder / "image0.png"
    assert (pairs[0].set, pairs[0].mpp, pairs[0].licence) == ("lung", 0.5, "CC0")


def test_no_manifest_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"manifest\.csv is not there"):
        read_manifest(tmp_path)


def test_missing_column_is_named(write, rows) -> None:
    with pytest.raises(InvalidInput, match="no column mpp, licence"):
        read_manifest(write(rows, ["set", "image", "mask", "split", "target", "group", "source"]))


def test_empty_manifest_is_refused(write) -> None:
    with pytest.raises(InvalidInput, match="lists no images"):
        read_manifest(write([]))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("mask", "elsewhere.png", r"line 3: .*elsewhere\.png is not there"),
        ("mpp", "half", "line 3: mpp 'half' is not a number"),
        ("mpp", "0", "line 3: micrometres per pixel are not known"),
        ("mpp", "-1", "line 3: -1 micrometres"),
        ("mpp", "nan", "line 3: nan micrometres"),
        ("split", "test", "line 3: split is 'test'"),
        ("group", " ", "line 3: group is empty"),
    ],
)
def test_a_wrong_value_is_found_by_line(write, rows, column, value, message) -> None:
    rows[1][column] = value
    with pytest.raises(InvalidInput, match=message):
        read_manifest(write(rows))


def test_group_in_both_splits_is_refused(write, rows) -> None:
    rows[4]["group"] = "p3"
    with pytest.raises(InvalidInput, match="group p3 of set lung is in both train and val"):
        read_manifest(write(rows))


def test_leaving_a_set_out_keeps_it_for_judging(write, rows) -> None:
    rows[4]["group"] = "p3"
    pairs = read_manifest(write(rows), leave_out=["lung"])
    assert [(pair.set, pair.split) for pair in pairs if pair.set == "lung"] == [("lung", "val")]
    with pytest.raises(InvalidInput, match="no set liver"):
        read_manifest(write(rows), leave_out=["liver"])


def test_halves_share_no_group_and_lose_nothing(shared: Path) -> None:
    pairs = [pair for pair in read_manifest(shared / "data", ["ocdc"]) if pair.split == "train"]
    guide, refine = halves(pairs, ["tumor", "gland"])
    assert len(guide) + len(refine) == len(pairs)
    assert not {(p.set, p.group) for p in guide} & {(p.set, p.group) for p in refine}
    for target in ("tumor", "gland"):
        left, right = (sum(is_of(p.target, target) for p in half) for half in (guide, refine))
        assert 0.5 <= left / right <= 2


def test_what_no_guide_is_for_is_all_refinenets(folder: Path) -> None:
    pairs = [pair for pair in read_manifest(folder) if pair.split == "train"]
    guide, refine = halves(pairs, ["tumor"])
    assert {pair.target for pair in guide} == {"tumor"}
    assert {pair.target for pair in refine} == {"tumor", "gland"}


def test_a_set_of_one_group_cannot_be_cut(folder: Path) -> None:
    pairs = [pair for pair in read_manifest(folder) if pair.set == "colon"]
    assert halves(pairs[:1], ["gland"]) == ((), tuple(pairs[:1]))


def test_kinds_of_a_target_belong_to_it() -> None:
    assert is_of("gland", "gland")
    assert is_of("gland epithelium", "gland")
    assert not is_of("glandular", "gland")
    assert not is_of("gland", "gland epithelium")


def test_halves_do_not_hang_on_the_order_of_rows(folder: Path) -> None:
    pairs = [pair for pair in read_manifest(folder) if pair.split == "train"]
    expected = halves(pairs, ["tumor"])
    random.Random(1).shuffle(pairs)
    assert halves(pairs, ["tumor"]) == expected
    assert len(expected[0]) == 2
    assert {pair.group for pair in expected[0]} == {"p1"}
