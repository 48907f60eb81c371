"""The sync job against an OMERO server: what it answers, what it leaves alone, how it ends."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from deepscribble.client import Client
from deepscribble.errors import ServerUnavailable, SessionEnded, StoreUnavailable
from deepscribble.jobs import Job, State, exit_code, runner
from deepscribble.jobs.answering import Answering
from deepscribble.jobs.lease import NAMESPACE, Leases
from deepscribble.server.app import background
from deepscribble.stores.omero import Credentials, open_omero, parse_address

PATIENCE = 120.0
"""Longer than anything here takes; it only ends tests that would hang."""

LOG = logging.getLogger("deepscribble.jobs.sync")

WRITES = ("IUpdate.saveAndReturnArray", "ServiceFactory.submit")


def address(omero, dataset):
    return f"omero://{omero.host}:{omero.port}/Dataset:{dataset}"


@pytest.fixture
def job(omero, dataset, client, tmp_path):
    """Makes sync jobs that are on a machine of their own each."""
    from deepscribble.jobs.health import Health
    from deepscribble.jobs.metrics import Metrics
    from deepscribble.jobs.sync import Pace, Sync
    from deepscribble.stores.omero.login import Connection

    place = parse_address(address(omero, dataset[0]))
    who = Credentials(omero.user, omero.password)

    def make(name="one", every=0.05, workers=2, mpp=None, key="", silence=300.0, server=client):
        def open_store():
            connection = Connection(patience=5.0, call_patience=silence)
            by = Credentials(key=key) if key else who
            return open_omero(place, by, connection=connection, folder=tmp_path / name)

        health = Health(tmp_path / f"{name}.json")
        return Sync(open_store, server, Job(mpp=mpp), Pace(every, workers), health, Metrics())

    return make


@contextmanager
def running(sync):
    """The job in a thread, stopped at the end."""
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(sync.run)
        try:
            yield
        finally:
            sync.stop()
            ended.result(PATIENCE)


def ours(omero):
    """How many outlines of ours each image has."""
    mine = omero.ids[omero.user]
    counts = {}
    for roi in omero.standin.rows("Roi"):
        if roi["owner"] == mine:
            image = roi["fields"]["image"]
            image = image["id"] if isinstance(image, dict) else image
            counts[image] = counts.get(image, 0) + 1
    return counts


def eventually(is_so):
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.1)):
        if is_so():
            return
        pause.wait(0.1)
    pytest.fail("it never came about")


def test_it_answers_what_was_drawn_and_nothing_else_and_then_only_looks(
    omero, dataset, job, draw, leases
):
    _, images = dataset
    reports = job().once()
    assert {report.image: report.state for report in reports} == {
        f"Image:{image}": State.WRITTEN for image in images[:2]
    }
    assert list(ours(omero).values()) == [1, 1]
    assert not leases()
    omero.standin.forget_calls()
    # Another job, elsewhere, knows from the images alone.
    assert job("two").once() == []
    calls = omero.standin.calls()
    assert not set(WRITES) & set(calls)
    assert calls["IQuery.findAllByQuery"] <= 1 + 2 * len(images)
    draw(images[0], 90)
    (report,) = job().once()
    assert (report.image, report.added) == (f"Image:{images[0]}", 1)
    assert ours(omero) == {images[0]: 2, images[1]: 1}


def test_two_jobs_at_once_leave_one_set(omero, dataset, job, draw, leases):
    _, images = dataset
    for x in (90, 120):
        with ThreadPoolExecutor(2) as pool:
            ends = [pool.submit(job(name, workers=3).once) for name in ("one", "two")]
            reports = [report for end in ends for report in end.result(PATIENCE)]
        states = {report.state for report in reports}
        assert states <= {State.WRITTEN, State.UNCHANGED, State.CONFLICT}
        # Both may have withdrawn from an image; the next look answers it.
        job().once()
        assert not leases()
        assert list(ours(omero).values()) == [1 + (x == 120)] * 2
        for image in images[:2]:
            draw(image, x)


def test_an_image_that_another_job_holds_is_left_to_it(omero, dataset, job, tmp_path):
    _, images = dataset
    place = parse_address(f"omero://{omero.host}:{omero.port}/Image:{images[0]}")
    with open_omero(place, Credentials("ds-bob", omero.people["ds-bob"]), folder=tmp_path) as store:
        (image,) = store.images()
        lease = Leases("bob's").take(store.notes(image, NAMESPACE))
        reports = job().once()
        # With one look only, what was left is told.
        assert {report.image: report.state for report in reports} == {
            f"Image:{images[0]}": State.CONFLICT,
            f"Image:{images[1]}": State.WRITTEN,
        }
        assert exit_code(reports) == 3
        reports = job().once()
        assert [report.state for report in reports] == [State.CONFLICT]
        assert exit_code(reports) == 1
        lease.renew()
        lease.release()
    assert [report.image for report in job().once()] == [f"Image:{images[0]}"]


def test_the_lease_of_a_job_that_died_ends(omero, dataset, job, tmp_path, leases):
    _, images = dataset
    place = parse_address(f"omero://{omero.host}:{omero.port}/Image:{images[0]}")
    with open_omero(
        place, Credentials(omero.user, omero.password), folder=tmp_path / "dead"
    ) as store:
        (image,) = store.images()
        assert Leases("dead", seconds=0.5).take(store.notes(image, NAMESPACE)) is not None
    sync = job()
    assert {report.state for report in sync.once()} == {State.CONFLICT, State.WRITTEN}
    eventually(lambda: [report.state for report in sync.once()] == [State.WRITTEN])
    assert not leases()


def test_a_class_that_nobody_knows_is_told_once_and_again_when_there_is_more(
    omero, dataset, job, draw, caplog
):
    _, images = dataset
    draw(images[0], 100, "tumor")
    draw(images[2], 60, "Tumour")

    def told():
        texts = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return [text for text in texts if "not taken for strokes" in text]

    sync = job()
    sync.once()
    first = told()
    assert len(first) == 2
    assert "tumor" in first[0] + first[1]
    assert f"Image:{images[2]}" in first[0] + first[1]
    sync.once()
    assert not told()
    draw(images[2], 90, "Tumour")
    assert sync.once() == []
    (again,) = told()
    assert again.startswith(f"Image:{images[2]} ")
    assert "2 " in again


def test_the_end_of_a_session_that_was_joined_ends_the_job(omero, dataset, job):
    sync = job(key=omero.session_key())
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(sync.run)
        eventually(lambda: len(ours(omero)) == 2)
        omero.standin.expire()
        try:
            with pytest.raises(SessionEnded, match="refuses the session key"):
                ended.result(PATIENCE)
        finally:
            sync.stop()


def test_an_error_of_ours_on_one_image_leaves_the_others_alone(
    omero, dataset, job, monkeypatch, caplog, leases
):
    _, images = dataset
    sync = job(workers=1)
    plan = runner.plan_edit

    def plan_all_but_one(content, *arguments):
        if not omero.standin.rows("Polygon"):
            monkeypatch.setattr(runner, "plan_edit", plan)
            raise ZeroDivisionError
        return plan(content, *arguments)

    monkeypatch.setattr(runner, "plan_edit", plan_all_but_one)
    states = {report.image: report.state for report in sync.once()}
    assert states == {f"Image:{images[0]}": State.FAILED, f"Image:{images[1]}": State.WRITTEN}
    assert "ZeroDivisionError" in caplog.text
    assert not leases()


def test_an_error_of_ours_at_a_look_leaves_the_other_images_alone(
    omero, dataset, job, monkeypatch, caplog
):
    _, images = dataset
    look = Answering.look

    def look_at_all_but_one(self, image):
        if image.id == f"Image:{images[0]}":
            raise ZeroDivisionError
        return look(self, image)

    monkeypatch.setattr(Answering, "look", look_at_all_but_one)
    sync = job(every=1000.0, workers=1)
    states = {report.image: report.state for report in sync.once()}
    assert states == {f"Image:{images[0]}": State.FAILED, f"Image:{images[1]}": State.WRITTEN}
    assert "Traceback" in caplog.text
    # It rests, and is told again only after a while.
    caplog.clear()
    assert sync.once() == []
    assert not caplog.text


def test_a_server_that_goes_away_is_waited_for(omero, dataset, job, tmp_path, caplog, draw, leases):
    _, images = dataset
    health = tmp_path / "one.json"
    sync = job()

    def says(status):
        return json.loads(health.read_text())["status"] == status

    omero.standin.kill()
    with running(sync):
        eventually(lambda: "next try" in caplog.text)
        eventually(lambda: says("waiting for a server"))
        omero.standin.start()
        # A lease that a death leaves behind on an image that is answered stays there.
        eventually(lambda: len(ours(omero)) == 2 and not leases())
        omero.standin.kill()
        omero.standin.start()
        draw(images[2], 60)
        eventually(lambda: len(ours(omero)) == 3 and not leases())
        omero.standin.expire("removed")
        draw(images[2], 90)
        eventually(lambda: max(ours(omero).values()) == 2)
        eventually(lambda: not leases())
    said = json.loads(health.read_text())
    assert said["status"] == "stopped"
    assert said["answered"]["written"] >= 4
    omero.standin.kill()
    with pytest.raises(StoreUnavailable):
        job().once()


def test_no_image_failed_since_the_deepscribble_server_went_away(
    omero, dataset, job, engine, leases, caplog
):
    class Mortal(logging.Handler):
        def emit(self, record):
            if "written" in record.getMessage():
                mortal.close()

    caplog.set_level(logging.INFO)
    with ExitStack() as mortal:
        at = mortal.enter_context(background(lambda: engine, engine.settings.message_bytes))
        with Client(at) as client:
            sync = job(workers=1, server=client)
            LOG.addHandler(handler := Mortal())
            try:
                with pytest.raises(ServerUnavailable):
                    sync.once()
            finally:
                LOG.removeHandler(handler)
    assert list(ours(omero).values()) == [1]
    assert not leases()
    assert "failed" not in caplog.text
    # The job that has its server again goes on with the image at once.
    assert [report.state for report in job().once()] == [State.WRITTEN]


def test_the_health_file_goes_on_and_says_what_is_waited_for(
    omero, dataset, job, tmp_path, monkeypatch
):
    monkeypatch.setattr("deepscribble.jobs.status.BEAT_SECONDS", 0.1)
    health = tmp_path / "one.json"
    omero.standin.fault("IQuery.*", "hang", times=2)

    def waits():
        said = json.loads(health.read_text()) if health.exists() else {"status": ""}
        # It was written anew a while after the server fell silent.
        return said["status"] == "listing images" and said["seconds"] >= 1

    with running(job(silence=3.0)):
        eventually(waits)
        eventually(lambda: len(ours(omero)) == 2)
    assert json.loads(health.read_text())["status"] == "stopped"


def test_what_fails_rests_until_more_is_drawn(omero, dataset, job, engine, draw):
    _, images = dataset
    sync = job(every=1000.0)
    engine.failure = MemoryError()
    assert [report.state for report in sync.once()] == [State.FAILED] * 2
    assert sync.once() == []
    engine.failure = None
    draw(images[0], 90)
    assert [report.image for report in sync.once()] == [f"Image:{images[0]}"]
    omero.standin.importing(images[2])
    (report,) = sync.once()
    assert "wait for the end of its import" in report.problems[0]
    assert sync.once() == []


def test_prometheus_reads_what_was_counted(dataset, job):
    sync = job()
    sync.once()
    with sync.metrics.served("127.0.0.1", 0) as port:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    lines = text.splitlines()
    assert 'deepscribble_sync_images_total{state="written"} 2.0' in lines
    assert 'deepscribble_sync_outlines_total{change="added"} 2.0' in lines
    assert 'deepscribble_sync_rounds_total{outcome="done"} 1.0' in lines
    assert "deepscribble_sync_images_watched 3.0" in lines
    assert "deepscribble_sync_images_in_work 0.0" in lines


@pytest.fixture
def command(omero, dataset, server, tmp_path):
    """The command line of a job, and the environment for it."""
    words = [
        *(sys.executable, "-c", "from deepscribble.cli.main import main; main()"),
        *("sync", address(omero, dataset[0]), "--user", omero.user, "--workers", "1"),
        *("--every", "1s", "--server", server),
        *("--health", str(tmp_path / "health.json"), "--json"),
    ]
    environment = os.environ | {
        "OMERO_PASSWORD": omero.password,
        "XDG_STATE_HOME": str(tmp_path),
        "OMERO_USERDIR": str(tmp_path / "omero"),
    }
    return words, environment


def test_sigterm_lets_the_image_in_work_be_finished(
    omero, dataset, engine, tmp_path, command, leases
):
    _, images = dataset
    engine.gate.clear()
    health = tmp_path / "health.json"
    words, environment = command
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            eventually(lambda: len(engine.calls) == 1)
            assert len(leases()) == 1
            process.send_signal(signal.SIGTERM)
            eventually(lambda: json.loads(health.read_text())["status"] == "stopping")
            assert json.loads(health.read_text())["in_work"]
            engine.gate.set()
            said, _ = process.communicate(timeout=PATIENCE)
        finally:
            engine.gate.set()
            process.kill()
    assert process.returncode == 0
    assert "written, 1 added" in said
    assert omero.password not in said
    # The image in work was finished, the next one not begun, nothing left behind.
    assert ours(omero) == {images[0]: 1}
    assert not leases()
    assert json.loads(health.read_text())["status"] == "stopped"


def test_sigterm_ends_a_job_that_waits_for_a_silent_server(omero, tmp_path, command):
    health = tmp_path / "health.json"
    omero.standin.fault("IQuery.*", "hang", times=99)
    words, environment = command
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE) as process:
        try:
            eventually(lambda: health.exists() and "listing images" in health.read_text())
            eventually(lambda: "IQuery.findAllByQuery" in omero.standin.calls())
            process.send_signal(signal.SIGTERM)
            # The server would be given up after five minutes.
            process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGTERM
