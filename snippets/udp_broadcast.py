"""Send the time to every host of a network, by UDP broadcast (IPv4 only).

A datagram to a network's broadcast address reaches each host that is there and each
socket on it that is bound to the port. Routers do not pass it on. IPv6 has no
broadcast; multicast takes its place.

Who receives it, and whether anybody does, is not told. Each host there has the work
of it, so send seldom.

Sources: RFC 919, RFC 922, ``man 7 ip``, ``man 7 socket`` (SO_BROADCAST)
"""

import argparse
import itertools
import signal
import socket
import sys
import time
from collections.abc import Iterator


def create_socket() -> socket.socket:
    """Return an IPv4 datagram socket that may send to broadcast addresses.

    Without SO_BROADCAST the kernel refuses them, "Permission denied", so that no
    program floods a network by a mistyped address. No privilege is needed.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
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


def timestamp() -> bytes:
    """Return a line of text with the seconds since 1970 began (UTC)."""
    return f"time {time.time():.2f}\n".encode()


def main() -> None:
    """Read the command line and send until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("address", help="broadcast address, as `ip address` shows it")
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
    try:
        socket.inet_pton(socket.AF_INET, args.address)
    except (OSError, UnicodeError):
        parser.error(f"not an IPv4 address: {args.address!r}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        with create_socket() as sock:
            for _ in ticks(args.interval, args.count):
                payload = timestamp()
                sock.sendto(payload, (args.address, args.port))
                print(f"sent {payload!r} to {args.address}:{args.port}", flush=True)
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(f"cannot send, check the address: {error}")


if __name__ == "__main__":
    main()
