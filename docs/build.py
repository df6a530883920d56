"""Builds the site in all its formats: ``python docs/build.py build/html``.

The site itself comes first, which reads the pages. Once they are read, the EPUB, which
needs no more than that, is written at the same time. Sphinx is loaded once, and the
results of the tests are read once, beside it: each builder runs in a fork of this
process, so that what one registers does not disturb the other. The builder of the EPUB
gets ready while the pages are read.
"""

import argparse
import gc
import os
import shutil
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS / "_ext"))

import results  # noqa: E402  # a part of an extension of the site

STRICT = ("-n", "-W", "--keep-going")
LOADED = (
    "sphinx.cmd.build",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "furo",
)
EPUB = "python-socket-cheat-sheet.epub"


def start(
    builder: str,
    out: Path,
    read: Path,
    options: list[str],
    *,
    before_reading: Callable[[], object] | None = None,
    when_read: Callable[[], object] | None = None,
) -> int:
    """Start *builder* in a fork; return the process's id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        import sphinx.cmd.build

        import turns

        turns.before_reading, turns.when_read = before_reading, when_read
        arguments = [*STRICT, "-b", builder, "-d", str(read), *options]
        status = sphinx.cmd.build.main([*arguments, str(DOCS), str(out)])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def wait(child: int) -> int:
    """Return the exit status of the process *child*, or 1 if a signal ended it."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 1


def build(site: Path, options: list[str]) -> int:
    """Build all formats into *site*; return the worst exit status of the builders.

    What need not be published is kept beside it, for the next build.
    """
    read = site.parent / "doctrees"
    book = site.parent / "epub"
    wait_for, done = os.pipe()  # closed, at the latest by the end of the process
    first = start("html", site, read, options, when_read=partial(os.close, done))
    os.close(done)
    is_read = partial(os.read, wait_for, 1)
    second = start("epub", book, read, [*options, "-q"], before_reading=is_read)
    os.close(wait_for)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the builders say that, and end
    worst = max(wait(first), wait(second))
    if (book / EPUB).exists():
        shutil.copyfile(book / EPUB, site / EPUB)
    return worst


def load() -> None:
    """Load what each builder needs, before any of them is forked."""
    with ProcessPoolExecutor(1, get_context("fork")) as beside:
        found = beside.submit(results.read, ROOT / "build" / "results", ROOT)
        for name in LOADED:
            import_module(name)
        for name in import_module("sphinx.application").builtin_extensions:
            import_module(name)
    results.read = lambda folder, root: found.result()  # noqa: ARG005  # for each builder
    gc.freeze()  # nothing of that is ever garbage,
    gc.set_threshold(100_000, 20, 100)  # and little of what a builder makes


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, help="the folder of the site")
    args, options = parser.parse_known_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends quietly what has not begun
    load()
    sys.exit(build(args.site, options))


if __name__ == "__main__":
    main()
