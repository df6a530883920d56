"""Each check of the datagram contract notices the fault that it is there for."""

from pathlib import Path

import pytest

from contracts import datagram
from support import server

SHORT = 1.0  # seconds of patience with a fault that shows when it is over
ENOUGH = 5.0  # the same with any other fault, and with none
GOOD = "udp_echo_server"
TESTS = Path(__file__).parents[1]
BROKEN = TESTS / "contracts/broken/datagram"
LINUX_ONLY = {
    "dies_on_port_unreachable",
    "dies_on_failed_reply",
    "spins_on_error_queue",
}
SHOW_IN_THE_END = {
    "busy_loop",
    "dies_on_failed_reply",
    "dies_on_port_unreachable",
    "ignores_empty",
    "ignores_signals",
    "keeps_descriptor",
    "mixes_up_clients",
    "refuses_long",
    "short_buffer",
    "spins_on_error_queue",
}
# What the server does wrong, the check, and what that says.
FAULTS = [
    ("short_buffer", "echo", "1,024 of 1,472 bytes came back"),
    ("refuses_long", "echo", "nothing came for 1 s after 1,472 bytes"),
    ("ignores_empty", "echo", "nothing came for 1 s after 0 bytes"),
    ("joins_datagrams", "boundaries", "7,216 of 1 bytes came back, wrong from byte 1"),
    ("short_buffer", "truncation", "1,024 of 1,025 bytes .* nothing on stderr says so"),
    (
        "mixes_up_clients",
        "many_clients",
        "wrong from byte|nothing came",
    ),
    ("dies_on_port_unreachable", "port_unreachable", "has ended|exit status 1"),
    ("dies_on_failed_reply", "reply_that_cannot_be_sent", "a later client: no answer"),
    ("busy_loop", "idle", "not idle"),
    ("spins_on_error_queue", "idle_after_clients_left", "not idle"),
    ("keeps_payloads", "descriptors", "MiB more memory"),
    ("keeps_descriptor", "descriptors", r"\d+ descriptors are open"),
    ("ignores_signals", "ctrl_c", "still runs 1 s after SIGINT"),
    ("ignores_signals", "sigterm", "still runs 1 s after SIGTERM"),
    ("raw_signals", "ctrl_c", r'"Traceback \(most" on stderr'),
    ("raw_signals", "sigterm", "exit status -15 instead of 0"),
    ("leaves_a_child", "restart", "did not print .* in use"),
    ("shares_port", "address_in_use", "it still runs after 3 s"),
    ("vague_error", "address_in_use", "not one line that says .* in use"),
    ("unchecked_start", "address_in_use", r'"Traceback \(most"'),
    ("vague_error", "unusable_address", "not one line that says '--host'"),
    ("unchecked_host", "unusable_address", r'"Traceback \(most"'),
    ("unchecked_start", "wrong_usage", r'"Traceback \(most"'),
]
CHECKS = sorted({check for _, check, _ in FAULTS})
PARAMETERS = [
    pytest.param(
        *fault,
        id=f"{fault[0]}-{fault[1]}",
        marks=[pytest.mark.linux] if fault[0] in LINUX_ONLY else [],
    )
    for fault in FAULTS
]


def claim(
    snippet: str, patience: float, monkeypatch: pytest.MonkeyPatch
) -> datagram.DatagramContract:
    """Return the checks for *snippet*, less patient than usual."""
    claimed = datagram.contract(snippet)
    monkeypatch.setattr(claimed, "patience", patience)
    monkeypatch.setattr(claimed, "ends_within", patience)
    return claimed()


@pytest.mark.slow  # it tests the tests: once in CI is enough
@pytest.mark.parametrize(("fault", "check", "message"), PARAMETERS)
def test_fault_is_noticed(
    fault: str, check: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server with this fault fails this check, and the message says why."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    if fault == "shares_port":  # the second one is not to be waited for that long
        monkeypatch.setattr(server, "ENDS_WITHIN", 3.0)
    patience = SHORT if fault in SHOW_IN_THE_END else ENOUGH
    checks = claim(f"tests/contracts/broken/datagram/{fault}", patience, monkeypatch)
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        getattr(checks, f"test_{check}")()


@pytest.mark.slow  # it tests the tests: once in CI is enough
@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, marks=[pytest.mark.linux] if "cannot" in check else [])
        for check in CHECKS
    ],
)
def test_good_server_passes(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without a fault passes the same check, hardly more patient."""
    checks = claim(GOOD, ENOUGH, monkeypatch)
    getattr(checks, f"test_{check}")()


def test_a_cut_that_is_told_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with a short buffer may refuse longer datagrams if it says so."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    snippet = "tests/contracts/broken/datagram/refuses_long"
    claim(snippet, ENOUGH, monkeypatch).test_truncation()


def test_each_check_has_a_fault() -> None:
    """Each check of the contract is listed here, with a server that fails it."""
    contract = datagram.DatagramContract
    names = {name for name in dir(contract) if name.startswith("test_")}
    collected = {name for name in names if callable(getattr(contract, name))}
    assert {f"test_{check}" for check in CHECKS} == collected


def test_each_broken_server_is_used() -> None:
    """Each server in the folder is there for a check."""
    files = {path.stem for path in BROKEN.glob("*.py")}
    assert files - {"__init__", "base"} == {fault for fault, *_ in FAULTS}


def test_claim_is_marked() -> None:
    """A claim says which contract and which snippet it is about."""
    claimed = datagram.contract("some_server", "--host", "127.0.0.2")
    assert ("datagram", "some_server") == (claimed.contract, claimed.snippet)
    assert ("--host", "127.0.0.2") == tuple(claimed.arguments)


def test_labels_are_short_and_unique() -> None:
    """Each check has one label of at most 80 characters, and no two have the same."""
    docs = [
        str(getattr(datagram.DatagramContract, f"test_{check}").__doc__)
        for check in CHECKS
    ]
    labels = [doc.partition("\n")[0] for doc in docs]
    assert len(labels) == len(set(labels))
    assert max(map(len, labels)) <= 80
