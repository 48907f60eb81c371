import errno
import json

import pytest
from typer.testing import CliRunner

from deepscribble.errors import InvalidInput, OutputRefused
from deepscribble.learning.cli import app
from deepscribble.learning.dataset import Terms, make_dataset
from deepscribble.learning.manifest import read_manifest
from deepscribble.learning.sample import load_sample
from deepscribble.learning.tiles import Cutting

SMALL = Cutting(size=256)


@pytest.fixture
def three(project, square):
    """Three slides, the last one without tumor."""
    for name in ("a", "b", "c"):
        project.slide(f"{name}.tif")
    project.outlines(
        "a.geojson", ("Tumor", [square(0, 0, 512, 512)]), ("Stroma", [square(0, 0, 9, 9)])
    )
    project.outlines("b.geojson", ("Tumor", [square(0, 0, 256, 512)]))
    project.outlines("c.geojson", ("Region*", [square(0, 0, 512, 512)]))
    return project.folder


def test_what_is_made_can_be_learned_from(three, tmp_path) -> None:
    told = []
    terms = Terms(target="carcinoma", licence="ours, not for sale", val=0.2)
    made = make_dataset(three, tmp_path / "out", SMALL, terms, lambda *at: told.append(at))
    pairs = read_manifest(tmp_path / "out")
    assert {(p.set, p.target, p.licence, p.mpp) for p in pairs} == {
        ("slides", "carcinoma", "ours, not for sale", 1.0)
    }
    assert [p.group for p in pairs] == ["a"] * 4 + ["b"] * 4 + ["c"]
    assert pairs[1].source == "a.tif 512,0,512,512"
    samples = [load_sample(pair, 1.0) for pair in pairs]
    assert [s.truth.mean() for s in samples] == [1, 0, 0, 0, 0.5, 0, 0, 0, 0]
    assert [(t.empty, t.full, t.between, t.balanced, t.bare) for t in made.tallies] == [
        (3, 1, 0, 0, 2), (3, 0, 1, 1, 2), (1, 0, 0, 0, 0),
    ]  # fmt: skip
    assert made.others == {"of class Stroma": 1}
    assert not made.warnings
    assert told == [(number, 13) for number in range(1, 14)]
    assert [path.name for path in tmp_path.iterdir()].count("out") == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_slides_are_shared_out_by_seed_and_never_torn(three, tmp_path) -> None:
    judged = set()
    for seed in range(4):
        out = tmp_path / str(seed)
        made = make_dataset(three, out, SMALL, Terms(val=0.01, seed=seed))
        again = make_dataset(three, tmp_path / f"{seed} again", SMALL, Terms(val=0.01, seed=seed))
        splits = {(pair.group, pair.split) for pair in read_manifest(out)}
        assert len(splits) == 3
        assert splits == {(tally.slide, tally.split) for tally in made.tallies}
        assert made.tallies == again.tallies
        judged.update(group for group, split in splits if split == "val")
        assert sum(split == "val" for _, split in splits) == 1
    assert len(judged) > 1


@pytest.mark.parametrize(("val", "count"), [(0.0, 0), (0.99, 2)])
def test_train_always_keeps_a_slide(three, tmp_path, val, count) -> None:
    made = make_dataset(three, tmp_path / "out", SMALL, Terms(val=val))
    assert sum(tally.split == "val" for tally in made.tallies) == count
    codes = {warning.code for warning in made.warnings}
    assert codes == ({"TOO_FEW_SLIDES"} if count else set())


def test_a_single_slide_is_all_train_with_a_warning(project, square, tmp_path) -> None:
    project.slide("a.tif")
    project.slide("b.tif")
    project.outlines("a.geojson", ("Tumor", [square(0, 0, 512, 512)]))
    project.outlines("b.geojson", ("Region*", [square(1000, 0, 1400, 400)]))
    made = make_dataset(project.folder, tmp_path / "out", SMALL, Terms())
    assert [(tally.slide, tally.split) for tally in made.tallies] == [("a", "train"), ("b", "")]
    codes = [warning.code for warning in made.warnings]
    assert codes == ["NOTHING_KEPT", "NO_VAL", "TOO_FEW_SLIDES"]


