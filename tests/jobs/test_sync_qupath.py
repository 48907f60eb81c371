"""Pathologists who open the image in QuPath, and send back all that they see there."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import shapely

from deepscribble.jobs import Job, State
from deepscribble.stores.omero import Credentials, open_omero, parse_address

extension = pytest.importorskip("omero_standin.extension")


@pytest.fixture
def sync(omero, dataset, client, tmp_path):
    """The job, for the third image, which is blank."""
    from deepscribble.jobs.health import Health
    from deepscribble.jobs.metrics import Metrics
    from deepscribble.jobs.sync import Pace, Sync

    place = parse_address(f"omero://{omero.host}:{omero.port}/Image:{dataset[1][2]}")
    who = Credentials(omero.user, omero.password)
    return Sync(
        lambda: open_omero(place, who, folder=tmp_path / "journal"),
        client,
        Job(),
        Pace(0.01, 1),
        Health(tmp_path / "health.json"),
        Metrics(),
    )


@pytest.fixture
def image(dataset):
    return dataset[1][2]


@pytest.fixture
def qupath(omero, image):
    """QuPath with the image open; `send` says which Rois are new."""

    class QuPath:
        user = "ds-bob"

        def see(self, owner=None):
            with omero.gateway(self.user, "ds-annotate") as connection:
                owners = () if owner is None else (omero.ids[owner],)
                return extension.bring_in(connection, image, owners)

        def send(self, *annotations):
            with omero.gateway(self.user, "ds-annotate") as connection:
                return extension.send(connection, image, annotations)

        def delete(self, owner):
            with omero.gateway(owner, "ds-annotate") as connection:
                mine = omero.ids[owner]
                rois = [row["id"] for row in omero.standin.rows("Roi") if row["owner"] == mine]
                connection.deleteObjects("Roi", rois, wait=True)

    return QuPath()


def stroke(x, class_name="Tumor"):
    return extension.Annotation(shapely.LineString([(x - 4, 50), (x + 4, 50)]), class_name)


def outlines(annotations):
    """Left and right of what goes by our name."""
    named = [one.shape.bounds for one in annotations if one.name.startswith("DeepScribble")]
    return sorted((left, right) for left, _, right, _ in named)


def warned(report):
    return [warning.message for warning in report.warnings if warning.code == "RESULTS_COPIED"]


def test_outlines_that_came_back_as_they_were_hinder_no_stroke(omero, image, sync, qupath):
    qupath.send(stroke(30))
    (report,) = sync.once()
    assert (report.state, report.added) == (State.WRITTEN, 1)
    for number, x in enumerate((35, 40), 1):
        copies = qupath.send(*qupath.see(), stroke(x))
        before = omero.standin.rows("Roi")
        (report,) = sync.once()
        assert (report.added, report.updated, report.kept) == (0, 1, 0)
        # Of the first round the copy and the outline came back, and so on.
        (message,) = warned(report)
        assert f"Image:{image}: {2 * number - 1} copies of our outlines" in message
        assert outlines(qupath.see(omero.user)) == [(20, x + 10)]
        # Nothing of the sender's was touched, and QuPath tells all outlines apart.
        after = {row["id"] for row in omero.standin.rows("Roi")}
        assert {row["id"] for row in before if row["owner"] == omero.ids["ds-bob"]} <= after
        assert set(copies) <= after
        assert (20, x + 10) in outlines(qupath.see())
        assert sync.once() == []


def test_outlines_that_came_back_take_no_room_from_ours(omero, sync, qupath, monkeypatch):
    monkeypatch.setattr("deepscribble.stores.omero.images.MOST_RESULTS", 4)
    qupath.send(stroke(30), stroke(90))
    (report,) = sync.once()
    assert report.added == 2
    copies = [one for one in qupath.see() if one.name != "NoName"]
    qupath.send(*copies)
    (report,) = sync.once()
    assert (report.updated, report.removed) == (2, 0)
    assert outlines(qupath.see(omero.user)) == [(20, 40), (80, 100)]
    # What is drawn does.
    qupath.send(stroke(140))
    (report,) = sync.once()
    assert "RESULTS_DROPPED" in [warning.code for warning in report.warnings]


def test_outlines_that_were_deleted_and_sent_back_are_drawn_anew(omero, sync, qupath):
    qupath.send(stroke(30))
    sync.once()
    seen = qupath.see()
    qupath.delete("ds-bob")
    qupath.delete(omero.user)
    qupath.send(*seen)
    # What is shown is what was answered.
    qupath.send(stroke(35))
    (report,) = sync.once()
    assert (report.added, report.kept) == (1, 0)
    assert outlines(qupath.see(omero.user)) == [(20, 45)]
    assert outlines(qupath.see()) == [(20, 40), (20, 45)]
    assert sync.once() == []


def test_an_outline_that_came_back_with_nothing_new_gets_an_id_of_its_own(omero, sync, qupath):
    qupath.send(stroke(30))
    sync.once()
    (outline,) = (one for one in qupath.see() if one.name != "NoName")
    qupath.send(outline)
    # QuPath takes both for one area now, which leaves nothing of it.
    assert not outlines(qupath.see())
    (report,) = sync.once()
    assert (report.state, report.updated) == (State.WRITTEN, 1)
    assert outlines(qupath.see()) == [(20, 40), (20, 40)]
    assert sync.once() == []


def test_an_outline_that_was_edited_in_qupath_is_right(omero, sync, qupath):
    qupath.send(stroke(30), stroke(90))
    sync.once()
    seen = qupath.see()
    (edited,) = (one for one in seen if one.shape.bounds[0] == 80)
    right = replace(edited, shape=shapely.box(80, 40, 104, 60))
    qupath.send(*(right if one is edited else one for one in seen), stroke(35), stroke(94))
    (report,) = sync.once()
    assert (report.updated, report.removed, report.kept) == (1, 1, 1)
    assert outlines(qupath.see(omero.user)) == [(20, 45)]
    assert (80, 104) in outlines(qupath.see("ds-bob"))
    assert sync.once() == []


def test_an_outline_that_was_locked_in_qupath_is_right(omero, sync, qupath):
    qupath.send(stroke(30))
    sync.once()
    (outline,) = (one for one in qupath.see() if one.name != "NoName")
    qupath.send(replace(outline, is_locked=True), stroke(35))
    (report,) = sync.once()
    assert (report.removed, report.kept) == (1, 1)
    assert not outlines(qupath.see(omero.user))


def test_whoever_draws_as_the_user_of_the_job_finds_one_outline(omero, sync, qupath):
    qupath.user = omero.user
    qupath.send(stroke(30))
    sync.once()
    for x in (35, 40):
        qupath.send(*qupath.see(), stroke(x))
        (report,) = sync.once()
        assert not warned(report)
        assert outlines(qupath.see()) == [(20, x + 10)]
    seen = qupath.see()
    qupath.delete(omero.user)
    qupath.send(*seen)
    assert outlines(qupath.see()) == [(20, 50)]
    # Of lines that were sent twice QuPath left nothing, so the first ones are gone.
    qupath.send(stroke(45))
    (report,) = sync.once()
    assert (report.added, report.updated, report.kept) == (0, 1, 0)
    assert outlines(qupath.see()) == [(30, 55)]
    assert sync.once() == []


CHANGES = {
    "edited": lambda outline: {"shape": outline.shape.buffer(2, join_style="mitre")},
    "moved": lambda outline: {"shape": shapely.affinity.translate(outline.shape, 1)},
    "renamed": lambda outline: {"name": "mine"},
    "locked": lambda outline: {"is_locked": True},
}
"""What makes a copy of an outline a person's own work."""


