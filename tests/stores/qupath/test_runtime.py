"""Java starts once per process, so each of these has a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

OPEN = """
from deepscribble.errors import DeepScribbleError
from deepscribble.stores.qupath.runtime import qupath_version
try:
    print("started", qupath_version())
except DeepScribbleError as error:
    print(type(error).__name__, error)
"""


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_of_java_is_loaded_before_it_is_needed() -> None:
    code = """
import sys
import deepscribble.stores, deepscribble.stores.qupath
assert not {"paquo", "jpype"} & set(sys.modules)
"""
    run(code)


def test_no_qupath_there(tmp_path: Path) -> None:
    said = run(OPEN, PAQUO_QUPATH_DIR=str(tmp_path))
    assert said.startswith("NotFound no QuPath to read the project with")
    assert "PAQUO_QUPATH_DIR" in said


def test_no_paquo_there() -> None:
    said = run(f"import sys; sys.modules['paquo'] = None\n{OPEN}")
    assert said.startswith("NotFound paquo")
    assert "pip install 'deepscribble[qupath]'" in said


@pytest.mark.qupath
def test_another_version_of_qupath_is_refused(qupath: str, tmp_path: Path) -> None:
    import jpype
    from paquo import settings
    from paquo._config import to_kwargs
    from paquo.jpype_backend import find_qupath

    assert jpype.isJVMStarted()
    here = find_qupath(**to_kwargs(settings)).app_dir.parents[1]
    shutil.copytree(here, tmp_path / "QuPath", symlinks=True)
    for jar in (tmp_path / "QuPath").rglob("qupath-core-*.jar"):
        changed = jar.with_suffix(".new")
        with zipfile.ZipFile(jar) as old, zipfile.ZipFile(changed, "w") as new:
            for name in old.namelist():
                data = old.read(name)
                if name == "META-INF/MANIFEST.MF":
                    data = data.replace(qupath.encode(), b"0.4.4")
                new.writestr(name, data)
        changed.replace(jar)
    said = run(OPEN, PAQUO_QUPATH_DIR=str(tmp_path / "QuPath"))
    assert said.startswith("InvalidInput qupath: this is QuPath 0.4.4, but 0.5 and 0.6 are")


@pytest.mark.qupath
def test_signals_stay_with_python(qupath: str) -> None:
    code = """
import os, signal, time
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append("SIGTERM"))
from deepscribble.stores.qupath.runtime import qupath_version
qupath_version()
os.kill(os.getpid(), signal.SIGTERM)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
except KeyboardInterrupt:
    heard.append("Ctrl-C")
print(heard)
"""
    assert run(code).strip() == "['SIGTERM', 'Ctrl-C']"
