"""Echo over TCP through IPv6, one client at a time.

An IPv6 socket address has four parts: host, port, flow label and scope. The scope
is the number of an interface; a link-local address such as ``fe80::1%eth0`` means
nothing without it. An IPv4 client is refused: see
``tcp_echo_server_dual_stack.py``.

A client is served until it closes its sending side; a second client waits in the
backlog for its turn. There is no time-out, no limit on the number of bytes and no
encryption.

Sources: ``man 7 ipv6``, ``man 3 getaddrinfo``, RFC 4007 (scopes), RFC 3986 (why
the host is printed in brackets),
https://docs.python.org/3/library/socket.html#socket-families
"""

import argparse
import logging
import signal
import socket
import sys

CHUNK = 65_536  # bytes asked of the kernel at a time
NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV  # as fe80::1%eth0, no names
log = logging.getLogger(__name__)  # to stderr, and never raises


def create_listener(host: str, port: int) -> socket.socket:
    """Return an IPv6 listener on *host* and *port* (0 picks a free port).

    ``getaddrinfo`` makes the four-tuple; ``bind`` on a (host, port) pair would
    lose the scope. ``create_server`` sets SO_REUSEADDR, and IPV6_V6ONLY too.
    Raises OSError, for one where the port is in use, and UnicodeError where *host*
    cannot be a host name.
    """
    found = socket.getaddrinfo(host, port, socket.AF_INET6, socket.SOCK_STREAM)
    address = found[0][4]
    return socket.create_server(
        address, family=socket.AF_INET6, backlog=socket.SOMAXCONN
    )


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
    parser.add_argument("--host", default="::1", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=5566, help="default: %(default)s")
    args = parser.parse_args()
    if not 0 <= args.port <= 65_535:
        parser.error("--port must be between 0 and 65535")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        with create_listener(args.host, args.port) as listener:
            host, port = socket.getnameinfo(listener.getsockname(), NUMERIC)
            print(f"listening on [{host}]:{port}", flush=True)
            serve(listener)
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:
        sys.exit(f"cannot serve, check --host and --port: {error}")


if __name__ == "__main__":
    main()
