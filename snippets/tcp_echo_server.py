"""Echo over TCP, one client at a time.

A client is served until it closes its sending side; a second client waits in the
backlog for its turn. A silent client therefore keeps everybody else waiting:
``thread_server.py`` and ``epoll_server.py`` serve many at once. There is no
time-out, no limit on the number of bytes and no encryption.

Sources: ``man 7 tcp``, ``man 2 accept``,
https://docs.python.org/3/library/socket.html
"""

import argparse
import logging
import signal
import socket
import sys

CHUNK = 65_536  # bytes asked of the kernel at a time
log = logging.getLogger(__name__)  # to stderr, and never raises


def create_listener(host: str, port: int) -> socket.socket:
    """Return an IPv4 listener on *host* and *port* (0 picks a free port).

    ``create_server`` sets SO_REUSEADDR, so that a restart need not wait for the
    old connections to leave TIME_WAIT. Raises OSError, for one where the port is
    in use, and UnicodeError where *host* cannot be a host name.
    """
    address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
    return socket.create_server(address, backlog=socket.SOMAXCONN)


def echo(conn: socket.socket) -> None:
    """Send back what *conn* receives until its peer has sent everything.

    TCP is a stream: one ``recv`` returns any part of what was sent, and only
    ``b""`` says that no more will come. ``sendall`` sends the whole chunk where
    ``send`` may stop halfway. Raises OSError where the connection breaks.
    """
    while chunk := conn.recv(CHUNK):
        conn.sendall(chunk)


def serve(listener: socket.socket) -> None:
    """Accept one client after the other and echo to each, until interrupted."""
    while True:
        try:
            conn, peer = listener.accept()
        except ConnectionAbortedError:  # it left while it waited (BSD, macOS)
            continue
        with conn:
            try:
                echo(conn)
            except OSError as error:  # this client's trouble, not the next one's
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
        with create_listener(args.host, args.port) as listener:
            print("listening on {}:{}".format(*listener.getsockname()), flush=True)
            serve(listener)
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:
        sys.exit(f"cannot serve, check --host and --port: {error}")


if __name__ == "__main__":
    main()
