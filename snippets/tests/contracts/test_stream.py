"""Each check of the stream contract notices the fault that it is there for."""

from pathlib import Path

import pytest

from contracts import stream
from support import server

SHORT = 0.5  # seconds of patience, so that a fault is found out soon
ENOUGH = 3.0  # the same for a server without a fault; and a pause of accept takes 1 s
TESTS = Path(__file__).parents[1]
GOOD = {
    "sequential": "tcp_echo_server",
    "concurrent": "selectors_server",
    "crowded": "selectors_server",
}
# What the server does wrong, what it is claimed to be, the check, and what that says.
FAULTS = [
    ("one_recv", "sequential", "echo", r"of [\d,]+ bytes came back"),
    ("text_only", "sequential", "echo", "128 of 256 bytes came back"),
    ("waits_for_line", "sequential", "one_byte_at_a_time", "0 of 1 bytes came back"),
    ("resets_at_end", "sequential", "half_close", "reset by peer"),
    ("dies_on_reset", "sequential", "reset", "ended with exit status 1"),
    ("leaves_on_reset", "sequential", "reset", "ended with exit status 0"),
    ("prints_traceback", "sequential", "reset", r'"Traceback \(most" on stderr'),
    ("dies_without_log", "sequential", "unwritable_log", "server (has )?ended"),
    ("must_log_faults", "concurrent", "unwritable_log", "server (has )?ended"),
    ("busy_loop", "sequential", "idle", r"not idle: .* and \d wake-ups"),
    ("busy_poll", "sequential", "idle", r"not idle: .* \d\d+ wake-ups"),
    ("busy_poll_thread", "sequential", "idle", r"not idle: .* \d\d+ wake-ups"),
    ("no_eof_check", "sequential", "idle_after_clients_left", "not idle"),
    ("keeps_descriptor", "sequential", "descriptors", r"\d+ descriptors are open"),
    ("keeps_thread", "concurrent", "descriptors", r"\d+ threads run instead of 2"),
    ("keeps_memory", "sequential", "descriptors", "MiB more memory after 1,000"),
    ("unbounded_buffer", "sequential", "never_reads", "MiB more memory"),
    ("spins_while_unread", "sequential", "never_reads", "not idle"),
    ("drops_slow_reader", "sequential", "never_reads", "reset by peer|bytes came back"),
    ("unchecked_send", "concurrent", "never_reads", r"of [\d,]+ bytes came back"),
    ("ignores_signals", "sequential", "ctrl_c", "still runs 0.5 s after SIGINT"),
    ("ignores_signals", "sequential", "sigterm", "still runs 0.5 s after SIGTERM"),
    ("pays_at_signal", "sequential", "ctrl_c", "still runs .* after SIGINT"),
    ("pays_at_signal", "sequential", "sigterm", "still runs .* after SIGTERM"),
    ("raw_signals", "sequential", "ctrl_c", r'"Traceback \(most" on stderr'),
    ("raw_signals", "sequential", "sigterm", "exit status -15 instead of 0"),
    ("no_reuseaddr", "sequential", "restart", "did not print .* in use"),
    ("unchecked_start", "sequential", "address_in_use", r'"Traceback \(most"'),
    ("vague_error", "sequential", "address_in_use", "not one line .* in use"),
    ("vague_error", "sequential", "unusable_address", "not one line .* '--host'"),
    ("unchecked_host", "sequential", "unusable_address", r'"Traceback \(most"'),
    ("unchecked_start", "sequential", "wrong_usage", r'"Traceback \(most"'),
    ("mixes_up_clients", "concurrent", "many_clients", "wrong from byte"),
    ("blocking_send", "concurrent", "slow_clients", "0 of 1,000 bytes came back"),
    ("blocking_readline", "concurrent", "slow_clients", "0 of 1,000 bytes came back"),
    ("one_buffer_for_all", "concurrent", "stalled_clients", "wrong from byte"),
    ("reset_drops_buffers", "concurrent", "stalled_clients", "wrong from byte"),
    ("dies_out_of_descriptors", "concurrent", "out_of_descriptors", "server has ended"),
    ("spins_out_of_descriptors", "concurrent", "out_of_descriptors", "not idle"),
    ("stops_out_of_descriptors", "concurrent", "out_of_descriptors", "nothing came"),
]
# The same for servers that have no fault, only the wrong claim.
FALSE_CLAIMS = [
    (GOOD["sequential"], "concurrent", "many_clients", "0 of [0-9,]+ bytes came back"),
    (GOOD["sequential"], "concurrent", "slow_clients", "0 of [0-9,]+ bytes came back"),
    (GOOD["concurrent"], "sequential", "second_client_waits", "did not have to wait"),
    (GOOD["concurrent"], "sequential", "docstring", 'no "one client at a time"'),
    ("select_server", "crowded", "idle_clients", "0 of 1 bytes came back"),
]
FAULT_IDS = [f"{fault}-{check}" for fault, _, check, _ in FAULTS]
CLAIM_IDS = [f"{snippet}-{check}" for snippet, _, check, _ in FALSE_CLAIMS]
CHECKS = sorted(
    {(kind, check) for _, kind, check, _ in FAULTS}
    | {(kind, check) for _, kind, check, _ in FALSE_CLAIMS}
)


