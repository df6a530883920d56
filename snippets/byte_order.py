r"""Numbers in the order of this machine, and in that of the network.

The network's order is big-endian: the most significant byte comes first. What
``htons`` and ``htonl`` return is a number that has this order in memory, so it
depends on the machine; the bytes that go out do not.

>>> import socket, sys
>>> socket.htons(1) == (256 if sys.byteorder == "little" else 1)
True
>>> socket.htonl(1) == (16777216 if sys.byteorder == "little" else 1)
True
>>> socket.ntohs(socket.htons(5566)), socket.ntohl(socket.htonl(5566))
(5566, 5566)
>>> pack_port(5566), unpack_port(b"\x15\xbe")
(b'\x15\xbe', 5566)
>>> to_network(5566, 4), from_network(b"\x00\x00\x15\xbe")
(b'\x00\x00\x15\xbe', 5566)

Only unsigned numbers are shown. Addresses and ports given to a socket's methods
stay as they are: Python converts them itself.

Sources: ``man 3 byteorder``, RFC 791 (appendix B),
https://docs.python.org/3/library/struct.html#byte-order-size-and-alignment
"""

import argparse
import signal
import socket
import struct
import sys


def pack_port(port: int) -> bytes:
    """Return the two bytes of *port*; struct.error unless it is 0 to 65,535."""
    return struct.pack("!H", port)  # "!" is network order, "H" an unsigned 16-bit


def unpack_port(data: bytes) -> int:
    """Return the port in *data*; struct.error unless that is two bytes."""
    (port,) = struct.unpack("!H", data)
    return int(port)


def to_network(number: int, size: int) -> bytes:
    """Return *size* bytes; OverflowError if *number* is negative or needs more."""
    return number.to_bytes(size, "big")


def from_network(data: bytes) -> int:
    """Return the unsigned number in *data*, which may have any length."""
    return int.from_bytes(data, "big")


def main() -> None:
    """Print a number in both orders."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it quietly
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("number", type=int, nargs="?", default=5566)
    number = parser.parse_args().number
    if not 0 <= number < 2**32:
        parser.error("number must be between 0 and 4294967295")
    print(f"this machine: {sys.byteorder}-endian")
    if number < 2**16:
        print(f"htons({number}): {socket.htons(number)}")
        print(f"16 bits on the network: {pack_port(number).hex(' ')}")
    print(f"htonl({number}): {socket.htonl(number)}")
    print(f"32 bits on the network: {to_network(number, 4).hex(' ')}")


if __name__ == "__main__":
    main()
