"""Echo over TCP to IPv6 and IPv4 clients from one socket, one client at a time.

With IPV6_V6ONLY off, an IPv6 listener takes IPv4 clients as well and shows them as
IPv4-mapped addresses: ``::ffff:127.0.0.1``. Only the wildcard ``::`` takes both
families, and other machines reach it too; so it must be asked for with
``--host ::``. The default ``::1`` is loopback, which IPv4 clients cannot reach.

A client is served until it closes its sending side; a second client waits in the
backlog for its turn. There is no time-out, no limit on the number of bytes and no
encryption.

Sources: ``man 7 ipv6``, RFC 3493 (sections 3.7 and 5.3), RFC 4007 (scopes),
https://docs.python.org/3/library/socket.html#socket.create_server
"""

import argparse
import contextlib
import logging
import signal
import socket
import sys

CHUNK = 65_536  # bytes asked of the kernel at a time
NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV  # as fe80::1%eth0, no names
log = logging.getLogger(__name__)  # to stderr, and never raises


def create_listener(host: str, port: int) -> socket.socket:
    """Return a listener on *host* and *port* (0 picks a free port).

    IPV6_V6ONLY must be off before ``bind``; systems differ in what it is at first,
    so it is set here. ``socket.create_server(address, family=socket.AF_INET6,
    dualstack_ipv6=True)`` does the same in one call. Raises OSError, for one where
    the port is in use, and UnicodeError where *host* cannot be a host name.
    """
    found = socket.getaddrinfo(host, port, socket.AF_INET6, socket.SOCK_STREAM)
    address = found[0][4]
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(socket.SOMAXCONN)
    except BaseException:
        listener.close()
        raise
    return listener


def echo(conn: socket.socket) -> None:
    """Send back what *conn* receives until its peer has sent everything.

    TCP is a stream: one ``recv`` returns any part of what was sent, and only
    ``b""`` says that no more will come. ``sendall`` sends the whole chunk where
    ``send`` may stop halfway. Raises OSError where the connection breaks.
    """
    while chunk := conn.recv(CHUNK):
        conn.sendall(chunk)


def serve(listener: socket.socket) -> None:
    """Print who comes, one client after the other, and echo to each."""
    while True:
        try:
            conn, peer = listener.accept()
        except ConnectionAbortedError:  # it left while it waited (BSD, macOS)
            continue
        with conn:
            with contextlib.suppress(OSError):  # nobody reads the log any more
                print(peer, flush=True)
            try:
                echo(conn)
            except OSError as error:  # this client's trouble, not the next one's
                log.warning("%s: %s", peer, error.strerror)


def main() -> None:
    """Read the command line and serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--host",
        default="::1",
        help="default: %(default)s; :: takes IPv4 too, and clients on other machines",
    )
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
