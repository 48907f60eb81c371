"""Gets zeroc-ice, which omero-py needs, for the Python that runs this script.

    python deploy/zeroc_ice.py [--find-links FOLDER …]

zeroc-ice 3.6.5 comes from PyPI as source only, and that is older than Python 3.11: in a few lines
it calls what this and each Python since have no more. So this script takes, in this order: what is
installed already; a wheel in one of the folders given, in those of DEEPSCRIBBLE_WHEELS or in the
cache (~/.cache/deepscribble/wheels); the source from PyPI, mended, compiled (some minutes, a C++
compiler and Python's headers are needed) and put into the cache. Tried with Python 3.11, 3.12 and
3.13. Nothing but Python and pip is needed to run it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

VERSION = "3.6.5"
REQUIREMENT = f"zeroc-ice=={VERSION}"
FOLDERS = "DEEPSCRIBBLE_WHEELS"
WHEELS = "https://www.glencoesoftware.com/blog/2023/12/08/ice-binaries-for-omero.html"

READ_BUFFER = """
// As PyObject_AsReadBuffer was, which Python 3.13 has no more.
static int readBuffer(PyObject* p, const void** buf, Py_ssize_t* sz)
{
    Py_buffer view;
    if(PyObject_GetBuffer(p, &view, PyBUF_SIMPLE) != 0)
    {
        return -1;
    }
    *buf = view.buf;
    *sz = view.len;
    PyBuffer_Release(&view);
    return 0;
}
"""

MENDS = (
    # Python 3.11
    ("src/Slice.cpp", r"#include <eval\.h>\n", ""),
    ("src/Util.cpp", r"PyThreadState_GET\(\)->frame", "PyEval_GetFrame()"),
    # Python 3.12
    ("lib/Ice.py", r"\bimp, ", ""),
    ("lib/Ice.py", r"\bimp\.new_module\(", "type(sys)("),
    # Python 3.13
    ("src/Util.cpp", r"\bPyEval_CallObject\b", "PyObject_CallObject"),
    ("src/Types.cpp", r"\bPyEval_CallObject\b", "PyObject_CallObject"),
    ("src/Types.cpp", r"\bPyObject_AsReadBuffer\(", "readBuffer("),
    ("src/Types.cpp", r"(?<=#include <Types\.h>\n)", READ_BUFFER),
)
"""File of the source, what stands there, what must stand there; each from that Python on."""

FLAGS = {"CFLAGS": "-O1 -g0", "CXXFLAGS": "-O1 -g0", "LDFLAGS": "-s"}
"""Half the time of the compiler's defaults, and a wheel of 2 MB rather than 34.

Which of the first two reaches the C++ compiler depends on the age of setuptools.
"""


class CannotInstall(Exception):
    """Why zeroc-ice could not be had, and what to do."""


def main() -> int:
    """Install zeroc-ice; the exit code is 1 if that is impossible."""
    parser = argparse.ArgumentParser(description="Install zeroc-ice for this Python.")
    parser.add_argument(
        "--find-links",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder with wheels, looked at first; may be given several times",
    )
    given = parser.parse_args()
    try:
        say(install(given.find_links))
    except CannotInstall as error:
        say(f"zeroc-ice cannot be installed: {error}")
        return 1
    return 0


def install(folders: Iterable[Path]) -> str:
    """Install zeroc-ice from the first place that has it; says which that was.

    Args:
        folders: Folders with wheels, looked at before all others.

    Raises:
        CannotInstall: no place has it, and it cannot be built.
    """
    if importlib.util.find_spec("Ice") is not None:
        return "zeroc-ice is installed already"
    more = [Path(name) for name in os.environ.get(FOLDERS, "").split(os.pathsep) if name]
    for folder in [*folders, *more, cache()]:
        if install_from(folder):
            return f"zeroc-ice is installed, from {folder}"
    build(cache())
    if not install_from(cache()):
        raise CannotInstall(
            f"the wheel that was built into {cache()} cannot be installed, or not be imported, in "
            f"this Python ({sys.version.split()[0]}); take an older one, such as 3.12"
        )
    return f"zeroc-ice is built and installed; the wheel is kept in {cache()}"


def cache() -> Path:
    """The folder in which built wheels are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "deepscribble" / "wheels"


