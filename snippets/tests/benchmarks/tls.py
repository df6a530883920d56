"""What TLS costs an echo server: for each byte, by two ciphers, and for each client.

``openssl s_client`` is what sends and receives, for Python's ssl cannot choose between
the suites of TLS 1.3 before 3.15. Handshakes are made by Python.
"""

import contextlib
import os
import socket
import ssl
import subprocess
import threading
from functools import partial
from pathlib import Path

from benchmarks._processes import (
    SNIPPETS,
    Server,
    compiled,
    kept_on,
    lacks,
    output,
    placement,
    processors,
    python,
    serving,
    workplace,
)
from benchmarks.frame import DEADLINE, Figure, interleaved

SUITES = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
MIB = 1024 * 1024
RECORD = 8_192  # bytes: what s_client sends at a time, and so the client without TLS
CHUNK = 65_536  # bytes read from the client at a time
TIMEOUT = 30.0  # seconds for any one call of a handshake


def measure(quick: bool) -> list[Figure]:
    """Return MiB, and connections, a second of the server's CPU time."""
    if lacks("tls", "cc:gcc", "openssl:openssl"):
        return []
    size, count, repeats = (1, 3, 2) if quick else (64, 100, 9)  # MiB, clients, rounds
    with workplace() as folder, contextlib.ExitStack() as stack:
        make_certificate(folder)
        load = compiled("stream_load.c", folder)
        tls, tcp = (
            stack.enter_context(
                serving(python(SNIPPETS / f"{name}.py", "--port=0"), folder)
            )
            for name in ("tls_echo_server", "tcp_echo_server")
        )
        source = folder / "source"
        source.write_bytes(bytes(size * MIB))
        runs = {
            f"tls_echo_server.py, {suite}": partial(encrypted, tls, suite, source)
            for suite in SUITES
        }
        runs["tcp_echo_server.py"] = partial(
            plain, load, tcp, "0.05" if quick else "0.3"
        )
        bulk = interleaved(runs, repeats)
        with kept_on(processors()[1]):
            suite, handshakes = handshake_figure(folder, tls, tcp, count, repeats)
    return [
        Figure(
            "tls-bulk",
            "MiB/CPU s",
            bulk,
            note=(
                "TLS 1.3, asked for by openssl s_client; it and the client without TLS"
                f" send {RECORD:,} bytes at a time. {placement()}"
            ).strip(),
        ),
        Figure(
            "tls-handshake",
            "connections/CPU s",
            handshakes,
            note=(
                f"{suite}, a certificate with an ECDSA key (P-256), and each session"
                f" new; nothing is sent. {placement()}"
            ).strip(),
        ),
    ]


def make_certificate(folder: Path) -> None:
    """Make cert.pem and key.pem in *folder*, as the page does, by one command."""
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        " -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
        " -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
        " -addext basicConstraints=critical,CA:FALSE"
        " -addext extendedKeyUsage=serverAuth"
    )
    subprocess.run(
        command.split(), cwd=folder, capture_output=True, check=True, timeout=DEADLINE
    )


def encrypted(server: Server, suite: str, source: Path) -> float:
    """Send *source* and take it back; return the MiB a second of CPU time."""
    command = [
        *("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}"),
        *("-quiet", "-nbio", "-tls1_3", "-ciphersuites", suite),
        *("-verify_return_error", "-CAfile", "cert.pem"),
    ]
    expected = left = source.stat().st_size
    before = server.cpu()
    with source.open("rb") as stdin, kept_on(processors()[1]):
        client = subprocess.Popen(
            command,
            cwd=source.parent,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        alarm = threading.Timer(DEADLINE, client.kill)
        alarm.start()
        with client:
            try:
                assert client.stdout is not None
                while left and (chunk := os.read(client.stdout.fileno(), CHUNK)):
                    left -= len(chunk)
                spent = server.cpu() - before
            finally:
                alarm.cancel()
                client.kill()  # it would wait for more
    if left:
        raise RuntimeError(f"{suite}: {left} of {expected} bytes did not come back")
    return expected / MIB / spent


def plain(load: Path, server: Server, seconds: str) -> float:
    """Return the MiB a second of CPU time of a server without TLS."""
    before = server.cpu()
    echoed, _ = output([load, server.port, str(RECORD), seconds, "stream"]).split()
    return int(echoed) / MIB / (server.cpu() - before)


def handshake_figure(
    folder: Path, tls: Server, tcp: Server, count: int, repeats: int
) -> tuple[str, dict[str, list[float]]]:
    """Return version and suite, and the connections a second of CPU time."""
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    agreed = ""

    def shake_hands(sock: socket.socket) -> None:
        nonlocal agreed
        with context.wrap_socket(sock, server_hostname="localhost") as conn:
            cipher = conn.cipher()
            agreed = f"{conn.version()}, {cipher[0] if cipher else ''}"
            conn.unwrap().close()

    def only_end(sock: socket.socket) -> None:
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)

    def rate(server: Server, whole: bool) -> float:
        before = server.cpu()
        for _ in range(count):
            address = ("127.0.0.1", int(server.port))
            with socket.create_connection(address, TIMEOUT) as sock:
                if whole:
                    shake_hands(sock)
                else:
                    only_end(sock)
        return count / (server.cpu() - before)

    series = interleaved(
        {
            "tls_echo_server.py": lambda: rate(tls, whole=True),
            "tcp_echo_server.py": lambda: rate(tcp, whole=False),
        },
        repeats,
    )
    return agreed, series
