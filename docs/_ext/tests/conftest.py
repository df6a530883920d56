"""A small project to build, and results for it as pytest would write them."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest

EXTENSIONS = Path(__file__).resolve().parents[1]

CONF = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(EXTENSIONS)!r}, str(Path(__file__).parents[1] / "snippets")]
project = "trial"
extensions = ["sphinx.ext.viewcode", "status", "overview", "reference", "mended",
    "names", "which"]
html_theme = "basic"
nitpicky = True
nitpick_ignore_regex = [("py:obj", r"(os|socket)\\..*")]
"""

SECTIONS = """
[[section]]
title = "Echo & Co"
page = "tcp"
snippet = "echo_trial"
contract = ["stream"]

[[section]]
title = "Shout"
page = "tcp"
platform = "Linux"
snippet = "shout_trial"

[[section]]
title = "Whisper"
page = "udp"
snippet = "whisper_trial"
to_come = true
"""

PAGE = """
TCP
===

.. _echo-co:

Echo and Company
----------------

.. literalinclude:: ../../snippets/echo_trial.py
   :language: python

Shout
-----

.. literalinclude:: ../../snippets/shout_trial.py
   :caption: with a caption
"""

FILES = {
    "docs/conf.py": CONF,
    "docs/sections.toml": SECTIONS,
    "docs/cheatsheet/tcp.rst": PAGE,
    "docs/index.rst": "Trial\n=====\n\n.. at-a-glance::\n\n.. toctree::\n"
    "\n   cheatsheet/tcp\n   reference\n   results\n   plain\n",
    "docs/plain.rst": "Plain\n=====\n",
    "docs/reference.rst": "Reference\n=========\n\n.. snippet-reference::\n",
    "docs/results.rst": "Results\n=======\n\n.. environments::\n\n.. contract-grid::\n",
    "snippets/echo_trial.py": '"""Echo."""\n\n\ndef echo():\n    """Echo it."""\n',
    "snippets/shout_trial.py": '"""Shout."""\n',
}

Report = Callable[..., Path]
Build = Callable[..., str]
Server = subprocess.Popen[str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the root of a project with two snippets, one page and no results."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def report(project: Path) -> Report:
    """Return a function that writes a file of results; each test is a mapping."""

    def write(
        name: str = "a.xml", *tests: dict[str, str], date: str = "2026-11-21"
    ) -> Path:
        folder = project / "build" / "results"
        folder.mkdir(parents=True, exist_ok=True)
        cases = "".join(junit(project, test) for test in tests)
        stamp = f"{date}T00:32:11.844983+00:00"
        path = folder / name
        path.write_text(
            '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">'
            f'<testsuite name="pytest" timestamp="{stamp}">{cases}'
            "</testsuite></testsuites>",
            encoding="utf-8",
        )
        return path

    return write


def junit(project: Path, test: dict[str, str]) -> str:
    """Return *test* as pytest writes it; what it does not say has a default."""
    values = {
        "kind": "case",
        "snippet": "echo_trial",
        "environment": "as below",
        "python": "CPython 3.13.0",
        "kernel": "Linux 6.1",
        "openssl": "OpenSSL 3.0",
        **test,
    }
    name = values.pop("name", "test_it")
    outcome = values.pop("outcome", "passed")
    reason = values.pop("reason", "")
    if "source" not in values:
        path = f"snippets/{values['snippet']}.py"
        content = (project / path).read_bytes()
        values["source"] = f"{path} sha256:{hashlib.sha256(content).hexdigest()[:16]}"
    properties = "".join(
        f"<property name={quoteattr(key)} value={quoteattr(value)} />"
        for key, value in values.items()
        if value
    )
    tag = {"failed": "failure", "skipped": "skipped"}.get(outcome)
    end = f"<{tag} message={quoteattr(reason)}>{escape(reason)}</{tag}>" if tag else ""
    return (
        f'<testcase classname="tests.test_x" name={quoteattr(name)} time="0.1">'
        f"<properties>{properties}</properties>{end}</testcase>"
    )


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Yield the pipes of a process that builds what it is told to."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("build_server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "", "LC_ALL": "C.UTF-8"},
    ) as process:  # which ends when its standard input is closed
        yield process


@pytest.fixture
def build(project: Path, server: Server) -> Build:
    """Return a function that builds the project and returns what Sphinx printed."""

    def run(builder: str = "text", *options: str, warnings: int = 0) -> str:
        assert server.stdin is not None
        assert server.stdout is not None
        arguments = [
            *("-b", builder, *options),
            *("-d", "build/doctrees", "docs", f"build/{builder}"),
        ]
        print(json.dumps([str(project), *arguments]), file=server.stdin, flush=True)
        status = server.stdout.readline().strip()
        stdout = (project / "stdout").read_text(encoding="utf-8")
        stderr = (project / "stderr").read_text(encoding="utf-8")
        assert status in ("0", "2"), stdout + stderr  # 2: it refused what it read
        assert warnings == stderr.count("WARNING:"), stderr
        return stdout + stderr

    return run
