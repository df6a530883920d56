"""From a string to what ``socket``, ``bind`` and ``connect`` want to be given.

>>> for host in ("192.0.2.244", "2001:db8:f00d::1:d", "0xc000027b"):
...     for family, sockaddr in resolve(host):
...         print(family.name, sockaddr)
AF_INET ('192.0.2.244', 0)
AF_INET6 ('2001:db8:f00d::1:d', 0, 0, 0)
AF_INET ('192.0.2.123', 0)

A name may have several addresses: try one after the other, as
``socket.create_connection`` does. There is no time-out: a lookup takes as long as
the resolver's own (``man 5 resolv.conf``) lets it.

Sources: ``man 3 getaddrinfo``, ``man 7 ipv6``, RFC 6724 (the order of the results),
https://docs.python.org/3/library/socket.html#socket.getaddrinfo
"""

import argparse
import signal
import socket
import sys
from typing import Any


def resolve(host: str) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """Return the family and the socket address of each address of *host*.

    The socket address is (address, port) for AF_INET and (address, port, flow
    information, scope) for AF_INET6; its port is 0 because none was asked for. One
    socket type is named since otherwise each address comes once for every type.
    Raises OSError (``socket.gaierror``) where there is no address, UnicodeError
    where *host* cannot be a host name, such as ``a..b``.
    """
    results = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [(family, sockaddr) for family, _, _, _, sockaddr in results]


def main() -> None:
    """Print each address of the host that is given."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("host", help="a name or an IPv4 or IPv6 address")
    host = parser.parse_args().host
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends even a slow lookup
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it quietly
    try:
        found = resolve(host)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        sys.exit(f"no address for {host!r}: {reason}")
    for family, sockaddr in found:
        print(family.name, sockaddr)


if __name__ == "__main__":
    main()
