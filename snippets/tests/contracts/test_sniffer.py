"""Each check of the sniffer contract notices the fault that it is there for."""

from pathlib import Path

import pytest

from contracts import sniffer

pytestmark = pytest.mark.linux

SHORT = 1.0  # seconds of patience with a fault that shows when it is over
ENOUGH = 10.0  # the same with any other fault, and with none
TESTS = Path(__file__).parents[1]
BROKEN = TESTS / "contracts/broken/sniffer"
SHOW_IN_THE_END = {
    "busy_loop",
    "ignores_count",
    "ignores_signals",
    "parses_frames",
    "unchecked_count",
}
# What the sniffer does wrong, the check, and what that says.
FAULTS = [
    ("crashes_on_short", "any_bytes", "IndexError|struct.error"),
    ("accepts_cut", "cut_short", "of 29 bytes gave"),
    ("vague_about_lengths", "cut_short", "no length is told: bad packet"),
    ("ignores_options", "lengths", "'options': b''.* instead of"),
    ("shows_padding", "lengths", "instead of"),
    ("counts_twice", "real_traffic", "8 lines, not 4"),
    ("parses_frames", "tagged", "not shown"),
    ("ignores_count", "count", "it still runs after"),
    ("counts_one_more", "count", "3 packets instead of 2"),
    ("ignores_interface", "interface", "of another interface: lo"),
    ("dies_on_malformed", "odd_frames", "has ended"),
    ("raw_payload", "printable", "not printable"),
    ("busy_loop", "idle", "not idle"),
    ("vague_about_capability", "no_capability", "CAP_NET_RAW is not in"),
    ("unchecked_start", "no_capability", "not one line"),
    ("unchecked_start", "no_such_interface", "not one line"),
    ("unchecked_count", "wrong_usage", "--count"),
    ("unchecked_start", "ctrl_c", "exit status|Traceback"),
    ("ignores_signals", "ctrl_c", "still runs .* after SIGINT"),
    ("unchecked_start", "sigterm", "exit status"),
    ("ignores_signals", "sigterm", "still runs .* after SIGTERM"),
]
CHECKS = sorted({check for _, check, _ in FAULTS})


def claim(
    snippet: str, patience: float, monkeypatch: pytest.MonkeyPatch
) -> sniffer.SnifferContract:
    """Return the checks for *snippet*, less patient than usual."""
    claimed = sniffer.contract(snippet, sniffer.PING)
    monkeypatch.setattr(claimed, "patience", patience)
    return claimed()


@pytest.mark.slow  # it tests the tests: once in CI is enough
@pytest.mark.parametrize(
    ("fault", "check", "message"), FAULTS, ids=[f"{f}-{c}" for f, c, _ in FAULTS]
)
def test_fault_is_noticed(
    fault: str, check: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sniffer with this fault fails this check, and the message says why."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    patience = SHORT if fault in SHOW_IN_THE_END else ENOUGH
    checks = claim(f"tests/contracts/broken/sniffer/{fault}", patience, monkeypatch)
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        getattr(checks, f"test_{check}")()


@pytest.mark.slow  # it tests the tests: once in CI is enough
@pytest.mark.parametrize("check", CHECKS)
def test_good_sniffer_passes(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the broken ones have in common is no fault."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    snippet = "tests/contracts/broken/sniffer/good"
    getattr(claim(snippet, ENOUGH, monkeypatch), f"test_{check}")()


def test_each_check_has_a_fault() -> None:
    """Each check of the contract is listed here, with a sniffer that fails it."""
    names = {n for n in dir(sniffer.SnifferContract) if n.startswith("test_")}
    assert {f"test_{check}" for check in CHECKS} == names


def test_each_broken_sniffer_is_used() -> None:
    """Each sniffer in the folder is there for a check."""
    files = {path.stem for path in BROKEN.glob("*.py")}
    assert files - {"__init__", "base", "good"} == {fault for fault, *_ in FAULTS}


def test_claim_is_marked() -> None:
    """A claim says which contract and which snippet it is about."""
    claimed = sniffer.contract("some_sniffer", sniffer.PING)
    assert ("sniffer", "some_sniffer") == (claimed.contract, claimed.snippet)


def test_labels_are_short_and_unique() -> None:
    """Each check has one label of at most 80 characters, and no two have the same."""
    checks = [getattr(sniffer.SnifferContract, f"test_{check}") for check in CHECKS]
    labels = [str(check.__doc__).partition("\n")[0] for check in checks]
    assert len(labels) == len(set(labels))
    assert max(map(len, labels)) <= 80
