"""How long the site takes to build, in all its formats, and how that grows.

It is built from a copy of this project, and from one with ten times as many sections:
each chapter, its files and its results ten times under other names.

    python snippets/tests/benchmarks/programs/site.py --quick
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.frame import Figure

ROOT = Path(__file__).resolve().parents[4]
NEEDED = ("docs", "snippets", "pyproject.toml", "LICENSE")
TIMES = 10
RESULTS = 60  # of each snippet: about as many as its tests give
PYTHONS = ("CPython 3.13.0", "CPython 3.11.2")
DEADLINE = 600  # seconds for a build
CASE = (
    '<testcase classname="tests.test_x" name="test_{number}" time="0.1"><properties>'
    '<property name="kind" value="case"/><property name="snippet" value="{snippet}"/>'
    '<property name="environment" value="as below"/>'
    '<property name="python" value="{python}"/>'
    '<property name="kernel" value="Linux 6.1"/>'
    '<property name="openssl" value="OpenSSL 3.0"/>'
    '<property name="source" value="snippets/{snippet}.py sha256:{digest}"/>'
    "</properties></testcase>"
)

Row = dict[str, object]


def make(root: Path, times: int) -> None:
    """Copy the project to *root*, with *times* as many sections as it has."""
    leave_out = shutil.ignore_patterns("__pycache__", "contracts", "test_*", ".*")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=leave_out)
        else:
            shutil.copyfile(ROOT / name, root / name)
    # The table of servers wants a line typed for each, which copies have not.
    (root / "docs" / "which.rst").write_text("Which\n=====\n", encoding="utf-8")
    listed = root / "docs" / "sections.toml"
    rows: list[Row] = tomllib.loads(listed.read_text(encoding="utf-8"))["section"]
    written = [row for row in rows if not row.get("to_come")]
    more: list[Row] = []
    for number in range(2, times + 1):
        more += copies(root, written, number)
    with listed.open("a", encoding="utf-8") as file:
        for row in more:
            values = "".join(f"{key} = {json.dumps(row[key])}\n" for key in row)
            file.write(f"\n[[section]]\n{values}")
    pages = dict.fromkeys(f"   cheatsheet/{row['page']}\n" for row in more)
    if pages:
        with (root / "docs" / "index.rst").open("a", encoding="utf-8") as file:
            file.write(f"\n.. toctree::\n   :hidden:\n\n{''.join(pages)}")
            file.writelines(page.replace("cheatsheet", "reference") for page in pages)
    write_results(root, [str(row["snippet"]) for row in [*written, *more]])


def copies(root: Path, rows: list[Row], number: int) -> Iterator[Row]:
    """Copy the chapters and files of *rows* under other names; yield their rows."""
    for row in rows:
        path = root / "snippets" / f"{row['snippet']}.py"
        shutil.copyfile(path, path.with_stem(f"{path.stem}_{number}"))
        names = {key: f"{row[key]}_{number}" for key in ("page", "snippet")}
        yield {**row, **names, "title": f"{row['title']} {number}"}
    for page in {str(row["page"]) for row in rows}:
        path = root / "docs" / "cheatsheet" / f"{page}.rst"
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"(?m)^\.\. _([\w-]+):$", rf".. _\1-{number}:", text)
        text = re.sub(
            r"(literalinclude:: \S+/snippets/\w+)\.py", rf"\1_{number}.py", text
        )
        path.with_stem(f"{page}_{number}").write_text(text, encoding="utf-8")
        path = root / "docs" / "reference" / f"{page}.rst"
        text = path.read_text(encoding="utf-8")
        text = text.replace(f":: {page}", f":: {page}_{number}")
        path.with_stem(f"{page}_{number}").write_text(text, encoding="utf-8")


def write_results(root: Path, snippets: list[str]) -> None:
    """Write results of all *snippets* as pytest would."""
    folder = root / "build" / "results"
    folder.mkdir(parents=True)
    for python in PYTHONS:
        cases = []
        for snippet in snippets:
            content = (root / "snippets" / f"{snippet}.py").read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:16]
            cases += [
                CASE.format(number=n, snippet=snippet, python=python, digest=digest)
                for n in range(RESULTS)
            ]
        (folder / f"{python.replace(' ', '-')}.xml").write_text(
            '<testsuites><testsuite name="pytest" timestamp="2026-01-01T00:00:00">'
            f"{''.join(cases)}</testsuite></testsuites>",
            encoding="utf-8",
        )


@dataclass(frozen=True)
class Cost:
    """What a build takes: seconds of time, and of the processors."""

    time: float
    cpu: float


def build(root: Path) -> Cost:
    """Build all formats of the project at *root*; return what it took.

    Raises subprocess.CalledProcessError where the build fails or warns.
    """
    start, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, root / "docs" / "build.py", root / "build" / "html", "-q"],
        timeout=DEADLINE,
        check=True,
    )
    after = os.times()
    user = after.children_user - before.children_user
    system = after.children_system - before.children_system
    return Cost(time.perf_counter() - start, user + system)


def cold(root: Path) -> Cost:
    """Return the cost of a build that finds nothing built before."""
    for name in ("html", "epub", "doctrees"):
        shutil.rmtree(root / "build" / name, ignore_errors=True)
    return build(root)


def changed(root: Path, number: int) -> Cost:
    """Return the cost of a build after a change to the first section of a page."""
    page = root / "docs" / "cheatsheet" / "tcp.rst"
    text = page.read_text(encoding="utf-8")
    page.write_text(f"{text}\nChange {number}.\n", encoding="utf-8")
    snippet = root / "snippets" / "tcp_echo_server.py"
    with snippet.open("a", encoding="utf-8") as file:
        file.write(f"# change {number}\n")
    return build(root)


def measure(quick: bool) -> list[Figure]:
    """Return what a build takes: of all, of one section, of ten times as many."""
    one: list[Cost] = []
    many: list[Cost] = []
    one_section: list[Cost] = []
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small"), Path(folder, "large")
        make(small, 1)
        make(large, 2 if quick else TIMES)  # quick only sees whether it works
        for number in range(1 if quick else 3):
            one.append(cold(small))
            one_section.append(changed(small, number))
            many.append(cold(large))
    figures = []
    for unit, name in (("s", "time"), ("CPU s", "cpu")):

        def values(costs: list[Cost], name: str = name) -> list[float]:
            return [getattr(cost, name) for cost in costs]

        small_one = {"this sheet": values(one)}
        growth = {"ten times as many sections": values(many), **small_one}
        figures += [
            Figure(f"site-cold-{name}", unit, small_one),
            Figure(
                f"site-one-section-{name}", unit, {"this sheet": values(one_section)}
            ),
            Figure(f"site-growth-{name}", unit, growth),
        ]
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="once, not three times")
    for figure in measure(parser.parse_args().quick):
        for label, values in figure.series.items():
            shown = " ".join(f"{value:.2f}" for value in values)
            print(f"{figure.name}, {label}: {shown} {figure.unit}")


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
