"""Send "Hello" over UDP, again and again.

UDP tells a sender nothing about what arrives. At most an ICMP message comes back, for
one "port unreachable" where nobody is bound to the port, and the kernel hands it only
to a *connected* socket: as an error of a later call, which then sends nothing.

A datagram that is lost is not sent again, and no answer is read.

Sources: RFC 768, RFC 1122 (section 4.1.3.3), ``man 7 udp``, ``man 2 connect``
"""

import argparse
import itertools
import signal
import socket
import sys
import time
from collections.abc import Iterator

PAYLOAD = b"Hello\n"


def create_socket(host: str, port: int) -> socket.socket:
    """Return an IPv4 datagram socket that sends to *host* and *port*.

    ``connect`` sends nothing: it sets where to send and from whom to receive, errors
    included. Raises OSError, for one where there is no route to *host*, and
    UnicodeError where *host* cannot be a host name.
    """
    found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.connect(found[0][4])
    except BaseException:
        sock.close()
        raise
    return sock


def ticks(interval: float, count: int | None) -> Iterator[None]:
    """Yield *count* times (None: for ever), *interval* seconds apart.

    The pauses are measured from one planned time to the next, so what happens between
    them delays nothing. After a longer delay nothing is made up for in a burst.
    """
    planned = time.monotonic()
    for _ in itertools.repeat(None) if count is None else range(count):
        time.sleep(max(0.0, planned - time.monotonic()))
        yield
        planned = max(planned + interval, time.monotonic())


def send(sock: socket.socket) -> bool:
    """Send one datagram and return whether it was sent; say on stderr what came up."""
    for _ in range(2):  # the first error may be about an earlier datagram
        try:
            sock.send(PAYLOAD)
        except OSError as error:
            print(f"{sock.getpeername()}: {error.strerror}", file=sys.stderr)
        else:
            return True
    return False


def main() -> None:
    """Read the command line and send until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="localhost", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=5566, help="default: %(default)s")
    parser.add_argument(
        "--interval", type=float, default=5.0, help="seconds, default: %(default)s"
    )
    parser.add_argument("--count", type=int, help="default: until Ctrl-C")
    args = parser.parse_args()
    if not 1 <= args.port <= 65_535:
        parser.error("--port must be between 1 and 65535")
    if not 0 < args.interval <= 86_400:
        parser.error("--interval must be more than 0 and at most 86400")
    if args.count is not None and args.count < 1:
        parser.error("--count must be at least 1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        with create_socket(args.host, args.port) as sock:
            host, port = sock.getpeername()
            for _ in ticks(args.interval, args.count):
                if send(sock):
                    print(f"sent {PAYLOAD!r} to {host}:{port}", flush=True)
    except KeyboardInterrupt:
        pass
    except (OSError, UnicodeError) as error:
        sys.exit(f"cannot send, check --host and --port: {error}")


if __name__ == "__main__":
    main()