def install_from(folder: Path) -> bool:
    """Install a wheel that this Python can use from a folder; whether there was one."""
    if not any(folder.glob(f"zeroc_ice-{VERSION}-*.whl")):
        return False
    options = ("--no-index", "--no-deps", "--find-links", str(folder))
    if pip("install", *options, REQUIREMENT).returncode != 0:
        return False
    # A wheel may be for this Python by its name, and import what this Python has no more.
    found = subprocess.run([sys.executable, "-c", "import Ice"], capture_output=True, check=False)
    if found.returncode == 0:
        return True
    pip("uninstall", "--yes", "zeroc-ice")
    return False


def build(folder: Path) -> None:
    """Build the wheel from PyPI's source.

    Args:
        folder: Where to put it.

    Raises:
        CannotInstall: the source cannot be had, is another than expected, or does not compile.
    """
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise CannotInstall(
            "Python's headers are not here; install them (python3-dev or python3-devel), or put "
            f"a wheel of Glencoe Software's ({WHEELS}) into a folder and name it: --find-links"
        )
    say(f"building zeroc-ice {VERSION} from source, once for this Python: 5 to 10 minutes")
    with tempfile.TemporaryDirectory() as scratch:
        source = mend(unpack(download(Path(scratch)), Path(scratch)))
        built = Path(scratch) / "wheel"
        outcome = pip("wheel", "--no-deps", "--wheel-dir", str(built), str(source), **FLAGS)
        if outcome.returncode != 0:
            raise CannotInstall(
                f"it does not compile:\n{tail(outcome)}\n"
                "A C++ compiler is needed (g++, clang++); Glencoe Software has wheels for some "
                f"Pythons and systems ({WHEELS}): put one into a folder, name it: --find-links"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for wheel in built.glob("*.whl"):
            # Into the same folder first: the cache never holds half a wheel.
            partial = folder / f".{wheel.name}.{os.getpid()}"
            partial.write_bytes(wheel.read_bytes())
            partial.replace(folder / wheel.name)


def download(folder: Path) -> Path:
    """Fetch the source; the archive's path.

    Raises:
        CannotInstall: PyPI cannot be reached, or pip is too old.
    """
    options = ("--no-deps", "--no-binary", ":all:", "--dest", str(folder))
    outcome = pip("download", *options, REQUIREMENT)
    archives = list(folder.glob("zeroc*ice-*.tar.gz"))
    if outcome.returncode != 0 or not archives:
        raise CannotInstall(f"its source cannot be fetched from PyPI:\n{tail(outcome)}")
    return archives[0]


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the source; its folder."""
    with tarfile.open(archive) as file:
        file.extractall(folder / "source", filter="data")
    return next((folder / "source").iterdir())


def mend(source: Path) -> Path:
    """Mend what newer Pythons do not compile or import; the same folder.

    Raises:
        CannotInstall: the source is not the one that this was written for.
    """
    for name, pattern, right in MENDS:
        path = source / name
        text, count = re.subn(pattern, right, path.read_text(encoding="utf-8", errors="strict"))
        if count == 0:
            raise CannotInstall(f"{name} of the source has nothing like {pattern!r} to mend")
        path.write_text(text, encoding="utf-8")
    return source


def pip(command: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this Python's pip."""
    return subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", command, *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def tail(outcome: subprocess.CompletedProcess[str]) -> str:
    """The last lines that a command said."""
    return "\n".join((outcome.stdout + outcome.stderr).strip().splitlines()[-15:])


def say(text: str) -> None:
    """Tell the user."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
