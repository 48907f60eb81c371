"""What the README shows works as it stands there."""

import re
from pathlib import Path

import pytest

from deepscribble.cli.main import app
from deepscribble.server import background_server

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def test_the_python_example_runs_on_a_real_slide(shared, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    slide = shared / "slides" / "CMU-1-Small-Region.svs"
    with background_server(device="cpu") as server:
        example = example.replace("slide.svs", str(slide)).replace("127.0.0.1:50051", server)
        example = example.replace("1500, 1500", "1200, 900")
        exec(compile(example, "README.md", "exec"), {})
    count, *areas = map(int, re.findall(r"\d+", capsys.readouterr().out))
    assert count == len(areas) > 0


@pytest.mark.parametrize("command", ["segment", "refine", "models", "serve", "train", "benchmark"])
def test_every_command_that_it_names_exists(command):
    assert f"deepscribble {command}" in README
    assert command in {info.name or info.callback.__name__ for info in app.registered_commands}


def test_every_figure_was_filled_in():
    assert "@@" not in README
