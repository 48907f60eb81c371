"""The client runs where only its few dependencies are installed."""

from __future__ import annotations

import subprocess
import sys


def test_the_client_brings_no_heavy_library() -> None:
    script = (
        "import sys, deepscribble.client;"
        "heavy = {'torch', 'cv2', 'openslide', 'PIL', 'shapely', 'pydantic', 'tifffile',"
        " 'deepscribble.server', 'deepscribble.engine'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
