"""`python -m omero_standin --folder … --ssl-port … --tcp-port … --control-port …`

It begins when the administrator's password comes on the standard input, one line, and is ready when
it says "ready".
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from omero_standin.control import listen
from omero_standin.server import Server, Settings


def main() -> None:
    """Run a stand-in until it is killed."""
    parser = argparse.ArgumentParser(prog="omero_standin", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--ssl-port", type=int, required=True)
    parser.add_argument("--tcp-port", type=int, required=True)
    parser.add_argument("--control-port", type=int, required=True)
    parser.add_argument("--idle", type=float, default=600.0)
    given = parser.parse_args()
    password = sys.stdin.readline().rstrip("\n")
    if not password:
        # Whoever wanted a server is gone.
        return
    settings = Settings(given.folder, given.ssl_port, given.tcp_port, password, given.idle)
    orders = listen(Server(settings), given.control_port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    orders.serve_forever()


main()
