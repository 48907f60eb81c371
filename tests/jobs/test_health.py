"""The health file: always whole, and never a reason to stop."""

import json
import os

from deepscribble.jobs.health import Health


def test_it_says_who_and_when_and_what(tmp_path):
    path = tmp_path / "health.json"
    health = Health(path)
    for status in ("working", "watching"):
        health.write({"status": status})
        said = json.loads(path.read_text())
        assert (said["status"], said["process"]) == (status, os.getpid())
        assert said["time"].endswith("+00:00")
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_is_gone_is_a_warning(tmp_path, caplog):
    Health(tmp_path / "gone" / "health.json").write({})
    assert "cannot be written" in caplog.text


def test_without_a_file_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Health(None).write({"status": "working"})
    assert not list(tmp_path.iterdir())
