"""Puts what ``nox -s bench`` measured into the pages, as substitutions.

For a figure that is called ``copy`` in docs/benchmarks/*.json, a page may say
``|copy-ratio|`` (its first series to the second) and ``|copy-median|`` (its first
series). Each stands for the number, its spread, the machine and the date, for every
machine that there is a file of; where nothing was measured it says so.
"""

import json
import re
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging, rst
from sphinx.util.typing import ExtensionMetadata

NAME = re.compile(r"\|(?P<figure>[a-z0-9-]+)-(?P<kind>ratio|median)\|")
SHOWN = "shown measurements"  # a key of env.metadata[docname]
NOT_MEASURED = "not measured"

logger = logging.getLogger(__name__)

Report = dict[str, Any]  # a file, as benchmarks/frame.py writes it
_reports: WeakKeyDictionary[BuildEnvironment, list[Report]] = WeakKeyDictionary()


def load(app: Sphinx) -> None:
    """Read the files once a build."""
    _reports[app.env] = read(Path(app.srcdir) / "benchmarks")


def read(folder: Path) -> list[Report]:
    """Return the files in *folder*; warn of each that cannot be used."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            place(report)
            for figure in report["figures"]:
                number(figure, "ratio")
                number(figure, "median")
        except (OSError, ValueError, LookupError, TypeError) as error:
            logger.warning(
                "%s says nothing on this site: %r; run nox -s bench again or delete it",
                *(path, error),
                type="measurements",
            )
        else:
            found.append(report)
    return found


def number(figure: Report, kind: str) -> str:
    """Return the ratio or the median of *figure* and its spread; "" if it has none."""
    if kind == "ratio":
        found = next(iter(figure["ratios"].values()), None)
        if found is None:
            return ""
        middle, least, most = (f"{found[k]:.2f}" for k in ("median", "least", "most"))
    else:
        found = next(iter(figure["spread"].values()))
        middle, least, most = (f"{found[k]:,.4g}" for k in ("median", "least", "most"))
        middle += f" {figure['unit']}"
    return f"{middle} ({least} to {most} in {figure['repeats']} repeats"


def place(report: Report) -> str:
    """Return on what and when *report* was taken."""
    machine = report["machine"]
    return (
        f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['kernel']},"
        f" {machine['python']}, {report['date'][:10]}"
    )


def text(reports: list[Report], name: str, kind: str) -> str:
    """Return what *reports* say of the figure *name*, in one line."""
    said = [
        f"{words}; {place(report)})"
        for report in reports
        for figure in report["figures"]
        if figure["name"] == name and (words := number(figure, kind))
    ]
    return "; ".join(said) or NOT_MEASURED


def texts(env: BuildEnvironment, names: set[tuple[str, str]]) -> dict[str, str]:
    """Return the text of each of *names*, pairs of a figure and what is said of it."""
    reports = _reports[env]
    return {f"{name}-{kind}": text(reports, name, kind) for name, kind in names}


def define(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add the definitions that a page needs to its end, as it is read."""
    names = {(match["figure"], match["kind"]) for match in NAME.finditer(source[0])}
    if not names:
        return
    shown = texts(app.env, names)
    app.env.metadata[docname][SHOWN] = shown
    lines = [
        f".. |{name}| replace:: {rst.escape(shown[name])}" for name in sorted(shown)
    ]
    source[0] = "\n".join([source[0], "", *lines, ""])


def outdated(
    _app: Sphinx,
    env: BuildEnvironment,
    _added: set[str],
    _changed: set[str],
    _removed: set[str],
) -> list[str]:
    """Return the pages that show other numbers than there are now."""
    found = []
    for docname, metadata in env.metadata.items():
        shown = metadata.get(SHOWN, {})
        names = {(name.rpartition("-")[0], name.rpartition("-")[2]) for name in shown}
        if shown and shown != texts(env, names):
            found.append(docname)
    return found


def setup(app: Sphinx) -> ExtensionMetadata:
    """Define the substitutions of a page when it is read."""
    app.connect("builder-inited", load)
    app.connect("source-read", define)
    app.connect("env-get-outdated", outdated)
    return {
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
