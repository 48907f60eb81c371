import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deepscribble.errors import InvalidInput
from deepscribble.learning.cli import app


def test_guide_prints_its_card(folder: Path, tmp_path: Path) -> None:
    arguments = ["guide", "--data", str(folder), "--out", str(tmp_path / "models")]
    arguments += ["--minutes", "0.0001", "--device", "cpu", "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    card = json.loads(result.stdout)
    assert card["name"] == "guide-tumor"
    assert (tmp_path / "models" / "guide-tumor" / "card.json").is_file()


def test_errors_reach_the_command_line(tmp_path: Path) -> None:
    arguments = ["refine", "--data", str(tmp_path), "--out", str(tmp_path), "--epochs", "1"]
    with pytest.raises(InvalidInput, match=r"manifest\.csv is not there"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_the_command_line_is_read_without_torch() -> None:
    code = "import sys, deepscribble.learning.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
