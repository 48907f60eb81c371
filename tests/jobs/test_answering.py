"""`annotate` where other jobs may be at work: on an OMERO server."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from deepscribble.client import Client
from deepscribble.jobs import Job, State, annotate_noted, exit_code
from deepscribble.jobs.answering import Answering
from deepscribble.jobs.job import Needs
from deepscribble.jobs.journal import Journal
from deepscribble.jobs.lease import NAMESPACE, Leases
from deepscribble.server.app import background
from deepscribble.stores.omero import Credentials, images, open_omero, parse_address


@pytest.fixture
def store(omero, dataset, tmp_path):
    place = parse_address(f"omero://{omero.host}:{omero.port}/Dataset:{dataset[0]}")
    with open_omero(place, Credentials(omero.user, omero.password), folder=tmp_path) as store:
        yield store


def states(reports):
    return [report.state for report in reports]


def test_every_image_is_answered_once(store, client, leases):
    images = store.images()
    assert states(annotate_noted(store, images, client, Job())) == [State.WRITTEN] * 3
    assert states(annotate_noted(store, images, client, Job())) == [State.UNCHANGED] * 3
    assert not leases()


def test_a_dry_run_leaves_no_trace(store, omero, client):
    images = store.images()
    omero.standin.forget_calls()
    reports = annotate_noted(store, images, client, Job(is_dry=True))
    assert states(reports) == [State.PLANNED] * 3
    calls = omero.standin.calls()
    assert not {"IUpdate.saveAndReturnArray", "ServiceFactory.submit"} & set(calls)


def test_what_another_job_works_on_is_left_to_it(store, client):
    images = store.images()
    assert Leases("other").take(store.notes(images[1], NAMESPACE)) is not None
    reports = list(annotate_noted(store, images, client, Job()))
    assert states(reports) == [State.WRITTEN, State.CONFLICT, State.WRITTEN]
    assert "another job is working on the image" in reports[1].problems[0]


def test_a_job_that_was_thrown_out_writes_nothing(store, omero, client, engine, leases):
    image = store.images()[0]
    board = store.notes(image, NAMESPACE)
    refine = engine.refine

    def thrown_out(*arguments, **options):
        for note in board.read():
            board.remove(note)
        return refine(*arguments, **options)

    engine.refine = thrown_out
    (report,) = annotate_noted(store, [image], client, Job())
    assert report.state is State.CONFLICT
    assert "another job took the image over" in report.problems[0]
    assert not omero.standin.rows("Polygon")


def test_images_beyond_a_server_that_died_are_not_reached(store, omero, client):
    images = store.images()
    reports = annotate_noted(store, images, client, Job())
    first = next(reports)
    omero.standin.kill()
    left = list(reports)
    assert states([first, *left]) == [State.WRITTEN, State.FAILED, State.NOT_REACHED]


@pytest.mark.parametrize("is_dry", [False, True])
def test_a_deepscribble_server_that_died_leaves_the_other_images_not_reached(
    store, omero, engine, leases, is_dry
):
    images = store.images()
    # The other one is still being written when the server is gone.
    done = State.PLANNED if is_dry else State.WRITTEN
    with ExitStack() as mortal:
        address = mortal.enter_context(background(lambda: engine, engine.settings.message_bytes))
        with Client(address) as client:
            reports = []
            for report in annotate_noted(store, images, client, Job(is_dry=is_dry)):
                reports.append(report)
                mortal.close()
    assert len(reports) == len(images)
    count = states(reports).count(done)
    assert count in (1, 2)
    assert states(reports)[count:] == [State.FAILED, State.NOT_REACHED][: 3 - count]
    assert "no DeepScribble server answers" in reports[count].problems[0]
    assert exit_code(reports) == 3
    assert not leases()


def test_nothing_is_due_after_an_answer_until_options_or_strokes_change(
    store, client, draw, tmp_path
):
    image, _, blank = store.images()

    def due(job, image=image):
        needs = Needs.of(client)
        return (
            Answering(store, client, job, needs, Journal(tmp_path), Leases("a")).look(image).asked
        )

    assert due(Job())
    assert not due(Job(), blank)
    list(annotate_noted(store, [image], client, Job()))
    assert not due(Job())
    assert due(Job(class_name="Necrosis"))
    draw(int(image.id.removeprefix("Image:")), 90, "Normal")
    assert due(Job())


@pytest.mark.parametrize("more", [None, (65, "Tumor"), (140, "Normal")])
def test_an_image_whose_results_stand_there_twice_is_due_and_put_right(
    store, omero, client, tmp_path, draw, more
):
    image = store.images()[0]
    job, needs = Job(), Needs.of(client)
    answering = Answering(store, client, job, needs, Journal(tmp_path), Leases("a"))
    # The first two saves are of the lease's note.
    omero.standin.fault("IUpdate.saveAndReturnArray", "cut-hold", after=2)
    report = answering.answer(image, answering.look(image).asked)
    assert report is not None
    assert report.state is State.FAILED
    if more is not None:
        # What is answered next is then another outline, or the same with other strokes.
        draw(int(image.id.removeprefix("Image:")), *more)
    again = answering.answer(image, answering.look(image).asked)
    assert again is not None
    assert again.state is State.WRITTEN
    assert not answering.look(image).asked
    omero.standin.go_on()
    assert len(omero.standin.rows("Polygon")) == 2
    asked = answering.look(image).asked
    assert asked
    mended = answering.answer(image, asked)
    assert mended is not None
    assert mended.state is State.WRITTEN
    (outline,) = omero.standin.rows("Polygon")
    right = 75 if more == (65, "Tumor") else 70
    assert f"{right},60" in outline["fields"]["points"]
    assert not answering.look(image).asked


def test_all_that_stands_on_an_image_counts_against_what_viewers_show(
    store, omero, client, draw, monkeypatch
):
    monkeypatch.setattr(images, "MOST_RESULTS", 5)
    image, *_ = store.images()
    number = int(image.id.removeprefix("Image:"))
    draw(number, 100)
    draw(number, 20, "Vessel")
    (report,) = annotate_noted(store, [image], client, Job())
    assert (report.state, report.added) == (State.WRITTEN, 2)
    # Its own results make room for those that replace them.
    draw(number, 140, "Normal")
    (report,) = annotate_noted(store, store.images()[:1], client, Job())
    assert (report.updated, report.removed) == (1, 1)
    assert "RESULTS_DROPPED" in [warning.code for warning in report.warnings]
    draw(number, 20, "Vessel")
    (report,) = annotate_noted(store, store.images()[:1], client, Job())
    assert report.removed == 1
    assert any("all 2 outlines were left out" in each.message for each in report.warnings)
    assert not omero.standin.rows("Polygon")
