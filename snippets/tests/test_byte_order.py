"""What ``byte_order.py`` must do on little-endian and big-endian machines."""

import signal
import socket
import struct
import sys

import pytest

import byte_order
from support.server import cut_off, run

PORTS = [0, 1, 255, 256, 5566, 65_535]


def swapped(number: int, size: int) -> int:
    """Return what a machine reads where *number* lies in network order."""
    return int.from_bytes(number.to_bytes(size, "big"), sys.byteorder)


@pytest.mark.parametrize("port", PORTS)
def test_port(port: int) -> None:
    """A port is two bytes, the more significant one first, and comes back."""
    packed = byte_order.pack_port(port)
    assert bytes([port // 256, port % 256]) == packed
    assert port == byte_order.unpack_port(packed)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_port_out_of_range(port: int) -> None:
    """A number that is no port is refused, not cut."""
    with pytest.raises(struct.error):
        byte_order.pack_port(port)


@pytest.mark.parametrize("data", [b"", b"\x15", b"\x15\xbe\x00"])
def test_port_of_wrong_length(data: bytes) -> None:
    """Anything but two bytes is no port."""
    with pytest.raises(struct.error):
        byte_order.unpack_port(data)


@pytest.mark.parametrize(
    ("number", "packed"),
    [
        (0, b"\0\0\0\0"),
        (1, b"\0\0\0\1"),
        (0x01020304, b"\1\2\3\4"),
        (2**32 - 1, b"\xff\xff\xff\xff"),
    ],
)
def test_number(number: int, packed: bytes) -> None:
    """A number of 32 bits is four bytes, the most significant first."""
    assert packed == byte_order.to_network(number, 4)
    assert number == byte_order.from_network(packed)


@pytest.mark.parametrize("number", [-1, 2**32])
def test_number_out_of_range(number: int) -> None:
    """A number that does not fit is refused, not cut."""
    with pytest.raises(OverflowError):
        byte_order.to_network(number, 4)


def test_the_ways_agree() -> None:
    """What htons leaves in memory are the bytes that struct and to_bytes make."""
    in_memory = struct.pack("=H", socket.htons(5566))
    assert in_memory == byte_order.pack_port(5566) == byte_order.to_network(5566, 2)
    in_memory = struct.pack("=I", socket.htonl(5566))
    assert in_memory == byte_order.to_network(5566, 4)


def test_prints_both_orders() -> None:
    """A number of 16 bits is shown as 16 and as 32 bits, in this machine's terms."""
    ended = run("byte_order", "443")
    expected = f"""\
this machine: {sys.byteorder}-endian
htons(443): {swapped(443, 2)}
16 bits on the network: 01 bb
htonl(443): {swapped(443, 4)}
32 bits on the network: 00 00 01 bb
"""
    assert (0, expected, "") == (ended.status, ended.stdout, ended.stderr)


def test_prints_a_number_of_more_than_16_bits() -> None:
    """A number that is too large for 16 bits is shown as 32 bits alone."""
    ended = run("byte_order", "65536")
    expected = f"""\
this machine: {sys.byteorder}-endian
htonl(65536): {swapped(65_536, 4)}
32 bits on the network: 00 01 00 00
"""
    assert (0, expected, "") == (ended.status, ended.stdout, ended.stderr)


def test_largest_number() -> None:
    """The largest number of 32 bits is taken."""
    assert "ff ff ff ff" in run("byte_order", "4294967295").stdout


@pytest.mark.parametrize("number", ["", "x", "-1", "4294967296", "9" * 5_000, "1.5"])
def test_wrong_usage(number: str) -> None:
    """What is no number of 32 bits is wrong usage, told without a traceback."""
    ended = run("byte_order", number)
    assert (2, "") == (ended.status, ended.stdout)
    assert ended.stderr.startswith("usage: ")


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    """In ``| head`` it ends by SIGPIPE as other programs do, without a word."""
    assert (-signal.SIGPIPE, "") == cut_off("byte_order")
