"""Writers that are killed at random moments: the project always opens, and nothing is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely

pytestmark = pytest.mark.qupath

KILLS = int(os.environ.get("DEEPSCRIBBLE_KILLS", "8"))
"""How many writers are killed; `make soak` kills a hundred."""

AT_ONCE = 2

WRITER = """
import itertools
import sys
from datetime import UTC, datetime

import numpy as np

from deepscribble.geometry import Polygon
from deepscribble.stores import Edit, Query, provenance, to_result
from deepscribble.stores.qupath import open_project

origin = provenance((), (), datetime.now(UTC))


def square(x, y, size):
    ring = np.array([(x, y), (x + size, y), (x + size, y + size), (x, y + size)], float)
    return to_result(Polygon(ring, mean_probability=0.5), "Carcinoma", origin)


store = open_project(sys.argv[1])
(image,) = store.images()
results = [square(10 + 25 * (n % 20), 10 + 25 * (n // 20), 10 + n % 7) for n in range(60)]
for round in itertools.count():
    if round == 2:
        print("ready", flush=True)
    content = store.read(image, Query())
    here = {former.id for former in content.formers}
    gone = tuple(sorted(here))
    new = tuple(result for result in results if result.id not in here)
    edit = Edit(removed=gone) if gone else Edit(added=new)
    store.write(image, edit, content.version)
"""


def writers(files: list[Path]) -> Iterator[subprocess.Popen[str]]:
    """Processes that write to projects without end, once they have written twice."""
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True
        )
        for file in files
    ]
    for process in begun:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def test_a_killed_writer_leaves_the_project_whole(project: Any, tmp_path: Path) -> None:
    people = project.people()
    described = project.file.read_bytes()
    rng = random.Random(KILLS)
    copies = []
    for number in range(AT_ONCE):
        folder = tmp_path / f"copy {number}"
        shutil.copytree(project.file.parent, folder)
        copies.append(type(project)(folder / "project.qpproj"))
    states = []
    for _ in range(0, KILLS, AT_ONCE):
        for process in writers([copy.file for copy in copies]):
            time.sleep(rng.uniform(0, 0.6))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        for copy in copies:
            _, image, content = copy.read()
            assert image.problem == ""
            assert len(content.strokes) == 4
            assert copy.people() == people
            assert copy.file.read_bytes() == described
            states.append(len(content.formers))
    assert set(states) <= {0, 60}
    assert len(states) >= KILLS
    # They did write, and what they left does not keep the next one from it.
    for copy in copies:
        backup = copy.file.parent / "deepscribble-backup" / "data" / "1" / "data.qpdata"
        assert backup.read_bytes() == project.data.read_bytes()
        (former, *_) = [*copy.read()[2].formers, None]
        if former is not None:
            assert shapely.is_valid(former.shape)
            copy.write(removed=(former.id,))
            assert copy.people() == people
