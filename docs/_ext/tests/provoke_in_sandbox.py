"""Provokes the error messages that take another network, or fewer rights, than ours.

It runs inside a sandbox and prints JSON: for each section of docs/errors.rst, and
each way that leads to its message, what was raised.
"""

import contextlib
import json
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

UNREACHABLE = "198.51.100.1"  # of TEST-NET-2; in here the route to it says no
NOWHERE = "203.0.113.1"  # of TEST-NET-3; in here no route leads to it


def unknown_name() -> None:
    """Look a name up where /etc/hosts is all there is."""
    socket.create_connection(("not-exist.example.com", 80))


def name_server_is_silent() -> None:
    """Look a name up where no name server can be reached."""
    socket.create_connection(("example.com", 80))


def no_route() -> None:
    """Connect to a network to which no route leads."""
    with socket.socket() as sock:
        sock.connect((NOWHERE, 80))


def refused_route() -> None:
    """Connect to a host that the route calls unreachable."""
    with socket.socket() as sock:
        sock.connect((UNREACHABLE, 80))


def raw_socket() -> None:
    """Make a raw socket without CAP_NET_RAW."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP):
        pass


def packet_socket() -> None:
    """Make a packet socket without CAP_NET_RAW."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW):
        pass


def low_port() -> None:
    """Bind to a port below 1024 without CAP_NET_BIND_SERVICE."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 80))


def full_backlog() -> None:
    """Connect to a listener that answers nobody any more."""
    with contextlib.ExitStack() as stack:
        listener, first, second, sock = (
            stack.enter_context(socket.socket()) for _ in range(4)
        )
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for each in (first, second):
            each.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                each.connect(listener.getsockname())
        # else the kernel goes on for a minute or two
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1)
        sock.connect(listener.getsockname())


Provokers = dict[str, list[Callable[[], None]]]

WITH_RIGHTS: Provokers = {
    "name-or-service-not-known": [unknown_name],
    "network-is-unreachable": [no_route],
    "no-route-to-host": [refused_route],
    "connection-timed-out": [full_backlog],
}
WITHOUT: Provokers = {
    "operation-not-permitted": [raw_socket, packet_socket],
    "permission-denied": [low_port],
    "temporary-failure-in-name-resolution": [name_server_is_silent],
}


def printed(provoke: Callable[[], None]) -> str:
    """Return how Python would print what *provoke* raises."""
    try:
        provoke()
    except Exception as error:
        return traceback.format_exception_only(error)[0].strip()
    return "nothing was raised"


def all_printed(
    provokers: dict[str, list[Callable[[], None]]],
) -> dict[str, list[str]]:
    """Return what each of *provokers* raises."""
    return {
        anchor: [printed(each) for each in own] for anchor, own in provokers.items()
    }


def run(*argv: str) -> str:
    """Return what a program prints."""
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout


def main() -> None:
    """Provoke all, the last ones in a process without rights or name servers."""
    if sys.argv[1:] == ["without"]:
        print(json.dumps(all_printed(WITHOUT)))
        return
    run("ip", "route", "add", "unreachable", UNREACHABLE)
    found = all_printed(WITH_RIGHTS)
    dns = Path("nsswitch.conf")
    dns.write_text("hosts: dns\n", encoding="utf-8")
    run("mount", "--bind", str(dns), "/etc/nsswitch.conf")
    drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")
    found |= json.loads(run(*drop, sys.executable, __file__, "without"))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
