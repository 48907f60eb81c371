"""The sync job itself, with faults of the OMERO server at any moment of its looks."""

from __future__ import annotations

import json
import os
import random
import threading

import pytest

from deepscribble.errors import DeepScribbleError
from deepscribble.jobs import Job, exit_code
from deepscribble.stores.omero import Credentials, open_omero, parse_address

RUNS = int(os.environ.get("DEEPSCRIBBLE_OMERO_FAULTS", "10"))

MOST_LOOKS = 100
"""More than are needed; it only ends a test that would never be right."""

OPERATIONS = (
    "IUpdate.saveAndReturnArray",
    "ServiceFactory.submit",
    "IQuery.findAllByQuery",
    "ServiceFactory.*",
    "*",
)
KINDS = ("cut-before", "cut-after", "kill-before", "kill-after", "expire-before", "fail", "refuse")

STEP = 30
"""Level-0 pixels between strokes; outlines are 20 wide."""


@pytest.fixture
def sync(omero, dataset, client, tmp_path):
    from deepscribble.jobs.health import Health
    from deepscribble.jobs.metrics import Metrics
    from deepscribble.jobs.sync import Pace, Sync
    from deepscribble.stores.omero.login import Connection

    place = parse_address(f"omero://{omero.host}:{omero.port}/Image:{dataset[1][2]}")
    who = Credentials(omero.user, omero.password)
    patience = Connection(patience=5.0, call_patience=20.0)

    def open_store():
        return open_omero(place, who, connection=patience, folder=tmp_path / "journal")

    pace = Pace(0.01, 1)
    return Sync(open_store, client, Job(), pace, Health(tmp_path / "health.json"), Metrics())


def owned(omero, kind, is_ours=True):
    mine = omero.ids[omero.user]
    return [row for row in omero.standin.rows(kind) if (row["owner"] == mine) is is_ours]


def of_others(omero):
    """Everything that is not ours, as the server has it."""
    kinds = ("Roi", "Polyline", "Image", "Pixels", "RoiAnnotationLink", "MapAnnotation")
    return json.dumps([owned(omero, kind, is_ours=False) for kind in kinds])


def steps(omero):
    """Which strokes our outlines are those of."""
    found = []
    for row in owned(omero, "Polygon"):
        pairs = [pair.split(",") for pair in row["fields"]["points"].split()]
        xs = [float(x) for x, _ in pairs]
        found.append(round((min(xs) + max(xs)) / 2 / STEP))
    return sorted(found)


def erase(omero, kept):
    """The pathologist deletes all strokes but those that were `kept` from the start."""
    left = [row["id"] for row in owned(omero, "Roi", is_ours=False) if row["id"] not in kept]
    if left:
        with omero.gateway("ds-bob", "ds-annotate") as connection:
            connection.deleteObjects("Roi", left, wait=True)


def heal(standin):
    """The server as it is after somebody looked after it, whether it still runs or not."""
    try:
        standin.clear()
    except OSError:
        standin.kill()
        standin.start()


def look(sync):
    """Whether all was well in a look."""
    try:
        return exit_code(sync.once()) == 0
    except DeepScribbleError:
        return False


def test_after_a_fault_at_a_random_moment_the_job_puts_everything_right(
    omero, dataset, sync, draw, leases
):
    image = dataset[1][2]
    chance = random.Random(11)
    kept = {row["id"] for row in owned(omero, "Roi", is_ours=False)}
    pause = threading.Event()
    broken = 0
    for number in range(RUNS):
        erase(omero, kept)
        wanted = sorted(chance.sample(range(1, 5), 1 + number % 2))
        for step in wanted:
            draw(image, step * STEP)
        others = of_others(omero)
        omero.standin.fault(
            chance.choice(OPERATIONS), chance.choice(KINDS), after=chance.randrange(8)
        )
        broken += not look(sync)
        heal(omero.standin)
        for _ in range(MOST_LOOKS):
            # What the server refused rests for a moment.
            if look(sync) and steps(omero) == wanted:
                break
            pause.wait(0.05)
        assert steps(omero) == wanted
        # Nothing is left to be done, and there is one of each: a note on each outline, and on the
        # image what was answered. A lease whose removal failed is the job's own, and is used again.
        assert sync.once() == []
        lease = len(leases())
        assert lease <= 1
        counts = {kind: len(owned(omero, kind)) for kind in ("Roi", "Polygon", "MapAnnotation")}
        count = len(wanted)
        assert counts == {"Roi": count, "Polygon": count, "MapAnnotation": count + 1 + lease}
        assert of_others(omero) == others
    # A fault that a new login mends is none to the job; if all were, nothing was tried.
    assert broken >= RUNS // 5
