from pathlib import Path

import pytest

from deepscribble.errors import InvalidInput
from deepscribble.learning.project import find_entries
from deepscribble.slides import slide_files


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def test_outlines_are_found_under_each_usual_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs", "a.geojson", "b.ndpi", "b.ndpi.geojson", "c.ome.tif", "c.geojson")
    touch(tmp_path, "D.PNG", "D.geojson", "notes.txt", "._a.svs")
    entries, warnings = find_entries(tmp_path)
    assert [entry.name for entry in entries] == ["D", "a", "b", "c.ome"]
    assert [entry.outlines.name for entry in entries] == [
        "D.geojson", "a.geojson", "b.ndpi.geojson", "c.geojson",
    ]  # fmt: skip
    assert not warnings


def test_slides_without_outlines_are_left_out_and_listed(tmp_path: Path) -> None:
    entries, (warning,) = find_entries(touch(tmp_path, "a.svs", "a.geojson", "b.svs", "c.png"))
    assert [entry.name for entry in entries] == ["a"]
    assert "b.svs, c.png" in warning.message


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "holds no slides"),
        (("notes.txt", "a.geojson"), "holds no slides"),
        (("a.svs",), r"no slide of .* has outlines; .* for a\.svs to a\.geojson"),
        (("a.svs", "a.png", "a.geojson"), r"a\.png and a\.svs would both be called a"),
    ],
)
def test_what_is_no_project_is_refused(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        find_entries(touch(tmp_path, *names))


def test_what_is_no_folder_holds_no_slides(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs")
    assert slide_files(tmp_path / "a.svs") == slide_files(tmp_path / "absent") == ()
    with pytest.raises(InvalidInput, match="absent holds no slides"):
        find_entries(tmp_path / "absent")
