"""What the broken datagram servers do right."""

import argparse
import contextlib
import signal
import socket
import sys
from collections.abc import Callable

SIZE = 65_535  # bytes: the longest datagram
Address = tuple[str, int]


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket as the snippets make it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def read_address() -> Address:
    """Return host and port from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=5566)
    args = parser.parse_args()
    if not 0 <= args.port <= 65_535:
        parser.error("--port must be between 0 and 65535")
    return args.host, args.port


def announce(sock: socket.socket) -> None:
    """Print where *sock* is bound."""
    host, port = sock.getsockname()
    print(f"listening on {host}:{port}", flush=True)


def reply(sock: socket.socket, payload: bytes, peer: Address) -> None:
    """Send *payload* to *peer*, if that is possible."""
    with contextlib.suppress(OSError):
        sock.sendto(payload, peer)


def serve(sock: socket.socket) -> None:
    """Echo, without a fault."""
    while True:
        reply(sock, *sock.recvfrom(SIZE))


def main(
    serve: Callable[[socket.socket], None] = serve,
    create_socket: Callable[[str, int], socket.socket] = bind,
) -> None:
    """Let *serve* work until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sock = create_socket(*read_address())
    except OSError as error:
        sys.exit(f"cannot bind: {error}")
    with contextlib.suppress(KeyboardInterrupt), sock:
        announce(sock)
        serve(sock)
