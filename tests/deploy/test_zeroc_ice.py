"""How zeroc-ice comes onto a machine: places, order, the mended lines, and honest failures."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "zeroc_ice.py"


@pytest.fixture(scope="module")
def script():
    spec = spec_from_file_location("zeroc_ice", SCRIPT)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python with pip and nothing else; pip is linked, for to install it takes long."""
    pip = pytest.importorskip("pip")
    folder = tmp_path_factory.mktemp("python")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "pip").symlink_to(Path(pip.__file__).parent)
    # Else pip, when the only package is uninstalled, takes the folder away, and itself with it.
    (packages / "another.py").touch()
    return folder / "bin" / "python"


def write_wheel(folder, tag="py3-none-any", code=""):
    """A wheel by zeroc-ice's name that holds one module."""
    folder.mkdir(parents=True, exist_ok=True)
    info = "zeroc_ice-3.6.5.dist-info"
    with zipfile.ZipFile(folder / f"zeroc_ice-3.6.5-{tag}.whl", "w") as wheel:
        wheel.writestr("Ice.py", code)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: zeroc-ice\nVersion: 3.6.5")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}")
        wheel.writestr(f"{info}/RECORD", "")


SOURCE = {
    "src/Slice.cpp": "#include <compile.h>\n#include <eval.h>\nint a;\n",
    "src/Util.cpp": "f = PyThreadState_GET()->frame;\nreturn PyEval_CallObject(t, args);\n",
    "src/Types.cpp": (
        "#include <Types.h>\nint b;\nPyEval_CallObject(t, a);\n"
        "if(PyObject_AsReadBuffer(p, &buf, &sz) == 0)\n// PyObject_AsReadBuffer sets\n"
    ),
    "lib/Ice.py": "import sys, string, imp, os\nnmod = imp.new_module('a')\n",
}
"""The lines of zeroc-ice 3.6.5 that are mended, among others."""


def write_source(folder, **texts):
    for name, text in (SOURCE | texts).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(python, cache, *options, **environment):
    return subprocess.run(
        [str(python), str(SCRIPT), *options],
        env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(cache), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wheel_in_a_folder_is_taken_and_then_nothing_is_done(python, tmp_path):
    empty, full = tmp_path / "empty", tmp_path / "full ü"
    empty.mkdir()
    write_wheel(full)
    first = run(python, tmp_path, "--find-links", str(empty), DEEPSCRIBBLE_WHEELS=str(full))
    assert first.returncode == 0
    assert f"from {full}" in first.stdout
    again = run(python, tmp_path)
    assert again.returncode == 0
    assert "already" in again.stdout
    subprocess.run([str(python), "-m", "pip", "-q", "uninstall", "-y", "zeroc-ice"], check=True)


def test_a_wheel_that_cannot_be_imported_is_passed_over(python, tmp_path):
    old, good = tmp_path / "old", tmp_path / "good"
    write_wheel(old, code="import gone_from_this_python")
    write_wheel(good)
    outcome = run(python, tmp_path, "--find-links", str(old), "--find-links", str(good))
    assert outcome.returncode == 0
    assert f"from {good}" in outcome.stdout
    subprocess.run([str(python), "-m", "pip", "-q", "uninstall", "-y", "zeroc-ice"], check=True)


def test_without_a_wheel_and_a_network_it_says_what_was_wrong(python, tmp_path):
    write_wheel(tmp_path / "deepscribble" / "wheels", "cp27-none-win32")
    outcome = run(
        python,
        tmp_path,
        PIP_INDEX_URL="http://127.0.0.1:1/simple",
        PIP_RETRIES="0",
        PIP_TIMEOUT="1",
    )
    assert outcome.returncode == 1
    assert "zeroc-ice cannot be installed: its source cannot be fetched" in outcome.stdout
    assert "No module named pip" not in outcome.stdout
    assert "Traceback" not in outcome.stdout + outcome.stderr


def test_what_newer_pythons_have_no_more_is_mended(script, tmp_path):
    source = script.mend(write_source(tmp_path / "zeroc"))
    assert (source / "src/Slice.cpp").read_text() == "#include <compile.h>\nint a;\n"
    util = (source / "src/Util.cpp").read_text()
    assert util == "f = PyEval_GetFrame();\nreturn PyObject_CallObject(t, args);\n"
    types = (source / "src/Types.cpp").read_text()
    assert types.startswith(f"#include <Types.h>\n{script.READ_BUFFER}int b;\n")
    assert types.endswith(
        "PyObject_CallObject(t, a);\n"
        "if(readBuffer(p, &buf, &sz) == 0)\n// PyObject_AsReadBuffer sets\n"
    )
    names = {}
    exec((source / "lib/Ice.py").read_text(), names)
    assert type(names["nmod"]) is type(sys)
    assert "imp" not in names


@pytest.mark.parametrize("name", SOURCE)
def test_another_source_is_not_built_blindly(script, tmp_path, name):
    source = write_source(tmp_path / "zeroc", **{name: "int a;\n"})
    with pytest.raises(script.CannotInstall, match=re.escape(name)):
        script.mend(source)


def test_the_archive_is_unpacked_beside_nothing_else(script, tmp_path):
    source = write_source(tmp_path / "zeroc_ice-3.6.5")
    archive = tmp_path / "zeroc_ice-3.6.5.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(source, source.name)
    unpacked = script.unpack(archive, tmp_path / "scratch")
    assert (unpacked / "src" / "Util.cpp").exists()


def test_the_cache_is_where_other_caches_are(script, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert script.cache() == tmp_path / "deepscribble" / "wheels"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert script.cache() == Path.home() / ".cache" / "deepscribble" / "wheels"


def test_it_runs_on_the_python_that_tests_run_on(tmp_path):
    pytest.importorskip("Ice", exc_type=ImportError)
    outcome = run(sys.executable, tmp_path)
    assert outcome.returncode == 0
    assert "already" in outcome.stdout