def claim(
    kind: str, snippet: str, patience: float, monkeypatch: pytest.MonkeyPatch
) -> stream.StreamContract:
    """Return the checks of *kind* for *snippet*, less patient than usual."""
    claimed = getattr(stream, kind)(snippet)
    monkeypatch.setattr(claimed, "patience", patience)
    ends_within = patience if "ignores_signals" in snippet else ENOUGH
    monkeypatch.setattr(claimed, "ends_within", ends_within)
    monkeypatch.setattr(claimed, "idle_clients", 1_100, raising=False)  # FD_SETSIZE
    checks = claimed()
    assert isinstance(checks, stream.StreamContract)
    return checks


@pytest.mark.slow  # it tests the tests: once in CI is enough
@pytest.mark.parametrize(("fault", "kind", "check", "message"), FAULTS, ids=FAULT_IDS)
def test_fault_is_noticed(
    fault: str, kind: str, check: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server with this fault fails this check, and the message says why."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setattr(stream, "STALLED", SHORT)  # also where the server is starved
    if fault == "pays_at_signal":  # for nothing, unless it owes as much as it can
        monkeypatch.setattr(stream, "STALLED", ENOUGH)
    patience = SHORT
    if check == "descriptors" or "MiB" in message:  # many chances to starve
        patience = ENOUGH
    if "ended" in message:  # to die takes its time on a busy machine
        patience = ENOUGH
        monkeypatch.setattr(server, "LAST_WORDS", ENOUGH)
    checks = claim(kind, f"tests/contracts/broken/{fault}", patience, monkeypatch)
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        getattr(checks, f"test_{check}")()


@pytest.mark.parametrize(
    ("snippet", "kind", "check", "message"), FALSE_CLAIMS, ids=CLAIM_IDS
)
def test_false_claim_is_noticed(
    snippet: str, kind: str, check: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of the other kind fails this check, and the message says why."""
    checks = claim(kind, snippet, SHORT, monkeypatch)
    with pytest.raises(AssertionError, match=message):
        getattr(checks, f"test_{check}")()


@pytest.mark.slow  # it tests the tests: once in CI is enough
@pytest.mark.parametrize(("kind", "check"), CHECKS)
def test_good_server_passes(
    kind: str, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server without a fault passes the same check, hardly more patient."""
    checks = claim(kind, GOOD[kind], ENOUGH, monkeypatch)
    getattr(checks, f"test_{check}")()


def test_each_check_has_a_fault() -> None:
    """Each check of the contract is listed here, with a server that fails it."""
    for kind in GOOD:
        contract = getattr(stream, kind)("any")
        listed = {f"test_{check}" for _, check in CHECKS}
        assert set() == {name for name in dir(contract) if name[:5] == "test_"} - listed


def test_each_broken_server_is_used() -> None:
    """Each server in the folder is there for a check."""
    files = {path.stem for path in (TESTS / "contracts/broken").glob("*.py")}
    assert files - {"__init__", "base"} == {fault for fault, *_ in FAULTS}


def test_claim_is_marked() -> None:
    """A claim says which contract and which snippet it is about."""
    claimed = stream.concurrent("some_server", "--host", "::")
    assert claimed.contract == "stream (concurrent)"
    assert claimed.snippet == "some_server"
    assert claimed.arguments == ("--host", "::")
    assert stream.sequential("any").contract == "stream (sequential)"


def test_labels_are_short_and_unique() -> None:
    """Each check has one label of at most 80 characters, and no two have the same."""
    for kind in GOOD:
        contract = getattr(stream, kind)("any")
        labels = [
            getattr(contract, name).__doc__.partition("\n")[0]
            for name in dir(contract)
            if name.startswith("test_")
        ]
        assert len(labels) == len(set(labels))
        assert max(map(len, labels)) <= 80