def test_nothing_to_keep_is_refused(project, square, tmp_path) -> None:
    project.slide("a.tif")
    project.outlines(
        "a.geojson",
        ("Tumor", [square(1000, 0, 1100, 99)]),
        ("Region*", [square(1000, 0, 1400, 400)]),
    )
    with pytest.raises(InvalidInput, match=r"nothing of .* is kept"):
        make_dataset(project.folder, tmp_path / "out", SMALL, Terms())
    assert [path.name for path in tmp_path.iterdir()] == ["slides"]


def test_a_class_that_is_nowhere_is_named_with_those_that_are(three, tmp_path) -> None:
    cutting = Cutting(size=256, classes=("Tumor", "Necrosis"))
    with pytest.raises(InvalidInput, match=r"Necrosis; there are: Tumor \(2\), Stroma \(1\), Reg"):
        make_dataset(three, tmp_path / "out", cutting, Terms())
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_refused_and_left_alone(three, tmp_path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    make_dataset(three, out, SMALL, Terms())
    before = (out / "manifest.csv").read_bytes()
    with pytest.raises(OutputRefused, match="is not empty"):
        make_dataset(three, out, SMALL, Terms())
    assert (out / "manifest.csv").read_bytes() == before
    with pytest.raises(OutputRefused, match="is not empty"):
        make_dataset(three, out / "manifest.csv", SMALL, Terms())
    with pytest.raises(OutputRefused, match="cannot be written"):
        make_dataset(three, out / "manifest.csv" / "below", SMALL, Terms())


def test_a_full_disk_leaves_nothing_behind(three, tmp_path, monkeypatch) -> None:
    def full(descriptor: int) -> None:
        if len(list(tmp_path.glob(".out*/masks/*.png"))) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputRefused, match="No space left"):
        make_dataset(three, tmp_path / "out", SMALL, Terms())
    assert [path.name for path in tmp_path.iterdir()] == ["slides"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"target": " "}, "^target"),
        ({"val": 1.0}, "^val: 1 is no share"),
        ({"val": float("nan")}, "^val"),
        ({"val": -0.1}, "^val"),
        ({"seed": -1}, "^seed"),
    ],
)
def test_terms_out_of_range_are_refused(values, message) -> None:
    with pytest.raises(InvalidInput, match=message):
        Terms(**values)


def test_the_command_makes_a_folder_and_sums_up(three, tmp_path) -> None:
    arguments = ["patches", str(three), "--out", str(tmp_path / "out"), "--size", "256"]
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    assert [slide["between"] for slide in summary["slides"]] == [0, 1, 0]
    assert len(read_manifest(tmp_path / "out")) == 9


def test_the_command_shows_a_table_and_warnings(three, tmp_path) -> None:
    (three / "d.png").touch()
    arguments = ["patches", str(three), "--out", str(tmp_path / "out"), "--class", "Str*"]
    (three / "b.geojson").unlink()
    result = CliRunner().invoke(app, [*arguments, "--size", "300"], catch_exceptions=False)
    assert "b.tif, d.png" in result.stderr
    assert "not taken: 1 features of class Tumor" in result.stdout


def test_a_folder_of_slides_in_place_of_data_is_explained(three) -> None:
    with pytest.raises(InvalidInput, match=r"cut the slides .* with deepscribble train patches"):
        read_manifest(three)


def test_a_real_slide(shared, project, square, tmp_path) -> None:
    (project.folder / "skin.svs").symlink_to(shared / "slides" / "CMU-1-Small-Region.svs")
    project.outlines("skin.geojson", ("Tumor", [square(800, 1000, 1400, 2200)]))
    made = make_dataset(project.folder, tmp_path / "out", Cutting(size=512), Terms())
    (tally,) = made.tallies
    assert tally.between >= 2
    assert tally.bare >= 1
    area = sum(load_sample(pair, 1.0).truth.sum() for pair in read_manifest(tmp_path / "out"))
    assert area == pytest.approx(600 * 1200 * 0.499**2, rel=0.01)
