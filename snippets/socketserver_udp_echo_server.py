"""Echo over UDP through ``socketserver``.

``socketserver`` receives, makes a handler for each datagram and calls its ``handle``;
there is no connection to close. ``UDPServer`` handles one datagram at a time, and
``socketserver.ThreadingUDPServer`` each in a thread of its own, of which there may
be as many as there are datagrams.

Whoever sends may write any source address. So the answer goes to somebody who may
not have asked; here it is never longer than the question. Nothing is encrypted.

Sources: RFC 768, RFC 8085 (section 6), ``man 7 udp``,
https://docs.python.org/3/library/socketserver.html
"""

import argparse
import contextlib
import logging
import signal
import socket
import socketserver
import sys
from typing import Any

log = logging.getLogger(__name__)  # to stderr, and never raises


class EchoHandler(socketserver.BaseRequestHandler):
    """Serve one datagram; ``socketserver`` makes one of these for each."""

    def handle(self) -> None:
        """Print where it came from and send it back there."""
        payload, sock = self.request
        with contextlib.suppress(OSError):  # nobody reads the log any more
            print(self.client_address, flush=True)
        try:
            sock.sendto(payload, self.client_address)
        except OSError as error:  # else socketserver prints a traceback
            log.warning("%s: %s", self.client_address, error.strerror)


class EchoServer(socketserver.UDPServer):
    """A bound socket with room for the longest datagram.

    ``allow_reuse_address`` stays off: no TIME_WAIT delays a restart, and with it on
    a second server could take the port of a running one.
    """

    max_packet_size = 65_535  # bytes; what exceeds the default, 8192, is cut off

    def server_bind(self) -> None:
        """Let replies be as long as what is received, and bind."""
        size = self.max_packet_size  # 9,216 on macOS
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        super().server_bind()


def create_socket(host: str, port: int) -> EchoServer:
    """Return an IPv4 server bound to *host* and *port* (0 picks a free port).

    Raises OSError, for one where the port is in use, and UnicodeError where *host*
    cannot be a host name.
    """
    found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)
    address: Any = found[0][4]  # (host, port); the types allow for IPv6, too
    return EchoServer(address, EchoHandler)


def serve(server: EchoServer) -> None:
    """Handle one datagram after the other, until interrupted."""
    server.serve_forever()


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
        with create_socket(args.host, args.port) as server:
            host, port = server.socket.getsockname()
            print(f"listening on {host}:{port}", flush=True)
            serve(server)
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:
        sys.exit(f"cannot serve, check --host and --port: {error}")


if __name__ == "__main__":
    main()
