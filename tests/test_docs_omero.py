"""What docs/omero.md tells an administrator is so: commands can be typed, messages are said."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from deepscribble.cli import app

ROOT = Path(__file__).resolve().parents[1]
DOCS = (ROOT / "docs" / "omero.md").read_text()


def commands():
    found = re.findall(r"^    deepscribble (.+)$", DOCS, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


def messages():
    table = DOCS.split("## When something is wrong")[1]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    return rows[1:]


def said():
    """All that the code says, texts that go over several lines joined."""
    sources = [
        path.read_text()
        for folder in ("connectors", "service")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    return re.sub(r'"\n\s*f?"', "", "\n".join(sources))


def test_there_are_commands_and_messages():
    assert len(commands()) >= 3
    assert len(messages()) >= 10


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_can_be_typed_as_it_stands(words):
    name, *arguments = words
    typer.main.get_command(app).commands[name].make_context(name, arguments)


@pytest.mark.parametrize("message", messages())
def test_every_message_that_is_explained_is_said(message):
    text = said()
    for part in message.split("…"):
        assert part.strip() in text