def do_something(qupath, chance):
    """The numbers of the Rois that are somebody's own work; others come of it too."""
    what = chance.choice(("stroke", "stroke", "all", *CHANGES))
    if what == "stroke":
        class_name = chance.choice(("Tumor", "Tumor", "Normal"))
        return qupath.send(stroke(chance.randrange(12, 148), class_name))
    seen = qupath.see()
    if what == "all":
        qupath.send(*seen)
        return []
    named = [one for one in seen if one.name.startswith("DeepScribble")]
    outlines = chance.sample(named, min(1, len(named)))
    return qupath.send(*(replace(one, **CHANGES[what](one)) for one in outlines))


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_sent_nothing_of_anybodys_is_lost_and_the_job_comes_to_rest(
    omero, sync, qupath, seed
):
    chance = random.Random(seed)
    own = set()

    def left():
        return {
            row["id"]
            for row in omero.standin.rows("Roi")
            if row["id"] in own or row["owner"] == omero.ids["ds-bob"]
        }

    for _ in range(10):
        qupath.user = chance.choice(("ds-bob", omero.user))
        own.update(do_something(qupath, chance))
        before = left()
        assert {report.state for report in sync.once()} <= {State.WRITTEN, State.UNCHANGED}
        assert left() == before >= own
        assert sync.once() == []
