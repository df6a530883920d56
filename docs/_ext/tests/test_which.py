"""The table of servers says what the results say, and no more."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import which
from contracts import datagram, stream

Report = Callable[..., Path]
Build = Callable[..., str]

PAGE = "Plain\n=====\n\n.. server-table::\n\n   :echo_trial: ``FD_SETSIZE``\n"
SERVES = "500 clients at once get each its own bytes."
IDLE = "It takes no CPU time while nobody is connected or a client is silent."
CHECK = {"kind": "contract", "contract": "stream", "checks": "2"}


@pytest.fixture
def row(project: Path, build: Build) -> Callable[[], str]:
    """Return a function that builds the table and returns its one row."""
    page = project / "docs" / "plain.rst"
    page.write_text(PAGE, encoding="utf-8")

    def read() -> str:
        build("html")
        html = (project / "build" / "html" / "plain.html").read_text(encoding="utf-8")
        table = html.partition("<tbody>")[2].partition("</tbody>")[0]
        cells = re.findall(r"<t[dh].*?>(.*?)</t[dh]>", table, re.DOTALL)
        return " | ".join(re.sub(r"<.*?>", "", cell).strip() for cell in cells)

    return read


def test_all_passed(report: Report, row: Callable[[], str]) -> None:
    """Each promise is that of a check that passed."""
    report("a.xml", {**CHECK, "check": SERVES}, {**CHECK, "check": IDLE})
    expected = "500 tried | everywhere | no | 2 of 2 | no CPU time | FD_SETSIZE"
    assert f"echo_trial | {expected}" == row()


def test_one_failed_and_one_is_lacking(report: Report, row: Callable[[], str]) -> None:
    """A promise that was not kept says so, and so does one that was not tried."""
    report("a.xml", {**CHECK, "check": SERVES, "outcome": "failed"})
    expected = "500 tried: failed | everywhere | no | 0 of 2 | not run | FD_SETSIZE"
    assert f"echo_trial | {expected}" == row()


def test_emulated(report: Report, row: Callable[[], str]) -> None:
    """What was emulated is called so; a part that passed is not called all."""
    report("a.xml", {**CHECK, "check": "A.", "emulated": "by hand"})
    assert "| 1 of 2 (emulated) |" in row()


def test_nothing_was_run(row: Callable[[], str]) -> None:
    """Without results no promise is made."""
    expected = "not run | everywhere | no | not run | not run | FD_SETSIZE"
    assert f"echo_trial | {expected}" == row()


def test_results_of_a_changed_file_do_not_count(
    project: Path, report: Report, row: Callable[[], str]
) -> None:
    """A promise that another version of the file kept is none of this one's."""
    report("a.xml", {**CHECK, "check": SERVES})
    path = project / "snippets" / "echo_trial.py"
    path.write_text('"""Echo, differently."""\n', encoding="utf-8")
    assert "not run | everywhere | no | not run |" in row()


def test_limits_and_servers_agree(project: Path, build: Build) -> None:
    """A server without its limits, and limits of no server, are warnings."""
    page = project / "docs" / "plain.rst"
    page.write_text(PAGE.replace("echo_trial", "eco"), encoding="utf-8")
    printed = build(warnings=2)
    assert "plain.rst:4: WARNING: no limits are told of echo_trial" in printed
    assert "plain.rst:4: WARNING: eco is no server of docs/sections.toml" in printed


@pytest.mark.parametrize("promises", [which.CLIENTS, which.IDLE])
def test_each_promise_is_that_of_a_check(promises: which.Promises) -> None:
    """The sentences that the table looks for are those of the contracts."""
    contracts = (
        stream.SequentialContract,
        stream.CrowdedContract,
        datagram.DatagramContract,
    )
    checks = [
        str(getattr(contract, name).__doc__)
        for contract in contracts
        for name in dir(contract)
        if name.startswith("test")
    ]
    for pattern, _ in promises:
        assert any(map(pattern.match, checks)), pattern.pattern
