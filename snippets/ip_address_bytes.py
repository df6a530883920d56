r"""IP addresses as text and as the 4 or 16 bytes of a packet.

>>> import ipaddress, socket
>>> to_bytes("192.0.2.1"), to_text(b"\xc0\x00\x02\x01")
(b'\xc0\x00\x02\x01', '192.0.2.1')
>>> to_bytes("2001:db8::1").hex(":", 2)
'2001:0db8:0000:0000:0000:0000:0000:0001'
>>> socket.inet_ntoa(socket.inet_aton("127.1"))
'127.0.0.1'
>>> to_bytes("127.1")
Traceback (most recent call last):
ValueError: not an IPv4 or IPv6 address: '127.1'
>>> ipaddress.ip_address("192.0.2.1").packed == to_bytes("192.0.2.1")
True

``inet_aton`` reads IPv4 only, but also fewer than four parts, octal and hexadecimal
(``010.0.0.1`` is 8.0.0.1), and on many systems whatever follows a blank.
The bytes hold no scope: ``ipaddress`` drops that of ``fe80::1%lo``.

Sources: ``man 3 inet_aton``, ``man 3 inet_pton``, RFC 5952 (IPv6 as text),
https://docs.python.org/3/library/ipaddress.html
"""

import argparse
import ipaddress
import signal
import socket
import sys
from collections.abc import Callable


def to_bytes(address: str) -> bytes:
    """Return 4 bytes for an IPv4 *address*, 16 for IPv6; ValueError otherwise."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.inet_pton(family, address)
    except (OSError, UnicodeError):
        raise ValueError(f"not an IPv4 or IPv6 address: {address!r}") from None


def to_text(packed: bytes) -> str:
    """Return the address in *packed*; ValueError unless it is 4 or 16 bytes."""
    family = socket.AF_INET6 if len(packed) == 16 else socket.AF_INET
    return socket.inet_ntop(family, packed)


READERS: dict[str, Callable[[str], bytes]] = {
    "inet_aton": socket.inet_aton,
    "inet_pton": to_bytes,
    "ipaddress": lambda address: ipaddress.ip_address(address).packed,
}


def main() -> None:
    """Print what each of the readers makes of an address."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it quietly
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("address", nargs="?", default="192.0.2.1")
    address = parser.parse_args().address
    refused = 0
    for name, read in READERS.items():
        try:
            packed = read(address)
        except (OSError, ValueError):
            refused += 1
            print(f"{name}: refused")
        else:
            print(f"{name}: {packed.hex(' ')} is {to_text(packed)}", flush=True)
    if refused == len(READERS):
        sys.exit(f"not an IPv4 or IPv6 address: {address!r}")


if __name__ == "__main__":
    main()
