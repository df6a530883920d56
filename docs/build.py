"""Builds the site in all its formats: ``python docs/build.py build/html``.

The site itself comes first, which reads the pages. Once they are read, the single page
(``single/``) and the EPUB, which need no more than that, are written at the same time.
Sphinx is loaded once, and the results of the tests are read once: each builder runs in
a fork of this process, so that what one registers does not disturb the next.
"""

import argparse
import functools
import gc
import os
import shutil
import sys
from importlib import import_module
from pathlib import Path

import sphinx.cmd.build
from sphinx.application import builtin_extensions

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "_ext"))

import formats  # noqa: E402  # an extension of the site, as results is a part of one
import results  # noqa: E402

STRICT = ("-n", "-W", "--keep-going")
LOADED = ("furo", "sphinx.ext.autodoc", "sphinx.ext.intersphinx", "sphinx.ext.viewcode")
EPUB = "python-socket-cheat-sheet.epub"


def start(
    builder: str, out: Path, read: Path, options: list[str], tell: int | None = None
) -> int:
    """Start *builder* in a fork; return the process's id.

    It writes to the descriptor *tell* once it has read the pages, if there was any to
    read.
    """
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        if tell is not None:
            formats.when_read.append(lambda: os.write(tell, b"."))
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
    told, tell = os.pipe()
    first = start("html", site, read, options, tell)
    os.close(tell)
    os.read(told, 1)  # or nothing, once it has ended
    os.close(told)
    quiet = [*options, "-q"]
    others = [
        start("singlehtml", site / "single", read, quiet),
        start("epub", book, read, quiet),
    ]
    worst = max(map(wait, [first, *others]))
    if (book / EPUB).exists():
        shutil.copyfile(book / EPUB, site / EPUB)
    return worst


def load() -> None:
    """Load what each builder needs, before any of them is forked."""
    for name in (*builtin_extensions, *LOADED):
        import_module(name)
    results.read = functools.cache(results.read)  # they do not change while we build
    results.read(DOCS.parent / "build" / "results", DOCS.parent)
    gc.freeze()  # nothing of that is ever garbage,
    gc.set_threshold(100_000, 20, 100)  # and little of what a builder makes


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, help="the folder of the site")
    args, options = parser.parse_known_args()
    load()
    sys.exit(build(args.site, options))


if __name__ == "__main__":
    main()
