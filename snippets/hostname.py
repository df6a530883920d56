"""The name of this host, and the addresses that a name stands for.

>>> import os, socket
>>> socket.gethostname() == os.uname().nodename
True
>>> first_ipv4("localhost")
'127.0.0.1'
>>> "127.0.0.1" in addresses("localhost")
True

``gethostname`` asks the kernel and always answers. The others ask the resolver
(``/etc/hosts``, DNS), which need not know the name and may take its time. None of
them says which address a peer sees: that is ``getsockname`` of a connected socket.

Sources: ``man 2 gethostname``, ``man 3 gethostbyname``, ``man 3 getaddrinfo``,
https://docs.python.org/3/library/socket.html#socket.getfqdn
"""

import argparse
import signal
import socket
import sys


def first_ipv4(name: str) -> str:
    """Return one IPv4 address of *name* by the old ``gethostbyname``.

    It knows no IPv6 and drops all addresses but the first. Raises OSError where
    there is no such address, UnicodeError where *name* cannot be a host name.
    """
    return socket.gethostbyname(name)


def addresses(name: str) -> list[str]:
    """Return every IPv4 and IPv6 address of *name*, the preferred one first.

    The order is that of RFC 6724. Link-local addresses come without their scope,
    which is in the full socket address. Raises as ``first_ipv4`` does.
    """
    results = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in results]


def main() -> None:
    """Print the names and addresses of this host, or of the one that is given."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="?", help="default: the name of this host")
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends even a slow lookup
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it quietly
    name = socket.gethostname() if args.name is None else args.name
    try:
        print(f"gethostname: {socket.gethostname()}")
        print(f"getfqdn: {socket.getfqdn(name)}", flush=True)
        found = addresses(name)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        sys.exit(f"no address for {name!r}, see /etc/hosts and DNS: {reason}")
    try:
        print(f"gethostbyname: {first_ipv4(name)}")
    except OSError as error:
        print(f"gethostbyname: none ({error.strerror})")
    print(f"getaddrinfo: {', '.join(found)}")


if __name__ == "__main__":
    main()
