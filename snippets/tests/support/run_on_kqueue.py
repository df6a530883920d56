"""Run a program on the emulation of kqueue, as if Linux had it.

``python run_on_kqueue.py snippets/kqueue_server.py --port 0`` runs a file,
``python run_on_kqueue.py -m unittest test.test_kqueue`` a module.
"""

import importlib
import runpy
import select
import selectors
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Put the names into ``select`` and run what the command line says."""
    if hasattr(select, "kqueue"):
        sys.exit("this system has kqueue: run the program without an emulation")
    sys.path[0] = str(HERE.parent)
    from support import kqueue

    for name, value in kqueue.names().items():
        setattr(select, name, value)
    importlib.reload(selectors)  # it looks for kqueue when it is imported
    if sys.argv[1] == "-m":
        sys.argv[:3] = sys.argv[2:3]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        del sys.argv[0]
        sys.path[0] = str(Path(sys.argv[0]).parent)
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
