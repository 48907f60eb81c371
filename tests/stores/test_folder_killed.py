"""Writers killed at random moments: the file always parses, and the person's part is as it was."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from deepscribble.geometry import Polygon
from deepscribble.jobs import Journal
from deepscribble.stores import Query, Result, open_folder, plan_edit, to_result

KILLS = int(os.environ.get("DEEPSCRIBBLE_KILLS", "20"))
"""`make soak` asks for more."""

SECONDS = 0.2
"""No writer lives longer than this after its first file."""

HUMAN = [
    {
        "type": "Feature",
        "id": f"h{n}",
        "geometry": {"type": "LineString", "coordinates": [[n, 0.1], [n, 3]]},
        "properties": {"classification": "Tumor", "note": "ä" * n},
    }
    for n in range(200)
]


def outlines() -> list[list[Result]]:
    """Two outlines of the image, of which every annotation differs."""

    def circle(x: float, radius: float) -> Result:
        angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
        ring = np.stack([x + radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        return to_result(Polygon(ring, (), 1.0, 0.5), "Tumor", {})

    return [[circle(100.0 * n, radius) for n in range(30)] for radius in (20.0, 40.0)]


def write_for_ever(folder: Path) -> None:
    """What a run does with an image, over and over."""
    store = open_folder(folder)
    (image,) = store.images()
    journal = Journal(folder)
    for round, wanted in enumerate(itertools.cycle(outlines())):
        content = store.read(image, Query())
        edit = plan_edit(content, wanted, lambda _: True)
        journal.add("change", {"image": image.id})
        store.write(image, edit, content.version)
        journal.add("done", {"image": image.id, "key": "k"})
        if round == 0:
            # Once only: what a killed writer said besides would be taken for the next one's word.
            sys.stdout.write("alive\n")
            sys.stdout.flush()


def main() -> None:
    """A writer for each line that comes in, forked, since starting Python takes too long."""
    for _ in sys.stdin:
        writer = os.fork()
        if writer == 0:
            write_for_ever(Path(sys.argv[1]))
        sys.stdout.write(f"{writer}\n")
        sys.stdout.flush()
        os.waitpid(writer, 0)


def features(path: Path) -> tuple[list[Any], list[Any]]:
    """A person's features of the file and ours."""
    found = json.loads(path.read_text())["features"]
    return [one for one in found if one["id"][0] == "h"], [
        one for one in found if one["id"][0] != "h"
    ]


def test_a_file_is_whole_whenever_its_writer_dies(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": HUMAN}))
    dice = random.Random(0)
    areas = set()
    with subprocess.Popen(
        [sys.executable, __file__, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writers:  # fmt: skip
        assert writers.stdin is not None
        assert writers.stdout is not None
        for _ in range(KILLS):
            writers.stdin.write("go\n")
            writers.stdin.flush()
            said = {writers.stdout.readline().strip() for _ in range(2)}
            (writer,) = (int(line) for line in said - {"alive"})
            time.sleep(dice.uniform(0, SECONDS))
            os.kill(writer, signal.SIGKILL)
            human, ours = features(path)
            assert human == HUMAN
            assert len({one["id"] for one in ours}) == 30
            # All of one outline or all of the other.
            (area,) = {one["properties"]["metadata"]["deepscribble.shape"][:4] for one in ours}
            areas.add(area)
            Journal(tmp_path).add("killed", {})
        writers.stdin.close()
    assert len(areas) == 2, "no writer lived long enough to write both"
    backup, none = features(tmp_path / "deepscribble-backup" / "a.geojson")
    assert (backup, none) == (HUMAN, [])
    killed = (line for line in Journal(tmp_path).path.read_text().splitlines() if "killed" in line)
    assert [json.loads(line) for line in killed] == [{"event": "killed"}] * KILLS


if __name__ == "__main__":
    main()
