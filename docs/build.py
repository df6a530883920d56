"""Builds the site in all its formats: ``python docs/build.py build/html``.

The site itself comes first, which reads the pages. Once they are read, the EPUB, which
needs no more than that, is written at the same time. Sphinx is loaded once, and the
results of the tests are read once, beside it: each builder runs in a fork of this
process, so that what one registers does not disturb the other. The builder of the EPUB
gets ready while the pages are read.

A build that follows one that failed, or that was ended, reads all pages again: so it
finds what that one found, and takes nothing half-written for done.
"""

import argparse
import contextlib
import fcntl
import gc
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import TextIO

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
ENVIRONMENT = "environment.pickle"  # where Sphinx keeps what it has read


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
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def wait(child: int) -> int:
    """Return the exit status of the process *child*, or 1 if a signal ended it."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 1


def tell(done: int) -> None:
    """Tell through *done* that the pages are read."""
    os.write(done, b".")
    os.close(done)


def until_read(wait_for: int) -> None:
    """Wait until *wait_for* tells that the pages are read; end if they never are."""
    if not os.read(wait_for, 1):
        os._exit(0)  # the one that failed says why, and its status counts


def build(site: Path, read: Path, options: list[str]) -> int:
    """Build all formats into *site*; return the worst exit status of the builders.

    What need not be published is kept beside it, for the next build, and what was read
    of the pages in the folder *read*.
    """
    book = site.parent / "epub"
    wait_for, done = os.pipe()
    first = start("html", site, read, options, when_read=partial(tell, done))
    os.close(done)
    ready = partial(until_read, wait_for)
    second = start("epub", book, read, [*options, "-q"], before_reading=ready)
    os.close(wait_for)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the builders say that, and end
    signal.signal(signal.SIGTERM, lambda *_: end(first, second))
    worst = max(wait(first), wait(second))
    if worst == 0:
        shutil.copyfile(book / EPUB, site / EPUB)
    return worst


def end(*children: int) -> None:
    """End the processes *children*, as this one is asked to end."""
    for child in children:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.kill(child, signal.SIGTERM)


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


def begin(site: Path, read: Path) -> TextIO:
    """Return a file that is there until a build has ended well, locked meanwhile.

    Exits with one line where there can be no build.
    """
    try:
        read.mkdir(parents=True, exist_ok=True)
        again = (read / "unfinished").exists()
        mark = (read / "unfinished").open("a", encoding="utf-8")
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if again:
            (read / ENVIRONMENT).unlink(missing_ok=True)
    except BlockingIOError:
        sys.exit(f"another build writes {site}: wait until it has ended")
    except OSError as error:
        sys.exit(f"cannot build: {error}")
    return mark


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        epilog="What else there is on the command line goes to sphinx-build.",
    )
    parser.add_argument("site", type=Path, help="the folder of the site")
    args, options = parser.parse_known_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends quietly what has not begun
    read = args.site.parent / "doctrees"
    with begin(args.site, read) as mark:
        load()
        worst = build(args.site, read, options)
        if worst == 0:
            Path(mark.name).unlink()
    sys.exit(worst)


if __name__ == "__main__":
    main()
