"""Puts what ``nox -s bench`` measured into the pages, as substitutions.

For a figure that is called ``copy`` in docs/benchmarks/*.json, a page may say

- ``|copy-ratio|``: its first series to the second;
- ``|copy-to-cp-reflink-never|``: its first series to the one with the label
  ``cp --reflink=never``;
- ``|copy-median|``: its first series;
- ``|copy-median-of-shutil-copyfile|``: the series with the label ``shutil.copyfile``.

Each stands for the number, its spread, the machine and the date, for every machine
that there is a file of; where nothing was measured it says so.
"""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging, rst
from sphinx.util.typing import ExtensionMetadata

import turns

NAME = re.compile(
    r"\|(?P<figure>[a-z0-9-]+?)"
    r"-(?P<kind>ratio|median|to-[a-z0-9-]+|median-of-[a-z0-9-]+)\|"
)
SHOWN = "shown measurements"  # keys of env.metadata[docname]
FIGURES = "figures drawn or concluded from"
FINGERPRINT = "fingerprint of the figures"
NOT_MEASURED = "not measured"
DIGITS = 3  # the fourth differs from run to run

logger = logging.getLogger(__name__)

Report = dict[str, Any]  # a file, as benchmarks/frame.py writes it
_reports: WeakKeyDictionary[BuildEnvironment, list[Report]] = WeakKeyDictionary()


def load(app: Sphinx) -> None:
    """Read the files once a build."""
    _reports[app.env] = read(Path(app.srcdir) / "benchmarks")


def reports(env: BuildEnvironment) -> list[Report]:
    """Return what was read: a report for each machine."""
    return _reports[env]


def read(folder: Path) -> list[Report]:
    """Return the files in *folder*; warn of each that cannot be used."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            check(report)
        except (OSError, ValueError, LookupError, TypeError) as error:
            logger.warning(
                "%s says nothing on this site: %r; run nox -s bench again or delete it",
                *(path, error),
                type="measurements",
            )
        else:
            found.append(report)
    return found


def check(report: Report) -> None:
    """Raise an error where a page could not show *report*, or should not."""
    if report["quick"]:
        raise ValueError("a quick run shows that it runs, and measures nothing")
    place(report)
    noise(report)
    for key in ("commit", "uncommitted_changes"):
        report[key]
    for figure in report["figures"]:
        for key in ("name", "plot", "x", "note"):
            figure[key]
        for label in figure["series"]:
            number(figure, "median-of-" + slug(label))
        for label in figure["ratios"]:
            number(figure, "to-" + slug(label))


def figures(report: Report, name: str) -> list[Report]:
    """Return the points of the plot *name* by x, or else the one figure *name*."""
    points = [each for each in report["figures"] if name == each["plot"]]
    named = [each for each in report["figures"] if name == each["name"]]
    return sorted(points, key=lambda each: float(each["x"])) or named


def slug(label: str) -> str:
    """Return *label* as a substitution names it.

    >>> slug("cp --reflink=never")
    'cp-reflink-never'
    """
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def significant(value: float) -> str:
    """Return *value* with as many digits as a measurement deserves.

    >>> [significant(value) for value in (123456.7, 1234.5, 12.345, 2.0, 0.01234)]
    ['123,000', '1,230', '12.3', '2.00', '0.0123']
    """
    if value == 0:
        return "0"
    places = DIGITS - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):,.{max(places, 0)}f}"


def ratio_text(value: float) -> str:
    """Return a ratio as it is shown.

    >>> [ratio_text(value) for value in (11.151, 1.0, 0.0712)]
    ['11.15', '1.00', '0.071']
    """
    places = 2 if value <= 0 else max(2, 1 - math.floor(math.log10(value)))
    return f"{value:.{places}f}"


def line(text: str, *classes: str) -> nodes.paragraph:
    """Return a paragraph of *text* as it is: a label may have two hyphens."""
    found = nodes.paragraph("", text, classes=list(classes))
    found["support_smartquotes"] = False
    return found


def number(figure: Report, kind: str) -> str:
    """Return the ratio or the median of *figure* and its spread; "" if it has none."""
    is_median = kind.startswith("median")
    label = re.sub("^(ratio|to-|median-of-|median)", "", kind)
    of = figure["spread" if is_median else "ratios"]
    found = next((of[key] for key in of if label in ("", slug(key))), None)
    if found is None:
        return ""
    values = [found[key] for key in ("median", "least", "most")]
    if is_median:
        middle, least, most = map(significant, values)
        middle += f" {figure['unit']}"
    else:
        middle, least, most = map(ratio_text, values)
    return f"{middle} ({least} to {most} in {figure['repeats']} repeats"


def place(report: Report) -> str:
    """Return on what and when *report* was taken."""
    machine = report["machine"]
    return (
        f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['kernel']},"
        f" {machine['python']}, {report['date'][:10]}"
    )


def noise(report: Report) -> list[str]:
    """Return what else the machine did meanwhile, if it was too much."""
    return [str(line) for line in report["noise"]["says"]]


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
    return {f"{name}-{kind}": text(reports(env), name, kind) for name, kind in names}


def note(env: BuildEnvironment, *names: str) -> None:
    """Note that the page being read depends on the figures or plots *names*."""
    metadata = env.metadata[env.docname]
    metadata[FIGURES] = sorted({*metadata.get(FIGURES, ()), *names})


def read_again(env: BuildEnvironment) -> None:
    """Let the page being read be read in the next build, too, and warn again."""
    env.metadata[env.docname][FINGERPRINT] = ""


def add_fingerprint(app: Sphinx, _doctree: nodes.document) -> None:
    """Note how the figures are that the page which was read depends on."""
    metadata = app.env.metadata[app.env.docname]
    if FIGURES in metadata:
        metadata.setdefault(FINGERPRINT, fingerprint(app.env, metadata[FIGURES]))


def fingerprint(env: BuildEnvironment, names: list[str]) -> str:
    """Return a text that changes with what there is to show of *names*."""
    found = [
        {**report, "figures": [figures(report, name) for name in names]}
        for report in reports(env)
    ]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


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


def shows_others(env: BuildEnvironment, metadata: dict[str, Any]) -> bool:
    """Tell whether a page shows other numbers than there are now."""
    shown = metadata.get(SHOWN, {})
    names = {
        (match["figure"], match["kind"])
        for match in (NAME.fullmatch(f"|{name}|") for name in shown)
        if match
    }
    drawn = metadata.get(FIGURES, [])
    return bool(
        (shown and shown != texts(env, names))
        or (drawn and metadata[FINGERPRINT] != fingerprint(env, drawn))
    )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Define the substitutions of a page when it is read."""
    app.connect("builder-inited", load)
    app.connect("source-read", define)
    app.connect("doctree-read", add_fingerprint)
    turns.read_again_where(app, shows_others)
    return {
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
