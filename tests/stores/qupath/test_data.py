from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import shapely

from deepscribble.errors import InvalidInput, LimitExceeded, OutputRefused
from deepscribble.stores import Edit, Query
from deepscribble.stores.qupath.data import (
    parse_data,
    read_data,
    to_data,
    to_image_data,
    version_of,
)
from deepscribble.stores.qupath.project import LOCK
from deepscribble.stores.qupath.runtime import java_class

pytestmark = pytest.mark.qupath

BOX = shapely.box(150, 100, 250, 200)


@pytest.mark.parametrize("part", [0, 1, 30, 600, 0.2, 0.5, 0.9, -1])
def test_a_cut_off_file_is_neither_read_nor_written(project: Any, result: Any, part: float) -> None:
    store, image, _ = project.read()
    whole = project.data.read_bytes()
    cut = whole[: int(part * len(whole))] if isinstance(part, float) else whole[:part]
    project.data.write_bytes(cut)
    with pytest.raises(InvalidInput, match=r"data\.qpdata is damaged"):
        store.read(image, Query())
    with pytest.raises(InvalidInput, match=r"data\.qpdata is damaged"):
        store.write(image, Edit(added=(result(BOX),)), version_of(cut))
    assert project.data.read_bytes() == cut


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"PathAnnotationObject", b"PathUnknownnnnObject", "QuPath says"),
        (b"lib.objects.hierarchy.PathObjectH", b"lib.objects.hierarchy.PathObjectX", "QuPath says"),
        (b"Data file version", b"Some other version", "damaged"),
        (b"\xac\xed", b"\x00\x00", "damaged"),
    ],
)
def test_what_qupath_would_read_as_empty_is_refused(
    project: Any, old: bytes, new: bytes, reason: str
) -> None:
    data = project.data.read_bytes()
    assert old in data
    project.data.write_bytes(data.replace(old, new))
    with pytest.raises(InvalidInput, match=reason):
        project.read()


def test_a_file_that_qupath_is_saving_is_waited_for(project: Any) -> None:
    project.data.rename(project.data.with_name("data.qpdata.bkp"))
    with pytest.raises(InvalidInput, match="QuPath is saving this image"):
        project.read()


def test_a_file_over_the_limit(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepscribble.stores.qupath.data.MAX_BYTES", 100)
    with pytest.raises(LimitExceeded, match="the limit of 100"):
        project.read()


def test_what_is_read_is_written_the_same(project: Any) -> None:
    folder = project.data.parent
    data = read_data(folder, "image")
    stored = parse_data(data, project.data, "image")
    from paquo.projects import QuPathProject

    entry = QuPathProject(project.file, mode="r").images[0]
    server = entry.java_object.getServerBuilder().build()
    again = to_data(to_image_data(stored, server, project.data))
    twice = parse_data(again, project.data, "image")
    steps = [stored.workflow.getSteps(), twice.workflow.getSteps()]
    assert [str(step) for step in steps[0]] == [str(step) for step in steps[1]]
    assert str(stored.properties) == str(twice.properties)
    assert str(stored.stains) == str(twice.stains)
    assert stored.image_type == twice.image_type
    gson = java_class("qupath.lib.io.GsonTools").getInstance()
    drawn = [
        str(gson.toJson(one.hierarchy.getRootObject().getChildObjects())) for one in (stored, twice)
    ]
    assert drawn[0] == drawn[1]


def test_a_version_is_of_the_content(project: Any) -> None:
    data = project.data.read_bytes()
    assert version_of(data).startswith("sha256:")
    assert version_of(data) != version_of(data[:-1])
    assert version_of(b"") == "absent"


READ_ONLY = """
import sys
from pathlib import Path
from deepscribble.errors import DeepScribbleError
from deepscribble.stores import Edit, Query
from deepscribble.stores.qupath import open_project

store = open_project(Path(sys.argv[1]))
(image,) = store.images()
content = store.read(image, Query())
print("strokes", len(content.strokes))
try:
    store.write(image, Edit(removed=tuple(sorted(f.id for f in content.formers))), content.version)
except DeepScribbleError as error:
    print(type(error).__name__, error)
"""


def test_a_read_only_project_is_read_and_not_written(
    project: Any, result: Any, tmp_path: Path
) -> None:
    project.write(result(BOX))
    shutil.rmtree(project.file.parent / "deepscribble-backup")
    (project.file.parent / LOCK).unlink()
    before = project.files()
    folders = [project.file.parent, *(p for p in project.file.parent.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    # The superuser may write everywhere, unless this right is taken from it.
    free = ["setpriv", "--bounding-set", "-dac_override"] if os.geteuid() == 0 else []
    if free and shutil.which("setpriv") is None:
        pytest.skip("setpriv is not here, without which the superuser may write everywhere")
    try:
        done = subprocess.run(
            [*free, sys.executable, "-c", READ_ONLY, str(project.file)],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert "strokes 4" in done.stdout, done.stderr
    assert "OutputRefused" in done.stdout
    assert f"{project.file.parent}: the project cannot be written" in done.stdout
    assert project.files() == before


def test_a_read_only_file_is_not_replaced(project: Any, result: Any) -> None:
    project.data.chmod(0o444)
    before = project.data.read_bytes()
    with pytest.raises(OutputRefused, match=r"data\.qpdata: the file is read-only"):
        project.write(result(BOX))
    store, image, _ = project.read()
    with pytest.raises(OutputRefused, match=r"data\.qpdata: the file is read-only"):
        store.check(image)
    assert project.data.read_bytes() == before
