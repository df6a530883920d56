"""In CI, a test that is skipped has failed (a pytest plugin).

At home a missing program may skip a test, and says how to get it. In CI nothing may
be missing, or a skip would hide what was not run. What a system cannot have is no
skip: tests marked ``linux`` are left out elsewhere, and the site shows them for Linux.

Nor may one test change the signals of the next.
"""

import os
import signal
import sys
from collections.abc import Generator, Iterator

import pytest

Report = pytest.TestReport | pytest.CollectReport


@pytest.fixture(autouse=True)
def same_signals() -> Iterator[None]:
    """Put back what a snippet's ``main()`` sets: its SIGPIPE would end the tests."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def refuse(report: Report) -> None:
    """Make a failure of a skip where the environment variable CI is set."""
    if os.environ.get("CI") and report.skipped:
        longrepr = report.longrepr
        reason = longrepr[2] if isinstance(longrepr, tuple) else longrepr
        report.outcome = "failed"
        report.longrepr = (
            f"skipped, which counts as a failure where CI is set: {reason}"
        )


@pytest.hookimpl(wrapper=True)
def refuse_skips() -> Generator[None, Report, Report]:
    """Look at each report."""
    report = yield
    refuse(report)
    return report


# of each phase of a test, and of each file and folder collected
pytest_runtest_makereport = pytest_make_collect_report = refuse_skips


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what only Linux has where this is not Linux."""
    if sys.platform == "linux":
        return
    foreign = [item for item in items if item.get_closest_marker("linux")]
    config.hook.pytest_deselected(items=foreign)
    items[:] = [item for item in items if item not in foreign]
