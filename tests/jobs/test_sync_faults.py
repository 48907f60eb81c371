"""The sync job itself, with faults of the OMERO server at any moment of its looks."""

from __future__ import annotations

import os
import random
import threading
from contextlib import nullcontext

import pytest

from deepscribble.errors import DeepScribbleError
from deepscribble.jobs import Job, exit_code
from deepscribble.stores.omero import Credentials, open_omero, parse_address

RUNS = int(os.environ.get("DEEPSCRIBBLE_OMERO_FAULTS", "200"))

MOST_LOOKS = 100
"""More than are needed; it only ends a test that would never be right."""

OPERATIONS = (
    "IUpdate.saveAndReturnArray",
    "ServiceFactory.submit",
    "IQuery.findAllByQuery",
    "ServiceFactory.*",
    "*",
)
KINDS = (
    "cut-before",
    "cut-after",
    "cut-hold",
    "kill-before",
    "kill-after",
    "expire-before",
    "fail",
    "refuse",
)

OTHERS = ("Roi", "Polyline", "RoiAnnotationLink", "MapAnnotation", "Image", "Pixels")

STEP = 30
"""Level-0 pixels between strokes; outlines are 20 wide."""


@pytest.fixture
def sync(omero, dataset, client, tmp_path):
    """The job, whose looks share one session, as they do when it runs for ever."""
    from deepscribble.jobs.health import Health
    from deepscribble.jobs.metrics import Metrics
    from deepscribble.jobs.sync import Pace, Sync
    from deepscribble.stores.omero.login import Connection

    place = parse_address(f"omero://{omero.host}:{omero.port}/Image:{dataset[1][2]}")
    who = Credentials(omero.user, omero.password)
    patience = Connection(patience=5.0, call_patience=20.0)
    with open_omero(place, who, connection=patience, folder=tmp_path / "journal") as store:
        yield Sync(
            lambda: nullcontext(store), client, Job(), Pace(0.01, 1), Health(None), Metrics()
        )


def owned(omero, *kinds, is_ours=True):
    """All that is ours, or all that is not, as the server has it."""
    mine = omero.ids[omero.user]
    rows = {kind: omero.standin.rows(kind) for kind in kinds}
    return {
        kind: [row for row in each if (row["owner"] == mine) is is_ours]
        for kind, each in rows.items()
    }


def steps(omero):
    """Which strokes our outlines are those of."""
    found = []
    for row in owned(omero, "Polygon")["Polygon"]:
        pairs = [pair.split(",") for pair in row["fields"]["points"].split()]
        xs = [float(x) for x, _ in pairs]
        found.append(round((min(xs) + max(xs)) / 2 / STEP))
    return sorted(found)


class Pathologist:
    """Draws strokes on an image, and deletes them."""

    def __init__(self, omero, image):
        self.omero, self.image, self.drawn = omero, image, []

    def draw(self, wanted, *, is_anew):
        """Draw strokes, and delete those of before if they shall stand `is_anew`."""
        from omero.model import ImageI, PolylineI, RoiI
        from omero.rtypes import rstring

        rois = []
        for step in wanted:
            line, roi = PolylineI(), RoiI()
            line.setPoints(rstring(f"{step * STEP - 4},50 {step * STEP + 4},50"))
            line.setTextValue(rstring("Tumor"))
            roi.setImage(ImageI(self.image, False))
            roi.addShape(line)
            rois.append(roi)
        with self.omero.gateway("ds-bob", "ds-annotate") as connection:
            if is_anew and self.drawn:
                connection.deleteObjects("Roi", self.drawn, wait=True)
                self.drawn = []
            service = connection.getUpdateService()
            saved = service.saveAndReturnArray(rois, connection.SERVICE_OPTS)
        self.drawn += [roi.getId().getValue() for roi in saved]


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


def settle(sync, omero, wanted):
    """Look until all is right."""
    pause = threading.Event()
    for _ in range(MOST_LOOKS):
        # What the server refused rests for a moment.
        if look(sync) and steps(omero) == wanted:
            return
        pause.wait(0.02)
    pytest.fail(f"{steps(omero)} were never {wanted}")


def test_after_a_fault_at_a_random_moment_the_job_puts_everything_right(
    omero, dataset, sync, leases
):
    pathologist = Pathologist(omero, dataset[1][2])
    chance = random.Random(11)
    broken = 0
    for number in range(RUNS):
        wanted = sorted(chance.sample(range(1, 5), 1 + number % 2))
        pathologist.draw(wanted, is_anew=True)
        fault = (chance.choice(OPERATIONS), chance.choice(KINDS))
        is_late = chance.random() < 0.3
        if is_late:
            fault = ("IUpdate.saveAndReturnArray", "cut-hold")
        omero.standin.fault(*fault, after=chance.randrange(4 if is_late else 8))
        broken += not look(sync)
        heal(omero.standin)
        if is_late:
            # There is another stroke, and its answer, before the save is done after all.
            more = chance.choice([step for step in range(1, 5) if step not in wanted])
            pathologist.draw([more], is_anew=False)
            wanted = sorted([*wanted, more])
            look(sync)
        omero.standin.go_on()
        others = owned(omero, *OTHERS, is_ours=False)
        settle(sync, omero, wanted)
        # Nothing is left to be done, and there is one of each: a note on each outline, and on the
        # image what was answered. A lease whose removal failed is the job's own, and is used again.
        assert sync.once() == []
        lease = len(leases())
        assert lease <= 1
        kinds = ("Roi", "Polygon", "RoiAnnotationLink", "MapAnnotation")
        count = len(wanted)
        assert {kind: len(rows) for kind, rows in owned(omero, *kinds).items()} == {
            "Roi": count,
            "Polygon": count,
            "RoiAnnotationLink": count,
            "MapAnnotation": count + 1 + lease,
        }
        assert owned(omero, *OTHERS, is_ours=False) == others
    # A fault that a new login mends is none to the job; if all were, nothing was tried.
    assert broken >= RUNS // 5
