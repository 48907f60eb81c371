"""The same tests on every other QuPath that is here; Java starts only once in a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.qupath

MODULES = (
    "test_project.py",
    "test_objects.py",
    "test_data.py",
    "test_images.py",
    "test_palette.py",
)


def installed() -> list[Path]:
    """Every folder that paquo would take for a QuPath, the one that it does take first."""
    try:
        from paquo import settings
        from paquo.jpype_backend import _scan_qupath_dirs
    except ImportError:
        return []
    named = [settings.qupath_dir] if settings.qupath_dir else []
    folders = _scan_qupath_dirs(list(settings.qupath_search_dirs), settings.qupath_search_dir_regex)
    return [
        *map(Path, named),
        *(folder for folder in folders if (folder / "lib" / "app").is_dir()),
    ]


@pytest.mark.parametrize("folder", installed()[1:], ids=lambda folder: folder.name)
def test_another_qupath_does_the_same(folder: Path, qupath: str) -> None:
    if f"qupath-core-{qupath}.jar" in {jar.name for jar in (folder / "lib" / "app").iterdir()}:
        pytest.skip(f"{folder} is the QuPath {qupath} that all other tests run on")
    here = Path(__file__).parent
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-k", "not thousand and not read_only_project"),
            *(str(here / module) for module in MODULES),
        ],
        env={**os.environ, "PAQUO_QUPATH_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0 and re.search(r"^SKIPPED.* are supported", done.stdout, re.M):
        pytest.skip(f"{folder} is of a version that is not supported")
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"\d+ passed", done.stdout), done.stdout[-1000:]
