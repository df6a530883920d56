"""Echo over TCP through ``socketserver``, one client at a time.

``socketserver`` accepts, makes a handler for each client and closes the connection
when its ``handle`` returns. ``TCPServer`` serves one client at a time: a second
client waits in the backlog for its turn. ``socketserver.ThreadingTCPServer`` serves
each in a thread of its own.

There is no time-out, no limit on the number of bytes and no encryption.

Sources: ``man 7 tcp``, https://docs.python.org/3/library/socketserver.html
"""

import argparse
import contextlib
import logging
import signal
import socket
import socketserver
import sys
from typing import Any

CHUNK = 65_536  # bytes asked of the kernel at a time
log = logging.getLogger(__name__)  # to stderr, and never raises


class EchoHandler(socketserver.BaseRequestHandler):
    """Serve one client; ``socketserver`` makes one of these for each."""

    def handle(self) -> None:
        """Print who came, and echo; ``socketserver`` closes the connection."""
        with contextlib.suppress(OSError):  # nobody reads the log any more
            print(self.client_address, flush=True)
        try:
            echo(self.request)
        except OSError as error:  # else socketserver prints a traceback
            log.warning("%s: %s", self.client_address, error.strerror)


class EchoServer(socketserver.TCPServer):
    """A listener with the settings that ``socketserver`` leaves off by default."""

    allow_reuse_address = True  # restart without waiting for TIME_WAIT to end
    request_queue_size = socket.SOMAXCONN  # the backlog; 5 by default


def create_listener(host: str, port: int) -> EchoServer:
    """Return a server that listens on *host* and *port* (0 picks a free port).

    Raises OSError, for one where the port is in use, and UnicodeError where *host*
    cannot be a host name.
    """
    found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
    address: Any = found[0][4]  # (host, port); the types allow for IPv6, too
    return EchoServer(address, EchoHandler)


def echo(conn: socket.socket) -> None:
    """Send back what *conn* receives until its peer has sent everything.

    TCP is a stream: one ``recv`` returns any part of what was sent, and only
    ``b""`` says that no more will come. ``sendall`` sends the whole chunk where
    ``send`` may stop halfway. Raises OSError where the connection breaks.
    """
    while chunk := conn.recv(CHUNK):
        conn.sendall(chunk)


def serve(listener: EchoServer) -> None:
    """Accept one client after the other and handle each, until interrupted."""
    listener.serve_forever()


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
        with create_listener(args.host, args.port) as listener:
            host, port = listener.socket.getsockname()
            print(f"listening on {host}:{port}", flush=True)
            serve(listener)
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:
        sys.exit(f"cannot serve, check --host and --port: {error}")


if __name__ == "__main__":
    main()
