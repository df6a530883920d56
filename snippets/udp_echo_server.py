"""Echo over UDP: each datagram goes back to where it came from.

UDP has no connections: one socket serves all clients, one datagram at a time, and a
datagram may be lost, doubled or overtaken on its way. It arrives whole or not at
all, but what a receiver leaves no room for is cut off, and only ``recvmsg`` tells:

>>> with create_socket("127.0.0.1", 0) as sock:
...     for _ in range(2):
...         _ = sock.sendto(b"Hello World", sock.getsockname())
...     sock.recvfrom(5)[0], sock.recvmsg(5)[2] == socket.MSG_TRUNC
(b'Hello', True)

Whoever sends may write any source address. So the answer goes to somebody who may
not have asked; here it is never longer than the question. Nothing is encrypted.

Sources: RFC 768, RFC 8085 (section 6), ``man 7 udp``, ``man 2 recv``
"""

import argparse
import logging
import signal
import socket
import sys

SIZE = 65_535  # bytes: no datagram in an IPv4 packet is longer, so none is cut
log = logging.getLogger(__name__)  # to stderr, and never raises


def create_socket(host: str, port: int) -> socket.socket:
    """Return an IPv4 datagram socket bound to *host* and *port* (0 picks a free port).

    SO_REUSEADDR stays off: no TIME_WAIT delays a restart, and with it on a second
    server could take the port of a running one. Raises OSError, for one where the
    port is in use, and UnicodeError where *host* cannot be a host name.
    """
    found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SIZE)  # 9,216 on macOS
        sock.bind(found[0][4])
    except BaseException:
        sock.close()
        raise
    return sock


def serve(sock: socket.socket) -> None:
    """Send each datagram back to its sender, until interrupted."""
    while True:
        try:
            payload, peer = sock.recvfrom(SIZE)
        except ConnectionError:  # an earlier reply met a closed port: no news for us
            continue
        try:
            sock.sendto(payload, peer)
        except OSError as error:  # firewall, no route, port 0: costs this reply only
            log.warning("%s: %s", peer, error.strerror)


def main() -> None:
    """Read the command line and serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="localhost", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=5566, help="default: %(default)s")
    args = parser.parse_args()
    if not 0 <= args.port <= 65_535:
        parser.error("--port must be between 0 and 65535")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        with create_socket(args.host, args.port) as sock:
            host, port = sock.getsockname()
            print(f"listening on {host}:{port}", flush=True)
            serve(sock)
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:
        sys.exit(f"cannot serve, check --host and --port: {error}")


if __name__ == "__main__":
    main()
