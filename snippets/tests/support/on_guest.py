"""Runs the tests of AF_ALG in a guest where this kernel has none (a pytest plugin).

Tests marked ``af_alg``, and the doctests and transcripts of the snippets that are
called ``af_alg_*``, need the kernel's crypto API. Where it is there, they run like
all others. Elsewhere a second pytest runs them in a guest (guest.py), and what it
reports is reported here, test by test. The guest is booted once, in the background,
so its tests come last here.

With pytest-xdist the first worker starts the guest, and all of them wait for the one
file that it leaves.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from support import guest
from support.strict import refuse

DEADLINE = 150.0  # seconds for the guest, from boot to power-off
ANSWER = "CHEATSHEET_GUEST_ANSWER"  # the file that all workers wait for
REPORTS = "CHEATSHEET_GUEST_REPORTS"  # in the guest: the file to write reports to
COMMAND = (sys.executable, __file__)
NEEDED = (("hash", "sha256"), ("skcipher", "cbc(aes)"), ("aead", "gcm(aes)"))

Reports = dict[str, list[dict[str, Any]]]


@cache
def has_af_alg() -> bool:
    """Tell whether this kernel has all that the snippets need.

    Only ``bind`` tells: the constants are there where a kernel leaves an algorithm
    out, or has it blocked.
    """
    try:
        for kind, name in NEEDED:
            with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as sock:
                sock.bind((kind, name))
    except (AttributeError, OSError):
        return False
    return True


def needs_af_alg(item: pytest.Item) -> bool:
    """Tell whether *item* is marked, or a doctest or transcript of such a snippet."""
    about = {str(name): str(value) for name, value in item.user_properties}
    is_shown = about.get("kind") in ("doctest", "transcript")
    by_name = is_shown and about.get("snippet", "").startswith("af_alg_")
    return by_name or item.get_closest_marker("af_alg") is not None


class Elsewhere:
    """The plugin where this kernel has no AF_ALG."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        worker = getattr(config, "workerinput", {"workerid": "gw0"})
        self.is_first = worker["workerid"] == "gw0"
        self.process: subprocess.Popen[bytes] | None = None
        self.found: Reports | None = None
        self.trouble = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the guest's tests last; a first one may wait for the guest's end."""
        theirs = [item for item in items if needs_af_alg(item)]
        for item in theirs:
            item.add_marker(pytest.mark.timeout(DEADLINE + 30))
        items[:] = [item for item in items if item not in set(theirs)] + theirs

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Start the guest, without waiting for it."""
        names = [item.nodeid for item in session.items if needs_af_alg(item)]
        if not names or not self.is_first or self.config.option.collectonly:
            return
        options = []
        if self.config.getoption("--rewrite-transcripts", default=False):
            options = ["--rewrite-transcripts"]
        self.process = subprocess.Popen(
            [*COMMAND, *options, *names],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            cwd=self.config.rootpath,
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Report what the guest reports, in place of running *item*."""
        if not needs_af_alg(item):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self.reports(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def reports(self, item: pytest.Item) -> Iterator[pytest.TestReport]:
        """Yield what the guest reports of *item*; wait until it is there."""
        if self.found is None:
            self.found, self.trouble = self.answer()
        for data in self.found.get(item.nodeid, []):
            report = self.config.hook.pytest_report_from_serializable(
                config=self.config, data=dict(data)
            )
            if isinstance(report.longrepr, list):  # JSON has no tuples
                report.longrepr = tuple(report.longrepr)
            yield report
        if item.nodeid not in self.found:
            outcome = "skipped" if guest.missing() else "failed"
            report = unable(item, outcome, self.trouble or "the guest ran no such test")
            refuse(report)
            yield report

    def answer(self) -> tuple[Reports, str]:
        """Return the guest's reports by test, and what is wrong if there are none."""
        path, deadline = Path(os.environ[ANSWER]), time.monotonic() + DEADLINE + 10
        while not path.exists():
            if self.process is not None and self.process.poll():
                return {}, f"on_guest.py ended with exit status {self.process.poll()}"
            if time.monotonic() > deadline:
                return {}, f"no answer from the guest within {DEADLINE + 10:g} s"
            time.sleep(0.05)
        reports, trouble = json.loads(path.read_text(encoding="utf-8"))
        return reports, trouble

    def pytest_unconfigure(self) -> None:
        """Wait for the guest, for which other workers may still wait."""
        if self.process is None:
            return
        try:
            self.process.wait(DEADLINE + 10)
        finally:
            self.process.terminate()  # and with it the guest
            self.process.wait()


def unable(item: pytest.Item, outcome: Any, why: str) -> pytest.TestReport:
    """Return a report that *item* could not be run, and why."""
    path, line, _ = item.location
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome=outcome,
        longrepr=why if outcome == "failed" else (path, (line or 0) + 1, why),
        when="call",
        user_properties=item.user_properties,
    )


class Nowhere:
    """The plugin where there is neither AF_ALG nor a guest: on another system."""

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave the tests out, as those of what only Linux has."""
        foreign = [item for item in items if needs_af_alg(item)]
        config.hook.pytest_deselected(items=foreign)
        items[:] = [item for item in items if item not in set(foreign)]


class Inside:
    """The plugin in the guest: writes down each report."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self.config = config
        self.path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add *report* to the file, a line each."""
        data = self.config.hook.pytest_report_to_serializable(
            config=self.config, report=report
        )
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(data) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the part to play."""
    config.addinivalue_line(
        "markers",
        "af_alg: needs the kernel's crypto API; runs in a guest where there is none",
    )
    if REPORTS in os.environ:
        config.pluginmanager.register(Inside(config, Path(os.environ[REPORTS])))
    elif sys.platform != "linux":
        config.pluginmanager.register(Nowhere())
    elif not has_af_alg():
        if not hasattr(config, "workerinput"):  # workers inherit the environment
            agree_on_answer(config)
        config.pluginmanager.register(Elsewhere(config))


def agree_on_answer(config: pytest.Config) -> None:
    """Name the file of the answer in the environment, for as long as pytest runs."""
    folder = tempfile.TemporaryDirectory(prefix="guest-answer-")
    config.add_cleanup(folder.cleanup)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setenv(ANSWER, str(Path(folder.name) / "answer.json"))


def main() -> None:
    """Run the tests that the command line names in a guest; write the answer."""
    answer = Path(os.environ[ANSWER])
    reports: Reports = {}
    trouble = ""
    with tempfile.TemporaryDirectory(prefix="guest-reports-") as folder:
        path = Path(folder) / "reports"
        inside = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        inside[REPORTS] = str(path)
        options = ("-p", "no:cacheprovider", "-p", "no:randomly", "-m", "")
        try:
            ended = guest.run(
                [sys.executable, "-m", "pytest", *options, *sys.argv[1:]],
                cwd=Path.cwd(),
                environment=inside,
                deadline=DEADLINE,
            )
            if ended.status not in (0, 1):  # 1: a test has failed, as its report says
                trouble = f"pytest in the guest, status {ended.status}:\n{ended.output}"
        except guest.GuestError as error:
            trouble = str(error)
        with contextlib.suppress(FileNotFoundError):
            for line in path.read_text(encoding="utf-8").splitlines():
                data = json.loads(line)
                reports.setdefault(data["nodeid"], []).append(data)
    unfinished = answer.with_suffix(".part")
    unfinished.write_text(json.dumps([reports, trouble]), encoding="utf-8")
    unfinished.replace(answer)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
