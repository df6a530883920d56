"""Each check of the TLS contract notices the fault that it is there for.

And the client's side of TLS, by which the tests connect, is itself tested here.
"""

import select
import socket
import ssl
import threading
from pathlib import Path

import pytest

from contracts import stream, tls
from support.server import Server
from support.tls import RECORD, TLS, Connection, client_context, folder_of, options

SHORT = 0.5  # seconds of patience, so that a fault is found out soon
DEADLINE = 10.0  # seconds for any one call
TESTS = Path(__file__).parents[1]
FOLDER = "tests/contracts/broken/tls"
# What the server does wrong, what it is claimed to be, the check, and what that says.
FAULTS = [
    ("dies_on_http", "sequential", "no_tls", "SSLError: .SSL: HTTP_REQUEST"),
    ("dies_in_handshake", "sequential", "interrupted_handshake", "(?i)Error: .*EOF"),
    ("no_minimum_version", "sequential", "old_versions", "TLS 1.1 is not refused: 16"),
    ("no_tls_1_3", "sequential", "versions", "'TLSv1.2', None. instead of TLSv1.3"),
    ("default_suites", "sequential", "weak_suites", "AES128-SHA256 is not refused"),
    ("no_forward_secrecy", "sequential", "weak_suites", "AES128-GCM-SHA256 is not"),
    ("renegotiates", "sequential", "renegotiation", "the client could renegotiate"),
    ("ignores_pending", "concurrent", "record", "1,024 of 16,384 bytes came back"),
    ("no_close_notify", "sequential", "close_notify", "(?i)EOF.* 0 of 0 bytes"),
    ("dies_when_cut_short", "sequential", "cut_short", "(?i)Error: .*EOF"),
    ("other_certificate", "sequential", "verified", "localhost is not verified"),
    ("dies_on_http", "sequential", "not_verified", "SSLError: .SSL: .*UNKNOWN_CA"),
    ("ignores_ctrl_c", "sequential", "ctrl_c_in_handshake", "still runs 0.5 s"),
    ("vague_certificate_error", "sequential", "unusable_certificate", "not one line"),
    ("handshake_in_accept", "sequential", "stalled_handshake", "is not dropped"),
    ("blocks", "concurrent", "stalled_handshakes", "bytes came back"),
    ("keeps_stalled", "concurrent", "stalled_handshakes", "descriptors are open"),
]
IDS = [f"{fault}-{check}" for fault, _, check, _ in FAULTS]


@pytest.mark.slow  # it tests the tests: once in CI is enough
@pytest.mark.parametrize(("fault", "kind", "check", "message"), FAULTS, ids=IDS)
def test_fault_is_noticed(
    fault: str, kind: str, check: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server with this fault fails this check, and the message says why."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    claimed = getattr(tls, kind)(f"{FOLDER}/{fault}")
    assert issubclass(claimed, tls.TlsContract)
    monkeypatch.setattr(claimed, "patience", SHORT)
    monkeypatch.setattr(claimed, "drops_within", SHORT)
    monkeypatch.setattr(claimed.means, "patience", SHORT, raising=False)
    monkeypatch.setattr(claimed.means, "ends_within", SHORT, raising=False)
    with pytest.raises(AssertionError, match=message):
        getattr(claimed(), f"test_{check}")()


def test_each_check_has_a_fault() -> None:
    """Each check of the contract is listed here, with a server that fails it."""
    for kind in ("sequential", "concurrent"):
        contract = getattr(tls, kind)("any")
        checks = {name for name in dir(contract) if name.startswith("test_")}
        assert set() == checks - {f"test_{check}" for _, _, check, _ in FAULTS}


def test_each_broken_server_is_used() -> None:
    """Each server in the folder is there for a check."""
    files = {path.stem for path in (TESTS.parent / FOLDER).glob("*.py")}
    assert files - {"__init__", "base"} == {fault for fault, *_ in FAULTS}


def test_claim_is_marked() -> None:
    """A claim says which contract and which snippet it is about."""
    for kind in (tls.sequential, tls.concurrent):
        claimed = kind("some_server", "--host", "::")
        assert ("tls", "some_server") == (claimed.contract, claimed.snippet)
        assert ("--host", "::") == claimed.arguments


def test_labels_are_short_and_unique() -> None:
    """Each check has one label of at most 80 characters, and no two have the same."""
    for kind in (tls.sequential, tls.concurrent):
        contract = kind("any")
        checks = [name for name in dir(contract) if name.startswith("test_")]
        labels = [getattr(contract, c).__doc__.partition("\n")[0] for c in checks]
        assert len(labels) == len(set(labels))
        assert max(map(len, labels)) <= 80


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_close_notify_comes_before_what_is_still_to_be_received(version: str) -> None:
    """The test's client says close_notify at once, and goes on receiving."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    page = folder_of("page")
    server.load_cert_chain(page / "cert.pem", page / "key.pem")
    server.maximum_version = ssl.TLSVersion[version]
    ours, theirs = socket.socketpair()
    theirs.settimeout(DEADLINE)
    heard: list[bytes] = []

    def serve() -> None:
        with server.wrap_socket(theirs, server_side=True) as conn:
            conn.sendall(b"before")
            while chunk := conn.recv(RECORD):
                heard.append(chunk)
            conn.sendall(bytes(100_000))  # after the client's close_notify
            conn.unwrap()

    thread = threading.Thread(target=serve)
    thread.start()
    with Connection(ours, client_context(), "localhost", DEADLINE) as conn:
        assert 5 == conn.send(b"Hello")
        conn.end_sending()
        received = bytearray()
        while len(received) < 100_006:
            try:
                received += conn.recv(RECORD)
            except ssl.SSLWantReadError:
                assert conn.wait(select.POLLIN, DEADLINE)
        while True:
            try:
                assert b"" == conn.recv(RECORD)
                break
            except ssl.SSLWantReadError:
                assert conn.wait(select.POLLIN, DEADLINE)
    thread.join(DEADLINE)
    assert b"before" + bytes(100_000) == bytes(received)
    assert b"Hello" == b"".join(heard)


def test_what_is_sent_to_a_busy_server_arrives_later() -> None:
    """A client whose handshake is not answered yet can send, and is served later."""
    arguments = options(folder_of("page"))
    with Server("tls_echo_server", "--port", "0", *arguments, place=()) as server:
        server.transport = TLS
        with (
            stream.Client(server, DEADLINE) as first,
            stream.Client(server, DEADLINE) as second,
        ):
            first.echo(b"x")
            assert 3 == second.push(b"abc")
            second.end_sending()
            first.finish()
            second.finish(b"abc", already_sent=3)


def test_an_end_without_close_notify_is_no_end() -> None:
    """The test's client takes a connection that merely ends for an error."""
    ours, theirs = socket.socketpair()
    with Connection(ours, client_context(), "localhost", DEADLINE) as conn:
        theirs.close()
        with pytest.raises(OSError, match=r"EOF|pipe|reset"):
            conn.recv(1)
