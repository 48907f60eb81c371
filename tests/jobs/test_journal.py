"""The journal: appended, never rewritten, whole after any end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deepscribble.errors import OutputRefused
from deepscribble.jobs import Journal


def test_nothing_is_created_before_there_is_something_to_say(tmp_path: Path) -> None:
    assert Journal(tmp_path).done("a", "k") is None
    assert not list(tmp_path.iterdir())


def test_the_last_word_on_an_image_counts_for_the_same_input_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add("done", {"image": "ä", "key": "k", "unchanged": 1})
    journal.add("done", {"image": "ä", "key": "l", "unchanged": 2})
    journal.add("change", {"image": "ä", "key": "k"})
    for one in (journal, Journal(tmp_path)):
        assert one.done("ä", "k") is None
        entry = one.done("ä", "l")
        assert entry is not None
        assert entry["unchanged"] == 2


@pytest.mark.parametrize("left", [b'{"event": "done", "image": "a", "ke', b"\xff\xfe\x00", b"{"])
def test_half_a_line_of_a_killed_run_spoils_nothing(tmp_path: Path, left: bytes) -> None:
    Journal(tmp_path).add("done", {"image": "a", "key": "k"})
    path = Journal(tmp_path).path
    with path.open("ab") as file:
        file.write(left)
    journal = Journal(tmp_path)
    assert journal.done("a", "k") is not None
    journal.add("done", {"image": "b", "key": "k"})
    again = Journal(tmp_path)
    assert again.done("a", "k") is not None
    assert again.done("b", "k") is not None
    lines = path.read_bytes().split(b"\n")
    assert [json.loads(lines[at])["image"] for at in (0, 2)] == ["a", "b"]
    assert lines[1] == left


def test_a_journal_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "deepscribble-journal.jsonl").mkdir()
    with pytest.raises(OutputRefused, match="the journal cannot be kept"):
        Journal(tmp_path)
