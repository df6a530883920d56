"""Lets several builders share one reading of the pages, as docs/build.py runs them.

One reads, two pages at a time. The others get ready meanwhile, then wait, and look for
nothing that might have changed since.
"""

from collections.abc import Callable
from typing import Any

from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

READERS = 2  # processes: a build writes two formats at a time, too

# What to call at these times; docs/build.py sets them in the process of the builder.
when_read: Callable[[], object] | None = None
before_reading: Callable[[], object] | None = None


def already_read() -> bool:
    """Tell whether another builder has just read the pages for this one."""
    return before_reading is not None


def read_again_where(
    app: Sphinx, is_outdated: Callable[[BuildEnvironment, dict[str, Any]], bool]
) -> None:
    """Let the one that reads read each page again of whose metadata this is true."""

    def outdated(_app: Sphinx, env: BuildEnvironment, *_changes: set[str]) -> list[str]:
        if already_read():
            return []
        return [name for name, data in env.metadata.items() if is_outdated(env, data)]

    app.connect("env-get-outdated", outdated)


def wait(_app: Sphinx, _config: Config) -> None:
    """Wait for the builder that reads, before what it has read is loaded."""
    if before_reading:
        before_reading()


def divide(app: Sphinx, _env: BuildEnvironment, pages: list[str]) -> None:
    """Let several processes read, where there are several pages."""
    if when_read and len(pages) > 1:
        app.parallel = READERS


def unite(app: Sphinx, _env: BuildEnvironment) -> None:
    """Let one process write."""
    if when_read:
        app.parallel = 1


def tell(_app: Sphinx, _builder: Builder) -> None:
    """Tell the others that all that was read is saved."""
    if when_read:
        when_read()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Wait once all is set up; tell before anything is written."""
    app.connect("config-inited", wait, priority=1000)
    app.connect("env-before-read-docs", divide)
    app.connect("env-updated", unite)
    app.connect("write-started", tell, priority=0)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
