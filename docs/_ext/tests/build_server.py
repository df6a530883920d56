"""Builds one site after another, each in a fork of this one process.

To load Sphinx takes longer than to build a site of five pages. A fork has what is
loaded already, and what a build registers and imports ends with its fork.

It reads lines of JSON, ``[folder, argument, ...]``, builds in that folder, leaves what
Sphinx printed there in ``stdout`` and ``stderr``, and answers with the exit status.
"""

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

import sphinx.cmd.build
from sphinx.application import builtin_extensions

DEADLINE = 30  # seconds for a build
EXTENSIONS = Path(__file__).resolve().parents[1]
LOADED = (  # besides what Sphinx always loads
    *("sphinx.ext.autodoc", "sphinx.ext.viewcode", "furo"),
    *("mended", "overview", "reference", "status", "names", "which"),
    *("consoles", "sphinx.builders.html", "sphinx.builders.text"),
)


def build(folder: Path, arguments: list[str]) -> int:
    """Run Sphinx in *folder*; return its exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        signal.alarm(DEADLINE)  # which ends the fork
        os.chdir(folder)
        for name, number in {"stdout": 1, "stderr": 2}.items():
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(name, flags, 0o644), number)
        status = sphinx.cmd.build.main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def main() -> None:
    """Load what builds need, then build until there is no more to read."""
    sys.path.insert(0, str(EXTENSIONS))
    for name in (*builtin_extensions, *LOADED):
        import_module(name)
    for line in sys.stdin:
        folder, *arguments = json.loads(line)
        print(build(Path(folder), arguments), flush=True)


if __name__ == "__main__":
    main()
